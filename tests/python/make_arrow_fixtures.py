"""Arrow IPC files and streams and what pandas reads of them, for toolkit/data/src/tests/fixtures/arrow.

    pip install pandas==3.1.1 numpy pyarrow==26.0.1
    python tests/python/make_arrow_fixtures.py
"""

import pathlib
import uuid

import numpy
import pandas
import pyarrow
import pyarrow.feather
from typed_columns import CENTS, DAYS, HOURS, ROWS, SMALL, ZONE, D, column, emptied, expected, moments, save, whole

OUT = pathlib.Path(__file__).parents[2] / "toolkit/data/src/tests/fixtures/arrow"


def dictionary(values, keys, kind):
    """A dictionary whose keys are of this type."""
    keys = pyarrow.array([None if row == 2 else keys[row % len(keys)] for row in range(ROWS)], kind)
    return pyarrow.DictionaryArray.from_arrays(keys, values)


SECONDS = [hour.replace(microsecond=0) for hour in HOURS]
NUMBERS = {
    **{f"i{bits}": column([-(2 ** (bits - 1)), 5, 2 ** min(bits - 1, 53) - 1], f"int{bits}") for bits in (8, 16, 32)},
    "i64": column([-(2**53), 5, 2**53], "int64"),
    **{f"u{bits}": column([0, 5, 2**bits - 1], f"uint{bits}") for bits in (8, 16, 32)},
    "u64": column([0, 2**63, 2**53], "uint64"),
    "f16": column([numpy.float16(0.1), numpy.float16(-65504), numpy.float16(6e-8)], "float16"),
    "f32": column([0.1, -2.5, 3e38], "float32"),
    "f64": column([0.1, float("nan"), float("inf"), -1e-320], "float64"),
    "cents4": column(CENTS, pyarrow.decimal32(9, 2)),
    "cents8": column(CENTS, pyarrow.decimal64(18, 2)),
    "cents16": column([D("0.1234567890"), D("-1234567890123456789012345678.0123456789")], pyarrow.decimal128(38, 10)),
    "cents32": column(CENTS, pyarrow.decimal256(60, 2)),
    "hundreds": column([D("1200"), D("-300")], pyarrow.decimal128(9, -2)),
    "dictionary": dictionary(pyarrow.array([7, -9, 2**40], "int64"), [2, 0], "int8"),
    "halves": dictionary(pyarrow.array([0.5, 9.0, 2.25], "float32"), [0, 2], "uint16"),
    "none": column([None], pyarrow.float64()),
    "nothing": column([None], pyarrow.null()),
}
TEXTS = {
    "text": column(["a", "b,c", 'd "e"', " f ", "5"], pyarrow.string()),
    "digits": column(["01", "2", "3.0"], pyarrow.string()),
    "large": column(["x", "y"], pyarrow.large_string(), gaps=()),
    "view": column(["x", "a text of more than twelve bytes", ""], pyarrow.string_view()),
    "category": column(["low", "high"], pyarrow.string()).dictionary_encode(),
    "large category": dictionary(pyarrow.array(["never", "größe", " x "], pyarrow.large_string()), [1, 2], "uint8"),
    "no category": pyarrow.DictionaryArray.from_arrays(column([None], pyarrow.int8()), pyarrow.array([], pyarrow.string())),
    "day": column(DAYS, pyarrow.date32()),
    "day_ms": column(DAYS, pyarrow.date64()),
    "days": column(DAYS, pyarrow.date32()).dictionary_encode(),
    "time_s": column(SECONDS, pyarrow.time32("s")),
    "time_ms": column(HOURS, pyarrow.time32("ms")),
    "time_us": column(HOURS, pyarrow.time64("us")),
    "time_ns": column(HOURS, pyarrow.time64("ns")),
    "at_s": column(whole(moments(), 1_000_000), pyarrow.timestamp("s")),
    "at_ms": column(whole(moments(), 1000), pyarrow.timestamp("ms")),
    "at_us": column(moments(), pyarrow.timestamp("us")),
    "at_ns": column(moments(), pyarrow.timestamp("ns")),
    "at_zone": column(moments(ZONE), pyarrow.timestamp("us", "Asia/Kolkata")),
    "uuid": column([uuid.UUID(int=7).bytes, uuid.UUID(int=2**127 + 1).bytes], pyarrow.binary(16)).cast(pyarrow.uuid()),
}
# Dictionaries that have gaps themselves, which pandas does not read.
GAPS = {
    "texts": dictionary(pyarrow.array(["never", None, "b"]), [2, 1], "int32"),
    "numbers": dictionary(pyarrow.array([0.5, None]), [0, 1], "uint8"),
    "nothing": dictionary(pyarrow.nulls(2), [0, 1], "int8"),
}
# Enough that LZ4 makes it smaller.
LONG = {"x": pyarrow.array([row % 3 for row in range(200)]), "kind": pyarrow.array(["cat", "dog"] * 100)}
X = {"x": SMALL["number"]}
STRUCT = pyarrow.struct([("a", pyarrow.int64())])
UNION = pyarrow.UnionArray.from_sparse(
    pyarrow.array([0] * ROWS, "int8"), [column([1], "int64", gaps=()), column(["a"], "string", gaps=())]
)
# How each is packed, so many rows in a batch, whether it is a stream.
FILES = {
    "plain": (SMALL, None, 7, False),
    "lz4": (SMALL, "lz4", 3, False),
    "long lz4": (LONG, "lz4", 150, False),
    "stream": (SMALL, None, 2, True),
    "stream lz4": (SMALL, "lz4", 7, True),
    "numbers": (NUMBERS, None, 7, False),
    "texts": (TEXTS, None, 4, False),
    "texts stream": (TEXTS, "lz4", 5, True),
    "beyond floats": ({"id": column([2**53 + 1, -(2**62) - 1, 7], "int64"), "u": column([2**64 - 1, 3], "uint64"), **X}, None, 7, False),
    "zstd": (X, "zstd", 7, False),
    "list": ({**X, "list": column([[1], []], pyarrow.list_(pyarrow.int64()))}, None, 7, False),
    "struct": ({"struct": column([{"a": 1}], STRUCT)}, None, 7, True),
    "map": ({"map": column([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64()))}, None, 7, False),
    "union": ({"union": UNION}, None, 7, False),
    "bytes": ({**X, "bytes": column([b"text", b"\xff\xfe"], pyarrow.binary())}, None, 7, False),
    "duration": ({"duration": column([5], pyarrow.duration("s"))}, None, 7, False),
    "interval": ({"interval": column([(1, 2, 3)], pyarrow.month_day_nano_interval())}, None, 7, False),
    "runs": ({"runs": pyarrow.RunEndEncodedArray.from_arrays([3, 7], [1.0, 2.0])}, None, 7, False),
    "long decimal": ({"long": column([D(1), D(10) ** 40], pyarrow.decimal256(60, 0), gaps=())}, None, 7, False),
    "beyond times": ({"at": column([0, 2**62], pyarrow.int64(), gaps=()).cast(pyarrow.timestamp("s"))}, None, 7, False),
}
REFUSED = ("zstd", "list", "struct", "map", "union", "bytes", "duration", "interval", "runs", "long decimal", "beyond times")


