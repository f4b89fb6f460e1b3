"""What dynamic int8 quantisation makes of an exported classifier: size, accuracy and agreement, by ONNX Runtime's own tool.

usage: quantize.py MODEL.onnx ROWS.csv.gz

ROWS has no header, features and, last, the class of each row. Fails when the int8 file is not smaller than half, when less than 97 % of
the rows keep their class, when accuracy falls by more than 2 points, or when metadata are lost: such a file is not what this
project's book says it is.
"""

import os
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

AGREEMENT, DROP, SIZE = 0.97, 0.02, 0.5


def classes(path, rows):
    """The class that the model in a file gives each row."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (value,) = session.get_inputs()
    return session.run(None, {value.name: rows})[0].argmax(axis=1)


def metadata(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model, data = sys.argv[1:]
    table = np.loadtxt(data, delimiter=",", dtype=np.float32)
    rows, labels = table[:, :-1], table[:, -1].astype(int)
    with tempfile.TemporaryDirectory() as folder:
        small = os.path.join(folder, "int8.onnx")
        quantize_dynamic(model, small, weight_type=QuantType.QInt8)
        sizes = os.path.getsize(model), os.path.getsize(small)
        full, quantised = classes(model, rows), classes(small, rows)
        lost = {key for key, value in metadata(model).items() if metadata(small).get(key) != value}
    accuracy = (full == labels).mean(), (quantised == labels).mean()
    agreement = (full == quantised).mean()
    print(f"float32: {sizes[0]:>8,} bytes, accuracy {accuracy[0]:.4f} on {len(labels):,} rows")
    print(f"int8:    {sizes[1]:>8,} bytes, accuracy {accuracy[1]:.4f}, {agreement:.2%} of the classes kept")
    wrong = []
    if sizes[1] > SIZE * sizes[0]:
        wrong.append(f"the int8 file has {sizes[1] / sizes[0]:.2f} of the size, more than {SIZE}")
    if agreement < AGREEMENT:
        wrong.append(f"only {agreement:.2%} of the classes are kept, less than {AGREEMENT:.0%}")
    if accuracy[0] - accuracy[1] > DROP:
        wrong.append(f"accuracy falls by {accuracy[0] - accuracy[1]:.4f}, more than {DROP}")
    if lost:
        wrong.append(f"metadata are lost: {', '.join(sorted(lost))}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
