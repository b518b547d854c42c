"""Links from one page to another; `app.py` tells them once a session which pages there are."""

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import StreamlitPage

KEY = "polyloom_pages"


def remember(pages: Mapping[str, StreamlitPage]) -> None:
    """Keep the pages by their name in the address bar."""
    st.session_state[KEY] = dict(pages)


def link(page: str, label: str, *, icon: str | None = None, **query: str) -> None:
    """A link to a page, with what it shall show in its address."""
    st.page_link(st.session_state[KEY][page], label=label, icon=icon, query_params=query)