def read(path, stream=False):
    if stream:
        with pyarrow.ipc.open_stream(path) as reader:
            table = reader.read_pandas(types_mapper=NULLABLE.get)
    else:
        # As extension types whole numbers beside gaps stay whole.
        table = pandas.read_feather(path, dtype_backend="numpy_nullable")
    return expected(table)


NULLABLE = {
    pyarrow.int64(): pandas.Int64Dtype(),
    pyarrow.float64(): pandas.Float64Dtype(),
    pyarrow.bool_(): pandas.BooleanDtype(),
    pyarrow.string(): pandas.StringDtype(),
}


def write(path, table, packed=None, rows=ROWS, stream=False):
    options = pyarrow.ipc.IpcWriteOptions(compression=packed, emit_dictionary_deltas=stream)
    new = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with new(path, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)


emptied(OUT)
found = {}
for name, (columns, packed, rows, stream) in FILES.items():
    path = OUT / f"{name.replace(' ', '-')}.arrow"
    write(path, pyarrow.table(columns), packed, rows, stream)
    if name not in REFUSED:
        found[path.name] = read(path, stream)
# As pandas writes it; and with an index.
frame = pyarrow.table(SMALL).to_pandas()
frame.to_feather(OUT / "feather.arrow")
found["feather.arrow"] = read(OUT / "feather.arrow")
frame = pandas.DataFrame({"x": [1.5, 2.5]}, index=[3, 4])
write(OUT / "index.arrow", pyarrow.Table.from_pandas(frame, preserve_index=True))
found["index.arrow"] = read(OUT / "index.arrow")
# A dictionary that grows, and one that is replaced.
kinds = [pyarrow.array(values).dictionary_encode() for values in (["a", "b"], ["b", "a", "c"])]
deltas = [pyarrow.array(["a", "b"]).dictionary_encode()]
deltas += [pyarrow.DictionaryArray.from_arrays(pyarrow.array([2, 0], "int32"), pyarrow.array(["a", "b", "c"]))]
for name, kinds in {"replaced": kinds, "deltas": deltas}.items():
    chunks = pyarrow.chunked_array(kinds)
    write(OUT / f"{name}.arrow", pyarrow.table({"kind": chunks}), rows=10, stream=True)
    found[f"{name}.arrow"] = {"names": ["kind"], "columns": [chunks.to_pylist()]}
write(OUT / "gaps.arrow", pyarrow.table(GAPS))
found["gaps.arrow"] = {"names": list(GAPS), "columns": [column.to_pylist() for column in GAPS.values()]}
write(OUT / "empty.arrow", pyarrow.table({"x": pyarrow.array([], "float64")}))
write(OUT / "twice.arrow", pyarrow.Table.from_arrays([SMALL["number"]] * 2, names=["x", "x"]))
pyarrow.feather.write_feather(pyarrow.table(X), OUT / "old.feather", version=1)
(OUT / "cut.arrow").write_bytes((OUT / "stream.arrow").read_bytes()[:-8])
save(OUT, found)
