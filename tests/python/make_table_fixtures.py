"""Odd tables and what pandas reads of them, for toolkit/data/src/tests/fixtures/tables.json, dates' numbers,
normalisations as scikit-learn fits them, and texts as tokens.

    pip install pandas==3.1.1 numpy scikit-learn==1.9.1 uniseg==0.10.1
    python tests/python/make_table_fixtures.py

pandas is told what our reader finds by looking: the separator, the decimal comma, whether there is a header.

Tokens are numbered as Keras's TextVectorization numbers them (0 is padding, 1 the unknown, words by how often they occur),
but for its order of equals; Keras is not asked, a Counter does it. Where a word ends is asked of uniseg, an implementation
of Unicode's annex 29 that is not ours.
"""

import collections
import io
import json
import math
import pathlib

import numpy
import pandas
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from uniseg.wordbreak import words as word_boundaries

ROOT = pathlib.Path(__file__).parents[2]
OUT = ROOT / "toolkit/data/src/tests/fixtures/tables.json"

CSV = [
    ("comma", "a,b\n1,2\n3,4\n", {}),
    ("semicolon", "a;b\n1;2\n3;4\n", {"sep": ";"}),
    ("tab", "a\tb\n1\t2\n3\t4\n", {"sep": "\t"}),
    ("pipe", "a|b\n1|2\n3|4\n", {"sep": "|"}),
    ("decimal comma", "a;b\n1,5;2\n-3,25;4\n", {"sep": ";", "decimal": ","}),
    ("decimal comma, no header", "1,5;2,5\n3,5;4,5\n", {"sep": ";", "decimal": ",", "header": None}),
    ("decimal comma by tabs", "a\tb\n1,5\t2\n3\t4,5\n", {"sep": "\t", "decimal": ","}),
    ("points and commas", "a;b\n1,5;2.5\n3,5;4.5\n", {"sep": ";"}),
    ("byte order mark", "\ufeffa,b\n1,2\n", {}),
    ("quotes", 'a,"b, c"\n"1","x ""y"""\n"2","z"\n', {}),
    ("quoted line break", 'a,b\n1,"x\ny"\n2,z\n', {}),
    ("quote within a field", 'a,b\n1,5" disk\n2,3" disk\n', {}),
    ("quote not closed", 'a,b\n1,"x\n2,y\n', {}),
    ("windows line ends", "a,b\r\n1,x\r\n2,y\r\n", {}),
    ("old mac line ends", "a,b\r1,x\r2,y\r", {}),
    ("blank lines", "\n\na,b\n\n1,2\n\n\n3,4\n\n", {}),
    ("no end of line", "a,b\n1,2\n3,4", {}),
    ("separator at the end", "a,b,\n1,2,\n3,4,\n", {}),
    ("separator at the end of rows", "a,b\n1,2,\n3,4,\n", {}),
    ("same name twice", "a,b,a\n1,2,3\n", {}),
    ("text labels", "a,kind\n1,cat\n2,dog\n3,cat\n", {}),
    ("text without a header", "5.1,3.5,setosa\n4.9,3.0,virginica\n", {"header": None}),
    ("all text", "name,kind\nTom,cat\nRex,dog\n", {}),
    ("empty field", "a,b\n1,\n,4\n", {}),
    ("gap NA", "a,b\nNA,x\n3,NA\n", {}),
    ("gap N/A", "a,b\nN/A,x\n3,N/A\n", {}),
    ("gap NaN", "a,b\nNaN,x\n3,NaN\n", {}),
    ("gap nan", "a,b\nnan,x\n3,nan\n", {}),
    ("gap null", "a,b\nnull,x\n3,null\n", {}),
    ("gap NULL", "a,b\nNULL,x\n3,NULL\n", {}),
    ("gap None", "a,b\nNone,x\n3,None\n", {}),
    ("gap ?", "a,b\n?,x\n3,?\n", {}),
    ("gap -", "a,b\n-,x\n3,-\n", {}),
    ("first row has a gap", "1,,3\n4,5,6\n", {"header": None}),
    ("gaps alone", "a,b\n1,\n2,NA\n", {}),
    ("dates", "day,x\n2026-11-28,1\n2026-11-29,2\n", {}),
    ("unnamed index column", ",a,b\n0,1,2\n1,3,4\n", {}),
    ("one column", "a\n1\n2\n", {}),
    ("one column of text", "a\nx\ny\n", {}),
    ("mixed types", "a,b\n1,2\nx,3\n", {}),
    ("thousands", 'a,b\n"1,234",1\n"5,678",2\n', {}),
    ("scientific", "a,b\n1e3,-2.5E-2\n+1.5e+10,.5\n", {}),
    ("infinite", "a,b\n1,inf\n2,-Infinity\n", {}),
    ("huge integers", "a,b\n123456789012345678901234567890,9007199254740993\n1,2\n", {}),
    ("many digits", "a,b\n0.1234567890123456789,3.141592653589793\n2.5,1.7976931348623157e308\n", {}),
    ("leading zeros", "zip,n\n01234,1\n00501,2\n", {}),
    ("unicode names", "größe,名前\n1,猫\n2,犬\n", {}),
    ("spaces", " a , b\n 1 , x \n 2 , y \n", {}),
    ("true and false", "a,b\n1,True\n2,False\n", {}),
    ("header only", "a,b\n", {}),
    ("empty", "", {}),
    ("rows of unequal length", "a,b\n1,2\n3\n", {}),
    ("row too long", "a,b\n1,2\n3,4,5\n", {}),
    ("names and a number", "a,1,label\n1,2,0\n", {}),
    ("comment line", "# made by hand\na,b\n1,2\n", {}),
    ("units", "height,weight\n170cm,60kg\n180cm,70kg\n", {}),
    ("percent", "a,b\n50%,1\n60%,2\n", {}),
]

