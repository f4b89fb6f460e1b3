"""Writes toolkit/nn/tests/fixtures: what PyTorch's layers, losses and optimisers give for the same numbers as ours.

Run by hand when a layer, a loss or an optimiser is added:

    pip install torch==2.15.0
    python tests/python/make_layer_fixtures.py

- `layers/<Kind>.json`: cases of a kind, with the output, and the gradients of sum(output * upstream) for the input and the parameters.
- `losses.json`: values and gradients of losses, averaged as PyTorch's reduction "mean" does.
- `optimizers.json`: weights after 1, 2, 10 and 100 steps with gradients that do not depend on them. The gradient of step t (from 1) at
  number i of 20 (15 weights, then 5 biases, from 0) is sin(0.37 * (i + 1) * t) * cos(0.11 * t), rounded to f32. Only weights decay.

Everything is computed in f64. Inputs, parameters and upstream gradients are drawn and rounded to f32 first, so that programs in f32 start
from the very same; every case draws from its own name, so that a new case changes no other. Numbers have up to 12 significant digits.
Options at their defaults are left out, except where a case is about them. Lion is not in PyTorch, and `Lion` below is the formula of Chen
et al. 2023 (arXiv:2302.06675); sinusoidal positions are that of Vaswani et al. 2017.
"""

import json
import math
import warnings
import zlib
from itertools import product
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

FIXTURES = Path(__file__).parents[2] / "toolkit" / "nn" / "tests" / "fixtures"
STEPS = (1, 2, 10, 100)


def number(value):
    assert math.isfinite(value), value
    return float(f"{value:.12g}") + 0.0


def tensor(values):
    values = values.detach()
    return {"shape": list(values.shape), "data": [number(value) for value in values.flatten().tolist()]}


def as_f32(values):
    return values.to(torch.float32).to(torch.float64)


class Draw:
    """Random numbers of one case, each of them a number of f32."""

    def __init__(self, name):
        self.generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))

    def normal(self, shape, scale=1.0, mean=0.0):
        return as_f32(mean + scale * torch.randn(shape, generator=self.generator))

    def uniform(self, shape, low, high):
        return as_f32(low + (high - low) * torch.rand(shape, generator=self.generator))

    def integers(self, shape, below):
        return torch.randint(below, shape, generator=self.generator)

    def spread(self, shape, *without):
        """A grid from -12 to 12 with more of it near 0, in random order, that keeps away from `without`."""
        count = math.prod(shape)
        grid = torch.linspace(-1, 1, count)
        grid = as_f32(12 * grid.abs() ** 2.5 * grid.sign())
        for point in (0.0, *without):
            near = (grid - point).abs() < 1e-3
            grid[near] = as_f32(torch.tensor(point + 1.5e-3)).item()
        return grid[torch.randperm(count, generator=self.generator)].reshape(shape)


# Modules that PyTorch lacks or whose input and output differ from ours.


class GlobalAvgPool(nn.Module):
    def forward(self, x):
        return x.flatten(2).mean(2)


class LearnedPositions(nn.Module):
    def __init__(self, max_length, width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(max_length, width))

    def forward(self, x):
        return x + self.weight[: x.shape[1]]


class SinusoidalPositions(nn.Module):
    def forward(self, x):
        _, length, width = x.shape
        table = torch.tensor(
            [[(math.cos if d % 2 else math.sin)(t / 10000 ** ((d - d % 2) / width)) for d in range(width)] for t in range(length)]
        )
        return x + table


class CategoricalEmbedding(nn.Module):
    def __init__(self, width, tables):
        super().__init__()
        self.features = [table["feature"] for table in tables]
        self.others = [feature for feature in range(width) if feature not in self.features]
        self.embeddings = nn.ModuleList(nn.Embedding(table["num_embeddings"], table["embedding_dim"]) for table in tables)

    def forward(self, x):
        rows = [table(x[:, feature].long()) for table, feature in zip(self.embeddings, self.features)]
        return torch.cat([*rows, x[:, self.others]], dim=1)


def later_is_hidden(x):
    length = x.shape[1]
    return torch.ones(length, length, dtype=torch.bool).triu(1)


class SelfAttention(nn.MultiheadAttention):
    def __init__(self, width, num_heads, causal=False, bias=True, memory=0):
        super().__init__(width, num_heads, bias=bias, batch_first=True)
        self.causal, self.memory = causal, memory

    def forward(self, x, padding=None):
        mask = later_is_hidden(x) if self.causal else None
        keys = x[:, : self.memory or None]
        if padding is not None:
            padding = padding[:, : self.memory or None]
        return super().forward(x[:, self.memory :], keys, keys, need_weights=False, attn_mask=mask, key_padding_mask=padding)[0]


class EncoderLayer(nn.TransformerEncoderLayer):
    def __init__(self, width, num_heads, causal=False, **options):
        super().__init__(width, num_heads, dropout=0.0, batch_first=True, **options)
        self.causal = causal

    def forward(self, x, padding=None):
        return super().forward(x, src_mask=later_is_hidden(x) if self.causal else None, src_key_padding_mask=padding)


class DecoderLayer(nn.TransformerDecoderLayer):
    def __init__(self, width, num_heads, memory, causal=True, **options):
        super().__init__(width, num_heads, dropout=0.0, batch_first=True, **options)
        self.causal, self.memory = causal, memory

    def forward(self, x, padding=None):
        memory, x = x[:, : self.memory], x[:, self.memory :]
        masks = {"tgt_mask": later_is_hidden(x) if self.causal else None}
        if padding is not None:
            masks |= {"memory_key_padding_mask": padding[:, : self.memory], "tgt_key_padding_mask": padding[:, self.memory :]}
        return torch.cat([memory, super().forward(x, memory, **masks)], 1)


class Slice(nn.Module):
    def __init__(self, start=0, end=None, dim=0):
        super().__init__()
        self.at = (slice(None),) * (dim + 1) + (slice(start, end),)

    def forward(self, x):
        return x[self.at]


class PositionAvgPool(nn.Module):
    def forward(self, x, padding=None):
        if padding is None:
            return x.mean(1)
        kept = ~padding.unsqueeze(2)
        return (x * kept).sum(1) / kept.sum(1)


class PositionMaxPool(nn.Module):
    def forward(self, x, padding=None):
        return (x if padding is None else x.masked_fill(padding.unsqueeze(2), -math.inf)).max(1).values


class Sequence(nn.ModuleList):
    """Layers behind an embedding, of which those that know of padding are told where it is."""

    def forward(self, tokens):
        padding = tokens == self[0].padding_idx
        x = self[0](tokens)
        for layer in self[1:]:
            knows = isinstance(layer, (SelfAttention, EncoderLayer, DecoderLayer, PositionAvgPool, PositionMaxPool))
            x = layer(x, padding) if knows else layer(x)
        return x


