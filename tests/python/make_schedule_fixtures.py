"""Writes callbacks/tests/fixtures/schedules.json: the learning rates that PyTorch's schedulers give, step by step.

Run by hand when a schedule is added:

    pip install torch==2.15.0
    python tests/python/make_schedule_fixtures.py

Cosine annealing is taken from the scheduler's closed form, which PyTorch's own documentation gives as its definition; the
chained form drifts from it by rounding. The warmup is PyTorch's `LinearLR` from 1 / (n + 1) to 1.
"""

import json
from pathlib import Path

import torch
from torch.optim import lr_scheduler

FIXTURE = Path(__file__).parents[2] / "callbacks" / "tests" / "fixtures" / "schedules.json"


def optimizer(lr):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)


def stepped(scheduler, steps):
    """The rate of each step, where the scheduler moves after every step."""
    rates = []
    for _ in range(steps):
        rates.append(float(scheduler.optimizer.param_groups[0]["lr"]))
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def closed(scheduler, steps):
    """The same by the scheduler's closed form."""
    rates = []
    for step in range(steps):
        scheduler.last_epoch = step
        rates.append(float(scheduler._get_closed_form_lr()[0]))
    return rates


def one_cycle(steps, case):
    # A step behind the end is an error there, so the last rate is read before it.
    opt = optimizer(case["max_lr"])
    scheduler = lr_scheduler.OneCycleLR(opt, max_lr=case["max_lr"], total_steps=steps)
    rates = []
    for step in range(steps):
        rates.append(float(opt.param_groups[0]["lr"]))
        opt.step()
        if step + 1 < steps:
            scheduler.step()
    return rates


def cosine(steps, case):
    opt = optimizer(case["max_lr"])
    return closed(lr_scheduler.CosineAnnealingLR(opt, T_max=steps, eta_min=case["min_lr"]), steps)


def step(steps, case):
    # StepLR counts calls; ours counts epochs, so it is called once in an epoch.
    per_epoch = case["batches_per_epoch"]
    epochs = -(-steps // per_epoch)
    rates = stepped(lr_scheduler.StepLR(optimizer(case["lr"]), case["every_epochs"], case["gamma"]), epochs)
    return [rates[i // per_epoch] for i in range(steps)]


def warmup(steps, first):
    scheduler = lr_scheduler.LinearLR(optimizer(first), start_factor=1 / (steps + 1), end_factor=1.0, total_iters=steps)
    return closed(scheduler, steps)


def rates(case):
    curve = {"one_cycle": one_cycle, "cosine": cosine, "step": step}[case["schedule"]]
    rest = curve(case["epochs"] * case["batches_per_epoch"] - case["warmup"], case)
    return (warmup(case["warmup"], rest[0]) if case["warmup"] else []) + rest


def main():
    cases = []
    for epochs, batches_per_epoch, warm in [(3, 7, 0), (10, 10, 0), (5, 9, 4), (2, 1, 0)]:
        where = {"epochs": epochs, "batches_per_epoch": batches_per_epoch, "warmup": warm}
        cases.append({"schedule": "one_cycle", "max_lr": 3e-3, **where})
        cases.append({"schedule": "cosine", "max_lr": 0.1, "min_lr": 0.0, **where})
        cases.append({"schedule": "cosine", "max_lr": 0.1, "min_lr": 1e-4, **where})
        cases.append({"schedule": "step", "lr": 0.1, "every_epochs": 2, "gamma": 0.3, **where})
    for case in cases:
        case["rates"] = rates(case)
    lines = ",\n".join("    " + json.dumps(case) for case in cases)
    FIXTURE.write_text(f'{{\n  "torch": "{torch.__version__.split("+")[0]}",\n  "cases": [\n{lines}\n  ]\n}}\n')


if __name__ == "__main__":
    main()