JSON = [
    ("objects", '{"b": 1, "a": "x"}\n{"b": 2.5, "a": "y, z"}\n'),
    ("keys that come and go", '{"a": 1}\n\n{"b": "x"}\n{"a": 3, "b": null}\n'),
    ("numbers beyond integers", '{"a": 1e3}\n{"a": -0.25}\n{"a": 12345678901}\n'),
    ("line breaks in texts", '{"a": "x\\ny \\"z\\"", "b": 1}\n{"a": "w", "b": 2}\n'),
]


def plain(value):
    if pandas.isna(value):
        return None
    if isinstance(value, str):
        return value
    value = float(value)
    return {math.inf: "inf", -math.inf: "-inf"}.get(value, value)


def read(read):
    try:
        table = read()
    except Exception as error:  # noqa: BLE001: whatever it is, it is the result
        return {"error": type(error).__name__}
    return {"names": [str(name) for name in table], "columns": [[plain(x) for x in table[name]] for name in table]}


def auto_mpg():
    """The first 314 of 392 rows are trained on; every 60th horsepower from row 5 on is taken out."""
    table = pandas.read_csv(ROOT / "notebooks/data/auto-mpg.csv")
    gaps = list(range(5, 392, 60))[:6]
    table.loc[gaps, "horsepower"] = None
    train = table.iloc[:314]
    filled = table.drop(columns=["name"])
    filled["horsepower"] = table["horsepower"].fillna(train["horsepower"].mean())
    encoded = pandas.get_dummies(filled.drop(columns=["mpg"]), columns=["origin"], prefix_sep="=", dtype=float)
    # Our features stand where the column stood; it is the last one here as there.
    return {
        "gaps": gaps,
        "mean": train["horsepower"].mean(),
        "median": train["horsepower"].median(),
        "most_frequent": train["horsepower"].mode()[0],
        "names": list(encoded),
        "sums": [float(encoded[name].sum()) for name in encoded],
        "rows": {str(row): [float(x) for x in encoded.iloc[row]] for row in [0, 5, 65, 313, 314, 391]},
        "mpg_mean": train["mpg"].mean(),
        "mpg_std": train["mpg"].std(ddof=0),
        "mpg_min": train["mpg"].min(),
        "mpg_max": train["mpg"].max(),
        "mpg_log1p_mean": numpy.log1p(train["mpg"]).mean(),
        "mpg_log1p_std": numpy.log1p(train["mpg"]).std(ddof=0),
    }