def recurrent(base):
    class Recurrent(base):
        def __init__(self, width, hidden_size, bidirectional=False, return_sequences=True):
            super().__init__(width, hidden_size, bidirectional=bidirectional, batch_first=True)
            self.return_sequences = return_sequences

        def forward(self, x):
            output, state = super().forward(x)
            if self.return_sequences:
                return output
            hidden = state[0] if isinstance(state, tuple) else state
            # One state of each direction, the forward one first.
            return torch.cat(list(hidden), 1)

    return Recurrent


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def on_channels(kind):
    """A kind whose constructor begins with the input's channels."""
    return lambda shape, **options: kind(shape[1], **options)


def on_features(kind):
    """A kind whose constructor begins with the input's last dimension."""
    return lambda shape, **options: kind(shape[-1], **options)


def alone(kind):
    """A kind that takes nothing from the input's shape."""
    return lambda shape, **options: kind(**options)


def function(kind):
    return lambda shape: Function(kind)


def grouped(shape, num_groups, **options):
    return nn.GroupNorm(num_groups, shape[1], **options)


def batch_norm(shape, **options):
    return {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)](shape[1], **options)


def embedding(padding_index=None, **options):
    return nn.Embedding(**options, padding_idx=padding_index)


def categorical(*tables):
    """Options and needs of features that are categories: number, categories, numbers for each."""

    def numbers(draw, shape):
        x = draw.normal(shape)
        for feature, categories, _ in tables:
            x[:, feature] = draw.integers([shape[0]], categories).to(x.dtype)
        return x

    names = ("feature", "num_embeddings", "embedding_dim")
    return {"tables": [dict(zip(names, table)) for table in tables]}, {"input": numbers}


def sequence(shape, layers):
    width, built = None, []
    for options in layers:
        options = dict(options)
        kind = options.pop("layer")
        built.append(BUILD[kind]([*shape, width], **options))
        width = options.get("embedding_dim", options.get("out_features", width))
    return Sequence(built)


BUILD = {
    "Sequential": sequence,
    "PositionAvgPool": alone(PositionAvgPool),
    "PositionMaxPool": alone(PositionMaxPool),
    "Linear": on_features(nn.Linear),
    "Conv1d": lambda shape, out_channels, kernel_size=3, **options: nn.Conv1d(shape[1], out_channels, kernel_size, **options),
    "Conv2d": on_channels(nn.Conv2d),
    "ConvTranspose2d": on_channels(nn.ConvTranspose2d),
    "MaxPool1d": alone(nn.MaxPool1d),
    "MaxPool2d": alone(nn.MaxPool2d),
    "AvgPool1d": alone(nn.AvgPool1d),
    "AvgPool2d": alone(nn.AvgPool2d),
    "GlobalAvgPool": alone(GlobalAvgPool),
    "AdaptiveAvgPool1d": alone(nn.AdaptiveAvgPool1d),
    "AdaptiveAvgPool2d": alone(nn.AdaptiveAvgPool2d),
    "BatchNorm": batch_norm,
    "LayerNorm": on_features(nn.LayerNorm),
    "GroupNorm": grouped,
    "RmsNorm": lambda shape, eps=1e-6: nn.RMSNorm(shape[-1], eps=eps),
    "CategoricalEmbedding": lambda shape, tables: CategoricalEmbedding(shape[1], tables),
    "Embedding": alone(embedding),
    "LearnedPositions": lambda shape, max_length: LearnedPositions(max_length, shape[-1]),
    "SinusoidalPositions": alone(SinusoidalPositions),
    "MultiHeadAttention": on_features(SelfAttention),
    "TransformerEncoderLayer": on_features(EncoderLayer),
    "TransformerDecoderLayer": on_features(DecoderLayer),
    "Slice": alone(Slice),
    "Lstm": on_features(recurrent(nn.LSTM)),
    "Gru": on_features(recurrent(nn.GRU)),
    "Upsample": lambda shape, scale_factor=2, mode="nearest", align_corners=False: nn.Upsample(
        scale_factor=scale_factor, mode=mode, align_corners=align_corners if mode == "bilinear" else None
    ),
    "Relu": alone(nn.ReLU),
    "LeakyRelu": alone(nn.LeakyReLU),
    "PRelu": alone(nn.PReLU),
    "Elu": alone(nn.ELU),
    "Selu": alone(nn.SELU),
    "Gelu": alone(nn.GELU),
    "Silu": alone(nn.SiLU),
    "Mish": alone(nn.Mish),
    "Softplus": alone(nn.Softplus),
    "HardSwish": alone(nn.Hardswish),
    "Sigmoid": alone(nn.Sigmoid),
    "Tanh": alone(nn.Tanh),
    "Softmax": lambda shape: nn.Softmax(-1),
    "LogSoftmax": lambda shape: nn.LogSoftmax(-1),
    "Abs": function(torch.abs),
    "Exp": function(torch.exp),
    "Ln": function(torch.log),
    "Sqrt": function(torch.sqrt),
    "Square": function(torch.square),
    "Sin": function(torch.sin),
    "Cos": function(torch.cos),
}

