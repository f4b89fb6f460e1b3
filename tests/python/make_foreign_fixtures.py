"""Writes toolkit/onnx/tests/fixtures/foreign: ONNX files as other tools write them, with what onnx's reference evaluator makes of them.

Run by hand when the crate learns to read more:

    pip install onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2 skl2onnx==1.20.0 scikit-learn==1.9.1 torch==2.15.0
    python tests/python/make_foreign_fixtures.py

`foreign.json` holds, for every file that can be checked, one set of inputs and what the reference evaluator gives for them: in f64, with all floats of
the file as f64, where the evaluator then computes in f64, and else in f32 (`tolerance` says which). ONNX Runtime must agree before anything is
written. Of a file that is refused it holds what the refusal must say.
"""

import io
import json
import warnings
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch import nn

FOLDER = Path(__file__).parents[2] / "toolkit" / "onnx" / "tests" / "fixtures" / "foreign"
MOST_BYTES = 32_000
FLOAT, DOUBLE, INT64, BOOL = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.BOOL
CASES = []


class BatchNormalization(OpRun):
    """The evaluator's own takes the batch's statistics where a file of opset 13 has a momentum."""

    def _run(self, x, scale, bias, mean, var, epsilon=None, momentum=None, training_mode=None):
        column = lambda row: row.reshape(-1, *[1] * (x.ndim - 2))
        return (((x - column(mean)) / np.sqrt(column(var) + epsilon) * column(scale) + column(bias)).astype(x.dtype),)


def evaluated(made, inputs):
    return ReferenceEvaluator(made, new_ops=[BatchNormalization]).run(None, inputs)


def draws(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def normal(name, *shape):
    return draws(name).standard_normal(shape).astype(np.float32)


def node(op, inputs, outputs, **attributes):
    names = lambda text: [name.replace("-", "") for name in text.split()]
    return helper.make_node(op, names(inputs), names(outputs), **attributes)


def value(name, shape, element=FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def model(nodes, inputs, outputs, tensors, opset, ir=8):
    initializers = [t if isinstance(t, TensorProto) else numpy_helper.from_array(t[1], t[0]) for t in tensors]
    graph = helper.make_graph(nodes, "main_graph", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, producer_name="by hand")


def as_double(model):
    """The same model with f64 in the place of f32."""
    model = onnx.ModelProto.FromString(model.SerializeToString())

    def tensor(proto):
        if proto.data_type == FLOAT:
            proto.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(proto).astype(np.float64), proto.name))

    for proto in model.graph.initializer:
        tensor(proto)
    for info in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        if info.type.tensor_type.elem_type == FLOAT:
            info.type.tensor_type.elem_type = DOUBLE
    for entry in model.graph.node:
        for attribute in entry.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                tensor(attribute.t)
            if entry.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
                attribute.i = DOUBLE
            if entry.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                floats = np.array(attribute.f if attribute.name == "value_float" else attribute.floats, np.float64)
                attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(floats)))
        if entry.op_type == "ConstantOfShape" and not entry.attribute:
            entry.attribute.append(helper.make_attribute("value", numpy_helper.from_array(np.zeros(1))))
    return model


def add(name, made, inputs, rows=None):
    """A file that can be checked. `rows` are those that it fixes."""
    path = FOLDER / f"{name}.onnx"
    if isinstance(made, bytes):
        path.write_bytes(made)
    elif made is not None:
        onnx.checker.check_model(made, full_check=True)
        path.write_bytes(made.SerializeToString())
    loaded = onnx.load(path)
    assert path.stat().st_size < MOST_BYTES, (name, path.stat().st_size)
    floats = evaluated(loaded, inputs)
    operators = {entry.op_type for entry in loaded.graph.node}
    # The evaluator computes these in f32, and gives the first two in f32, whatever it is given.
    single = bool(operators & {"LayerNormalization", "GroupNormalization"})
    exact, tolerance = floats, 3e-6
    if not single:
        double = {key: array.astype(np.float64) if array.dtype == np.float32 else array for key, array in inputs.items()}
        exact, tolerance = evaluated(as_double(loaded), double), 1e-7 if operators & {"Erf", "Gelu"} else 1e-9
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for output, found, wanted, in_f32 in zip(session.get_outputs(), session.run(None, inputs), exact, floats):
        assert wanted.dtype != np.float32 or single, (name, output.name)
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5, err_msg=f"{name}, {output.name}")
        np.testing.assert_allclose(in_f32, wanted, rtol=2e-4, atol=2e-5, err_msg=f"{name}, {output.name}")
    CASES.append({
        "file": path.name,
        "rows": rows,
        "tolerance": tolerance,
        "inputs": [
            {"shape": list(inputs[i.name].shape), "floats" if inputs[i.name].dtype == np.float32 else "integers": inputs[i.name].ravel().tolist()}
            for i in session.get_inputs()
        ],
        "outputs": [
            {"name": output.name, "shape": list(array.shape), "exact": array.astype(np.float64).ravel().tolist()}
            for output, array in zip(session.get_outputs(), exact)
        ],
    })


