"""Writes toolkit/tests/trainer/fixtures/optimizers.json: the weights that PyTorch's optimisers reach on a small problem.

Run by hand when an optimiser is added:

    pip install torch==2.15.0
    python tests/python/make_optimizer_fixtures.py

The network is Linear(3, 4), ReLU, Linear(4, 2) under cross-entropy, in f32 on the processor. Weights and data are written down too, so that
nothing depends on anybody's random numbers. Every batch has 4 rows, taken in order and over again. Biases do not decay.
"""

import json
from pathlib import Path

import torch

FIXTURE = Path(__file__).parents[2] / "toolkit" / "tests" / "trainer" / "fixtures" / "optimizers.json"
ROWS, BATCH = 20, 4
STEPS = (1, 10, 100)

CASES = [
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0},
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.01},
    {"optimizer": "adam", "lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8},
    {"optimizer": "adam", "lr": 1e-2, "betas": [0.8, 0.95], "eps": 1e-3},
    {"optimizer": "adamw", "lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01},
    {"optimizer": "adamw", "lr": 1e-3, "betas": [0.8, 0.95], "eps": 1e-8, "weight_decay": 0.3},
    {"optimizer": "adamw", "lr": 1e-2, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.3},
]


def network(weights=None):
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    if weights is not None:
        with torch.no_grad():
            for parameter, values in zip(layers.parameters(), weights):
                parameter.copy_(torch.tensor(values).reshape(parameter.shape))
    return layers


def flat(layers):
    """Every tensor's numbers, in the order weight, bias, weight, bias, row-major."""
    return [parameter.detach().flatten().tolist() for parameter in layers.parameters()]


def optimizer(layers, case):
    options = {name: value for name, value in case.items() if name not in ("optimizer", "weight_decay")}
    decay = case.get("weight_decay", 0.0)
    groups = [
        {"params": [p for p in layers.parameters() if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in layers.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    return {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[case["optimizer"]](groups, **options)


def reached(case, initial, features, classes):
    layers = network(initial)
    opt = optimizer(layers, case)
    weights, losses = {}, {}
    for step in range(1, max(STEPS) + 1):
        at = (step - 1) * BATCH % ROWS
        opt.zero_grad()
        loss = torch.nn.functional.cross_entropy(layers(features[at : at + BATCH]), classes[at : at + BATCH])
        loss.backward()
        opt.step()
        if step in STEPS:
            weights[step], losses[step] = flat(layers), loss.item()
    return [{"step": step, "loss": losses[step], "weights": weights[step]} for step in STEPS]


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    features = torch.randn(ROWS, 3)
    # Not separable, so that the loss keeps away from 0 and gradients from rounding noise.
    classes = ((features.sum(1) + torch.randn(ROWS)) > 0).long()
    initial = flat(network())
    cases = [{**case, "reached": reached(case, initial, features, classes)} for case in CASES]
    lines = ",\n".join("    " + json.dumps(case) for case in cases)
    FIXTURE.write_text(
        f'{{\n  "torch": "{torch.__version__.split("+")[0]}",\n  "batch": {BATCH},\n'
        f'  "features": {json.dumps(features.flatten().tolist())},\n  "classes": {json.dumps(classes.tolist())},\n'
        f'  "initial": {json.dumps(initial)},\n  "cases": [\n{lines}\n  ]\n}}\n'
    )


if __name__ == "__main__":
    main()
