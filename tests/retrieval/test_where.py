"""Filters: what each means, checked against a naive evaluation row by row; and what is refused, in which words."""

import datetime as dt
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polyloom.errors import DataError, FilterError
from retrieval.where import parse_filter

COLUMNS = {
    "price": "number",
    "was": "number",
    "category": "category",
    "title": "text",
    "tags": "labels",
    "at": "time",
    "价格": "number",
    "two words": "text",
    "desc": "text",
    "order": "number",
}
SCHEMA = pa.schema(
    [
        ("price", pa.float64()),
        ("was", pa.float64()),
        ("category", pa.string()),
        ("title", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("at", pa.timestamp("us", tz="UTC")),
        ("价格", pa.float64()),
        ("two words", pa.string()),
        ("desc", pa.string()),
        ("order", pa.float64()),
    ]
)


def day(number):
    return dt.datetime(2026, 1, number, tzinfo=dt.UTC)


ROWS = [
    {"price": 5.0, "was": 9.0, "category": "shoes", "title": "Red shoe", "tags": ["new", "red"], "at": day(1)},
    {"price": 20.0, "was": 20.0, "category": "hats", "title": "50% off_hat", "tags": [], "at": day(2)},
    {"price": -3.5, "category": "它", "title": "鞋子\n红", "tags": ["red", None], "at": day(3), "价格": 7.0},
    {"two words": "it's", "desc": "d", "order": 1.0},
]
TABLE = pa.Table.from_pylist(ROWS, schema=SCHEMA)


def matching(text, table=TABLE):
    return np.flatnonzero(parse_filter(text, COLUMNS).mask(table)).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("price < 20", [0, 2]),
        ("price <= 2e1", [0, 1, 2]),
        ("20 > price", [0, 2]),
        ("price = -3.5", [2]),
        ("price <> 5", [1, 2]),
        ("price != 5", [1, 2]),
        ("NOT price = 5", [1, 2]),
        ("price < was", [0]),
        ("price IN (5, -3.5)", [0, 2]),
        ("price NOT IN (5, -3.5)", [1]),
        ("price BETWEEN -3.5 AND 5", [0, 2]),
        ("price NOT BETWEEN -3.5 AND 5", [1]),
        ("price IS NULL", [3]),
        ("price IS NOT NULL and was is null", [2]),
        ("category = 'shoes' OR category = '它'", [0, 2]),
        ("category > 'i'", [0, 2]),
        ("title LIKE '%shoe'", [0]),
        ("title LIKE 'RED%'", []),
        ("title ILIKE 'RED%'", [0]),
        ("title NOT LIKE '%shoe'", [1, 2]),
        ("NOT (title LIKE '%shoe')", [1, 2]),
        (r"title LIKE '50\% off\_%'", [1]),
        ("title LIKE '鞋__红'", [2]),
        ("tags = 'red'", [0, 2]),
        ("'red' = tags", [0, 2]),
        ("tags <> 'red'", [1]),
        ("tags IN ('new', 'old')", [0]),
        ("tags NOT IN ('new', 'old')", [1, 2]),
        ("tags IS NULL", [3]),
        ("tags = 'red' AND tags = 'new'", [0]),
        ("at >= '2026-01-02'", [1, 2]),
        ("at = '2026-01-02T01:00:00+01:00'", [1]),
        ("at < '2026-01-02T00:00:00.000001Z'", [0, 1]),
        ("at BETWEEN '2026-01-02' AND '2026-01-03'", [1, 2]),
        ("价格 = 7", [2]),
        ('"价格" > 6 AND "two words" IS NULL', [2]),
        ("\"two words\" = 'it''s'", [3]),
        ("desc = 'd' AND order = 1", [3]),
        ("price < 0 OR price > 6 AND category = 'hats'", [1, 2]),
        ("(price < 0 OR price > 6) AND category = 'hats'", [1]),
        ("price < 20 -- a remark", [0, 2]),
    ],
)
def test_meaning(text, rows):
    assert matching(text) == rows


@pytest.mark.parametrize("text", ["price > 10", "NOT price > 10", "tags = 'x'", "NOT tags = 'x'", "title LIKE '%'"])
def test_a_missing_value_never_matches(text):
    assert 3 not in matching(text)