def refuse(name, made, *says):
    """A file that is refused, in these words."""
    (FOLDER / f"{name}.onnx").write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    CASES.append({"file": f"{name}.onnx", "says": list(says)})


def layers(name, inputs, outputs, opset, ir, shape=("N", 4), alpha=1.0, listed=False, external=None):
    """Gemm, Relu, Gemm, as the oldest tools write it."""
    tensors = [("w1", normal(name + "w1", 5, 4)), ("b1", normal(name + "b1", 5)), ("w2", normal(name + "w2", 5, 3)), ("b2", normal(name + "b2", 1, 3))]
    given = [value(inputs, list(shape))]
    if listed:
        given += [value(key, list(array.shape)) for key, array in tensors]
    nodes = [
        node("Gemm", f"{inputs} w1 b1", "h", alpha=alpha, beta=1.0, transA=0, transB=1),
        node("Relu", "h", "r"),
        node("Gemm", "r w2 b2", outputs, alpha=0.5, beta=2.0),
    ]
    return model(nodes, given, [value(outputs, [shape[0], 3])], tensors, opset, ir)


def by_hand():
    x = {"x": normal("x", 3, 4)}
    for name, opset, ir, shape, listed in [
        ("ir3-initializers-as-inputs", 13, 3, ("N", 4), True),
        ("ir4-initializers-as-inputs", 14, 4, ("N", 4), True),
        ("batch-size", 15, 8, ("batch_size", 4), False),
        ("no-name", 16, 9, (None, 4), False),
        ("opset21-ir10", 21, 10, ("batch", 4), False),
        ("opset19-ir11", 19, 11, ("N", 4), False),
    ]:
        add(name, layers(name, "x", "y", opset, ir, shape, listed=listed), x)
    add("fixed-batch", layers("fixed", "x", "y", 17, 8, (3, 4)), x, rows=3)

    # Numbers in a file beside the model, at an offset.
    made = layers("external", "x", "y", 17, 8)
    data = b""
    for tensor in made.graph.initializer:
        if tensor.name.startswith("w"):
            data += b"\0" * (-len(data) % 64)
            place = {"location": "external.bin", "offset": len(data), "length": len(tensor.raw_data)}
            data += tensor.raw_data
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, entry in place.items():
                tensor.external_data.add(key=key, value=str(entry))
    (FOLDER / "external.bin").write_bytes(data)
    (FOLDER / "external.onnx").write_bytes(made.SerializeToString())
    add("external", None, x)

    typed = lambda name, element, array: helper.make_tensor(name, element, array.shape, array.ravel())
    w = normal("typed", 4, 3)
    tensors = [
        typed("w", FLOAT, w),
        typed("half", TensorProto.FLOAT16, normal("half", 3).astype(np.float16)),
        typed("brain", TensorProto.BFLOAT16, normal("brain", 3)),
        typed("double", DOUBLE, np.array([0.25, -1.5, 3.0])),
        typed("axes", INT64, np.array([1], np.int64)),
        typed("power", TensorProto.INT32, np.array(3, np.int32)),
        typed("mask", BOOL, np.array([True, False, True])),
    ]
    nodes = [
        node("MatMul", "x w", "a"),
        node("Cast", "half", "half32", to=FLOAT),
        node("Cast", "brain", "brain32", to=FLOAT),
        node("Cast", "double", "double32", to=FLOAT),
        node("Add", "a half32", "b"),
        node("Mul", "b brain32", "c"),
        node("Sub", "c double32", "d"),
        node("Pow", "d power", "e"),
        node("Where", "mask e d", "f"),
        node("Unsqueeze", "f axes", "y"),
    ]
    add("typed-data", model(nodes, [value("x", ["N", 4])], [value("y", ["N", 1, 3])], tensors, 13), x)

    constant = lambda name, array: helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(array)))
    ints = lambda name, array: constant(name, np.array(array, np.int64))
    image = {"x": normal("image", 2, 3, 4)}
    nodes = [
        ints("one", [1]), ints("last", -1), ints("parts", [1, 3]), ints("from", [-2]), ints("far", [2**63 - 1]), ints("along", [2]),
        ints("pads", [0, 0, 1, 0, 0, 1]), constant("low", np.float32(-0.5)), constant("high", np.float32(0.75)),
        node("ReduceMean", "x", "mean", axes=[-1], keepdims=1),
        node("Softmax", "x", "soft", axis=1),
        node("LogSoftmax", "x", "log"),
        node("Sum", "x soft log mean", "sum"),
        node("Split", "sum parts", "p q", axis=2),
        node("Gather", "sum last", "entry", axis=2),
        node("Unsqueeze", "entry along", "again"),
        node("Slice", "sum from far along", "part"),
        node("Pad", "part pads low", "padded"),
        node("Clip", "padded low high", "clipped"),
        node("Max", "p again mean", "most"),
        node("Min", "q", "least"),
        node("Concat", "most least clipped", "all", axis=-1),
        node("Dropout", "all", "kept"),
        node("ReduceSum", "kept one", "total", keepdims=0),
        node("Identity", "total", "y"),
        node("ArgMax", "x", "place", axis=1),
        node("ArgMax", "x", "at", axis=-1, keepdims=0),
        node("Transpose", "at", "turned", perm=[0, 1]),
    ]
    outputs = [value("y", ["N", None]), value("place", ["N", 1, 4], INT64), value("turned", ["N", 3], INT64)]
    add("opset13-forms", model(nodes, [value("x", ["N", 3, 4])], outputs, [], 13), image)

    nodes = [
        ints("axes", [-1]), ints("none", []), ints("pads", [1, 2]),
        node("ReduceMean", "x axes", "mean"),
        node("ReduceMax", "x axes", "most"),
        node("ReduceMin", "x axes", "least", keepdims=1),
        node("ReduceSum", "x none", "same", noop_with_empty_axes=1),
        node("Add", "mean most", "a"), node("Add", "a least", "b"), node("Mul", "b same", "c"),
        node("Split", "c", "p q r", axis=-1, num_outputs=3),
        node("Pad", "r pads - axes", "padded"),
        node("Concat", "p q padded", "y", axis=2),
    ]
    # 5 numbers are two, two and one.
    five = {"x": normal("five", 2, 3, 5)}
    add("opset18-forms", model(nodes, [value("x", ["N", 3, 5])], [value("y", ["N", 3, 8])], [], 18, 9), five)

    groups = {"x": normal("groups", 2, 4, 3, 2)}
    for opset, count in [(18, 2), (21, 4)]:
        tensors = [("scale", normal("scale", count)), ("bias", normal("bias", count))]
        nodes = [node("GroupNormalization", "x scale bias", "y", num_groups=2, epsilon=1e-3)]
        made = model(nodes, [value("x", ["N", 4, 3, 2])], [value("y", ["N", 4, 3, 2])], tensors, opset, 9 if opset == 18 else 10)
        if opset == 21:
            add(f"group-normalization-{opset}", made, groups)
        else:
            # ONNX Runtime alone has it: the reference evaluator knows the later form only.
            grouped_by_definition(f"group-normalization-{opset}", made, groups)

    nodes = [node("Gelu", "x", "a"), node("Gelu", "x", "b", approximate="tanh"), node("Mul", "a b", "c"), node("HardSwish", "c", "y")]
    add("opset20-gelu", model(nodes, [value("x", ["N", 4])], [value("y", ["N", 4])], [], 20, 9), x)

    pictures = {"x": normal("pictures", 2, 2, 5, 6)}
    tensors = [("w", normal("w", 3, 2, 3, 2)), ("v", normal("v", 2, 3, 2, 3))]
    nodes = [
        node("Conv", "x w", "a", auto_pad="SAME_UPPER", strides=[2, 1]),
        node("Conv", "a v", "b", auto_pad="SAME_LOWER", kernel_shape=[2, 3]),
        node("AveragePool", "b", "c", kernel_shape=[2, 2], dilations=[1, 1], auto_pad="NOTSET", ceil_mode=0),
        node("MaxPool", "c", "d", kernel_shape=[1, 3], strides=[1, 2], ceil_mode=1),
        node("GlobalMaxPool", "d", "e"),
        node("GlobalAveragePool", "c", "f"),
        node("Mul", "e f", "g"),
        node("Squeeze", "g axes", "h"),
        node("Flatten", "c", "flat", axis=-3),
        node("Concat", "h flat", "y", axis=1),
    ]
    tensors.append(("axes", np.array([2, -1], np.int64)))
    add("opset19-windows", model(nodes, [value("x", ["N", 2, 5, 6])], [value("y", ["N", 22])], tensors, 19, 9), pictures)

    nodes = [
        ints("zero", 0), ints("first", [0]), ints("second", [1]), ints("minus", [-1]), ints("repeat", [1, 2, 1, 1]),
        node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n first", "n1"), node("Concat", "n1 minus", "to", axis=0),
        node("Reshape", "x to", "flat"),
        node("Shape", "x", "tail", start=1), node("Concat", "n1 tail", "back", axis=0), node("Reshape", "flat back", "again"),
        node("Unsqueeze", "again second", "wide"), node("Expand", "wide repeat", "more"), node("ReduceSum", "more second", "y", keepdims=0),
    ]
    add("shape-chains", model(nodes, [value("x", ["N", 3, 4])], [value("y", ["N", 3, 4])], [], 15), image)

    nodes = [
        node("MatMul", "x w", "a"), node("Greater", "a zero", "b"), node("Cast", "b", "c", to=FLOAT), node("Mul", "a c", "d"),
        node("Transpose", "w", "t"), node("Neg", "t", "u"), node("Add", "u u", "v"), node("MatMul", "d v", "y"),
        node("Add", "y z", "sum"), node("ReduceSum", "sum axes", "only", keepdims=0),
    ]
    tensors = [("w", normal("w", 4, 3)), ("zero", np.zeros((), np.float32)), ("axes", np.array([-1], np.int64))]
    inputs = [value("x", ["N", 4]), value("z", ["M", 4])]
    outputs = [value("only", ["N"]), value("d", ["N", 3]), value("sum", ["M", 4])]
    add("several-inputs-and-outputs", model(nodes, inputs, outputs, tensors, 17), {**x, "z": normal("z", 3, 4)})

    steps = {"x": normal("steps", 5, 3, 2)}
    for op, gates, states in [("LSTM", 4, 2), ("GRU", 3, 1)]:
        names = ["sigmoid", "Tanh", "Tanh"][: states + 1]
        tensors = [("w", normal("w", 1, gates * 3, 2)), ("r", normal("r", 1, gates * 3, 3)), ("b", normal("b", 1, gates * 6)), ("order", np.array([0], np.int64))]
        nodes = [
            ints("one", [1]), ints("hidden", [3]), constant("zero", np.zeros((1, 1, 1), np.float32)), ints("ahead", 0),
            node("Shape", "x", "s"), node("Gather", "s ahead", "n"), node("Unsqueeze", "n order", "n1"),
            node("Concat", "one n1 hidden", "size", axis=0), node("Expand", "zero size", "h0"), node("ConstantOfShape", "size", "c0"),
            node("Transpose", "x", "t", perm=[1, 0, 2]),
            node(op, "t w r b - h0" + (" c0" if states == 2 else ""), "steps", hidden_size=3, activations=names),
            node("Squeeze", "steps one", "squeezed"), node("Transpose", "squeezed", "y", perm=[1, 0, 2]),
        ]
        made = model(nodes, [value("x", ["N", "steps", 2])], [value("y", ["N", "steps", 3])], tensors, 14)
        add(f"states-of-zero-{op.lower()}", made, steps)

    nodes = [node("LayerNormalization", "x scale", "n", axis=1, epsilon=1e-3, stash_type=1), node("Selu", "n", "y")]
    add("layer-normalization-without-bias", model(nodes, [value("x", ["N", 4])], [value("y", ["N", 4])], [("scale", normal("s", 4))], 17), x)

    nodes = [
        constant("region", np.zeros(0, np.float32)), constant("scales", np.float32([1, 1, 1.4, 1.5])), ints("sizes", [2, 2, 7, 9]),
        node("Resize", "x region scales sizes", "y", mode="linear", coordinate_transformation_mode="align_corners", cubic_coeff_a=-0.75, nearest_mode="floor"),
    ]
    refuse("resize-with-both", model(nodes, [value("x", [2, 2, 5, 6])], [value("y", [2, 2, 7, 9])], [], 13), "its scales are given beside its sizes")
    nodes[0:2] = []
    nodes[-1] = node("Resize", "x - - sizes", "y", mode="linear", coordinate_transformation_mode="align_corners")
    add("resize-to-sizes", model(nodes, [value("x", [2, 2, 5, 6])], [value("y", [2, 2, 7, 9])], [], 13), pictures, rows=2)

    reshaped = [ints("to", [2, -1]), ints("back", [2, 3, 4]), node("Reshape", "x to", "flat"), node("Reshape", "flat back", "y")]
    add("fixed-batch-in-a-shape", model(reshaped, [value("x", [2, 3, 4])], [value("y", [2, 3, 4])], [], 17), image, rows=2)

    given = [value("x", ["N", 4])]
    out = [value("y", ["N", 4])]
    refuse("two-unknown", model([node("Sinh", "x", "a"), node("Sinh", "a", "b"), node("Det", "b", "y")], given, out, [], 17), "Det, Sinh (2 nodes)")
    refuse("strings", model([node("Identity", "x", "y")], [value("x", ["N", 4], TensorProto.STRING)], [value("y", ["N", 4], TensorProto.STRING)], [], 17), 'its input "x" takes strings (STRING)')
    refuse("float16", model([node("Relu", "x", "y")], [value("x", ["N", 4], TensorProto.FLOAT16)], [value("y", ["N", 4], TensorProto.FLOAT16)], [], 17), 'its input "x" takes float16 numbers (FLOAT16)')
    refuse("opset12", layers("x", "x", "y", 12, 7), "its opset is 12; 13 to 21 can be checked")
    refuse("mixes-rows", model([node("Softmax", "x", "y", axis=0)], given, out, [], 17), "Softmax", "does not fit inputs of the shapes [4, batch]")
    refuse("mean-of-all", model([node("ReduceMean", "x", "y", keepdims=0)], given, [value("y", [])], [], 17), "ReduceMean", "[batch, 4]")


