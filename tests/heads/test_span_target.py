import pytest

from heads.span_target import SpanTarget, stretch

CONTEXT = "red hat, blue hat, red shoe"


@pytest.mark.parametrize(
    ("answers", "start", "expected"),
    [
        (["blue"], 9, (9, 13)),
        (["hat", "blue hat"], None, (4, 7)),
        (["hat"], 14, (14, 17)),
        (["hat"], 12, (14, 17)),  # an offset that is off by a little, as after cleaning
        (["red"], 19, (19, 22)),
        ([], None, (0, 0)),
        ([], 3, (0, 0)),
        (["green"], 3, (-1, -1)),
    ],
)
def test_where_an_answer_stands(answers, start, expected):
    assert stretch(SpanTarget(CONTEXT, answers, start)) == expected


def test_overlapping_places_are_all_seen():
    assert stretch(SpanTarget("aaaa", ["aa"], 1)) == (1, 3)
