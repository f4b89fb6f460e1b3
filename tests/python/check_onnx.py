"""Checks an exported file with nothing of trainbook: onnx's checker and shape inference, and its reference evaluator
against ONNX Runtime.

Both are compared with a double-precision evaluation of the same graph. ONNX Runtime may be further from it than onnx's
own single-precision evaluation by a small factor, not by a fixed amount: a fixed amount is too strict for large outputs
and too lax for small ones.

Exit code 0 when the file is good, 1 otherwise.
"""

import argparse
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET, IR = 17, 8
BATCHES = (1, 3, 33)
# How much further than the reference evaluator ONNX Runtime may be from double precision. Sums in another order differ
# by about one such error; a wrong operator or attribute by thousands.
FACTOR, FLOOR = 8.0, 1e-6


class Bad(Exception):
    """The file does not do what an exported file must."""


def static_checks(model):
    """The checker, strict shape inference, the versions, finite weights, and one input whose batch size is free."""
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    opset = {entry.domain: entry.version for entry in model.opset_import}
    if opset != {"": OPSET}:
        raise Bad(f"the operator sets are {opset}, but should be only the standard one, version {OPSET}")
    if model.ir_version != IR:
        raise Bad(f"the IR version is {model.ir_version}, but should be {IR}")
    for tensor in model.graph.initializer:
        if not np.isfinite(numpy_helper.to_array(tensor)).all():
            raise Bad(f"the weight {tensor.name!r} is not finite")
    if len(model.graph.input) != 1:
        raise Bad(f"the graph has {len(model.graph.input)} inputs, but should have one")
    value = model.graph.input[0]
    if value.type.tensor_type.elem_type != TensorProto.FLOAT:
        raise Bad(f"the input {value.name!r} is not float32")
    first, *rest = value.type.tensor_type.shape.dim
    if not first.dim_param:
        raise Bad(f"the batch size is fixed to {first.dim_value}, but should be free")
    if any(dim.dim_value < 1 for dim in rest):
        raise Bad(f"a feature dimension of {value.name!r} has no size")
    return value.name, [dim.dim_value for dim in rest]


def in_double(model):
    """The same graph with double-precision weights, inputs, outputs and constants."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)

    def widen(tensor):
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))

    for tensor in wide.graph.initializer:
        widen(tensor)
    for value in [*wide.graph.input, *wide.graph.output, *wide.graph.value_info]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in wide.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                widen(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
    return wide


def inputs(shape, batch):
    """Named inputs of that batch size."""
    draw = np.random.default_rng(batch)
    size = (batch, *shape)
    yield "normal", draw.standard_normal(size, dtype=np.float32)
    yield "pixels", draw.integers(0, 17, size).astype(np.float32)
    yield "zero", np.zeros(size, np.float32)
    yield "large", (draw.standard_normal(size) * 1e3).astype(np.float32)


def compare(model, name, shape):
    """ONNX Runtime against onnx's evaluator, and each row of a batch against itself alone. Prints the figures."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    single, double = ReferenceEvaluator(model), ReferenceEvaluator(in_double(model))
    for batch in BATCHES:
        for kind, x in inputs(shape, batch):
            ort = session.run(None, {name: x})
            ref = single.run(None, {name: x})
            true = double.run(None, {name: x.astype(np.float64)})
            alone = session.run(None, {name: x[-1:]})
            for output, a, b, exact, last in zip(model.graph.output, ort, ref, true, alone):
                where = f"{output.name!r}, batch {batch}, {kind} input"
                if a.shape != exact.shape:
                    raise Bad(f"{where}: the shapes are {a.shape} and {exact.shape}")
                if not np.isfinite(a).all():
                    raise Bad(f"{where}: ONNX Runtime's output is not finite")
                scale = max(1.0, float(np.abs(exact).max()))
                error = float(np.abs(a - exact).max())
                own = float(np.abs(b - exact).max())
                bound = FACTOR * own + FLOOR * scale
                row = float(np.abs(a[-1:] - last).max())
                print(
                    f"  {output.name}  batch {batch:>2}  {kind:<6}  largest output {np.abs(exact).max():9.3g}"
                    f"  onnxruntime off by {error:8.2g}  onnx by {own:8.2g}  allowed {bound:8.2g}  row alone {row:8.2g}"
                )
                if not error <= bound:
                    raise Bad(f"{where}: ONNX Runtime is off by {error:g}, but may be by {bound:g}")
                if not row <= bound:
                    raise Bad(f"{where}: the last row depends on the others: it differs by {row:g} when alone")


def check(model):
    """Raises Bad, or an error of onnx or onnxruntime, when the model is not good."""
    compare(model, *static_checks(model))


def sample(batch="N", opset=OPSET, ir=IR, weight=None, shape_of_output=3):
    """A small good model: one asymmetric linear layer and a ReLU. The arguments spoil it."""
    weights = np.linspace(-1, 1, 15, dtype=np.float32).reshape(3, 5)
    if weight is not None:
        weights[1, 2] = weight
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1), helper.make_node("Relu", ["h"], ["y"])],
        "sample",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, shape_of_output])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.ones(3, np.float32), "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def refuses():
    """Tests this file: a good model passes, and each spoiled one is refused for its own reason."""
    check(sample())
    for spoiled, reason in [
        (sample(batch=4), "batch size"),
        (sample(opset=16), "operator sets"),
        (sample(ir=9), "IR version"),
        (sample(weight=np.nan), "not finite"),
        (sample(shape_of_output=7), "nfer"),  # "Inferred shape and existing shape differ", "[ShapeInferenceError]"
    ]:
        try:
            check(spoiled)
        except Exception as error:  # whichever part refuses it, for this reason
            if reason not in str(error):
                sys.exit(f"refused for another reason than {reason!r}: {error}")
        else:
            sys.exit(f"accepted a model that should be refused for {reason!r}")
    print("a good sample passes, and 5 spoiled ones are refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", help="the exported file")
    parser.add_argument("--refuses", action="store_true", help="test this check itself on spoiled models")
    args = parser.parse_args()
    if args.refuses:
        refuses()
    elif args.file:
        print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}: {args.file}")
        try:
            check(onnx.load(args.file))
        except Exception as error:  # the reason is what the reader needs, not the stack
            sys.exit(f"{args.file} is refused: {error}")
        print(f"{args.file} is good")
    else:
        parser.error("name a file, or give --refuses")


if __name__ == "__main__":
    main()