def grouped_by_definition(name, made, inputs):
    """GroupNormalization of opset 18 by its definition, for the evaluator has that of 21."""
    scale, bias = (numpy_helper.to_array(t).astype(np.float64) for t in made.graph.initializer)
    x = inputs["x"].astype(np.float64)
    grouped = x.reshape(2, 2, -1)
    normalised = (grouped - grouped.mean(-1, keepdims=True)) / np.sqrt(grouped.var(-1, keepdims=True) + np.float64(np.float32(1e-3)))
    exact = (normalised * scale[:, None] + bias[:, None]).reshape(x.shape)
    path = FOLDER / f"{name}.onnx"
    path.write_bytes(made.SerializeToString())
    found = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, inputs)[0]
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-5)
    CASES.append({
        "file": path.name, "rows": None, "tolerance": 1e-9,
        "inputs": [{"shape": list(x.shape), "floats": inputs["x"].ravel().tolist()}],
        "outputs": [{"name": "y", "shape": list(exact.shape), "exact": exact.ravel().tolist()}],
    })


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm1d(6), nn.GELU(), nn.Linear(6, 5), nn.LayerNorm(5), nn.Dropout(0.3), nn.SiLU(), nn.Linear(5, 3), nn.Softmax(-1)
        )

    def forward(self, x):
        return self.layers(x)


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 4, 3, stride=2, bias=False)
        self.norms = nn.GroupNorm(2, 4)
        self.out = nn.Linear(4 * 3 * 3 // 9 * 1, 3)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        x = nn.functional.hardswish(self.second(x))
        x = nn.functional.adaptive_avg_pool2d(x, 1)
        return self.out(x.view(x.size(0), -1))


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.lstm = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
        self.out = nn.Linear(6, 2)

    def forward(self, x):
        steps, _ = self.lstm(self.table(x))
        return self.out(steps[:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.Linear(4, 12)
        self.out = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)

    def forward(self, x):
        heads = lambda part: part.view(x.size(0), 3, 2, 2).transpose(1, 2)
        query, key, value = map(heads, self.parts(x).chunk(3, dim=-1))
        weights = torch.softmax(query @ key.transpose(-2, -1) / 2**0.5, dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(x.size(0), 3, 4)
        return self.norm(x + self.out(mixed)).mean(dim=1)


class MultiHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.block(x, x, x, need_weights=False)[0]


def by_pytorch():
    inputs = {
        Mlp: normal("torch", 3, 4),
        Cnn: normal("torch", 2, 1, 6, 6),
        Tokens: draws("tokens").integers(0, 7, (2, 5)),
        Attention: normal("torch", 2, 3, 4),
        MultiHead: normal("torch", 2, 3, 4),
    }
    for kind, array in inputs.items():
        torch.manual_seed(0)
        made = kind().eval()
        with torch.no_grad():
            for name, buffer in made.named_buffers():
                if buffer.is_floating_point():
                    buffer += torch.rand_like(buffer)
        sample = torch.from_numpy(array)
        for opset in [13, 15, 17]:
            for fixed in [False, True]:
                if fixed and opset != 17 or kind is MultiHead:
                    continue
                name = f"pytorch-{kind.__name__.lower()}-{opset}" + ("-fixed" if fixed else "")
                buffer = io.BytesIO()
                axes = {} if fixed else {"dynamic_axes": {"x": {0: "batch_size"}, "y": {0: "batch_size"}}}
                try:
                    torch.onnx.export(made, (sample,), buffer, dynamo=False, opset_version=opset, input_names=["x"], output_names=["y"], **axes)
                except Exception as error:
                    print(f"{name} was not exported: {str(error).splitlines()[0][:160]}")
                    continue
                put(name, buffer.getvalue(), {"x": array}, len(array) if fixed else None)
        for opset in [18] if kind is MultiHead else [18, 21]:
            name = f"pytorch-{kind.__name__.lower()}-{opset}-dynamo"
            try:
                program = torch.onnx.export(
                    made, (sample,), dynamo=True, opset_version=opset, input_names=["x"], output_names=["y"],
                    dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False,
                )
            except Exception as error:
                print(f"{name} was not exported: {str(error).splitlines()[0][:160]}")
                continue
            proto = program.model_proto
            # Where each node comes from takes more room than the network.
            for entry in [*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer]:
                entry.ClearField("metadata_props")
            put(name, proto.SerializeToString(), {"x": array}, None)


def put(name, bytes, inputs, rows):
    if "multihead" in name:
        # Batch and heads become one size.
        refuse(name, bytes, "(Reshape): it gives ", "which joins the batch with another size")
    else:
        add(name, bytes, inputs, rows)


def by_scikit_learn():
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = normal("sklearn", 60, 4), draws("sklearn classes").integers(0, 3, 60)
    typed = [("X", FloatTensorType([None, 4]))]
    settings = {"hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 50}
    classifier = make_pipeline(StandardScaler(), MLPClassifier(**settings)).fit(x, y)
    refuse("sklearn-classifier", skl2onnx.to_onnx(classifier, initial_types=typed, target_opset=17), "operators that cannot be evaluated in f64: ", "Scaler of ai.onnx.ml", "ZipMap of ai.onnx.ml")
    regressor = MLPRegressor(**settings).fit(x, y)
    for opset in [13, 18, 21]:
        made = skl2onnx.to_onnx(regressor, initial_types=typed, target_opset=opset)
        add(f"sklearn-regressor-{opset}", made.SerializeToString(), {"X": x[:3]})


def main():
    warnings.filterwarnings("ignore")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    by_hand()
    by_pytorch()
    by_scikit_learn()
    (FOLDER / "foreign.json").write_text(json.dumps({"cases": CASES}) + "\n")
    print(f"{len(CASES)} files, {sum(path.stat().st_size for path in FOLDER.iterdir())} bytes")


if __name__ == "__main__":
    main()
