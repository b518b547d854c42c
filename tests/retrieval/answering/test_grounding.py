"""A generated text says what its citations say, or it is not shown."""

import pytest

from retrieval.answering.candidates import Citation
from retrieval.answering.grounding import check_grounding

CITED = [
    Citation("a", "a.md", 0, 9, "Standard delivery takes two to four working days and costs 4.90 euros."),
    Citation("b", "b.md", 0, 9, "Returns are free within 1,000 days. Opened games cannot be returned."),
    Citation("c", "c.md", 0, 9, "标准配送需要两到四个工作日。"),
]


@pytest.mark.parametrize(
    "text",
    [
        "Standard delivery takes 2 to 4 working days.",
        "Delivery costs 4.9 euros. Returns are free within 1000 days.",
        "Opened games cannot be returned.",
        "标准配送需要2到4个工作日。",
    ],
)
def test_supported(text):
    found = check_grounding(text, CITED)
    assert found.supported, found.unsupported


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Standard delivery takes three working days.", ("3",)),
        ("Standard delivery costs 5.90 euros.", ("5.9",)),
        ("Standard delivery by Hermes takes two working days.", ("Hermes",)),
        ("Opened games can be returned.", ("negation",)),
        ("We open on every holiday.", ()),
        ("标准配送需要五个工作日。", ("5",)),
        ("标准配送需要二十五个工作日。", ("25",)),
    ],
)
def test_unsupported(text, missing):
    found = check_grounding(f"Returns are free. {text}", CITED)
    assert not found.supported
    assert [one.text for one in found.unsupported] == [text]
    assert set(missing) <= set(found.unsupported[0].missing)


def test_nothing_cited_and_nothing_said():
    assert not check_grounding("It is free.", []).supported
    assert not check_grounding("", CITED).supported
