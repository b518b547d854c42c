"""What the pages Recommend and Ask get of a release."""

import pytest

from polyloom.errors import FilterError
from tests.flows.test_uses import made, shop  # noqa: F401
from ui import uses


def test_items_come_as_cards_with_what_speaks_for_each(shop):  # noqa: F811
    runtime, _ = shop
    assert "u0" in uses.users(runtime)
    offered = uses.recommend(runtime, user="u0", k=3)
    assert (len(offered.found), offered.history) == (3, 7)
    for card in offered.found:
        assert card.why[0].startswith("by ")
        assert card.why[1].startswith("because of ")


def test_what_was_taken_just_now_counts_and_is_not_offered_again(shop):  # noqa: F811
    runtime, _ = shop
    fresh = uses.recommend(runtime, user=None, items=["w0"], where="label = 'lost_card'", k=90)
    assert fresh.history == 1
    assert "w0" not in {card.id for card in fresh.found}
    assert uses.recommend(runtime, user=None, k=3).history == 0
    with pytest.raises(FilterError):
        uses.recommend(runtime, user=None, where="nonsense <", k=3)


def test_a_conversation_goes_on_from_what_was_said(shop):  # noqa: F811
    runtime, _ = shop
    first = uses.ask(runtime, "my lost card", [])
    assert first.text == "It is about lost_card."
    after = uses.ask(runtime, "and the red shoe?", [("my lost card", first)])
    assert after.text is None or after.citations
    assert runtime.promise.threshold.alpha == 0.3
