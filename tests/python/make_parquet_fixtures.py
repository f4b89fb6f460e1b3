"""Parquet files and what pandas reads of them, for toolkit/data/src/tests/fixtures/parquet.

    pip install pandas==3.1.1 numpy pyarrow==26.0.1
    python tests/python/make_parquet_fixtures.py
"""

import pathlib

import numpy
import pandas
import pyarrow
import pyarrow.parquet
from typed_columns import CENTS, DAYS, HOURS, SMALL, ZONE, D, column, emptied, expected, moments, save, whole

OUT = pathlib.Path(__file__).parents[2] / "toolkit/data/src/tests/fixtures/parquet"
NUMBERS = {
    **{f"i{bits}": column([-(2 ** (bits - 1)), 5, 2 ** min(bits - 1, 53) - 1], f"int{bits}") for bits in (8, 16, 32)},
    "i64": column([-(2**53), 5, 2**53], "int64"),
    **{f"u{bits}": column([0, 5, 2**bits - 1], f"uint{bits}") for bits in (8, 16, 32)},
    "u64": column([0, 2**63, 2**53], "uint64"),
    "f16": column([numpy.float16(0.1), numpy.float16(-65504), numpy.float16(6e-8)], "float16"),
    "f32": column([0.1, -2.5, 3e38], "float32"),
    "f64": column([0.1, float("nan"), float("inf"), -1e-320], "float64"),
    "cents4": column(CENTS, pyarrow.decimal128(9, 2)),
    "cents8": column(CENTS, pyarrow.decimal128(18, 2)),
    "cents16": column([D("0.1234567890"), D("-1234567890123456789012345678.0123456789")], pyarrow.decimal128(38, 10)),
    "cents32": column(CENTS, pyarrow.decimal256(60, 2)),
    "none": column([None], pyarrow.float64()),
    "nothing": column([None], pyarrow.null()),
}
TEXTS = {
    "text": column(["a", "b,c", 'd "e"', " f ", "5"], pyarrow.string()),
    "digits": column(["01", "2", "3.0"], pyarrow.string()),
    "large": column(["x", "y"], pyarrow.large_string(), gaps=()),
    "category": column(["low", "high"], pyarrow.string()).dictionary_encode(),
    "day": column(DAYS, pyarrow.date32()),
    "time_ms": column(HOURS, pyarrow.time32("ms")),
    "time_us": column(HOURS, pyarrow.time64("us")),
    "time_ns": column(HOURS, pyarrow.time64("ns")),
    "at_ms": column(whole(moments(), 1000), pyarrow.timestamp("ms")),
    "at_us": column(moments(), pyarrow.timestamp("us")),
    "at_ns": column(moments(), pyarrow.timestamp("ns")),
    "at_zone": column(moments(ZONE), pyarrow.timestamp("us", "Asia/Kolkata")),
}
BASIC = {"write_statistics": False, "compression": "none"}
FILES = {
    "snappy": (SMALL, {"compression": "snappy"}),
    "gzip": (SMALL, {"compression": "gzip", "row_group_size": 3}),
    "zstd": (SMALL, {"compression": "zstd", "data_page_version": "2.0"}),
    "lz4": (SMALL, {"compression": "lz4", "use_dictionary": False}),
    "none": (SMALL, {"row_group_size": 2, "data_page_version": "2.0", "use_dictionary": False}),
    "numbers": (NUMBERS, {"compression": "snappy"}),
    "texts": (TEXTS, {"compression": "zstd", "row_group_size": 4}),
    "old moments": ({"at": TEXTS["at_us"]}, {"use_deprecated_int96_timestamps": True}),
    "other encodings": (
        SMALL,
        {
            "use_dictionary": False,
            "column_encoding": {
                "number": "BYTE_STREAM_SPLIT",
                "count": "DELTA_BINARY_PACKED",
                "kind": "DELTA_BYTE_ARRAY",
                "on": "RLE",
            },
            "data_page_version": "2.0",
        },
    ),
    "beyond floats": ({"id": column([2**53 + 1, -(2**62) - 1, 7], "int64"), "x": SMALL["number"]}, {}),
    "brotli": ({"x": SMALL["number"]}, {"compression": "brotli"}),
    "list": ({"x": SMALL["number"], "list": column([[1], []], pyarrow.list_(pyarrow.int64()))}, {}),
    "struct": ({"struct": column([{"a": 1}], pyarrow.struct([("a", pyarrow.int64())]))}, {}),
    "bytes": ({"x": SMALL["number"], "bytes": column([b"text", b"\xff\xfe"], pyarrow.binary())}, {}),
}


def read(path):
    # As extension types whole numbers beside gaps stay whole.
    table = pandas.read_parquet(path, dtype_backend="numpy_nullable")
    return expected(table)


emptied(OUT)
found = {}
for name, (columns, options) in FILES.items():
    path = OUT / f"{name.replace(' ', '-')}.parquet"
    table = pyarrow.table(columns)
    if name != "texts":
        options = {"store_schema": False, **options}
    pyarrow.parquet.write_table(table, path, **{**BASIC, **options})
    if name not in ("list", "struct", "bytes", "brotli"):
        found[path.name] = read(path)
frame = pandas.DataFrame({"x": [1.5, 2.5]}, index=[3, 4])
frame.to_parquet(OUT / "index.parquet", compression="none")
found["index.parquet"] = read(OUT / "index.parquet")
pyarrow.parquet.write_table(pyarrow.table({"x": pyarrow.array([], "float64")}), OUT / "empty.parquet", **BASIC)
pyarrow.parquet.write_table(
    pyarrow.Table.from_arrays([SMALL["number"], SMALL["number"]], names=["x", "x"]), OUT / "twice.parquet", **BASIC
)
save(OUT, found)
