"""Writes callbacks/tests/fixtures/schedules.json: the learning rates that PyTorch's schedulers give, step by step, with the momenta where these are
cycled too, and the rates of ReduceLROnPlateau after each epoch of made-up metrics.

Run by hand when a schedule is added:

    pip install torch==2.15.0
    python tests/python/make_schedule_fixtures.py

Cosine annealing, lines and polynomials are taken from the scheduler's closed form, which PyTorch's own documentation gives as its definition; the
chained form drifts from it by rounding. The warmup is PyTorch's `LinearLR` from 1 / (n + 1) to 1. PyTorch has no inverse square root, and no 1 - sqrt:
those are the papers' formulas in a `LambdaLR`.
"""

import inspect
import json
import math
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
    names = ["pct_start", "div_factor", "final_div_factor", "three_phase"]
    options = {name: case[name] for name in names if name in case}
    if "anneal" in case:
        options["anneal_strategy"] = {"cosine": "cos", "linear": "linear"}[case["anneal"]]
    scheduler = lr_scheduler.OneCycleLR(opt, max_lr=case["max_lr"], total_steps=steps, **options)
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


def cosine_with_restarts(steps, case):
    first = case["first_epochs"] * case["batches_per_epoch"]
    opt = optimizer(case["max_lr"])
    return stepped(lr_scheduler.CosineAnnealingWarmRestarts(opt, first, case["factor"], case["min_lr"]), steps)


