"""Writes toolkit/onnx/tests/fixtures/operators.json: what ONNX's operators of opset 17 give for the same numbers as ours.

Run by hand when the crate learns an operator:

    pip install onnx==1.23.2 onnxruntime==1.32.0 numpy
    python tests/python/make_operator_fixtures.py

Each case is a small graph with its inputs. `exact` is what onnx's reference evaluator gives in f64 for inputs and weights that are numbers of
f32; `float` is what ONNX Runtime gives in f32, without its optimisations. ONNX Runtime is also asked with all of them, and in f64 where it can,
and must agree, because the reference evaluator has bugs: where a case says `reference`, these nodes were evaluated in the place of its own.
Every case draws from its own name, so that a new case changes no other.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

FIXTURE = Path(__file__).parents[2] / "toolkit" / "onnx" / "tests" / "fixtures" / "operators.json"
MOST_BYTES = 300_000
CASES = []


class Draw:
    """Random numbers of one case, each of them a number of f32."""

    def __init__(self, name):
        self.generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))

    def normal(self, *shape, scale=1.0):
        return (scale * self.generator.standard_normal(shape)).astype(np.float32)

    def uniform(self, *shape, low=0.0, high=1.0):
        return self.generator.uniform(low, high, shape).astype(np.float32)


def node(op, inputs, outputs="y", **attributes):
    return {"op": op, "inputs": inputs.split(), "outputs": outputs.split(), "attributes": attributes}


def model(nodes, inputs, weights, integers, outputs, element):
    dtype = helper.tensor_dtype_to_np_dtype(element)
    made = []
    for entry in nodes:
        names = [name.replace("-", "") for name in entry["inputs"]]
        made.append(helper.make_node(entry["op"], names, entry["outputs"], **entry["attributes"]))
    initializers = [numpy_helper.from_array(value.astype(dtype), name) for name, value in weights.items()]
    initializers += [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in integers.items()]
    values = [helper.make_tensor_value_info(name, element, value.shape) for name, value in inputs.items()]
    returned = [helper.make_tensor_value_info(name, element, None) for name in outputs]
    graph = helper.make_graph(made, "case", values, returned, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(made, inputs, dtype, optimize=False):
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: value.astype(dtype) for name, value in inputs.items()})


def case(name, nodes, inputs, weights=None, integers=None, outputs=("y",), free=None, reference=None, domain=False):
    """`free` are the dimensions of inputs that a graph leaves open, by input; `domain` says that not every number can be taken."""
    nodes, weights, integers = nodes if isinstance(nodes, list) else [nodes], weights or {}, integers or {}
    double = model(reference or nodes, inputs, weights, integers, outputs, TensorProto.DOUBLE)
    exact = ReferenceEvaluator(double).run(None, {key: value.astype(np.float64) for key, value in inputs.items()})
    single = model(nodes, inputs, weights, integers, outputs, TensorProto.FLOAT)
    found = run(single, inputs, np.float32)
    others = [("optimised", run(single, inputs, np.float32, optimize=True), 1e-5)]
    try:
        others.append(("f64", run(model(nodes, inputs, weights, integers, outputs, TensorProto.DOUBLE), inputs, np.float64), 1e-12))
    except Exception:
        pass
    others.append(("f32", found, 1e-5))
    for output, values in zip(outputs, exact):
        assert values.dtype == np.float64, (name, output, values.dtype)
        assert np.isfinite(values).all(), (name, output)
    for kind, values, tolerance in others:
        for output, ours, theirs in zip(outputs, exact, values):
            assert ours.shape == theirs.shape, (name, kind, output, ours.shape, theirs.shape)
            assert np.abs(ours - theirs).max() <= tolerance * max(1, np.abs(ours).max()), (name, kind, output, ours, theirs)

    def stored(value):
        return {"shape": list(value.shape), "data": [float(f"{number:.9g}") for number in value.flatten().tolist()]}

    entry = {
        "name": name,
        "domain": domain,
        "inputs": [{"name": key, "free": (free or {}).get(key, {}), **stored(value)} for key, value in inputs.items()],
        "weights": [{"name": key, **stored(value)} for key, value in weights.items()],
        "integers": [{"name": key, "data": value} for key, value in integers.items()],
        "nodes": nodes,
        "outputs": [
            {
                "name": output,
                "shape": list(ours.shape),
                "exact": [float(f"{number:.12g}") for number in ours.flatten().tolist()],
                "float": [float(f"{number:.9g}") for number in theirs.flatten().tolist()],
            }
            for output, ours, theirs in zip(outputs, exact, found)
        ],
    }
    if reference:
        entry["reference"] = reference
    CASES.append(entry)


def convolutions():
    d = Draw("Conv")
    image = d.normal(2, 3, 6, 5)
    weight = d.normal(4, 3, 3, 2, scale=0.4)
    bias = {"b": d.normal(4)}
    case("Conv", node("Conv", "x w"), {"x": image}, {"w": weight})
    case("Conv with pads", node("Conv", "x w b", pads=[2, 0, 1, 1]), {"x": image}, {"w": weight, **bias})
    case("Conv with strides", node("Conv", "x w b", kernel_shape=[3, 2], strides=[2, 3]), {"x": image}, {"w": weight, **bias})
    wide = d.normal(2, 3, 8, 7)
    case("Conv with dilations", node("Conv", "x w b", dilations=[2, 3], strides=[3, 3]), {"x": wide}, {"w": weight, **bias})
    everything = node("Conv", "x w b", pads=[1, 2, 0, 3], strides=[2, 1], dilations=[1, 2], group=2)
    case("Conv with everything", everything, {"x": d.normal(2, 4, 6, 5)}, {"w": d.normal(6, 2, 3, 2, scale=0.4), "b": d.normal(6)})
    case("Conv by channel", node("Conv", "x w", pads=[1, 1, 1, 1], group=3), {"x": image}, {"w": d.normal(3, 1, 3, 3, scale=0.4)})
    series = d.normal(3, 4, 9)
    weights = {"w": d.normal(2, 4, 3, scale=0.4), "b": d.normal(2)}
    case("Conv of series", node("Conv", "x w b", pads=[3, 1], strides=[2], dilations=[2]), {"x": series}, weights)
    same = node("Conv", "x w b", pads=[1, 1])
    case("Conv of series of any length", same, {"x": series}, weights, free={"x": {"2": "sequence"}})

    d = Draw("ConvTranspose")
    image = d.normal(2, 3, 4, 3)
    weight = d.normal(3, 2, 3, 2, scale=0.4)
    bias = {"b": d.normal(2)}
    case("ConvTranspose", node("ConvTranspose", "x w"), {"x": image}, {"w": weight})
    case("ConvTranspose with pads", node("ConvTranspose", "x w b", pads=[2, 0, 1, 1]), {"x": image}, {"w": weight, **bias})
    strides = node("ConvTranspose", "x w b", strides=[2, 3], output_padding=[1, 2], pads=[0, 1, 1, 0])
    case("ConvTranspose with strides", strides, {"x": image}, {"w": weight, **bias})
    case("ConvTranspose with dilations", node("ConvTranspose", "x w b", dilations=[2, 3]), {"x": image}, {"w": weight, **bias})
    attributes = {"pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2]}
    everything = node("ConvTranspose", "x w b", **attributes, group=2)
    # The reference evaluator mixes groups up, so they are taken apart for it.
    apart = [
        node("Split", "x", "x0 x1", axis=1),
        node("Split", "w", "w0 w1", axis=0),
        node("Split", "b", "b0 b1", axis=0),
        node("ConvTranspose", "x0 w0 b0", "y0", **attributes, group=1),
        node("ConvTranspose", "x1 w1 b1", "y1", **attributes, group=1),
        node("Concat", "y0 y1", axis=1),
    ]
    grouped = {"w": d.normal(4, 3, 3, 2, scale=0.4), "b": d.normal(6)}
    case("ConvTranspose with everything", everything, {"x": d.normal(2, 4, 4, 3)}, grouped, reference=apart)
    series = node("ConvTranspose", "x w b", strides=[3], pads=[2, 1], output_padding=[1], dilations=[2])
    case("ConvTranspose of series", series, {"x": d.normal(3, 4, 5)}, {"w": d.normal(4, 2, 3, scale=0.4), "b": d.normal(2)})


def padded_before(pads, op, **attributes):
    """For the reference evaluator, which mixes pads up that differ, and divides by another number then."""
    image_pads = [0, 0, *pads[: len(pads) // 2], 0, 0, *pads[len(pads) // 2 :]]
    low = 0.0 if op == "AveragePool" else -1e30
    constants = [node("Constant", "", "pads", value_ints=image_pads), node("Constant", "", "low", value_float=low)]
    return [*constants, node("Pad", "x pads low", "padded"), node(op, "padded", **attributes)]


def pools():
    d = Draw("pools")
    image, series = d.normal(2, 3, 6, 5), d.normal(3, 4, 9)
    case("MaxPool", node("MaxPool", "x", kernel_shape=[2, 3]), {"x": image})
    pads = [2, 0, 1, 1]
    kernel = {"kernel_shape": [3, 2]}
    case("MaxPool with pads", node("MaxPool", "x", **kernel, pads=pads), {"x": image}, reference=padded_before(pads, "MaxPool", **kernel))
    everything = {**kernel, "strides": [2, 1], "dilations": [1, 3]}
    apart = padded_before(pads, "MaxPool", **everything)
    case("MaxPool with everything", node("MaxPool", "x", **everything, pads=pads, ceil_mode=0), {"x": image}, reference=apart)
    case("MaxPool with strides", node("MaxPool", "x", kernel_shape=[3, 2], strides=[2, 2]), {"x": image})
    everything = {"kernel_shape": [3], "strides": [2], "dilations": [2]}
    apart = padded_before([1, 2], "MaxPool", **everything)
    case("MaxPool of series", node("MaxPool", "x", **everything, pads=[1, 2]), {"x": series}, reference=apart)
    case("AveragePool", node("AveragePool", "x", kernel_shape=[2, 3]), {"x": image})
    everything = {"kernel_shape": [3, 2], "pads": [2, 0, 1, 1], "strides": [2, 1]}
    case("AveragePool without pads", node("AveragePool", "x", **everything), {"x": image})
    case("AveragePool with pads", node("AveragePool", "x", **everything, count_include_pad=1), {"x": image})
    case("AveragePool of series", node("AveragePool", "x", kernel_shape=[4], pads=[1, 3], strides=[2]), {"x": series})
    any_length = node("AveragePool", "x", kernel_shape=[3], pads=[1, 1], strides=[1])
    case("AveragePool of series of any length", any_length, {"x": series}, free={"x": {"2": "sequence"}})
    case("GlobalAveragePool", node("GlobalAveragePool", "x"), {"x": image})
    case("GlobalAveragePool of series", node("GlobalAveragePool", "x"), {"x": series}, free={"x": {"2": "sequence"}})
    weights = {"scale": d.normal(3), "shift": d.normal(3)}
    case("InstanceNormalization", node("InstanceNormalization", "x scale shift", epsilon=0.01), {"x": image}, weights)


def arrangement():
    d = Draw("arrangement")
    x, y, z = d.normal(2, 3, 3, 4), d.normal(2, 3, 3, 4), d.normal(2, 3, 3, 2)
    case("Concat", node("Concat", "a b", axis=2), {"a": x, "b": y})
    case("Concat from the end", node("Concat", "a b c", axis=-1), {"a": x, "b": y, "c": z})
    sequences = {"a": {"1": "sequence"}, "b": {"1": "sequence"}}
    case("Concat of sequences", node("Concat", "a b", axis=2), {"a": d.normal(2, 3, 4), "b": d.normal(2, 3, 1)}, free=sequences)
    image = d.normal(2, 5, 4, 3)
    rows = {"from": [1, -1], "to": [4, -9], "along": [1, -1], "step": [2, -1]}
    case("Slice", node("Slice", "x from to along step"), {"x": image}, integers=rows)
    case("Slice with steps of 1", node("Slice", "x from to along"), {"x": image}, integers={"from": [-3], "to": [1000], "along": [2]})
    last = {"from": [-1], "to": [2**63 - 1], "along": [1]}
    sequence = d.normal(2, 5, 3)
    case("Slice of the last step", node("Slice", "x from to along"), {"x": sequence}, integers=last, free={"x": {"1": "sequence"}})
    back = {"from": [-1], "to": [-(2**63)], "along": [1], "step": [-1]}
    case("Slice backwards", node("Slice", "x from to along step"), {"x": sequence}, integers=back, free={"x": {"1": "sequence"}})
    case("Pad", node("Pad", "x pads"), {"x": d.normal(2, 2, 3, 2)}, integers={"pads": [0, 1, 2, 0, 0, 0, 1, 3]})
    value = {"value": np.array(-1.5, np.float32)}
    case("Pad with a number", node("Pad", "x pads value", mode="constant"), {"x": d.normal(2, 3, 2)}, value, {"pads": [0, 0, 2, 0, 1, 0]})
    case("Split", node("Split", "x parts", "a b c", axis=1), {"x": image}, integers={"parts": [1, 3, 1]}, outputs=("a", "b", "c"))
    case("Split evenly", node("Split", "x", "a b", axis=-2), {"x": image}, outputs=("a", "b"))
    case("Expand", node("Expand", "x shape"), {"x": d.normal(2, 3, 1)}, integers={"shape": [1, 1, 4]})
    longer = [node("Expand", "x shape", "z"), node("Transpose", "z", perm=[1, 0, 2])]
    case("Expand to more dimensions", longer, {"x": d.normal(2, 3)}, integers={"shape": [4, 1, 1]})
    case("Squeeze", node("Squeeze", "x along"), {"x": d.normal(2, 1, 3, 1)}, integers={"along": [1, -1]})
    case("Unsqueeze", node("Unsqueeze", "x along"), {"x": d.normal(2, 3)}, integers={"along": [1, -1]})
    case("Flatten", node("Flatten", "x", axis=1), {"x": d.normal(2, 3, 2, 2)})
    middle = [node("Transpose", "x", "z", perm=[1, 2, 0, 3]), node("Reshape", "z shape", "s"), node("Transpose", "s", perm=[2, 0, 1, 4, 3])]
    case("Reshape with the batch inside", middle, {"x": d.normal(2, 2, 3, 4)}, integers={"shape": [6, 1, 0, 2, 2]})


def choices():
    d = Draw("choices")
    a, b = d.normal(2, 3, 4), d.normal(2, 3, 4)
    for compare in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual"):
        case(f"Where {compare}", [node(compare, "a b", "c"), node("Where", "c a b")], {"a": a, "b": b})
    zero = {"zero": np.array(0, np.float32)}
    case("Where Equal", [node("Relu", "a", "r"), node("Equal", "r zero", "c"), node("Where", "c b r")], {"a": a, "b": b}, zero)
    mask = {"mask": np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 1, 0]], np.float32), "low": np.array(-1e4, np.float32)}
    case("Where with a mask", [node("Cast", "mask", "c", to=9), node("Where", "c a low")], {"a": a}, mask)
    case("Min of three", node("Min", "a b bound"), {"a": a, "b": b}, {"bound": d.normal(4)})
    case("Max of three", node("Max", "a b bound"), {"a": a, "b": b}, {"bound": d.normal(3, 1)})
    bounds = {"low": np.array(-0.4, np.float32), "high": np.array(0.7, np.float32)}
    case("Clip", node("Clip", "a low high"), {"a": a}, bounds)
    case("Clip from above", node("Clip", "a - high"), {"a": a}, {"high": bounds["high"]})
    case("Clip from below", node("Clip", "a low"), {"a": a}, {"low": bounds["low"]})


def numbers():
    d = Draw("numbers")
    x = np.concatenate([d.normal(2, 7, scale=2.0), np.array([[0, -3.5, 4, -1.5], [1e-3, 20, -20, -1e-4]], np.float32)], axis=1)
    for op in ("Elu", "Selu", "Softplus", "HardSwish", "HardSigmoid", "Neg", "Sign"):
        case(op, node(op, "x"), {"x": x})
    case("Elu with alpha", node("Elu", "x", alpha=0.3), {"x": x})
    case("Selu with both", node("Selu", "x", alpha=1.5, gamma=2.25), {"x": x})
    case("HardSigmoid with both", node("HardSigmoid", "x", alpha=0.3, beta=0.25), {"x": x})
    case("Reciprocal", node("Reciprocal", "x"), {"x": d.uniform(2, 7, low=0.3, high=4)}, domain=True)
    for name, exponent in (("a square", 2.0), ("a cube", 3.0)):
        case(f"Pow of {name}", node("Pow", "x e"), {"x": x}, {"e": np.array(exponent, np.float32)})
    case("Pow of roots", node("Pow", "x e"), {"x": d.uniform(2, 7, high=9)}, {"e": np.array(1 / 3, np.float32)}, domain=True)
    case("Pow of two that flow", node("Pow", "a b"), {"a": d.uniform(2, 7, low=0.2, high=3), "b": d.normal(2, 7)}, domain=True)
    case("Sub from a constant", node("Sub", "one x"), {"x": x}, {"one": np.array(1, np.float32)})
    case("Mul by channel", node("Mul", "x s"), {"x": d.normal(2, 3, 2, 4), "s": d.normal(2, 3, 1, 1)})
    cube = d.normal(2, 3, 4, 5)
    case("ReduceSum", node("ReduceSum", "x along", keepdims=0), {"x": cube}, integers={"along": [-1, 1]})
    case("ReduceSum that keeps", node("ReduceSum", "x along"), {"x": cube}, integers={"along": [2]})


def recurrent():
    for op, gates in (("LSTM", 4), ("GRU", 3)):
        d = Draw(op)
        steps, batch, features, hidden = 4, 3, 2, 3
        x = d.normal(batch, steps, features)
        last = ["h", "c"][: gates - 2]
        for direction in ("forward", "reverse", "bidirectional"):
            for linear in (0, 1)[: 1 if op == "LSTM" else 2]:
                directions = 2 if direction == "bidirectional" else 1
                weights = {
                    "w": d.normal(directions, gates * hidden, features, scale=0.7),
                    "r": d.normal(directions, gates * hidden, hidden, scale=0.7),
                    "b": d.normal(directions, 2 * gates * hidden, scale=0.5),
                }
                attributes = {"hidden_size": hidden, "direction": direction, **({"linear_before_reset": linear} if linear else {})}
                nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(op, "t w r b", "every h0 c0"[: 11 if op == "LSTM" else 8], **attributes)]
                nodes.append(node("Transpose", "every", "y", perm=[2, 0, 1, 3]))
                nodes += [node("Transpose", f"{name}0", name, perm=[1, 0, 2]) for name in last]
                name = f"{op} {direction}" + (" with linear_before_reset" if linear else "")
                case(name, nodes, {"x": x}, weights, outputs=("y", *last), free={"x": {"1": "sequence"}})
        directions = 1
        weights = {"w": d.normal(1, gates * hidden, features, scale=0.7), "r": d.normal(1, gates * hidden, hidden, scale=0.7)}
        nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(op, "t w r", "every", hidden_size=hidden)]
        nodes += [node("Squeeze", "every one", "steps"), node("Transpose", "steps", perm=[1, 0, 2])]
        case(f"{op} without biases", nodes, {"x": x}, weights, {"one": [1]})
        states = ["h", "c"][: gates - 2]
        nodes = [node("Transpose", "x", "t", perm=[1, 0, 2])]
        nodes += [node("Transpose", f"{name}_in", f"{name}_0", perm=[1, 0, 2]) for name in states]
        nodes.append(node(op, "t w r - - " + " ".join(f"{name}_0" for name in states), "every", hidden_size=hidden))
        nodes.append(node("Transpose", "every", perm=[2, 0, 1, 3]))
        inputs = {"x": x, **{f"{name}_in": d.normal(batch, 1, hidden) for name in states}}
        case(f"{op} from states", nodes, inputs, weights)


if __name__ == "__main__":
    convolutions()
    pools()
    arrangement()
    choices()
    numbers()
    recurrent()
    made = f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, numpy {np.__version__}"
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in CASES)
    text = f'{{"made_with":{json.dumps(made)},"cases":[\n{lines}\n]}}\n'
    assert len(text) <= MOST_BYTES, len(text)
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    FIXTURE.write_text(text)
    print(f"{len(CASES)} cases, {len(text)} bytes: {FIXTURE}")
