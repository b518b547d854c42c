"""Search: items by words, by a picture, or like another item, narrowed by a filter."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import cached, look, service
from ui.views.cards import grid_or_cards
from ui.views.choosing import choose, nothing_released, opened, picture, released

WORDS, PICTURE, LIKE = "Words", "Picture", "Like an item"


def show() -> None:
    """The page."""
    look.head("Search", "Find items by words, by a picture, or like another one. Each hit says why it was found.")
    left, right = st.columns(2)
    with left:
        each = choose(released(searchable=True))
    if each is None:
        nothing_released()
        return
    runtime = opened(each)
    if runtime is None or each.release is None:
        return
    with look.kindly():
        results = _ask(runtime, each.release, right)
        if results is not None:
            _show(results)


def _ask(runtime: service.Runtime, release: service.Registered, beside: DeltaGenerator) -> service.Results | None:
    """The question, as widgets, and its answer; None before anything was asked."""
    reads = service.inputs_of(runtime)
    ways = [way for way, can in ((WORDS, reads.text), (PICTURE, reads.image), (LIKE, True)) if can]
    if st.session_state.get("by", ways[0]) not in ways:
        del st.session_state["by"]
    way = beside.segmented_control("Search by", ways, default=ways[0], required=True, key="by", bind="query-params")
    text, image, like = None, None, None
    if way == WORDS:
        text = st.text_input("Words", key="q", bind="query-params", placeholder="What do you look for? 你在找什么？")
    elif way == PICTURE:
        image = picture()
    else:
        like = _item(release)
    where, k, page = _narrowed(release)
    if not (text and text.strip()) and image is None and not like:
        return None
    return service.search(runtime, text=text, image=image, like=like, where=where, k=k, page=page)


def _item(release: service.Registered) -> str | None:
    _, items = cached.examples(release)
    ids = {f"{item.title} ({item.id})": item.id for item in items}
    chosen = st.selectbox(
        "Item",
        list(ids),
        index=None,
        key=f"like_{release.scenario}",
        bind="query-params",
        accept_new_options=True,
        placeholder="Choose an item, or type its id",
    )
    return ids.get(chosen, chosen) if chosen else None


def _narrowed(release: service.Registered) -> tuple[str, int, int]:
    example, _ = cached.examples(release)
    left, middle, right = st.columns([4, 1, 1])
    where = left.text_input(
        "Filter",
        key="where",
        bind="query-params",
        placeholder=f"for example {example}" if example else "",
        help="Comparisons with the items' columns, joined by AND, OR and NOT, as in SQL.",
    )
    k = middle.selectbox("Hits", (12, 24, 48), key="k", bind="query-params")
    return where, k, int(right.number_input("Page", min_value=1, step=1, key="page", bind="query-params"))


def _show(results: service.Results) -> None:
    if not results.found:
        st.info("There is nothing here. Go back to the first page, or widen the filter.")
        return
    count = len(results.found)
    st.html(look.quiet(f"{count} hit{'s' if count > 1 else ''} in {1000 * results.seconds:.0f} ms"))
    for name, counts in results.counts.items():
        if len(counts) > 1:
            st.html(look.chips([(name, ""), *((value, str(count)) for value, count in counts)]))
    grid_or_cards(results.found, pictured=results.pictured)
