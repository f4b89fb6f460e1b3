"""Checks a folder of exported layers with nothing of trainbook: for each model onnx's checker and strict shape inference,
and then onnx's reference evaluator and the installed ONNX Runtime, on the inputs that the trainer recorded, against the
outputs that it recorded.

The folder is in ONNX's own layout: NAME/model.onnx, NAME/test_data_set_0/input_0.pb, output_0.pb. It is written by
`cargo nextest run -p trainbook --test layers`.

Runs with two sets of packages: the newest (requirements.txt) and the oldest that the book promises
(requirements-oldest.txt).

Exit code 0 when all agree, 1 otherwise.
"""

import argparse
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET, IR = 17, 8
# The Rust side has compared the same numbers within the bounds of f32 rounding, around 1e-6. This is for other
# evaluators with other orders of summation; a wrong operator or attribute is wrong by much more.
ABSOLUTE, RELATIVE = 2e-5, 2e-5


# Models that onnx's reference evaluator gets wrong or does not run, in one of the two versions: its answer is looked at
# and not insisted on. ONNX Runtime's is, for them as for all.
BEYOND_THE_EVALUATOR = {
    "ConvTranspose2d-depthwise": "groups of transposed convolutions are wrong, or refused",
    "ConvTranspose2d-groups_3": "groups of transposed convolutions are wrong, or refused",
    "ConvTranspose2d-groups_3_stride_2": "groups of transposed convolutions are wrong, or refused",
    "Gru-bidirectional": "one direction only in the older version",
    "Gru-bidirectional_last": "one direction only in the older version",
    "Gru-length_1_bidirectional_last": "one direction only in the older version",
    "LogSoftmax-wide": "takes the logarithm of a softmax, which has few digits left",
    "Lstm-bidirectional": "one direction only in the older version",
    "Lstm-bidirectional_last": "one direction only in the older version",
    "Lstm-length_1_bidirectional_last": "one direction only in the older version",
    "MaxPool1d-all_negative_padding_1": "an index out of bounds at the padding",
}


class Bad(Exception):
    """A model does not do what it must."""


def static_checks(model):
    """The checker, strict shape inference, the versions, and a batch size that is free in all inputs and outputs."""
    onnx.checker.check_model(model, full_check=True)
    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
    del stripped.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(stripped, check_type=True, strict_mode=True, data_prop=True)
    opset = {entry.domain: entry.version for entry in model.opset_import}
    if opset != {"": OPSET} or model.ir_version != IR:
        raise Bad(f"the operator sets are {opset} and the IR version is {model.ir_version}")
    for value in [*model.graph.input, *model.graph.output]:
        dims = value.type.tensor_type.shape.dim
        if not dims or dims[0].dim_param != "batch":
            raise Bad(f"the batch size of {value.name!r} is not free")
        if any(not dim.dim_param and dim.dim_value < 1 for dim in dims):
            raise Bad(f"a dimension of {value.name!r} has no size")
    inferred = {value.name: shape(value) for value in inferred.graph.value_info}
    # What onnx infers by itself must be what the file states; sizes that it cannot infer have made-up names or none.
    for value in model.graph.value_info:
        stated, found = shape(value), inferred.get(value.name)
        if found is None:
            raise Bad(f"onnx infers no shape for {value.name!r}, stated as {stated}")
        if len(stated) != len(found) or any(isinstance(b, int) and a != b for a, b in zip(stated, found)):
            raise Bad(f"{value.name!r} is stated as {stated}, but onnx infers {found}")


def shape(value):
    return [dim.dim_value or dim.dim_param or None for dim in value.type.tensor_type.shape.dim]


def tensor(path):
    proto = TensorProto()
    proto.ParseFromString(path.read_bytes())
    return proto.name, numpy_helper.to_array(proto)


def data_set(folder):
    """Named inputs and outputs, in order."""
    return [
        dict(tensor(folder / f"{kind}_{i}.pb") for i in range(len(list(folder.glob(f"{kind}_*.pb")))))
        for kind in ("input", "output")
    ]


def agree(who, outputs, wanted):
    """The largest difference. Raises Bad when there is too large a one."""
    worst = 0.0
    for found, (name, recorded) in zip(outputs, wanted.items(), strict=True):
        if found.shape != recorded.shape or not np.isfinite(found).all():
            raise Bad(f"{who}: {name!r} has the shape {found.shape}, but should have {recorded.shape} and be finite")
        difference = np.abs(found.astype(np.float64) - recorded)
        if not (difference <= ABSOLUTE + RELATIVE * np.abs(recorded)).all():
            at = np.unravel_index(difference.argmax(), difference.shape)
            raise Bad(f"{who}: {name}{list(map(int, at))} is {found[at]}, but the trainer computed {recorded[at]}")
        worst = max(worst, float(difference.max(initial=0)))
    return worst


