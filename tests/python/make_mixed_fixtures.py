"""Writes toolkit/nn/tests/fixtures/mixed.json: what PyTorch's automatic mixed precision does.

Run by hand when something about mixed precision changes:

    pip install torch==2.15.0
    python tests/python/make_mixed_fixtures.py

`scales` has scripted sequences of overflows and the scale that `torch.amp.GradScaler` has before each step. `networks` has small networks under
`torch.autocast` in float16 on the processor: weights, a batch, and the loss and the unscaled gradients that come of it.
"""

import json
from pathlib import Path

import torch
from torch import nn

FIXTURE = Path(__file__).parents[2] / "toolkit" / "nn" / "tests" / "fixtures" / "mixed.json"


def scales(options, overflows):
    """The scale of each step, where a step that overflows has an infinite gradient."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", **options)
    seen = []
    for overflow in overflows:
        scaler.scale(torch.zeros(1))  # makes the scale
        seen.append(scaler.get_scale())
        weight.grad = torch.full((1,), float("inf") if overflow else 1.0)
        before = weight.item()
        scaler.step(optimizer)
        scaler.update()
        assert (weight.item() == before) == bool(overflow)
    return {"options": options, "overflows": overflows, "scales": seen}


def every(period, steps):
    return [int(step % period == period - 1) for step in range(steps)]


SCALES = [
    scales({}, [1, 1, 1, 0, 0, 1, 0]),
    scales({"growth_interval": 3}, [0] * 12 + [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1]),
    scales({"growth_interval": 1, "init_scale": 3.0}, [0, 0, 1, 0, 1, 1, 0]),
    scales({"growth_factor": 1.7, "backoff_factor": 0.3, "growth_interval": 4, "init_scale": 1000.0}, every(7, 60)),
    scales({"growth_interval": 2}, every(5, 40)),
    # More than PyTorch's interval.
    scales({}, [0] * 1999 + [1] + [0] * 2001 + [1, 0]),
    # Below 1, and up to where f32 ends.
    scales({"init_scale": 2.0}, [1] * 30),
    scales({"growth_interval": 1, "init_scale": 2.0**120}, [0] * 12 + [1, 0]),
]


def network(name, scale, net, shape, classes):
    torch.manual_seed(len(name))
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    weights = {key: value.clone() for key, value in net.state_dict().items() if "num_batches" not in key}
    x = torch.randn(*shape)
    y = torch.randint(classes, (shape[0],))
    with torch.autocast("cpu", dtype=torch.float16):
        outputs = net(x)
    loss = nn.functional.cross_entropy(outputs.float(), y)
    (loss * scale).backward()
    listed = lambda tensor: {"shape": list(tensor.shape), "values": tensor.flatten().tolist()}
    return {
        "name": name,
        "scale": scale,
        "input": listed(x),
        "targets": y.tolist(),
        "weights": {key: listed(value) for key, value in weights.items()},
        "loss": loss.item(),
        "gradients": {key: listed(value.grad / scale) for key, value in net.named_parameters()},
    }


NETWORKS = [
    network("mlp", 1024.0, nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)), (6, 8), 4),
    network("mlp, large scale", 65536.0, nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)), (6, 8), 4),
    network(
        "norms",
        4096.0,
        nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 4)),
        (6, 8),
        4,
    ),
    network(
        "cnn",
        4096.0,
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 2), nn.Sigmoid(), nn.Flatten(), nn.Linear(24, 3)),
        (5, 1, 8, 8),
        3,
    ),
    network("log-softmax", 1024.0, nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 4), nn.LogSoftmax(-1)), (6, 8), 4),
]

FIXTURE.write_text(json.dumps({"torch": torch.__version__, "scales": SCALES, "networks": NETWORKS}))
