"""Recommend: items for a user, by what that user and others took and by what the items are, with reasons."""

import streamlit as st

from ui import cached, look, service
from ui.views.cards import grid_or_cards
from ui.views.choosing import opened_for
from ui.views.exploring import Asked, Exploration, policies

NOBODY = "Somebody new"
NONE = "No release recommends. Add a section `recommend` to a scenario and run it; `polyloom run shop` has one."

HELP = "The last places go to items of which more should be learned. What is shown is logged, without the user's name."


def show() -> None:
    """The page."""
    look.head("Recommend", "What suits whom, and because of what. What was taken already is not offered again.")
    chosen = opened_for("recommend", otherwise=NONE)
    if chosen is None:
        return
    release, runtime = chosen
    with look.kindly():
        asked = _asked(runtime, release)
        pictured = bool(runtime.facts["index"]["image"])
        if service.explores(runtime) and st.toggle("Explore", key="explore", help=HELP):
            exploration = Exploration.of(runtime, asked)
            _show(exploration.offered, pictured=pictured, exploration=exploration)
            policies(release.scenario)
        else:
            offered = service.recommend(runtime, user=asked.user, items=asked.items, where=asked.where, k=asked.k)
            _show(offered, pictured=pictured)


def _asked(runtime: service.Runtime, release: service.Registered) -> Asked:
    example, items = cached.examples(release)
    left, middle, right = st.columns([2, 2, 1])
    user = left.selectbox(
        "User", [NOBODY, *service.users(runtime)], key="user", bind="query-params", accept_new_options=True
    )
    where = middle.text_input(
        "Filter", key="where", bind="query-params", placeholder=f"for example {example}" if example else ""
    )
    k = right.selectbox("Items", (12, 24, 48), key="k", bind="query-params")
    titles = {item.id: item.title for item in items}
    taken = st.multiselect(
        "Taken just now",
        list(titles),
        format_func=lambda id_: f"{titles[id_]} ({id_})",
        key=f"taken_{release.scenario}",
        placeholder="What is taken here changes the list at once",
    )
    return Asked(None if user == NOBODY else user, tuple(taken), where, k)


def _show(offered: service.Offered, *, pictured: bool, exploration: Exploration | None = None) -> None:
    if not offered.found:
        st.info("Nothing is left to offer: everything that meets the filter was taken already.")
        return
    by = f"by {offered.history} events" if offered.history else "nothing is known of this user, so what is popular"
    st.html(look.quiet(f"{len(offered.found)} items, {by}, in {1000 * offered.seconds:.0f} ms"))
    grid_or_cards(offered.found, pictured=pictured, below=exploration.below if exploration else None)
