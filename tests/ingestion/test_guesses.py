import datetime as dt

import pytest

from ingestion.guesses import guessed_column, guessed_key, guessed_split
from ingestion.readers.picture_values import PictureBytes

WORDS = ["red", "blue", "green"]


@pytest.mark.parametrize(
    ("name", "values", "kind", "reason"),
    [
        ("price", ["1.5", "2", "-3e2", ""], "number", "holds numbers such as '1.5'; missing in 1 of 4 rows"),
        ("price", [1, 2.5, None], "number", "holds numbers such as '1'; missing in 1 of 3 rows"),
        ("stars", [1, 2, 3, 4, 5] * 20, "number", "holds numbers such as '1'"),
        ("label", [0, 1, 2] * 20, "category", "named like a label or a key, and holds 3 different whole numbers"),
        ("weight_id", ["1", "2"], "category", "named like a label or a key, and holds 2 different whole numbers"),
        ("label", [0.5, 1.25], "number", "holds numbers"),
        ("zip", ["01234", "99999"], "category", "holds digits that start with 0, which a number would lose"),
        ("price", ["1"] * 199 + ["free"], "number", "(0.5% of the values are none and would be refused)"),
        ("price", ["1", "free"] * 50, "category", "2 different values in 100 rows"),
        ("good", [True, False, True], "category", "is true or false"),
        ("at", [1_700_000_000, 1_700_000_001], "time", "named like a time, and holds seconds since 1970"),
        ("count", [1_700_000_000, 1_700_000_001], "number", "holds numbers"),
        ("when", ["2026-01-31", "2026-02-01T10:00:00Z"], "time", "holds times such as '2026-01-31'"),
        ("day", [dt.date(2026, 1, 31)], "time", "holds times"),
        ("colour", WORDS * 10, "category", "3 different values in 30 rows, such as 'red'"),
        ("title", [f"a red kite number {n}" for n in range(30)], "text", "30 different texts in 30 rows"),
        ("question", ["我的卡什么时候到", "怎么退货", "密码忘了"], "text", "3 different texts in 3 rows"),
        ("body", ["long text " * 10] * 50, "text", "99 characters on average"),
        ("sku", ["A-1", "B-2", "C-3"], "category", "words without blanks such as 'A-1', 3 different ones"),
        ("photo", ["a/b.jpg", "c.PNG"], "image", "holds paths of pictures such as 'a/b.jpg'"),
        ("photo", [PictureBytes(b"x"), None], "image", "holds bytes, which are taken for pictures"),
        ("tags", [["a", "b"], []], "labels", "holds lists"),
        ("tags", [[{"a": 1}]], "unknown", "holds lists of something else than words"),
        ("address", [{"street": "x"}], "unknown", "holds dict values, which have no column kind"),
        ("empty", ["", None, "  "], "unknown", "no row has a value"),
    ],
)
def test_a_column_is_what_its_values_and_its_name_suggest(name, values, kind, reason):
    guess = guessed_column(name, values)
    assert guess.kind == kind
    assert reason in guess.reason


def test_a_key_has_no_doubles_no_gaps_and_the_name_of_a_key():
    columns = {
        "title": [f"t {n}" for n in range(9)],
        "user_id": [str(n) for n in range(9)],
        "id": list(range(9)),
        "order_id": [1] * 9,
        "other_id": [*range(8), None],
    }
    guesses = {name: guessed_column(name, values) for name, values in columns.items()}
    assert guessed_key(guesses) == "id"
    del guesses["id"]
    assert guessed_key(guesses) == "user_id"
    del guesses["user_id"]
    assert guessed_key(guesses) is None


def test_a_split_column_holds_names_of_splits_alone():
    def split_of(name, values):
        return guessed_split({name: guessed_column(name, values)})

    assert split_of("part", ["train", "test"] * 5) == "part"
    assert split_of("split", ["train"] * 5) == "split"
    assert split_of("word", ["train"] * 5) is None
    assert split_of("part", ["train", "plane"] * 5) is None
    assert split_of("part", ["train", "test", None] * 5) is None


def test_values_are_closed_only_where_all_were_seen_or_each_was_seen_often():
    few = guessed_column("c", ["a"] * 50 + ["b"] * 2)
    assert few.is_closed(True)
    assert not few.is_closed(False)
    assert guessed_column("c", ["a", "b"] * 50).is_closed(False)
    assert not guessed_column("c", ["a", "b"] * 2).is_closed(True)
    assert not guessed_column("c", ["only"] * 50).is_closed(True)
