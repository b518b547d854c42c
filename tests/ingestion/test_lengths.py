import pyarrow as pa
import pytest

from ingestion.lengths import SameLength
from ingestion.rules import ColumnRule, Rules
from modalities.preparation.word_split import WORD, split_words

LIST = pa.list_(pa.string())


def refused(rule, **columns):
    """Position to reason and message."""
    return {place: tuple(refusal) for place, refusal in Rules(lengths=(rule,)).check(pa.table(columns)).items()}


def test_lists_of_a_row_are_of_one_length_and_missing_ones_pass():
    words = pa.array([["a", "b"], ["a", "b"], None, ["a"], [], ["a"]], LIST)
    tags = pa.array([["O", "O"], ["O"], ["O"], None, [], []], LIST)
    assert refused(SameLength(columns=("words", "tags")), words=words, tags=tags) == {
        1: ("uneven_lengths", "'words' has 2 values but 'tags' has 1 value; there must be equally many."),
        5: ("uneven_lengths", "'words' has 1 value but 'tags' has 0 values; there must be equally many."),
    }


def test_each_column_counts_against_each_other_where_one_is_missing():
    rule = SameLength(columns=("a", "b", "c"))
    columns = {"a": [None, ["x"]], "b": [["x"], None], "c": [["x", "y"], ["x", "y"]]}
    found = refused(rule, **{name: pa.array(lists, LIST) for name, lists in columns.items()})
    assert {place: message for place, (_, message) in found.items()} == {
        0: "'b' has 1 value but 'c' has 2 values; there must be equally many.",
        1: "'a' has 1 value but 'c' has 2 values; there must be equally many.",
    }


@pytest.mark.parametrize("text", ["Reuters's U.N. man, mid-week.", "退款吗 my red hat?", "AT&T's 5,999 \n they'll"])
def test_words_of_a_text_are_counted_as_they_are_split(text):
    words = len(split_words(text))
    tags = pa.array([["O"] * words, ["O"] * (words + 1), ["O"]], LIST)
    found = refused(SameLength(columns=("text", "tags"), word=WORD), text=[text, text, None], tags=tags)
    assert found == {
        1: (
            "uneven_lengths",
            f"'text' has {words} words but 'tags' has {words + 1} values; there must be equally many.",
        )
    }


def test_without_a_pattern_words_stand_between_white_space():
    rule = SameLength(columns=("text", "tags"))
    assert refused(rule, text=[" one two,\tthree"], tags=pa.array([["O"] * 3], LIST)) == {}


def test_chunked_columns_keep_their_positions_and_no_rows_are_no_mistake():
    rule = SameLength(columns=("a", "b"))
    parts = pa.chunked_array([[["x"]], [["x"], ["x"]]], LIST)
    others = pa.chunked_array([[["x"], ["x"]], [[]]], LIST)
    assert list(refused(rule, a=parts, b=others)) == [2]
    assert refused(rule, a=pa.array([], LIST), b=pa.array([], LIST)) == {}


def test_a_rule_of_one_column_comes_first():
    table = pa.table({"a": pa.array([["z", "z"]], LIST), "b": pa.array([["x"]], LIST)})
    rules = Rules(columns={"a": ColumnRule(allowed=("x",))}, lengths=(SameLength(columns=("a", "b")),))
    assert rules.check(table)[0].reason == "not_allowed"