# (name, input shape, options); a dict at the end says what else a case needs: "training", "input" (a function of Draw and shape), and for
# an embedding "indices".
CASES = {
    "Linear": [
        ("plain", [5, 3], {"out_features": 4}),
        ("no_bias", [4, 7], {"out_features": 3, "bias": False}),
        ("sequence", [2, 5, 3], {"out_features": 4}),
        ("sequence_no_bias", [3, 1, 5], {"out_features": 2, "bias": False}),
        ("batch_1", [1, 9], {"out_features": 5}),
        ("one_in", [3, 1], {"out_features": 4}),
        ("one_out", [6, 5], {"out_features": 1}),
    ],
    "Conv1d": [
        ("plain", [2, 3, 9], {"out_channels": 4}),
        ("no_bias", [2, 3, 8], {"out_channels": 5, "kernel_size": 3, "bias": False}),
        ("stride_2", [2, 3, 10], {"out_channels": 4, "kernel_size": 3, "stride": 2}),
        ("stride_3_leaves_a_rest", [1, 2, 13], {"out_channels": 3, "kernel_size": 2, "stride": 3}),
        ("padding_2", [2, 2, 5], {"out_channels": 3, "kernel_size": 5, "padding": 2}),
        ("dilation_2", [2, 3, 11], {"out_channels": 2, "kernel_size": 3, "dilation": 2}),
        ("stride_2_padding_1_dilation_2", [3, 2, 12], {"out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2}),
        ("groups_3", [2, 6, 7], {"out_channels": 9, "kernel_size": 3, "groups": 3}),
        ("depthwise", [2, 5, 7], {"out_channels": 5, "kernel_size": 3, "padding": 1, "groups": 5}),
        ("depthwise_twice", [2, 3, 7], {"out_channels": 6, "kernel_size": 4, "stride": 2, "groups": 3, "bias": False}),
        ("same", [2, 3, 7], {"out_channels": 4, "kernel_size": 5, "padding": "same"}),
        ("same_even_kernel", [2, 3, 7], {"out_channels": 2, "kernel_size": 4, "padding": "same"}),
        ("same_dilation_3", [1, 2, 9], {"out_channels": 3, "kernel_size": 3, "padding": "same", "dilation": 3}),
        ("same_even_kernel_dilation_3", [1, 2, 9], {"out_channels": 3, "kernel_size": 2, "padding": "same", "dilation": 3}),
        ("kernel_1", [2, 5, 4], {"out_channels": 3, "kernel_size": 1}),
        ("kernel_1_stride_2", [2, 3, 5], {"out_channels": 2, "kernel_size": 1, "stride": 2}),
        ("length_1", [2, 4, 1], {"out_channels": 3, "kernel_size": 1}),
        ("length_1_padded", [1, 2, 1], {"out_channels": 3, "kernel_size": 3, "padding": 1}),
        ("batch_1_one_channel", [1, 1, 6], {"out_channels": 1, "kernel_size": 6}),
    ],
    "Conv2d": [
        ("plain", [2, 3, 6, 5], {"out_channels": 4, "kernel_size": [3, 3]}),
        ("no_bias", [1, 2, 5, 7], {"out_channels": 3, "kernel_size": [2, 2], "bias": False}),
        ("kernel_1x3", [2, 3, 4, 7], {"out_channels": 4, "kernel_size": [1, 3]}),
        ("kernel_5x2", [2, 2, 7, 4], {"out_channels": 3, "kernel_size": [5, 2]}),
        ("stride_2", [2, 3, 9, 7], {"out_channels": 4, "kernel_size": [3, 3], "stride": [2, 2]}),
        ("stride_1x3_padding_2x0", [2, 2, 5, 8], {"out_channels": 3, "kernel_size": [4, 2], "stride": [1, 3], "padding": [2, 0]}),
        ("dilation_1x2", [1, 3, 6, 9], {"out_channels": 2, "kernel_size": [3, 3], "dilation": [1, 2]}),
        ("stride_2_dilation_2", [2, 3, 9, 7], {"out_channels": 6, "kernel_size": [3, 2], "stride": [2, 2], "dilation": [2, 2]}),
        ("stride_2_padding_1_rest", [1, 2, 8, 6], {"out_channels": 3, "kernel_size": [3, 3], "stride": [2, 2], "padding": [1, 1]}),
        ("groups_3", [2, 6, 5, 4], {"out_channels": 9, "kernel_size": [2, 3], "groups": 3}),
        (
            "groups_3_stride_2_dilation_2",
            [2, 6, 5, 7],
            {"out_channels": 3, "kernel_size": [3, 2], "stride": [2, 1], "padding": [1, 2], "dilation": [1, 2], "groups": 3},
        ),
        ("depthwise", [2, 5, 6, 4], {"out_channels": 5, "kernel_size": [3, 3], "padding": [1, 1], "groups": 5}),
        ("depthwise_twice", [1, 3, 6, 5], {"out_channels": 6, "kernel_size": [2, 3], "stride": [2, 1], "groups": 3, "bias": False}),
        ("same", [2, 3, 4, 6], {"out_channels": 2, "kernel_size": [3, 5], "padding": "same"}),
        ("same_even_kernel", [1, 3, 5, 4], {"out_channels": 2, "kernel_size": [2, 4], "padding": "same"}),
        ("same_dilation_2x3", [1, 2, 7, 5], {"out_channels": 3, "kernel_size": [3, 2], "padding": "same", "dilation": [2, 3]}),
        ("pointwise", [2, 5, 3, 4], {"out_channels": 3, "kernel_size": [1, 1]}),
        ("pointwise_stride_2", [2, 3, 5, 4], {"out_channels": 2, "kernel_size": [1, 1], "stride": [2, 2]}),
        ("image_of_one_pixel", [2, 3, 1, 1], {"out_channels": 4, "kernel_size": [3, 3], "padding": [1, 1]}),
        ("whole_image", [1, 2, 3, 5], {"out_channels": 4, "kernel_size": [3, 5]}),
    ],
    "ConvTranspose2d": [
        ("plain", [2, 3, 4, 5], {"out_channels": 4, "kernel_size": [3, 3]}),
        ("no_bias", [1, 2, 3, 5], {"out_channels": 3, "kernel_size": [2, 2], "bias": False}),
        ("stride_2", [2, 3, 3, 4], {"out_channels": 2, "kernel_size": [2, 2], "stride": [2, 2]}),
        ("kernel_1x3_stride_3x2", [2, 2, 3, 4], {"out_channels": 3, "kernel_size": [1, 3], "stride": [3, 2]}),
        ("stride_2_padding_1", [2, 3, 4, 3], {"out_channels": 2, "kernel_size": [4, 3], "stride": [2, 2], "padding": [1, 1]}),
        (
            "stride_2_padding_1_output_padding_1",
            [2, 3, 3, 4],
            {"out_channels": 2, "kernel_size": [3, 3], "stride": [2, 2], "padding": [1, 1], "output_padding": [1, 1]},
        ),
        (
            "output_padding_0x2",
            [1, 2, 4, 3],
            {"out_channels": 3, "kernel_size": [2, 3], "stride": [1, 3], "padding": [0, 1], "output_padding": [0, 2]},
        ),
        ("dilation_2x1", [1, 3, 4, 5], {"out_channels": 2, "kernel_size": [3, 2], "dilation": [2, 1]}),
        (
            "stride_2_dilation_2",
            [2, 2, 3, 4],
            {"out_channels": 3, "kernel_size": [2, 3], "stride": [2, 1], "padding": [1, 2], "output_padding": [1, 0], "dilation": [2, 2]},
        ),
        ("groups_3", [2, 6, 3, 2], {"out_channels": 9, "kernel_size": [2, 3], "groups": 3}),
        (
            "groups_3_stride_2",
            [1, 6, 3, 4],
            {"out_channels": 3, "kernel_size": [3, 2], "stride": [2, 2], "padding": [1, 0], "output_padding": [1, 0], "groups": 3},
        ),
        ("depthwise", [2, 3, 4, 3], {"out_channels": 3, "kernel_size": [3, 3], "padding": [1, 1], "groups": 3}),
        ("image_of_one_pixel", [1, 4, 1, 1], {"out_channels": 2, "kernel_size": [3, 5]}),
    ],
    "MaxPool1d": [
        ("plain", [2, 3, 8], {"kernel_size": 2}),
        ("leaves_a_rest", [2, 3, 11], {"kernel_size": 3}),
        ("overlapping", [2, 3, 9], {"kernel_size": 3, "stride": 2}),
        ("padding_1", [2, 3, 7], {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("all_negative_padding_1", [2, 2, 5], {"kernel_size": 2, "stride": 1, "padding": 1}, {"input": lambda d, s: d.uniform(s, -9, -1)}),
        ("dilation_2", [1, 4, 10], {"kernel_size": 3, "stride": 1, "dilation": 2}),
        ("gaps", [2, 2, 9], {"kernel_size": 2, "stride": 3}),
        ("length_1", [1, 3, 1], {"kernel_size": 1}),
    ],
    "MaxPool2d": [
        ("plain", [2, 3, 4, 6], {"kernel_size": [2, 2]}),
        ("leaves_a_rest", [2, 2, 5, 7], {"kernel_size": [2, 3]}),
        ("overlapping", [2, 3, 7, 5], {"kernel_size": [3, 3], "stride": [2, 1]}),
        ("padding_1", [2, 2, 7, 5], {"kernel_size": [3, 2], "stride": [2, 2], "padding": [1, 1]}),
        ("padding_0x1", [1, 3, 4, 5], {"kernel_size": [1, 3], "stride": [1, 2], "padding": [0, 1]}),
        ("all_negative_padding_1", [1, 2, 3, 5], {"kernel_size": [2, 2], "padding": [1, 1]}, {"input": lambda d, s: d.uniform(s, -9, -1)}),
        ("dilation_2x1", [1, 2, 8, 5], {"kernel_size": [3, 2], "stride": [1, 2], "dilation": [2, 1]}),
        ("dilation_2_padding_1", [1, 2, 6, 7], {"kernel_size": [2, 3], "stride": [2, 1], "padding": [1, 1], "dilation": [2, 2]}),
        ("whole_image", [2, 3, 3, 5], {"kernel_size": [3, 5]}),
        ("image_of_one_pixel", [1, 3, 1, 1], {"kernel_size": [1, 1]}),
    ],
    "AvgPool1d": [
        ("plain", [2, 3, 8], {"kernel_size": 2}),
        ("leaves_a_rest", [2, 3, 11], {"kernel_size": 3}),
        ("overlapping", [2, 3, 9], {"kernel_size": 3, "stride": 2}),
        ("padding_1", [2, 3, 7], {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("padding_not_counted", [2, 3, 7], {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
        ("padding_2_not_counted", [1, 2, 6], {"kernel_size": 5, "stride": 1, "padding": 2, "count_include_pad": False}),
        ("gaps", [2, 2, 9], {"kernel_size": 2, "stride": 3}),
        ("length_1", [1, 3, 1], {"kernel_size": 1}),
    ],
    "AvgPool2d": [
        ("plain", [2, 3, 4, 6], {"kernel_size": [2, 2]}),
        ("leaves_a_rest", [2, 2, 5, 7], {"kernel_size": [2, 3]}),
        ("overlapping", [2, 3, 7, 5], {"kernel_size": [3, 3], "stride": [2, 1]}),
        ("padding_1", [2, 2, 7, 5], {"kernel_size": [3, 2], "stride": [2, 2], "padding": [1, 1]}),
        ("padding_not_counted", [2, 2, 7, 5], {"kernel_size": [3, 2], "stride": [2, 2], "padding": [1, 1], "count_include_pad": False}),
        ("padding_0x2_not_counted", [1, 3, 4, 5], {"kernel_size": [2, 5], "stride": [1, 1], "padding": [0, 2], "count_include_pad": False}),
        ("whole_image", [2, 3, 3, 5], {"kernel_size": [3, 5]}),
        ("image_of_one_pixel", [1, 3, 1, 1], {"kernel_size": [1, 1]}),
    ],
    "GlobalAvgPool": [
        ("length", [3, 2, 7], {}),
        ("image", [2, 3, 5, 4], {}),
        ("volume", [2, 3, 2, 5, 3], {}),
        ("length_1", [1, 4, 1], {}),
        ("image_of_one_pixel", [1, 4, 1, 1], {}),
    ],
    "AdaptiveAvgPool1d": [
        ("divides", [2, 3, 8], {"output_size": 4}),
        ("does_not_divide", [2, 3, 7], {"output_size": 3}),
        ("nearly_all", [2, 3, 11], {"output_size": 9}),
        ("to_one", [2, 3, 7], {"output_size": 1}),
        ("same_size", [1, 2, 5], {"output_size": 5}),
        ("larger", [2, 2, 3], {"output_size": 5}),
        ("length_1", [1, 3, 1], {"output_size": 1}),
    ],
    "AdaptiveAvgPool2d": [
        ("divides", [2, 3, 4, 6], {"output_size": [2, 3]}),
        ("does_not_divide", [2, 2, 7, 5], {"output_size": [3, 2]}),
        ("nearly_all", [1, 2, 5, 8], {"output_size": [4, 7]}),
        ("to_one", [2, 3, 5, 4], {"output_size": [1, 1]}),
        ("larger_and_smaller", [1, 3, 3, 7], {"output_size": [5, 2]}),
        ("image_of_one_pixel", [1, 3, 1, 1], {"output_size": [2, 3]}),
    ],
    "BatchNorm": [
        (f"{name}_{mode}", shape, options, {"training": mode == "training"})
        for mode in ("training", "evaluation")
        for name, shape, options in [
            ("features", [6, 3], {}),
            ("length", [2, 3, 5], {}),
            ("image", [2, 3, 5, 4], {}),
            ("batch_1", [1, 4, 2, 3], {}),
            ("two_numbers", [2, 3], {}),
            ("no_affine", [5, 3], {"affine": False}),
            ("momentum_0.3_eps_0.01", [3, 2, 4], {"momentum": 0.3, "eps": 0.01}),
            ("momentum_1", [4, 2, 1], {"momentum": 1.0}),
        ]
    ]
    + [
        ("one_row_evaluation", [1, 5], {}),
        ("small_numbers_training", [5, 3], {}, {"training": True, "input": lambda d, s: d.normal(s, 1e-3)}),
        ("away_from_zero_training", [4, 2, 3], {}, {"training": True, "input": lambda d, s: d.normal(s, 1.0, 8.0)}),
    ],
    "LayerNorm": [
        ("features", [4, 5], {}),
        ("sequence", [2, 3, 7], {}),
        ("image", [2, 1, 3, 4], {}),
        ("eps_0.01", [3, 6], {"eps": 0.01}),
        ("batch_1", [1, 9], {}),
        ("two_features", [3, 2], {}),
        ("small_numbers", [3, 5], {}, {"input": lambda d, s: d.normal(s, 1e-3)}),
        ("away_from_zero", [3, 5], {}, {"input": lambda d, s: d.normal(s, 1.0, 8.0)}),
    ],
    "GroupNorm": [
        ("image", [2, 6, 3, 4], {"num_groups": 3}),
        ("length", [2, 6, 5], {"num_groups": 2}),
        ("features", [3, 6], {"num_groups": 2}),
        ("one_group", [2, 3, 5, 2], {"num_groups": 1}),
        ("group_per_channel", [2, 3, 2, 5], {"num_groups": 3}),
        ("eps_0.01", [2, 4, 3], {"num_groups": 2, "eps": 0.01}),
        ("batch_1", [1, 9, 2, 3], {"num_groups": 3}),
        ("small_numbers", [2, 6, 3], {"num_groups": 3}, {"input": lambda d, s: d.normal(s, 1e-3)}),
    ],
    "RmsNorm": [
        ("features", [4, 5], {}),
        ("sequence", [2, 3, 7], {}),
        ("eps_0.01", [3, 6], {"eps": 0.01}),
        ("batch_1", [1, 9], {}),
        ("one_feature", [3, 1], {}),
        ("small_numbers", [3, 5], {}, {"input": lambda d, s: d.normal(s, 1e-3)}),
    ],
    "CategoricalEmbedding": [
        ("first", [6, 3], *categorical((0, 4, 3))),
        ("between", [5, 4], *categorical((1, 3, 2), (2, 6, 5))),
        ("all", [4, 2], *categorical((0, 2, 3), (1, 5, 1))),
        ("mostly_unused", [2, 3], *categorical((2, 19, 4))),
        ("one_category", [3, 2], *categorical((1, 1, 2))),
        ("batch_1", [1, 5], *categorical((0, 3, 2), (4, 7, 3))),
    ],
    "Embedding": [
        ("sequence", [3, 5], {"num_embeddings": 7, "embedding_dim": 4}, {"indices": True}),
        ("rows", [6], {"num_embeddings": 5, "embedding_dim": 3}, {"indices": True}),
        ("mostly_repeats", [4, 6], {"num_embeddings": 3, "embedding_dim": 2}, {"indices": True}),
        ("mostly_unused", [2, 3], {"num_embeddings": 19, "embedding_dim": 5}, {"indices": True}),
        ("one_index", [1, 1], {"num_embeddings": 4, "embedding_dim": 3}, {"indices": True}),
        ("padding", [4, 6], {"num_embeddings": 3, "embedding_dim": 2, "padding_index": 1}, {"indices": True}),
        ("padding_rows", [7], {"num_embeddings": 4, "embedding_dim": 3, "padding_index": 0}, {"indices": True}),
    ],
    "Sequential": [
        (f"padding_{name}", [5, 4], {"layers": [{"layer": "Embedding", "num_embeddings": 7, "embedding_dim": 6, "padding_index": 2}, *layers]}, {"padded": True})
        for name, layers in [
            ("attention", [{"layer": "MultiHeadAttention", "num_heads": 2}]),
            ("attention_memory", [{"layer": "MultiHeadAttention", "num_heads": 2, "memory": 2}]),
            ("attention_causal", [{"layer": "MultiHeadAttention", "num_heads": 3, "causal": True, "bias": False}]),
            (
                "encoder_layers",
                [
                    {"layer": "SinusoidalPositions"},
                    {"layer": "TransformerEncoderLayer", "num_heads": 2, "dim_feedforward": 5, "activation": "relu"},
                    {"layer": "TransformerEncoderLayer", "num_heads": 3, "dim_feedforward": 4, "activation": "gelu", "norm_first": True, "causal": True},
                ],
            ),
            ("mean", [{"layer": "Linear", "out_features": 3}, {"layer": "Tanh"}, {"layer": "PositionAvgPool"}, {"layer": "Linear", "out_features": 2}]),
            ("largest", [{"layer": "Linear", "out_features": 3}, {"layer": "PositionMaxPool"}, {"layer": "Linear", "out_features": 2}]),
            ("lstm_then_mean", [{"layer": "Lstm", "hidden_size": 4}, {"layer": "PositionAvgPool"}]),
        ]
    ]
    + [
        (
            "padding_decoder_layer",
            [5, 5],
            {
                "layers": [
                    {"layer": "Embedding", "num_embeddings": 7, "embedding_dim": 6, "padding_index": 2},
                    {"layer": "TransformerDecoderLayer", "num_heads": 2, "memory": 2, "dim_feedforward": 5, "activation": "relu"},
                ]
            },
            {"padded": True, "never_padded": [2]},
        )
    ],
    **{
        kind: [("plain", [3, 4, 5], {}), ("length_1", [2, 1, 3], {}), ("one_feature", [1, 6, 1], {})]
        for kind in ("PositionAvgPool", "PositionMaxPool")
    },
    "LearnedPositions": [
        ("shorter", [2, 4, 3], {"max_length": 7}),
        ("full", [3, 5, 2], {"max_length": 5}),
        ("length_1", [1, 1, 6], {"max_length": 3}),
    ],
    "SinusoidalPositions": [
        ("plain", [2, 5, 6], {}),
        ("odd_width", [2, 4, 5], {}),
        ("long", [1, 60, 4], {}),
        ("length_1", [3, 1, 8], {}),
    ],
    "MultiHeadAttention": [
        ("plain", [2, 5, 6], {"num_heads": 2}),
        ("causal", [2, 5, 6], {"num_heads": 3, "causal": True}),
        ("no_bias", [1, 4, 6], {"num_heads": 2, "bias": False}),
        ("causal_no_bias", [3, 3, 4], {"num_heads": 2, "causal": True, "bias": False}),
        ("one_head", [2, 7, 5], {"num_heads": 1}),
        ("head_per_feature", [2, 3, 4], {"num_heads": 4, "causal": True}),
        ("length_1", [2, 1, 6], {"num_heads": 2, "causal": True}),
        ("memory", [2, 7, 6], {"num_heads": 2, "memory": 3}),
        ("memory_no_bias", [3, 5, 4], {"num_heads": 1, "memory": 4, "bias": False}),
        ("memory_of_one", [1, 4, 6], {"num_heads": 3, "memory": 1}),
    ],
    "Slice": [
        ("positions", [2, 5, 3], {"start": 1, "end": 4}),
        ("last", [3, 4, 2], {"start": -1}),
        ("all_but_the_last", [2, 3, 4, 5], {"end": -1}),
        ("columns", [2, 3, 4, 5], {"start": 1, "end": 3, "dim": 2}),
        ("features", [2, 7], {"start": -3, "end": -1}),
    ],
    "TransformerDecoderLayer": [
        ("relu", [2, 7, 6], {"num_heads": 2, "memory": 3, "dim_feedforward": 9, "activation": "relu"}),
        ("gelu_not_causal", [2, 5, 6], {"num_heads": 3, "memory": 2, "dim_feedforward": 5, "activation": "gelu", "causal": False}),
        ("norm_first", [2, 6, 4], {"num_heads": 2, "memory": 4, "dim_feedforward": 7, "activation": "relu", "norm_first": True}),
        ("one_of_each", [3, 2, 4], {"num_heads": 1, "memory": 1, "dim_feedforward": 3, "activation": "gelu", "norm_first": True}),
    ],
    "TransformerEncoderLayer": [
        ("relu", [2, 4, 6], {"num_heads": 2, "dim_feedforward": 9, "activation": "relu"}),
        ("gelu", [2, 4, 6], {"num_heads": 3, "dim_feedforward": 9, "activation": "gelu"}),
        ("norm_first", [2, 4, 6], {"num_heads": 2, "dim_feedforward": 5, "activation": "relu", "norm_first": True}),
        (
            "norm_first_gelu_causal",
            [2, 5, 6],
            {"num_heads": 2, "dim_feedforward": 7, "activation": "gelu", "norm_first": True, "causal": True},
        ),
        ("causal", [1, 7, 4], {"num_heads": 2, "dim_feedforward": 6, "activation": "relu", "causal": True}),
        ("length_1", [3, 1, 4], {"num_heads": 1, "dim_feedforward": 3, "activation": "gelu"}),
    ],
    **{
        kind: [
            ("plain", [2, 5, 3], {"hidden_size": 4}),
            ("last", [2, 5, 3], {"hidden_size": 4, "return_sequences": False}),
            ("bidirectional", [2, 4, 3], {"hidden_size": 5, "bidirectional": True}),
            ("bidirectional_last", [3, 4, 2], {"hidden_size": 3, "bidirectional": True, "return_sequences": False}),
            ("length_1", [2, 1, 3], {"hidden_size": 2}),
            ("length_1_bidirectional_last", [2, 1, 3], {"hidden_size": 2, "bidirectional": True, "return_sequences": False}),
            ("batch_1_long", [1, 20, 2], {"hidden_size": 3}),
            ("one_unit", [2, 6, 1], {"hidden_size": 1}),
        ]
        for kind in ("Lstm", "Gru")
    },
    "Upsample": [
        ("nearest", [2, 3, 3, 4], {"mode": "nearest"}),
        ("nearest_3", [1, 2, 2, 5], {"scale_factor": 3, "mode": "nearest"}),
        ("nearest_length", [2, 3, 5], {"mode": "nearest"}),
        ("nearest_length_3", [1, 2, 4], {"scale_factor": 3, "mode": "nearest"}),
        ("bilinear", [2, 3, 3, 4], {"mode": "bilinear", "align_corners": False}),
        ("bilinear_3", [1, 2, 5, 2], {"scale_factor": 3, "mode": "bilinear"}),
        ("bilinear_4", [1, 2, 3, 2], {"scale_factor": 4, "mode": "bilinear"}),
        ("bilinear_aligned", [2, 3, 3, 4], {"mode": "bilinear", "align_corners": True}),
        ("bilinear_aligned_3", [1, 2, 5, 2], {"scale_factor": 3, "mode": "bilinear", "align_corners": True}),
        ("bilinear_row", [1, 3, 1, 4], {"mode": "bilinear"}),
        ("bilinear_aligned_row", [1, 3, 1, 4], {"mode": "bilinear", "align_corners": True}),
        ("nearest_pixel", [1, 2, 1, 1], {"mode": "nearest"}),
    ],
    "PRelu": [
        ("plain", [4, 13], {}),
        ("image", [2, 3, 4, 5], {}),
        ("per_channel", [3, 5], {"num_parameters": 5}),
        ("per_channel_length", [2, 3, 7], {"num_parameters": 3}),
        ("per_channel_image", [2, 3, 4, 3], {"num_parameters": 3}),
    ],
}

POSITIVE = {"input": lambda d, s: as_f32(10 ** d.uniform(s, -2, 2))}
MODERATE = {"input": lambda d, s: d.uniform(s, -5, 5)}
WIDE = {"input": lambda d, s: d.uniform(s, -60, 60)}


def activation(*options, without=(), extra=()):
    """The cases of an activation: for each of its options a table and an image, and what is added."""
    spread = {"input": lambda d, s: d.spread(s, *without)}
    for name, option in options or [("", {})]:
        yield (f"table{name}", [4, 13], option, spread)
        yield (f"image{name}", [2, 3, 3, 5], option, spread)
    yield ("one_number", [1, 1], {}, {"input": lambda d, s: d.normal(s)})
    yield from extra


CASES |= {
    kind: list(cases)
    for kind, cases in {
        "Relu": activation(),
        "LeakyRelu": activation(("", {}), ("_slope_0.2", {"negative_slope": 0.2})),
        "Elu": activation(("", {}), ("_alpha_0.7", {"alpha": 0.7})),
        "Selu": activation(),
        "Gelu": activation(("_exact", {"approximate": "none"}), ("_tanh", {"approximate": "tanh"})),
        "Silu": activation(extra=[("wide", [3, 5], {}, WIDE)]),
        "Mish": activation(extra=[("wide", [3, 5], {}, WIDE)]),
        "Softplus": activation(extra=[("wide", [3, 5], {}, WIDE)]),
        "HardSwish": activation(without=(-3.0, 3.0)),
        "Sigmoid": activation(extra=[("wide", [3, 5], {}, WIDE)]),
        "Tanh": activation(extra=[("wide", [3, 5], {}, WIDE)]),
        "Softmax": activation(extra=[("sequence", [2, 3, 5], {}), ("wide", [3, 5], {}, WIDE), ("one_class", [3, 1], {})]),
        "LogSoftmax": activation(extra=[("sequence", [2, 3, 5], {}), ("wide", [3, 5], {}, WIDE), ("one_class", [3, 1], {})]),
        "Abs": activation(),
        "Square": activation(),
        "Sin": activation(),
        "Cos": activation(),
    }.items()
}
CASES |= {
    "Exp": [("table", [4, 13], {}, MODERATE), ("image", [2, 3, 3, 5], {}, MODERATE)],
    "Ln": [("table", [4, 13], {}, POSITIVE), ("image", [2, 3, 3, 5], {}, POSITIVE)],
    "Sqrt": [("table", [4, 13], {}, POSITIVE), ("image", [2, 3, 3, 5], {}, POSITIVE)],
}


def fill(layer, draw):
    """Draws every parameter, and the statistics a layer keeps."""
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            scale = parameter.dim() == 1 and name.endswith("weight")
            slope = isinstance(layer, nn.PReLU)
            parameter.copy_(draw.normal(parameter.shape, *((0.3, 0.3 if slope else 1.0) if scale else (0.5,))))
        for name, buffer in layer.named_buffers():
            if name == "running_mean":
                buffer.copy_(draw.normal(buffer.shape, 0.5))
            elif name == "running_var":
                buffer.copy_(draw.uniform(buffer.shape, 0.5, 2.0))


def statistics(layer):
    return {name: tensor(buffer) for name, buffer in layer.named_buffers() if name != "num_batches_tracked"}


def layer_case(kind, name, shape, options, needs=None):
    needs = needs or {}
    draw = Draw(f"{kind}/{name}")
    layer = BUILD[kind](shape, **{option: tuple(value) if isinstance(value, list) else value for option, value in options.items()})
    fill(layer, draw)
    layer.train(needs.get("training", False))
    case = {"name": name, "layer": {"layer": kind, **options}, "training": layer.training}
    if needs.get("padded"):
        # Some of it anywhere but in the first place, and more at the end of each row than of the one before.
        table = options["layers"][0]
        padding, rows = table["padding_index"], table["num_embeddings"]
        x = draw.integers(shape, rows)
        x[:, 0] = torch.where(x[:, 0] == padding, (padding + 1) % rows, x[:, 0])
        for row in range(1, len(x)):
            x[row, max(1, shape[1] - row) :] = padding
        for position in needs.get("never_padded", []):
            x[:, position] = torch.where(x[:, position] == padding, (padding + 1) % rows, x[:, position])
        case["indices"] = {"shape": shape, "data": x.flatten().tolist()}
    elif needs.get("indices"):
        x = draw.integers(shape, options["num_embeddings"])
        case["indices"] = {"shape": shape, "data": x.flatten().tolist()}
    else:
        x = needs.get("input", lambda d, s: d.normal(s))(draw, shape).requires_grad_()
        case["input"] = tensor(x)
    case["parameters"] = {key: tensor(value) for key, value in layer.named_parameters()} | statistics(layer)
    output = layer(x)
    upstream = draw.normal(output.shape)
    (output * upstream).sum().backward()
    case |= {"output": tensor(output), "upstream": tensor(upstream), "grad_input": None if "indices" in case else tensor(x.grad)}
    case["grads"] = {key: tensor(value.grad) for key, value in layer.named_parameters()}
    if layer.training and statistics(layer):
        case["buffers_after"] = statistics(layer)
    return case


def loss_case(name, loss, output, targets, value):
    output.requires_grad_()
    loss_value = value(output)
    loss_value.backward()
    return {
        "name": name,
        "loss": loss,
        "output": tensor(output),
        "targets": targets,
        "value": number(loss_value.item()),
        "gradient": tensor(output.grad),
    }


def listed(weight):
    return None if weight is None else tensor(weight)["data"]


def cross_entropies():
    # Every combination of options on rows and on positions, and single cases of what combinations miss.
    cases = []
    shapes = [("rows", [7, 4]), ("positions", [3, 5, 4])]
    for (where, shape), smoothing, weighted, ignored in product(shapes, [0.0, 0.1], [False, True], [None, 2]):
        name = where + "_smoothed" * (smoothing > 0) + "_weighted" * weighted + "_ignoring" * (ignored is not None)
        cases.append((name, shape, smoothing, weighted, ignored))
    cases += [
        ("rows_half_smoothed_weighted", [5, 3], 0.5, True, None),
        ("rows_ignoring_minus_100", [7, 4], 0.1, True, -100),
        ("rows_ignoring_255", [7, 4], 0.1, True, 255),
        ("one_row", [1, 5], 0.0, False, None),
        ("wide_scores", [4, 3], 0.1, True, None),
    ]
    for name, shape, smoothing, weighted, ignored in cases:
        draw = Draw(f"CrossEntropy/{name}")
        output = draw.normal(shape, 40.0 if name == "wide_scores" else 2.0)
        classes = draw.integers(shape[:-1], shape[-1]).flatten()
        weight = draw.uniform([shape[-1]], 0.2, 3.0) if weighted else None
        if ignored is not None:
            classes[1], classes[4] = ignored, ignored
            assert (classes != ignored).sum() > 1
        yield loss_case(
            name,
            {"loss": "CrossEntropy", "label_smoothing": smoothing, "weight": listed(weight), "ignore_index": ignored},
            output,
            {"classes": classes.tolist()},
            lambda x: functional.cross_entropy(
                x.flatten(0, -2), classes, weight, ignore_index=-1000 if ignored is None else ignored, label_smoothing=smoothing
            ),
        )


def focal(logits, classes, gamma, weight):
    """Lin et al. 2017, written out: PyTorch has no loss of this name."""
    log_p = functional.log_softmax(logits, -1).gather(-1, classes[:, None]).squeeze(-1)
    factor = torch.ones_like(log_p) if weight is None else weight[classes]
    return (-factor * (1 - log_p.exp()) ** gamma * log_p).mean()


def focals():
    for name, shape, gamma, weighted in [
        ("rows", [7, 4], 2.0, False),
        ("rows_weighted", [7, 4], 2.0, True),
        ("positions_weighted", [3, 5, 4], 5.0, True),
        ("one", [6, 3], 1.0, False),
        ("half", [6, 3], 0.5, True),
        ("not_focused", [6, 3], 0.0, False),
        ("one_row", [1, 5], 2.0, False),
    ]:
        draw = Draw(f"Focal/{name}")
        output = draw.normal(shape, 2.0)
        classes = draw.integers(shape[:-1], shape[-1]).flatten()
        weight = draw.uniform([shape[-1]], 0.2, 3.0) if weighted else None
        yield loss_case(
            name,
            {"loss": "Focal", "gamma": gamma, "weight": listed(weight)},
            output,
            {"classes": classes.tolist()},
            lambda x: focal(x.flatten(0, -2), classes, gamma, weight),
        )


def binary_cross_entropies():
    for name, shape, weighted, soft, scale in [
        ("rows", [6, 1], False, False, 2.0),
        ("flat", [7], False, False, 2.0),
        ("columns", [4, 3], False, False, 2.0),
        ("columns_weighted", [4, 3], True, False, 2.0),
        ("one_column_weighted", [5, 1], True, False, 2.0),
        ("soft_targets_weighted", [3, 5], True, True, 2.0),
        ("wide_scores", [5, 3], False, False, 60.0),
        ("wide_scores_weighted", [5, 3], True, False, 60.0),
    ]:
        draw = Draw(f"BinaryCrossEntropy/{name}")
        output = draw.normal(shape, scale)
        targets = draw.uniform(shape, 0, 1) if soft else draw.integers(shape, 2).double()
        weight = draw.uniform([shape[-1]], 0.3, 4.0) if weighted else None
        yield loss_case(
            name,
            {"loss": "BinaryCrossEntropy", "pos_weight": listed(weight)},
            output,
            {"values": tensor(targets)},
            lambda x: functional.binary_cross_entropy_with_logits(x, targets, pos_weight=weight),
        )


def regressions():
    shapes = [("rows", [5, 3]), ("one_column", [7, 1]), ("flat", [6]), ("positions", [2, 3, 4]), ("one_number", [1, 1])]
    kinds = [
        ({"loss": "MeanSquaredError"}, functional.mse_loss),
        ({"loss": "MeanAbsoluteError"}, functional.l1_loss),
        ({"loss": "Huber", "delta": 1.0}, lambda x, y: functional.huber_loss(x, y, delta=1.0)),
        ({"loss": "Huber", "delta": 0.3}, lambda x, y: functional.huber_loss(x, y, delta=0.3)),
        ({"loss": "Huber", "delta": 2.5}, lambda x, y: functional.huber_loss(x, y, delta=2.5)),
        ({"loss": "PoissonNll"}, lambda x, y: functional.poisson_nll_loss(x, y, log_input=True, full=False)),
    ]
    for (loss, value), (where, shape) in product(kinds, shapes):
        name = where + (f"_delta_{loss['delta']}" if "delta" in loss else "")
        draw = Draw(f"{loss['loss']}/{name}")
        output = draw.normal(shape, 1.5)
        targets = draw.integers(shape, 9).double() if loss["loss"] == "PoissonNll" else draw.normal(shape, 1.5)
        yield loss_case(name, loss, output, {"values": tensor(targets)}, lambda x: value(x, targets))


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al. 2023: the sign of a mean of gradient and momentum, decay apart from it as in AdamW."""

    def __init__(self, groups, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            first, second = group["betas"]
            for p in group["params"]:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                update = first * momentum + (1 - first) * p.grad
                # In f32 as well, every sign is beyond doubt.
                assert update.abs().min() > 1e-6
                p -= group["lr"] * (update.sign() + group["weight_decay"] * p)
                momentum.copy_(second * momentum + (1 - second) * p.grad)


def momentum(momentum, dampening=0.0, nesterov=False, weight_decay=0.0):
    return {"momentum": momentum, "dampening": dampening, "nesterov": nesterov, "weight_decay": weight_decay}


def adam(betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    return {"betas": list(betas), "eps": eps, "weight_decay": weight_decay}


def rms(momentum=0.0, centered=False, weight_decay=0.0, alpha=0.99):
    return {"alpha": alpha, "eps": 1e-8, "momentum": momentum, "centered": centered, "weight_decay": weight_decay}


def adagrad(weight_decay=0.0):
    return {"eps": 1e-10, "weight_decay": weight_decay}


# What is not named is at PyTorch's default: NAdam's momentum decay of 0.004, Adagrad's start from 0 without decay of the rate.
OPTIMIZERS = {
    "SGD": (
        torch.optim.SGD,
        {
            "plain": momentum(0.0),
            "decay": momentum(0.0, weight_decay=0.01),
            "momentum": momentum(0.9),
            "momentum_decay": momentum(0.9, weight_decay=0.01),
            "dampening": momentum(0.9, dampening=0.1),
            "nesterov": momentum(0.9, nesterov=True),
            "nesterov_decay": momentum(0.9, nesterov=True, weight_decay=0.01),
        },
    ),
    "Adam": (torch.optim.Adam, {"plain": adam(), "l2": adam(weight_decay=0.01), "betas_eps": adam((0.8, 0.95), 1e-3)}),
    "AdamW": (torch.optim.AdamW, {"decay": adam(weight_decay=0.01), "betas_strong_decay": adam((0.8, 0.95), weight_decay=0.3)}),
    "NAdam": (torch.optim.NAdam, {"plain": adam(), "l2": adam(weight_decay=0.01)}),
    "RAdam": (torch.optim.RAdam, {"plain": adam(), "l2": adam(weight_decay=0.01)}),
    "RMSprop": (
        torch.optim.RMSprop,
        {
            "plain": rms(),
            "decay": rms(weight_decay=0.01),
            "momentum": rms(0.9),
            "centered": rms(centered=True),
            "centered_momentum_decay": rms(0.9, True, 0.01),
        },
    ),
    "Adagrad": (torch.optim.Adagrad, {"plain": adagrad(), "decay": adagrad(0.01)}),
    "Lion": (
        Lion,
        {"plain": {"betas": [0.9, 0.99], "weight_decay": 0.0}, "decay": {"betas": [0.9, 0.99], "weight_decay": 0.01}},
    ),
}


def gradient(step, count):
    return as_f32(torch.tensor([math.sin(0.37 * (i + 1) * step) * math.cos(0.11 * step) for i in range(count)]))


def optimizer_case(kind, name, options, lr):
    draw = Draw("optimizers")
    weight, bias = nn.Parameter(draw.normal([5, 3], 0.5)), nn.Parameter(draw.normal([5], 0.5))
    start = {"weight": tensor(weight), "bias": tensor(bias)}
    build = OPTIMIZERS[kind][0]
    chosen = {option: tuple(value) if isinstance(value, list) else value for option, value in options.items() if option != "weight_decay"}
    one_by_one = {} if build is Lion else {"foreach": False}
    groups = [{"params": [weight], "weight_decay": options["weight_decay"]}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = build(groups, lr=lr, **chosen, **one_by_one)
    after = {}
    for step in range(1, max(STEPS) + 1):
        slopes = gradient(step, 20)
        weight.grad, bias.grad = slopes[:15].reshape(5, 3), slopes[15:]
        optimizer.step()
        if step in STEPS:
            after[str(step)] = tensor(torch.cat([weight.flatten(), bias]))["data"]
    return {
        "name": f"{name}_lr_{lr}",
        "optimizer": {"optimizer": kind, **options},
        "learning_rate": lr,
        "start": start,
        "after": after,
    }


def write(path, cases):
    names = [(json.dumps(case.get("loss", {}).get("loss") or case.get("optimizer", {}).get("optimizer")), case["name"]) for case in cases]
    assert len(set(names)) == len(names), path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel lengths")
    assert BUILD.keys() == CASES.keys()
    for kind, cases in CASES.items():
        write(FIXTURES / "layers" / f"{kind}.json", [layer_case(kind, *case) for case in cases])
    write(FIXTURES / "losses.json", [*cross_entropies(), *focals(), *binary_cross_entropies(), *regressions()])
    write(
        FIXTURES / "optimizers.json",
        [
            optimizer_case(kind, name, options, lr)
            for kind, (_, variants) in OPTIMIZERS.items()
            for name, options in variants.items()
            for lr in (1e-3, 1e-2)
        ],
    )


if __name__ == "__main__":
    main()
