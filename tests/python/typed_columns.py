"""Columns of every kind, and what pandas reads of them: what the fixtures of Parquet and Arrow share."""

import datetime
import decimal
import json
import uuid

import pandas
import pyarrow

ROWS = 7
D = decimal.Decimal


def column(values, kind, gaps=(2,)):
    """The values over and over, with gaps in these rows."""
    values = [None if row in gaps else values[row % len(values)] for row in range(ROWS)]
    return pyarrow.array(values, kind)


def moments(zone=None):
    at = [(1969, 12, 31, 23, 59, 59, 1), (2026, 11, 28, 13, 5), (2000, 2, 29, 0, 0, 7, 250_000)]
    return [datetime.datetime(*moment, tzinfo=zone) for moment in at]


def whole(moments, unit):
    """The moments without what is less than so many microseconds."""
    return [moment.replace(microsecond=moment.microsecond // unit * unit) for moment in moments]


DAYS = [datetime.date(1969, 7, 20), datetime.date(2026, 11, 28), datetime.date(2000, 2, 29)]
HOURS = [datetime.time(0, 0), datetime.time(13, 5, 7, 500_000), datetime.time(23, 59, 59, 999_000)]
ZONE = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
CENTS = [D("0.10"), D("-1234567.89"), D("99.99")]
SMALL = {
    "number": column([0.1, -2.5, 1e10, 3.0], pyarrow.float64()),
    "count": column([1, -2, 3], pyarrow.int64(), gaps=()),
    "kind": column(["cat", "dog", "größe"], pyarrow.string()),
    "on": column([True, False, False], pyarrow.bool_()),
}


def plain(value):
    if pandas.isna(value):
        return None
    if isinstance(value, (pandas.Timestamp, datetime.datetime)):
        value = pandas.Timestamp(value)
        value = value.tz_convert("UTC").tz_localize(None) if value.tzinfo else value
        text = value.isoformat()
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime.time):
        text = value.isoformat()
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (str, uuid.UUID)):
        return str(value) or None
    if isinstance(value, bytes):
        return str(uuid.UUID(bytes=value))
    value = float(value)
    return str(value) if value in (float("inf"), -float("inf")) else value


def expected(table):
    """What a table of pandas holds."""
    return {"names": list(table), "columns": [[plain(x) for x in table[name].tolist()] for name in table]}


def emptied(folder):
    """The folder, without the fixtures of before."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*"):
        old.unlink()
    return folder


def save(folder, found):
    files = ",\n".join(f"{json.dumps(name)}: {json.dumps(read, ensure_ascii=False)}" for name, read in found.items())
    (folder / "pandas.json").write_text(f'{{"pandas": "{pandas.__version__}", "files": {{\n{files}\n}}}}\n')
