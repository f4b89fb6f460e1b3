"""PyTorch's side of `cargo xtask peers`: measures training steps of the networks in `toolkit/nn/benches/models` when it is asked to.

It first prints who it is. Then each line `MODEL STEPS` that it reads is answered by a line: the median of so many steps in milliseconds, or
`-` and why there is none. The first question about a model makes it; every answer is preceded by steps that are not counted.
"""

import sys
import time
import warnings

# NumPy is not needed and not installed.
warnings.filterwarnings("ignore", message="Failed to initialize NumPy")

import torch  # noqa: E402
from pytorch_networks import LanguageModel, cnn, series_cnn  # noqa: E402
from torch import nn  # noqa: E402

LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-2
VOCABULARY, LENGTH = 65, 64


def mlp():
    layers = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    return layers, torch.randn(128, 784), torch.randint(10, (128,))


def norm_mlp():
    def layer(inputs):
        return nn.Linear(inputs, 128), nn.BatchNorm1d(128), nn.ReLU()

    return nn.Sequential(*layer(64), *layer(128), nn.Linear(128, 10)), torch.randn(64, 64), torch.randint(10, (64,))


def image_cnn(side):
    return cnn(side), torch.randn(64, 1, side, side), torch.randint(10, (64,))


def wave_cnn():
    return series_cnn(), torch.randn(64, 1, 64), torch.randint(3, (64,))


class Transformer(LanguageModel):
    """The language model, whose positions are rows."""

    def forward(self, characters):
        return super().forward(characters).flatten(0, 1)


def transformer():
    network = Transformer(VOCABULARY, LENGTH)
    return network, torch.randint(VOCABULARY, (16, LENGTH)), torch.randint(VOCABULARY, (16 * LENGTH,))


MODELS = {
    "mlp": mlp,
    "norm-mlp": norm_mlp,
    "digits-cnn": lambda: image_cnn(8),
    "mnist-cnn": lambda: image_cnn(28),
    "series-cnn": wave_cnn,
    "transformer": transformer,
}


def make(name):
    """A function that does one step."""
    network, inputs, targets = MODELS[name]()
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def step():
        loss = nn.functional.cross_entropy(network(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def median(step, steps):
    for _ in range(2 + steps // 10):
        step()
    times = []
    for _ in range(max(steps, 1)):
        began = time.perf_counter()
        step()
        times.append((time.perf_counter() - began) * 1e3)
    return sorted(times)[len(times) // 2]


def main():
    torch.set_num_threads(2)
    torch.manual_seed(1)
    print(f"PyTorch {torch.__version__}", flush=True)
    made = {}
    for line in sys.stdin:
        try:
            name, steps = line.split()
            if name not in made:
                made[name] = make(name)
            answer = str(median(made[name], int(steps)))
        except Exception as error:
            answer = f"- {type(error).__name__}: {error}".replace("\n", " ")
        print(answer, flush=True)


if __name__ == "__main__":
    main()
