import re

import pyarrow as pa
import pytest

from ingestion.rules import ColumnRule, Rules, pattern_mistake
from polyloom.errors import RequestError

TIME = pa.timestamp("us", tz="UTC")
DAY = 86_400_000_000


def refused(values, rule, kind=None):
    """Position to reason and message, for one column `c`."""
    found = Rules(columns={"c": rule}).check(pa.table({"c": pa.array(values, kind)}))
    return {place: (refusal.reason, refusal.message) for place, refusal in found.items()}


def test_a_range_includes_its_ends_and_lets_missing_values_pass():
    assert refused([0.0, 10.0, None, -3.0, 10.5], ColumnRule(minimum=0, maximum=10)) == {
        3: ("out_of_range", "'c': -3 is below 0, the least that the scenario allows."),
        4: ("out_of_range", "'c': 10.5 is above 10, the most that the scenario allows."),
    }


def test_a_range_of_times():
    assert refused([0, DAY, 2 * DAY + 1], ColumnRule(minimum=1, maximum=2 * DAY), TIME) == {
        place: ("out_of_range", f"'c': 1970-01-0{said} that the scenario allows.")
        for place, said in (
            (0, "1T00:00:00Z is below 1970-01-01T00:00:00.000001Z, the least"),
            (2, "3T00:00:00.000001Z is above 1970-01-03T00:00:00Z, the most"),
        )
    }


def test_a_pattern_holds_for_the_whole_value():
    rule = ColumnRule(pattern="[A-Z]{3}-[0-9]+|none")
    assert refused(["ABC-1", "none", None, "xABC-1", "ABC-1\n", "nonesuch", "汉-1"], rule).keys() == {3, 4, 5, 6}
    assert refused(["abc"], ColumnRule(pattern=r"\d+")) == {
        0: ("bad_pattern", "'c': 'abc' does not match the pattern '\\\\d+'.")
    }


def test_no_pattern_takes_longer_than_its_text():
    # A reader that goes back and tries again would never end here.
    assert 0 in refused(["a" * 50_000 + "!"], ColumnRule(pattern="(a+)+b"))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [("[a", "missing ]"), ("(?=x)", "invalid perl operator"), (")(", "unexpected )"), (r"(a)\1", "invalid escape")],
)
def test_a_pattern_that_cannot_be_read_is_refused_at_once(pattern, why):
    message = rf"pattern: {re.escape(repr(pattern))} is not a regular expression that RE2 reads: .*{re.escape(why)}"
    with pytest.raises(RequestError, match=message):
        ColumnRule(pattern=pattern)
    assert pattern_mistake("[a-z]+") == ""


def test_allowed_values():
    rule = ColumnRule(allowed=("red", "blue"))
    assert refused(["red", None, "green"], rule) == {
        2: ("not_allowed", "'c': 'green' is not allowed; allowed: red, blue.")
    }
    assert refused([1.0, 2.5, 3.0], ColumnRule(allowed=(1.0, 2.5))) == {
        2: ("not_allowed", "'c': 3 is not allowed; allowed: 1, 2.5.")
    }
    many = ColumnRule(allowed=tuple(f"v{number}" for number in range(25)))
    assert refused(["x"], many)[0][1].endswith("v18, v19 and 5 more.")


def test_lists_are_checked_label_by_label():
    rule = ColumnRule(allowed=("a", "b", "B"), pattern="[a-z]")
    found = refused([["a", "b"], [], None, ["a", "z"], ["B"]], rule, pa.list_(pa.string()))
    assert {place: reason for place, (reason, _) in found.items()} == {3: "not_allowed", 4: "bad_pattern"}


def test_columns_of_an_order_may_not_decrease():
    table = pa.table(
        {
            "opened": pa.array([0, DAY, DAY, None], TIME),
            "closed": pa.array([0, 2 * DAY, 0, 0], TIME),
            "paid": pa.array([0, 2 * DAY - 1, 0, 5], TIME),
        }
    )
    found = Rules(order=("opened", "closed", "paid")).check(table)
    assert {place: refusal.reason for place, refusal in found.items()} == dict.fromkeys((1, 2), "wrong_order")
    assert found[2].message == (
        "'closed': 1970-01-01T00:00:00Z is before 'opened', which is 1970-01-02T00:00:00Z; it may not be."
    )
    numbers = Rules(order=("low", "high")).check(pa.table({"low": [1.0, 5.0], "high": [1.0, 4.5]}))
    assert numbers[1].message == "'high': 4.5 is below 'low', which is 5; it may not be."


def test_a_row_gets_its_first_refusal_in_order_of_declaration():
    table = pa.table({"a": [-1.0, 1.0], "b": ["x", "x"], "c": [0.0, 0.0]})
    rules = Rules(columns={"b": ColumnRule(allowed=("x",)), "a": ColumnRule(minimum=0)}, order=("a", "c"))
    assert {place: refusal.reason for place, refusal in rules.check(table).items()} == {
        0: "out_of_range",
        1: "wrong_order",
    }


def test_what_concerns_many_rows_is_not_checked_here_and_nothing_is_nothing():
    assert refused(["a", "a"], ColumnRule(unique=True, references="other")) == {}
    assert Rules().check(pa.table({"a": []})) == {}
    assert refused([], ColumnRule(minimum=0, maximum=1), pa.float64()) == {}


def test_chunked_columns_keep_their_positions():
    column = pa.chunked_array([[1.0, -1.0], [2.0, -2.0]])
    found = Rules(columns={"c": ColumnRule(minimum=0)}).check(pa.table({"c": column}))
    assert set(found) == {1, 3}


def test_tags_stand_once_with_something_between() -> None:
    rule = ColumnRule(tags=(("<e1>", "</e1>"), ("<e2>", "</e2>")))
    texts = [
        "the <e1>lid</e1> of a <e2>jar</e2>",
        "<e2>退款</e2>\n<e1>三天</e1>",
        "<e1>the <e2>red</e2> hat</e1>",
        None,
        "the lid of a jar",
        "<e1>a</e1> <e1>b</e1> <e2>c</e2>",
        "</e1>a<e1> <e2>c</e2>",
        "<e1> </e1> <e2>c</e2>",
    ]
    found = refused(texts, rule)
    assert sorted(found) == [4, 5, 6, 7]
    assert "does not mark <e1>…</e1> and <e2>…</e2> once each" in str(found[4])