def dates():
    """Dates around the ends of months and years, leap days, and times of day; the first six are trained on."""
    texts = [
        "2020-02-29 06:30",
        "2019-12-31 23:59:59",
        "2020-01-01T00:00:00",
        "2023-12-31",
        "2021-02-28T12:00:00.25Z",
        "2024-06-30 18:45:30",
        "1969-07-20T20:17:40Z",
        "2000-02-29",
        "2100-02-28",
        "2026-11-28 13:05",
        "2026-11-30",
        "1900-03-01 00:00:01",
    ]
    of = pandas.Series([pandas.Timestamp(text).tz_localize(None) for text in texts])
    hours = of.dt.hour + of.dt.minute / 60 + of.dt.second / 3600
    rounds = {"month": (of.dt.month - 1) / 12, "day_of_week": of.dt.day_of_week / 7, "hour": hours / 24}
    cyclic = {}
    for name, part in rounds.items():
        cyclic[f"{name}_sin"] = numpy.sin(2 * numpy.pi * part)
        cyclic[f"{name}_cos"] = numpy.cos(2 * numpy.pi * part)
    features = {
        "elapsed": (of - of[:6].min()) / pandas.Timedelta(days=1),
        "year": of.dt.year,
        "month": of.dt.month,
        "day": of.dt.day,
        "day_of_week": of.dt.day_of_week,
        "day_of_year": of.dt.day_of_year,
        "is_month_start": of.dt.is_month_start,
        "is_month_end": of.dt.is_month_end,
        "hour": of.dt.hour,
        "minute": of.dt.minute,
        "second": of.dt.second,
        **cyclic,
    }
    return {
        "texts": texts,
        "features": [[name, [float(x) for x in column]] for name, column in features.items()],
        "mean": str(of[:6].mean().round("s")),
        "median": str(of[:6].median().round("s")),
    }


def normalizations():
    """The cars' numbers, of which the first 314 rows are trained on; the digits as 4 channels of 4 × 4 places."""
    cars = pandas.read_csv(ROOT / "notebooks/data/auto-mpg.csv").drop(columns=["name", "mpg", "origin"])
    lowest, robust = MinMaxScaler().fit(cars[:314]), RobustScaler().fit(cars[:314])
    digits = pandas.read_csv(ROOT / "notebooks/data/digits.csv.gz", header=None).to_numpy()[:, :64]
    digits = digits.reshape(-1, 4, 4, 4).astype(float)
    channels = {"offset": digits.mean(axis=(0, 2, 3)).tolist(), "spread": digits.std(axis=(0, 2, 3)).tolist()}
    some = cars.astype(float)
    some[["displacement", "weight"]] = numpy.log1p(some[["displacement", "weight"]])
    logarithms = numpy.log1p(cars)
    fitted, fitted_some = StandardScaler().fit(logarithms[:314]), StandardScaler().fit(some[:314])
    numbers = lambda scaler: {"offset": scaler.mean_.tolist(), "spread": scaler.scale_.tolist()}
    log1p = {
        "all": numbers(fitted),
        "displacement and weight": numbers(fitted_some),
        "rows": {str(row): fitted.transform(logarithms)[row].tolist() for row in [0, 313, 391]},
    }
    return {
        "columns": list(cars),
        "log1p": log1p,
        "min_max": {"offset": lowest.data_min_.tolist(), "spread": (1 / lowest.scale_).tolist()},
        "robust": {"offset": robust.center_.tolist(), "spread": robust.scale_.tolist()},
        "per_channel": channels,
    }


TEXTS = [
    "A lovely film: it's the film I'd waited for, 3.14 times over!!",
    "The plot... the PLOT is thin - but the film isn't.",
    "\u0130stanbul'da na\u00efve caf\u00e9, nai\u0308ve cafe\u0301",
    "two lines\nof \"quoted\" text,\tand\u00a0a tab",
    "\U0001f600\U0001f600 good \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
    "\u0394\u03a1\u039f\u039c\u039f\u03a3 \u03ba\u03b1\u03b9 \u0394\u03a1\u039f\u039c\u039f\u03a3.",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0915\u0940 \u092b\u093c\u093f\u0932\u094d\u092e",
    "\u6620\u753b\u306f\u3068\u3066\u3082\u30b9\u30d4\u30fc\u30c9 \uc601\ud654",
    # The rows that are trained on end here.
    "The film is new, and unknown words are UNKNOWN; film, film",
    "snake_case a@b.com 1,000,000 e-mail \u201cso\u201d",
    "",
    "!",
]
TRAINED_ON = 8