def check(folder):
    """Checks one model; returns the largest differences of onnx's evaluator and of ONNX Runtime, with and without its
    optimisations."""
    model = onnx.load(folder / "model.onnx")
    static_checks(model)
    names = [value.name for value in model.graph.output]
    evaluators = {"onnx": ReferenceEvaluator(model)}
    for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        evaluators[f"onnxruntime {level}"] = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
    sets = sorted(folder.glob("test_data_set_*"))
    if len(sets) < 2:
        raise Bad(f"it has {len(sets)} recorded data sets")
    worst = dict.fromkeys(evaluators, 0.0)
    for number in sets:
        inputs, outputs = data_set(number)
        if list(outputs) != names or list(inputs) != [value.name for value in model.graph.input]:
            raise Bad(f"{number.name} has the inputs {list(inputs)} and the outputs {list(outputs)}")
        for who, evaluator in evaluators.items():
            try:
                difference = agree(f"{who}, {number.name}", evaluator.run(None, inputs), outputs)
            except Exception:
                if who != "onnx" or folder.name not in BEYOND_THE_EVALUATOR:
                    raise
                difference = float("nan")
            worst[who] = max(worst[who], difference)
    return worst


def check_all(folder):
    """Returns the reasons why models are refused."""
    stated = folder / "models.txt"
    if not stated.is_file():
        return [f"{folder} is not a whole folder of layers: it has no models.txt"]
    models = sorted(path.parent for path in folder.glob("*/model.onnx"))
    if len(models) != int(stated.read_text()) or not models:
        return [f"{folder} has {len(models)} models, but models.txt says {stated.read_text().strip()}"]
    bad = []
    for path in models:
        try:
            worst = check(path)
            print(f"  {path.name:<26}" + "".join(f"  {who} {value:7.1e}" for who, value in worst.items()))
        except Exception as error:  # every model is looked at, whatever part refuses one
            bad.append(f"{path.name}: {error}")
    print(f"{len(models) - len(bad)} of {len(models)} models agree")
    return bad


def sample(folder, axis=-1, recorded_batch="batch", scale=1.0):
    """A small good folder: one softmax of [batch, 2, 3]. The arguments spoil it."""
    shape = [recorded_batch, 2, 3]
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["y"], axis=axis)],
        "sample",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    (folder / "layer").mkdir()
    onnx.save(model, folder / "layer/model.onnx")
    (folder / "models.txt").write_text("1\n")
    for number, batch in enumerate((1, 4)):
        sets = folder / f"layer/test_data_set_{number}"
        sets.mkdir()
        x = np.random.default_rng(batch).standard_normal((batch, 2, 3)).astype(np.float32)
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        y = scale * e / e.sum(axis=-1, keepdims=True)
        for name, kind, array in (("x", "input", x), ("y", "output", y.astype(np.float32))):
            (sets / f"{kind}_0.pb").write_bytes(numpy_helper.from_array(array, name).SerializeToString())


def refuses():
    """Tests this file: a good folder passes, and each spoiled one is refused for its own reason."""
    for spoil, reason in [
        ({}, None),
        ({"axis": 1}, "the trainer computed"),
        ({"recorded_batch": 4}, "batch size"),
        ({"scale": 1.001}, "the trainer computed"),
    ]:
        with tempfile.TemporaryDirectory() as folder:
            sample(pathlib.Path(folder), **spoil)
            bad = check_all(pathlib.Path(folder))
            if (reason is None) != (not bad) or (reason and reason not in bad[0]):
                sys.exit(f"{spoil or 'a good folder'}: expected {reason}, found {bad}")
    with tempfile.TemporaryDirectory() as folder:
        sample(pathlib.Path(folder))
        (pathlib.Path(folder) / "models.txt").write_text("2\n")
        if "models.txt says 2" not in check_all(pathlib.Path(folder))[0]:
            sys.exit("accepted a folder with a model missing")
    print("a good folder passes, and 4 spoiled ones are refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, help="where the layers were exported")
    parser.add_argument("--refuses", action="store_true", help="test this check itself on spoiled models")
    args = parser.parse_args()
    if args.refuses:
        refuses()
    elif args.folder:
        print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}: {args.folder}")
        if bad := check_all(args.folder):
            sys.exit("\n".join(["refused:", *bad]))
    else:
        parser.error("name a folder, or give --refuses")


if __name__ == "__main__":
    main()