def test_unknown_or_true_is_true_and_unknown_and_false_is_false():
    assert matching("price > 0 OR order = 1") == [0, 1, 3]
    assert matching("NOT (price > 0 AND order = 2)") == [2, 3]


def test_nan_counts_as_missing_and_minus_zero_as_zero():
    table = pa.table({"price": [float("nan"), -0.0, None]})
    assert matching("price IN (0, 1)", table) == [1]
    assert matching("NOT price < 5", table) == []
    assert matching("price IS NULL", table) == [0, 2]


@pytest.mark.parametrize("chunks", [1, 3])
def test_storage_does_not_matter(chunks):
    table = pa.concat_tables([TABLE.slice(1)] * chunks)
    table = table.set_column(2, "category", table["category"].dictionary_encode())
    table = table.set_column(0, "price", table["price"].cast(pa.float32()))
    table = table.set_column(5, "at", table["at"].cast(pa.timestamp("ms")))
    text = "category IN ('hats', '它') AND tags <> 'x' AND at > '2026-01-01' AND price < 100"
    assert matching(text, table) == [row for chunk in range(chunks) for row in (3 * chunk, 3 * chunk + 1)]


def test_an_empty_table_has_an_empty_mask():
    mask = parse_filter("price < 3 AND tags = 'x' AND NOT at IS NULL", COLUMNS).mask(SCHEMA.empty_table())
    assert mask.dtype == np.bool_
    assert mask.shape == (0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"The filter is empty\. Allowed are ="),
        ("prise < 3", r"There is no column 'prise'\. Did you mean 'price'\? Columns: at, category"),
        ('category = "shoes"', r"no column 'shoes'\..*Text stands in single quotes: 'shoes'\."),
        (
            "price < 'cheap'",
            r"'price' is a number column and cannot be compared with the text 'cheap'\. Write a number",
        ),
        (
            "category = 5",
            r"'category' is a category column and cannot be compared with the number 5\..*single quotes: '5'",
        ),
        ("price BETWEEN 1 AND 'x'", r"'price' is a number column"),
        ("price IN (1, 'x')", r"'price' is a number column"),
        ("at > 'yesterday'", r"'at' is a time column and 'yesterday' is no ISO time\. Write one such as '2026-01-31'"),
        ("at > 5", r"'at' is a time column and 5\.0 is no ISO time"),
        ("at > '0001-01-01T00:00:00+10:00'", r"is no ISO time"),
        ("tags < 'x'", r"'tags' is a labels column, which has no order: < cannot be used\. Write tags = 'x'"),
        ("tags = 3", r"'tags' is a labels column\. Compare it with a label"),
        ("tags LIKE '%x'", r"'tags' is a labels column; LIKE reads category and text columns only"),
        ("price LIKE '%x'", r"'price' is a number column; LIKE reads"),
        ("title LIKE 5", r"LIKE needs a pattern in single quotes, such as title LIKE"),
        ("title LIKE 'x\\'", r"pattern 'x\\\\' ends in a lone backslash"),
        ("title LIKE 'x' ESCAPE '!'", r"'ESCAPE' \(character 16\) is not understood"),
        ("title LIKE ('x', 'y')", r"TUPLE is not understood"),
        ("price = category", r"'price' is a number column and 'category' a category column; they cannot be compared"),
        ("price = NULL", r"Nothing equals NULL\. Write IS NULL or IS NOT NULL"),
        ("price IN (1, NULL)", r"Nothing equals NULL"),
        ("price IN ()", r"IN needs values in parentheses, such as price IN"),
        ("price IN (SELECT 1)", r"'SELECT' \(character 11\) is not understood in a filter\. Allowed"),
        ("price IN 5", r"IN is not understood"),
        ("price IS 5", r"IS '5' is not understood; IS NULL and IS NOT NULL are"),
        ("price IS TRUE", r"'TRUE' \(character 10\) is not understood"),
        ("price IS NULL IS NULL", r"IS stands where a column is expected"),
        ("price NOT BETWEEN SYMMETRIC 5 AND 1", r"BETWEEN is not understood"),
        ("price", r"'price' alone is not a condition\. Compare a column"),
        ("price AND was", r"'price' alone is not a condition"),
        ("5", r"'5' alone is not a condition"),
        ("NULL", r"NULL alone is not a condition"),
        ("1 = 1", r"1\.0 = 1\.0 compares two values\. Name a column on one side"),
        ("1 BETWEEN 0 AND 2", r"compares two values"),
        ("lower(title) = 'x'", r"LOWER is not understood"),
        ("price = (5)", r"PAREN stands where a column or a value is expected"),
        ("pwned(title) = 'x'", r"'pwned' is not understood"),
        ("items.price = 5", r"'\.' \(character 6\) is not understood"),
        ("price + 1 < 5", r"'\+' \(character 7\) is not understood"),
        ("price - 1 < 5", r"SUB is not understood"),
        ("price < -was", r"NEG stands where a column or a value is expected"),
        ("price = -'5'", r"A minus cannot stand before the text '5'"),
        ("price < 5; DROP TABLE items", r"';' \(character 10\) is not understood"),
        ("price < 5 category", r"cannot be read near 'category' \(character"),
        ("price <", r"cannot be read near '<'"),
        ("(price < 5", r"cannot be read near '5'"),
        ("price < 5)", r"cannot be read near '\)'"),
        ("price < 5 AND", r"cannot be read near 'AND'"),
        ("title = 'x", r"a quote is opened but not closed"),
        ("title = 'x' 'y'", r"CONCAT is not understood"),
        ("price = was = 5", r"EQ stands where a column or a value is expected"),
        ("NOT " * 40 + "price < 5", r"nests deeper than 32 levels\. Write it flatter"),
        ("(" * 40 + "price < 5" + ")" * 40, r"nests deeper than 32 levels"),
        ("price < 5 OR " * 200 + "price < 5", r"The filter has 2609 characters; at most 2000 are allowed\. Shorten it"),
    ],
)
def test_what_is_not_understood_is_said(text, message):
    with pytest.raises(FilterError, match=message):
        parse_filter(text, COLUMNS)


