"""What the pages keep between two looks: releases by digest, and for a few seconds what the registry said.

`st.cache_data` would pickle what it keeps; everything here is frozen, so that one object can be shared.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from ui import service

FRESH_SECONDS = 4


def by_digest(release: service.Registered) -> str:
    """What tells two releases apart."""
    return f"{release.digest} {release.path}"


BY_DIGEST: dict[str | type[Any], Callable[[Any], Any]] = {service.Registered: by_digest}


@st.cache_resource(ttl=FRESH_SECONDS, show_spinner="Asking the registry …")
def overviews() -> list[service.Overview]:
    """Every application, at most a few seconds old."""
    return service.overviews()


@st.cache_resource(ttl=FRESH_SECONDS, show_spinner="Asking the registry …")
def history(name: str) -> list[service.Change]:
    """The promotions of one application, at most a few seconds old."""
    return service.history(name)


@st.cache_resource(ttl=FRESH_SECONDS, show_spinner="Asking the registry …")
def versions(name: str) -> list[service.Registered]:
    """The releases of one application, at most a few seconds old."""
    return service.versions(name)


@st.cache_resource(ttl=FRESH_SECONDS, show_spinner=False)
def exposures(name: str) -> service.ExposureReport:
    """What exploring has shown in one application, at most a few seconds old."""
    return service.exposures(name)


@st.cache_resource(max_entries=4, show_spinner="Verifying and opening the release …", hash_funcs=BY_DIGEST)
def runtime(release: service.Registered) -> service.Runtime:
    """An opened release."""
    return service.open_release(release)


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=BY_DIGEST)
def examples(release: service.Registered) -> tuple[str, tuple[service.Item, ...]]:
    """A filter and items that a release's index knows."""
    opened = runtime(release)
    return service.filter_example(opened), service.items_of(opened)


def forget() -> None:
    """Ask the registry anew: something was decided on a page."""
    for known in (overviews, history, versions):
        known.clear()