def words():
    """Texts as tokens under some settings, the vocabulary of the first eight."""

    def tokens(text, characters, keep_case):
        text = text if keep_case else text.lower()
        return list(text) if characters else [word for word in word_boundaries(text) if word.strip()]

    cases = []
    for length, most, at_least, characters, keep_case in [
        (12, None, 1, False, False),
        (4, 10, 1, False, False),
        (30, None, 2, False, False),
        (1, 1, 1, False, False),
        (40, None, 1, True, False),
        (16, 12, 2, True, False),
        (30, None, 1, False, True),
        (16, 12, 2, True, True),
    ]:
        counts = collections.Counter(token for text in TEXTS[:TRAINED_ON] for token in tokens(text, characters, keep_case))
        known = sorted((token for token in counts if counts[token] >= at_least), key=lambda token: (-counts[token], token))
        known = known[:most]
        number = {token: 2 + at for at, token in enumerate(known)}
        rows = [[number.get(token, 1) for token in tokens(text, characters, keep_case)][:length] for text in TEXTS]
        cases.append({
            "length": length,
            "keep_case": keep_case,
            "most": most,
            "at_least": at_least,
            "characters": characters,
            "vocabulary": known,
            "rows": [row + [0] * (length - len(row)) for row in rows],
        })
    return {"texts": TEXTS, "trained_on": TRAINED_ON, "cases": cases}


def arrays():
    """Six numbers as numpy.save writes them, in every type that is read."""
    saved = []
    kinds = ["<f4", ">f4", "<f8", ">f8", "i1", "u1", "?", "<i2", ">i2", "<u2", "<i4", ">i4", "<u4", "<i8", ">i8"]
    for kind in ["<f2", ">f2", "<u8", ">u8", *kinds]:
        low, high = (0, 2) if kind == "?" else (0, 100) if "u" in kind else (-100, 100)
        array = numpy.linspace(low, high, 6).reshape(3, 2).astype(kind)
        file = io.BytesIO()
        numpy.save(file, array)
        numbers = [float(numpy.float32(x)) for x in array.reshape(-1)]
        saved.append({"name": kind, "hex": file.getvalue().hex(), "shape": [3, 2], "numbers": numbers})
    count = numpy.arange(24, dtype="<i4")
    shapes = {
        "by columns": numpy.asfortranarray(count.reshape(4, 6)),
        "by columns, three dimensions": numpy.asfortranarray(count.reshape(2, 3, 4)),
        "one number": numpy.array(7.5),
        "no rows": numpy.zeros((0, 3), "<f4"),
        "no columns, by columns": numpy.zeros((3, 0), "<f4", order="F"),
    }
    for name, array in shapes.items():
        file = io.BytesIO()
        numpy.save(file, array)
        numbers = [float(x) for x in array.reshape(-1)]
        saved.append({"name": name, "hex": file.getvalue().hex(), "shape": list(array.shape), "numbers": numbers})
    return saved


def archives():
    """The same arrays as numpy.savez and numpy.savez_compressed write them."""
    arrays = {
        "x_train": numpy.linspace(-1, 1, 6, dtype="<f4").reshape(3, 2),
        "y_train": numpy.array([0, 1, 1], "<i8"),
        "names": numpy.array(["a", "b"]),
    }
    saved = []
    for name, save in [("savez", numpy.savez), ("savez_compressed", numpy.savez_compressed)]:
        file = io.BytesIO()
        save(file, **arrays)
        saved.append({"name": name, "hex": file.getvalue().hex()})
    return saved


OUT.parent.mkdir(parents=True, exist_ok=True)
fixture = {
    "pandas": pandas.__version__,
    "csv": [
        {"name": name, "text": text, "pandas": read(lambda: pandas.read_csv(io.BytesIO(text.encode()), **options))}
        for name, text, options in CSV
    ],
    "json": [
        {"name": name, "text": text, "pandas": read(lambda: pandas.read_json(io.StringIO(text), lines=True))}
        for name, text in JSON
    ],
    "auto_mpg": auto_mpg(),
    "dates": dates(),
    "normalizations": normalizations(),
    "words": words(),
    "arrays": arrays(),
    "archives": archives(),
}
lines = [f'"{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in fixture.items()]
text = "{\n" + ",\n".join(lines) + "\n}\n"
OUT.write_text(text.replace("}, {\"name\"", "},\n {\"name\""))
