"""How well PyTorch trains the networks of our accuracy tasks: prints one JSON object, task -> {"metric", "per_seed", "mean"}.

    pip install torch==2.15.0
    python tests/python/measure_accuracy.py [TASK ...]

Each of the seeds 1 to 5 draws its own split, initial weights and order of the rows; for `waves-cnn` its own data too. The figure is that of
the weights after the last step, with no epoch selected, on the tenth set aside for testing (for `hamlet-lm` the text's last tenth). All of
it is in f32 on the processor, with 2 threads. Parameters of more than one dimension decay by 0.01, biases and norms do not.
`OneCycleLR` has PyTorch's defaults, which move Adam's first beta between 0.95 and 0.85 as well; the last batch of an epoch may be small.
"""

import csv
import gzip
import json
import math
import sys
from pathlib import Path

import torch
from pytorch_networks import LanguageModel, cnn, series_cnn
from torch import nn

DATA = Path(__file__).parents[2] / "notebooks" / "data"
SEEDS = (1, 2, 3, 4, 5)
MAX_LR, WEIGHT_DECAY = 3e-3, 0.01


def rows(name, scale):
    """Features divided by `scale`, and the last column as classes."""
    with gzip.open(DATA / name, "rt") as file:
        table = torch.tensor([[int(cell) for cell in row] for row in csv.reader(file)])
    return table[:, :-1].float() / scale, table[:, -1]


def split(classes):
    """Indices of 0.8, 0.1 and 0.1 of the rows, with each class in proportion."""
    parts = ([], [], [])
    for label in classes.unique():
        where = (classes == label).nonzero().flatten()
        where = where[torch.randperm(len(where))]
        first, second = round(0.8 * len(where)), round(0.9 * len(where))
        for part, indices in zip(parts, (where[:first], where[first:second], where[second:])):
            part.append(indices)
    return [torch.cat(part) for part in parts]


def recipe(network, steps, max_lr=MAX_LR):
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=max_lr)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=max_lr, total_steps=steps)


def step(loss, optimizer, scheduler, network=None):
    optimizer.zero_grad()
    loss.backward()
    if network is not None:
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    # A step of the scheduler behind its end is an error.
    if scheduler.last_epoch + 1 < scheduler.total_steps:
        scheduler.step()


def classify(network, features, classes, epochs, batch):
    """The accuracy on the test rows after `epochs` epochs."""
    train, _, test = split(classes)
    optimizer, scheduler = recipe(network, epochs * math.ceil(len(train) / batch))
    network.train()
    for _ in range(epochs):
        for indices in train[torch.randperm(len(train))].split(batch):
            step(nn.functional.cross_entropy(network(features[indices]), classes[indices]), optimizer, scheduler)
    network.eval()
    with torch.no_grad():
        return (network(features[test]).argmax(1) == classes[test]).double().mean().item()


def image_cnn(side):
    return nn.Sequential(nn.Unflatten(1, (1, side, side)), *cnn(side))


def digits_mlp():
    layers = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    return classify(layers, *rows("digits.csv.gz", 16), epochs=30, batch=32)


def digits_cnn():
    return classify(image_cnn(8), *rows("digits.csv.gz", 16), epochs=30, batch=32)


def mnist_cnn():
    return classify(image_cnn(28), *rows("mnist-5k.csv.gz", 255), epochs=10, batch=64)


def mpg_mlp(epochs=100, batch=32):
    """The root mean squared error in miles a gallon on 40 test cars, with 312 to be trained on."""
    with open(DATA / "auto-mpg.csv", newline="") as file:
        cars = list(csv.DictReader(file))
    origins = sorted({car["origin"] for car in cars})
    numbers = [name for name in cars[0] if name not in ("origin", "name", "mpg")]
    features = torch.tensor([[float(car[name]) for name in numbers] + [float(car["origin"] == o) for o in origins] for car in cars])
    mpg = torch.tensor([[float(car["mpg"])] for car in cars])
    train, _, test = torch.randperm(len(cars)).split([312, 40, 40])
    mean, std = features[train].mean(0), features[train].std(0, correction=0)
    offset, scale = mpg[train].mean(), mpg[train].std(correction=0)
    features, scaled = (features - mean) / std, (mpg - offset) / scale
    network = nn.Sequential(nn.Linear(features.shape[1], 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer, scheduler = recipe(network, epochs * math.ceil(len(train) / batch), max_lr=1e-3)
    for _ in range(epochs):
        for indices in train[torch.randperm(len(train))].split(batch):
            step(nn.functional.mse_loss(network(features[indices]), scaled[indices]), optimizer, scheduler)
    with torch.no_grad():
        predicted = network(features[test]) * scale + offset
        return (predicted - mpg[test]).square().mean().sqrt().item()


def waves(count, length=64, noise=0.3):
    """As many sines, squares and sawtooths between -1 and 1, of 1 to 4 periods and any phase, under normal noise."""
    classes = torch.arange(count) % 3
    periods, phase = 1 + 3 * torch.rand(count, 1), torch.rand(count, 1)
    at = (periods * torch.arange(length) / length + phase) % 1
    families = torch.stack([torch.sin(2 * math.pi * at), torch.where(at < 0.5, 1.0, -1.0), 2 * at - 1])
    return families[classes, torch.arange(count)] + noise * torch.randn(count, length), classes


def waves_cnn():
    features, classes = waves(600)
    network = nn.Sequential(nn.Unflatten(1, (1, 64)), *series_cnn())
    return classify(network, features, classes, epochs=30, batch=32)


def hamlet_lm(context=64, steps=1000, batch=16):
    with gzip.open(DATA / "hamlet.txt.gz", "rt", encoding="utf-8", newline="") as file:
        text = file.read()
    vocabulary = {character: i for i, character in enumerate(sorted(set(text)))}
    encoded = torch.tensor([vocabulary[character] for character in text])
    end = len(encoded) - len(encoded) // 10
    train, validation = encoded[:end], encoded[end:]
    network = LanguageModel(len(vocabulary), context)
    optimizer, scheduler = recipe(network, steps)
    network.train()
    for _ in range(steps):
        windows = torch.randint(len(train) - context, (batch, 1)) + torch.arange(context + 1)
        characters = train[windows]
        scores = network(characters[:, :-1])
        step(nn.functional.cross_entropy(scores.flatten(0, 1), characters[:, 1:].flatten()), optimizer, scheduler, network)
    network.eval()
    count = (len(validation) - 1) // context
    inputs, targets = (validation[i : i + count * context].view(count, context) for i in (0, 1))
    total = 0.0
    with torch.no_grad():
        for x, y in zip(inputs.split(64), targets.split(64)):
            total += nn.functional.cross_entropy(network(x).flatten(0, 1), y.flatten(), reduction="sum").item()
    return total / targets.numel()


TASKS = {
    "digits-mlp": ("test_accuracy", digits_mlp),
    "digits-cnn": ("test_accuracy", digits_cnn),
    "mnist-cnn": ("test_accuracy", mnist_cnn),
    "hamlet-lm": ("val_loss", hamlet_lm),
    "waves-cnn": ("test_accuracy", waves_cnn),
    "mpg-mlp": ("test_rmse", mpg_mlp),
}


def main(names):
    torch.set_num_threads(2)
    measured = {}
    for name in names or TASKS:
        metric, task = TASKS[name]
        per_seed = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            per_seed.append(round(task(), 6))
            print(f"{name}, seed {seed}: {metric} {per_seed[-1]}", file=sys.stderr, flush=True)
        measured[name] = {"metric": metric, "per_seed": per_seed, "mean": round(sum(per_seed) / len(per_seed), 6)}
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
