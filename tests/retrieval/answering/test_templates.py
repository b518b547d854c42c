"""Sentences filled from a row: columns and formats, nothing else."""

from datetime import date

import pytest

from polyloom.errors import RequestError
from retrieval.answering.templates import parse_template

ROW = {"title": "Red hat", "price": 4.9, "stock": 1200, "unit price": 2, "since": date(2026, 1, 2), "颜色": "红"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{title} costs {price:.2f}", "Red hat costs 4.90"),
        ("{stock:,} of {title:>8}", "1,200 of  Red hat"),
        ("{unit price:03d} {{sic}}", "002 {sic}"),
        ("since {since:%d.%m.%Y}", "since 02.01.2026"),
        ("{title}的颜色是{颜色}。", "Red hat的颜色是红。"),
        ("nothing", "nothing"),
    ],
)
def test_filled(text, expected):
    assert parse_template(text, columns=ROW).fill(ROW) == expected


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_missing_value_gives_no_sentence(value):
    assert parse_template("{title} costs {price}").fill({"title": "Hat", "price": value}) is None


@pytest.mark.parametrize(
    "text",
    [
        "{title.__class__}",
        "{title[0]}",
        "{title!r}",
        "{price:{stock}}",
        "{}",
        "{0}",
        "{stock:999999999d}",
        "{price:.999999f}",
        "{title:>100}",
        "{since:%Y{title}}",
    ],
)
def test_what_is_not_allowed(text):
    with pytest.raises(RequestError, match=r"is not allowed\. In braces may stand"):
        parse_template(text)


def test_other_mistakes_are_named():
    with pytest.raises(RequestError, match="Write a brace that is meant as such twice"):
        parse_template("{title")
    with pytest.raises(RequestError, match=r"there is no column 'prise'\. Did you mean 'price'"):
        parse_template("{prise}", columns=ROW)
    with pytest.raises(RequestError, match="there is no column 'prise'"):
        parse_template("{prise}").fill(ROW)
    with pytest.raises(RequestError, match=r"'Red hat' cannot be written as '\.2f'"):
        parse_template("{title:.2f}").fill(ROW)
    with pytest.raises(RequestError, match="holds a list; a template takes"):
        parse_template("{title}").fill({"title": ["a"]})
    with pytest.raises(RequestError, match="2,001 characters"):
        parse_template("a" * 2001)
