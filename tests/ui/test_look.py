"""Pieces of the pages as HTML."""

from ui.look import body, marked


def test_stretches_are_marked_and_everything_is_escaped():
    assert marked("a <red> hat", [(3, 6), (8, 11)]) == (
        'a &lt;<mark class="pl-hit">red</mark>&gt; <mark class="pl-hit">hat</mark>'
    )
    assert body("a & b") == '<p class="pl-body">a &amp; b</p>'
    assert marked("我要退货", [(2, 4)]) == '我要<mark class="pl-hit">退货</mark>'
    assert marked("", []) == ""