@pytest.mark.parametrize("joint", [" AND ", " OR "])
def test_a_long_flat_filter_is_understood(joint):
    assert matching(joint.join(["was<20"] * 160)) == [0]


def test_a_table_that_does_not_fit_is_named():
    condition = parse_filter("price < 5", COLUMNS)
    with pytest.raises(DataError, match=r"The item table has no column 'price'; it has title"):
        condition.mask(pa.table({"title": ["x"]}))
    with pytest.raises(DataError, match=r"'price' holds string, which is not number"):
        condition.mask(pa.table({"price": ["cheap"]}))


def quote(text):
    return "'" + text.replace("'", "''") + "'"


WORDS = st.text(alphabet="ab鞋%_'\\ \n.(", max_size=3)
NUMBERS = st.sampled_from([-2.0, -0.5, 0.0, 1.0, 2.0, 3.5])
TIMES = st.sampled_from([day(1), day(2), day(3)])
VALUES = {"price": NUMBERS, "category": WORDS, "tags": st.sampled_from(["a", "b", "鞋"]), "at": TIMES}
COMPARED = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def written(value):
    return f"{value:g}" if isinstance(value, float) else quote(value if isinstance(value, str) else value.isoformat())


def like_pattern(pattern):
    """A LIKE pattern as a regular expression, by its definition."""
    parts, characters = [], iter(pattern)
    for character in characters:
        if character == "\\":
            parts.append(re.escape(next(characters)))
        else:
            parts.append({"%": ".*", "_": "."}.get(character, re.escape(character)))
    return re.compile("".join(parts), re.DOTALL)


def compared(column, operator, value, row):
    """One comparison over one row: True, False or None for unknown."""
    held = row[column]
    if held is None:
        return None
    if column == "tags":
        return (value in held) == (operator == "=")
    return COMPARED[operator](held, value)


def kleene_and(parts):
    return False if False in parts else None if None in parts else True


def kleene_not(part):
    return None if part is None else not part


def kleene_or(parts):
    return kleene_not(kleene_and([kleene_not(part) for part in parts]))


