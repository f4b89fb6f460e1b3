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
from torch import nn  # noqa: E402

LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-2
VOCABULARY, LENGTH, WIDTH = 65, 64, 128


def mlp():
    layers = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    return layers, torch.randn(128, 784), torch.randint(10, (128,))


def norm_mlp():
    def layer(inputs):
        return nn.Linear(inputs, 128), nn.BatchNorm1d(128), nn.ReLU()

    return nn.Sequential(*layer(64), *layer(128), nn.Linear(128, 10)), torch.randn(64, 64), torch.randint(10, (64,))


def cnn(side):
    layers = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (side // 4) ** 2, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    return layers, torch.randn(64, 1, side, side), torch.randint(10, (64,))


def series_cnn():
    layers = nn.Sequential(
        nn.Conv1d(1, 16, 5),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(16, 32, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(32, 3),
    )
    return layers, torch.randn(64, 1, 64), torch.randint(3, (64,))


class Transformer(nn.Module):
    """Two causal blocks with the norm in front, ReLU and no dropout."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Parameter(0.02 * torch.randn(LENGTH, WIDTH))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, 4, 256, dropout=0.0, batch_first=True, norm_first=True) for _ in range(2)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, characters):
        x = self.tokens(characters) + self.positions
        for block in self.blocks:
            x = block(x, src_mask=self.mask, is_causal=True)
        return self.head(self.norm(x)).flatten(0, 1)


def transformer():
    return Transformer(), torch.randint(VOCABULARY, (16, LENGTH)), torch.randint(VOCABULARY, (16 * LENGTH,))


MODELS = {
    "mlp": mlp,
    "norm-mlp": norm_mlp,
    "digits-cnn": lambda: cnn(8),
    "mnist-cnn": lambda: cnn(28),
    "series-cnn": series_cnn,
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