def by_epoch(scheduler, steps, case):
    """PyTorch counts calls where ours counts epochs, so it is called once in an epoch."""
    per_epoch = case["batches_per_epoch"]
    rates = stepped(scheduler, -(-steps // per_epoch))
    return [rates[i // per_epoch] for i in range(steps)]


def step(steps, case):
    return by_epoch(lr_scheduler.StepLR(optimizer(case["lr"]), case["every_epochs"], case["gamma"]), steps, case)


def multi_step(steps, case):
    return by_epoch(lr_scheduler.MultiStepLR(optimizer(case["lr"]), case["at_epochs"], case["gamma"]), steps, case)


def exponential(steps, case):
    return by_epoch(lr_scheduler.ExponentialLR(optimizer(case["lr"]), case["gamma"]), steps, case)


def line(first, last, steps):
    return lr_scheduler.LinearLR(optimizer(first), start_factor=1.0, end_factor=last / first, total_iters=steps)


def linear(steps, case):
    return closed(line(case["max_lr"], case["min_lr"], steps), steps)


def polynomial(steps, case):
    # PyTorch's ends at 0; a minimum is added to the rest.
    opt = optimizer(case["max_lr"] - case["min_lr"])
    rates = closed(lr_scheduler.PolynomialLR(opt, total_iters=steps, power=case["power"]), steps)
    return [case["min_lr"] + rate for rate in rates]


def cyclic(steps, case):
    opt = optimizer(case["max_lr"])
    options = {"mode": case["mode"], "gamma": case.get("gamma", 1.0), "step_size_down": case.get("down")}
    return stepped(lr_scheduler.CyclicLR(opt, case["base_lr"], case["max_lr"], step_size_up=case["up"], **options), steps)


def inverse_sqrt(steps, case):
    def paper(step):
        return case["d_model"] ** -0.5 * min((step + 1) ** -0.5, (step + 1) * case["rise"] ** -1.5)

    return stepped(lr_scheduler.LambdaLR(optimizer(1.0), paper), steps)


def warmup_stable_decay(steps, case):
    decay = math.floor(case["decay_share"] * steps + 0.5)
    if case["decay"] == "linear":
        down = closed(line(case["max_lr"], case["min_lr"], decay), decay)
    else:
        height = optimizer(case["max_lr"] - case["min_lr"])
        down = stepped(lr_scheduler.LambdaLR(height, lambda step: 1 - math.sqrt(step / decay)), decay)
        down = [case["min_lr"] + rate for rate in down]
    return [case["max_lr"]] * (steps - decay) + down


def warmup(steps, first):
    scheduler = lr_scheduler.LinearLR(optimizer(first), start_factor=1 / (steps + 1), end_factor=1.0, total_iters=steps)
    return closed(scheduler, steps)


CURVES = {
    "one_cycle": one_cycle,
    "one_cycle_options": one_cycle,
    "cosine": cosine,
    "cosine_with_restarts": cosine_with_restarts,
    "step": step,
    "multi_step": multi_step,
    "exponential": exponential,
    "linear": linear,
    "polynomial": polynomial,
    "cyclic": cyclic,
    "inverse_sqrt": inverse_sqrt,
    "warmup_stable_decay": warmup_stable_decay,
}


def momenta(scheduler, steps):
    """The momentum of each step, and no step behind the last, which is an error for one cycle."""
    group = scheduler.optimizer.param_groups[0]
    seen = []
    for step in range(steps):
        seen.append(float(group["momentum"]))
        scheduler.optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return seen


def cycled(case):
    """A case with the momenta of its schedule."""
    opt = optimizer(case["max_lr"])
    steps = case["epochs"] * case["batches_per_epoch"] - case["warmup"]
    between = {"cycle_momentum": True, "base_momentum": case["base_momentum"], "max_momentum": case["max_momentum"]}
    if case["schedule"] == "cyclic":
        options = {"mode": case["mode"], "gamma": case.get("gamma", 1.0), "step_size_down": case.get("down")}
        scheduler = lr_scheduler.CyclicLR(opt, case["base_lr"], case["max_lr"], step_size_up=case["up"], **options, **between)
    else:
        names = ["pct_start", "div_factor", "final_div_factor", "three_phase"]
        options = {name: case[name] for name in names}
        options["anneal_strategy"] = {"cosine": "cos", "linear": "linear"}[case["anneal"]]
        scheduler = lr_scheduler.OneCycleLR(opt, max_lr=case["max_lr"], total_steps=steps, **options, **between)
    return {**case, "momenta": momenta(scheduler, steps)}


def rates(case):
    rest = CURVES[case["schedule"]](case["epochs"] * case["batches_per_epoch"] - case["warmup"], case)
    return (warmup(case["warmup"], rest[0]) if case["warmup"] else []) + rest


def schedules():
    cases = []
    for epochs, batches_per_epoch, warm in [(3, 7, 0), (10, 10, 0), (5, 9, 4), (2, 1, 0)]:
        where = {"epochs": epochs, "batches_per_epoch": batches_per_epoch, "warmup": warm}
        cases.append({"schedule": "one_cycle", "max_lr": 3e-3, **where})
        cases.append({"schedule": "cosine", "max_lr": 0.1, "min_lr": 0.0, **where})
        cases.append({"schedule": "cosine", "max_lr": 0.1, "min_lr": 1e-4, **where})
        cases.append({"schedule": "step", "lr": 0.1, "every_epochs": 2, "gamma": 0.3, **where})
    for epochs, batches_per_epoch, warm in [(8, 3, 0), (4, 5, 4)]:
        where = {"epochs": epochs, "batches_per_epoch": batches_per_epoch, "warmup": warm}
        for pct_start, anneal, three_phase in [(0.25, "cosine", True), (0.4, "linear", False), (0.5, "linear", True), (1.0, "cosine", False)]:
            options = {"pct_start": pct_start, "div_factor": 10.0, "final_div_factor": 50.0, "anneal": anneal, "three_phase": three_phase}
            cases.append({"schedule": "one_cycle_options", "max_lr": 3e-3, **options, **where})
        cases.append({"schedule": "cosine_with_restarts", "max_lr": 0.1, "first_epochs": 1, "factor": 2, "min_lr": 0.0, **where})
        cases.append({"schedule": "cosine_with_restarts", "max_lr": 0.1, "first_epochs": 2, "factor": 1, "min_lr": 1e-3, **where})
        cases.append({"schedule": "multi_step", "lr": 0.1, "at_epochs": [1, 3, 6], "gamma": 0.3, **where})
        cases.append({"schedule": "exponential", "lr": 0.1, "gamma": 0.8, **where})
        cases.append({"schedule": "linear", "max_lr": 0.1, "min_lr": 0.0, **where})
        cases.append({"schedule": "linear", "max_lr": 0.1, "min_lr": 1e-3, **where})
        cases.append({"schedule": "polynomial", "max_lr": 0.1, "min_lr": 0.0, "power": 0.9, **where})
        cases.append({"schedule": "polynomial", "max_lr": 0.1, "min_lr": 1e-3, "power": 2.0, **where})
        cases.append({"schedule": "cyclic", "base_lr": 0.01, "max_lr": 0.1, "up": 4, "mode": "triangular", **where})
        cases.append({"schedule": "cyclic", "base_lr": 0.01, "max_lr": 0.1, "up": 2, "down": 5, "mode": "triangular2", **where})
        cases.append({"schedule": "cyclic", "base_lr": 0.01, "max_lr": 0.1, "up": 4, "down": 3, "mode": "exp_range", "gamma": 0.95, **where})
        cases.append({"schedule": "inverse_sqrt", "d_model": 64, "rise": 5, **where})
        cases.append({"schedule": "warmup_stable_decay", "max_lr": 0.1, "min_lr": 0.0, "decay_share": 0.2, "decay": "linear", **where})
        cases.append({"schedule": "warmup_stable_decay", "max_lr": 0.1, "min_lr": 1e-3, "decay_share": 0.7, "decay": "one_minus_sqrt", **where})
    cases = [{**case, "rates": rates(case)} for case in cases]
    between = {"base_momentum": 0.8, "max_momentum": 0.93}
    again = [{**case, **between} for case in cases if case["schedule"] in ("one_cycle_options", "cyclic")]
    return cases + [cycled(case) for case in again]


def plateau(case):
    opt = optimizer(case["lr"])
    names = ["mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr", "eps"]
    scheduler = lr_scheduler.ReduceLROnPlateau(opt, **{name: case[name] for name in names})
    rates = []
    for value in case["values"]:
        scheduler.step(float(value))
        rates.append(float(opt.param_groups[0]["lr"]))
    return {**case, "rates": rates}


def plateaus(defaults):
    falls = [3, 2.5, 2.5, 2.4999, 2.6, 2.2, 2.2, 2.3, 2.2, 2.1999, 2.2, 1, 1, 1, 1, 1, 1, 1]
    long = [1.0] * 30
    odd = ["nan", 2, "inf", "nan", "nan", 1, "-inf", 0, 0, 0]
    below = [-1, -1, -1.00005, -2, -1.9999, -2, -3, -3, -3]
    changes = [
        (long, {}),
        (falls, {"factor": 0.5, "patience": 1}),
        (falls, {"factor": 0.5, "patience": 0}),
        (falls, {"factor": 0.5, "patience": 1, "cooldown": 2}),
        (falls, {"factor": 0.5, "patience": 2, "threshold": 0.1}),
        (falls, {"factor": 0.5, "patience": 1, "threshold": 0.3, "threshold_mode": "abs"}),
        (falls, {"factor": 0.5, "patience": 1, "mode": "max"}),
        (falls, {"factor": 0.5, "patience": 1, "mode": "max", "threshold": 0.3, "threshold_mode": "abs"}),
        (falls, {"factor": 0.1, "patience": 0, "min_lr": 5e-4}),
        (falls, {"factor": 0.1, "patience": 0, "eps": 1e-3}),
        (falls, {"factor": 0.1, "patience": 0, "lr": 1e-4, "min_lr": 1e-2}),
        (odd, {"factor": 0.5, "patience": 0}),
        (odd, {"factor": 0.5, "patience": 1, "mode": "max", "cooldown": 1}),
        (below, {"factor": 0.5, "patience": 1}),
        (below, {"factor": 0.5, "patience": 1, "mode": "max"}),
    ]
    return [plateau({"lr": 0.1, **defaults, **change, "values": values}) for values, change in changes]


def main():
    parameters = inspect.signature(lr_scheduler.ReduceLROnPlateau).parameters
    defaults = {name: p.default for name, p in parameters.items() if name != "optimizer"}
    lines = lambda cases: ",\n".join("    " + json.dumps(case) for case in cases)
    FIXTURE.write_text(
        f'{{\n  "torch": "{torch.__version__.split("+")[0]}",\n  "cases": [\n{lines(schedules())}\n  ],\n'
        f'  "plateau": [\n{lines(plateaus(defaults))}\n  ],\n'
        f'  "plateau_defaults": {json.dumps({k: v for k, v in defaults.items() if k != "mode"})}\n}}\n'
    )


if __name__ == "__main__":
    main()
