"""Items as cards, side by side where they have pictures, one below the other where they have none."""

from collections.abc import Callable, Sequence

import streamlit as st

from ui import look, service

ACROSS = 4
Below = Callable[[service.Found], None]


def grid_or_cards(found: Sequence[service.Found], *, pictured: bool, below: Below | None = None) -> None:
    """All of them, best first, each with what `below` shows of it."""
    if pictured:
        _grid(found, below)
        return
    for place, hit in enumerate(found):
        with st.container(border=True, key=f"hit_{place}"):
            _words(hit)
            if below is not None:
                below(hit)


def _grid(found: Sequence[service.Found], below: Below | None) -> None:
    for start in range(0, len(found), ACROSS):
        for place, (column, hit) in enumerate(zip(st.columns(ACROSS), found[start : start + ACROSS], strict=False)):
            with column.container(border=True, key=f"hit_{start + place}", height="stretch"):
                if hit.picture is not None:
                    st.image(str(hit.picture), width="stretch", alt=hit.title.text)
                else:
                    st.html(look.quiet("No picture on this machine"))
                _words(hit)
                if below is not None:
                    below(hit)


def _words(hit: service.Found) -> None:
    parts = [look.title(*hit.title), *(look.body(*text) for text in hit.body)]
    st.html("".join(parts))
    if hit.facts:
        st.html(look.chips(hit.facts))
    st.html(look.quiet(" · ".join(hit.why)))
