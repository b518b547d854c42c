import pytest

from modalities.preparation.marked_text import MarkedText, parse_marked, with_tags
from polyloom.errors import RequestError


@pytest.mark.parametrize(
    ("marked", "text", "first", "second"),
    [
        ("the <e1>lid</e1> of a <e2>jar</e2>.", "the lid of a jar.", "lid", "jar"),
        ("<e2>退款</e2>在<e1>三天</e1>内", "退款在三天内", "三天", "退款"),
        ("<e1>a</e1><e2>b</e2>", "ab", "a", "b"),
        ("<e1>the <e2>red</e2> hat</e1>", "the red hat", "the red hat", "red"),
        ("x < 3 <e1>a</e1> & <b> <e2>c</e2>", "x < 3 a & <b> c", "a", "c"),
    ],
)
def test_tags_are_taken_out(marked, text, first, second):
    found = parse_marked(marked)
    assert found.text == text
    assert found.text[slice(*found.first)] == first
    assert found.text[slice(*found.second)] == second


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ("the lid of a jar", r"has no <e1> and no </e1> and no <e2> and no </e2>\. Mark both stretches once"),
        ("the <e1>lid</e1> of a <e2>jar", "has no </e2>"),
        ("<e1>a</e1> <e1>b</e1> <e2>c</e2>", "has <e1> twice"),
        ("<e1> </e1> <e2>c</e2>", "has nothing between <e1> and </e1>"),
        ("</e1>a<e1> <e2>c</e2>", "has nothing between <e1> and </e1>"),
        ("x" * 500, "'x{60}…' has no"),
    ],
)
def test_what_is_not_marked_right_is_refused(marked, message):
    with pytest.raises(RequestError, match=message):
        parse_marked(marked)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((4, 7, 13, 16), "the <e1>lid</e1> of a <e2>jar</e2>"),
        ((13, 16, 4, 7), "the <e2>lid</e2> of a <e1>jar</e1>"),
        ((0, 7, 4, 7), "<e1>the <e2>lid</e2></e1> of a jar"),
        ((0, 3, 3, 7), "<e1>the</e1><e2> lid</e2> of a jar"),
    ],
)
def test_tags_are_put_in_and_taken_out_again(ends, expected):
    found = with_tags("the lid of a jar", ends)
    assert found == expected
    assert parse_marked(found) == MarkedText("the lid of a jar", ends[:2], ends[2:])


@pytest.mark.parametrize("ends", [(0, 3, 10, 17), (3, 3, 4, 5), (-1, 2, 4, 5), (5, 4, 6, 7)])
def test_ranges_outside_of_the_text_are_refused(ends):
    with pytest.raises(RequestError, match="is not in a text of 16 characters: give the first character"):
        with_tags("the lid of a jar", ends)


def test_a_tagged_text_takes_no_ranges():
    with pytest.raises(RequestError, match="has tags in it already"):
        with_tags("a <e1>b</e1>", (0, 1, 2, 3))
