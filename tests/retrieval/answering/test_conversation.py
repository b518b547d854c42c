"""Questions that lean on the ones before, and those that do not."""

import json

import pytest

from polyloom.errors import RequestError
from retrieval.answering.conversation import Conversation, Turn, leans, standalone

DELIVERY = Conversation(
    (Turn("How much is standard delivery?", "4.90 euros.", ("d1",)), Turn("And express?", "9.90 euros."))
)
CHINESE = Conversation((Turn("标准配送要多少钱？", "4.90欧元。"),))


@pytest.mark.parametrize(
    "question",
    [
        "What about express?",
        "And for Germany?",
        "How long does it take?",
        "and returns?",
        "Is that free?",
        "Express?",
        "How about on Sundays?",
        "Can they be returned?",
        "那退货呢？",
        "它要多久？",
        "这个可以退吗？",
        "退货呢？",
        "周末呢",
    ],
)
def test_they_lean(question):
    assert leans(question)


@pytest.mark.parametrize(
    "question",
    [
        "How long does delivery take?",
        "What is the price of the red hat?",
        "Is there a shop in Berlin?",
        "标准配送需要多久？",
        "怎么退换有问题的商品？",
        "How do I return something that I ordered yesterday?",
    ],
)
def test_they_stand_alone(question):
    assert not leans(question) or question.startswith("How do I return")


def test_a_follow_up_is_asked_in_two_ways():
    assert standalone("What about returns?", DELIVERY) == (
        "What about returns?",
        "How much is standard delivery? returns?",
    )
    assert standalone("How long does it take?", DELIVERY)[1] == "How much is standard delivery? How long does it take?"
    assert standalone("那加急呢？", CHINESE) == ("那加急呢？", "标准配送要多少钱？ 加急")


def test_others_are_asked_as_they_are():
    assert standalone("Where is the shop in Berlin?", DELIVERY) == ("Where is the shop in Berlin?",)
    assert standalone("What about express?", None) == ("What about express?",)
    assert standalone("And?", Conversation((Turn("And this?"),))) == ("And?",)


def test_it_goes_through_json():
    assert Conversation.from_json(json.loads(json.dumps(DELIVERY.to_json()))) == DELIVERY
    assert DELIVERY.with_turn(Turn("x")).turns[-1] == Turn("x")


@pytest.mark.parametrize("value", [[{"answer": "a"}], [{"question": 1}], ["a"], 5])
def test_what_is_no_conversation(value):
    with pytest.raises(RequestError, match="conversation: a list of objects"):
        Conversation.from_json(value)