@st.composite
def comparisons(draw):
    column = draw(st.sampled_from(sorted(VALUES)))
    operator = draw(st.sampled_from(["=", "<>"] if column == "tags" else sorted(COMPARED)))
    value = draw(VALUES[column])
    return f"{column} {operator} {written(value)}", lambda row: compared(column, operator, value, row)


@st.composite
def memberships(draw):
    column, negated = draw(st.sampled_from(sorted(VALUES))), draw(st.booleans())
    values = draw(st.lists(VALUES[column], min_size=1, max_size=3))
    text = f"{column} {'NOT ' * negated}IN ({', '.join(map(written, values))})"

    def evaluate(row):
        found = kleene_or([compared(column, "=", value, row) for value in values])
        return kleene_not(found) if negated else found

    return text, evaluate


@st.composite
def ranges(draw):
    column, negated = draw(st.sampled_from(["price", "category", "at"])), draw(st.booleans())
    low, high = draw(VALUES[column]), draw(VALUES[column])
    text = f'"{column}" {"NOT " * negated}BETWEEN {written(low)} AND {written(high)}'

    def evaluate(row):
        inside = kleene_and([compared(column, ">=", low, row), compared(column, "<=", high, row)])
        return kleene_not(inside) if negated else inside

    return text, evaluate


@st.composite
def patterns(draw):
    pattern, negated = draw(WORDS), draw(st.booleans())
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        pattern += "\\"

    def evaluate(row):
        if row["category"] is None:
            return None
        return (like_pattern(pattern).fullmatch(row["category"]) is not None) != negated

    return f"category {'NOT ' * negated}LIKE {quote(pattern)}", evaluate


@st.composite
def absences(draw):
    column, negated = draw(st.sampled_from(sorted(VALUES))), draw(st.booleans())
    return f"{column} IS {'NOT ' * negated}NULL", lambda row: (row[column] is None) != negated


def combined(parts):
    def connect(word, kleene):
        return st.lists(parts, min_size=2, max_size=3).map(
            lambda several: (
                f" {word} ".join(f"({text})" for text, _ in several),
                lambda row: kleene([evaluate(row) for _, evaluate in several]),
            )
        )

    negation = parts.map(lambda part: (f"NOT ({part[0]})", lambda row: kleene_not(part[1](row))))
    return connect("AND", kleene_and) | connect("OR", kleene_or) | negation


FILTERS = st.recursive(comparisons() | memberships() | ranges() | patterns() | absences(), combined, max_leaves=8)
TABLE_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "price": st.none() | NUMBERS,
            "category": st.none() | WORDS,
            "tags": st.none() | st.lists(st.none() | VALUES["tags"], max_size=3),
            "at": st.none() | TIMES,
        }
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(FILTERS, TABLE_ROWS)
def test_a_filter_means_what_a_naive_evaluation_says(condition, rows):
    text, evaluate = condition
    schema = pa.schema([SCHEMA.field(name) for name in VALUES])
    mask = parse_filter(text, COLUMNS).mask(pa.Table.from_pylist(rows, schema=schema))
    assert mask.tolist() == [evaluate(row) is True for row in rows]


PIECES = [
    *(
        "price",
        "tags",
        "at",
        "=",
        "<",
        "AND",
        "OR",
        "NOT",
        "(",
        ")",
        "IN",
        "BETWEEN",
        "LIKE",
        "IS",
        "NULL",
        ",",
        "-",
        "5",
    ),
    *(
        "'x'",
        '"price"',
        "case",
        "select",
        "x(",
        "::",
        "[",
        ".",
        "interval",
        "->",
        "@",
        "?",
        "{",
        "*",
        "desc",
        "鞋",
        "`",
    ),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join) | st.text(max_size=40))
@example("price" + " = price" * 240)
@example("price IS NULL" + " IS NULL" * 240)
@example("- " * 900 + "5")
@example("case when " * 150)
@example("price BETWEEN 1 AND " * 90 + "2")
@example("(" * 900)
@example("x(" * 900)
def test_nonsense_is_refused_and_nothing_else_happens(text):
    try:
        condition = parse_filter(text, COLUMNS)
    except FilterError:
        return
    assert condition.mask(TABLE).shape == (4,)
