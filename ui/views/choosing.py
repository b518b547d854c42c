"""What several pages begin with: the choice of an application, which the address bar remembers, and a picture."""

from collections.abc import Sequence

import streamlit as st

from ui import cached, look, service

KEY, LAST = "scenario", "last_scenario"


def choose(found: Sequence[service.Overview], *, label: str = "Application") -> service.Overview | None:
    """The application that the person chose; None when there is none to choose from."""
    if not found:
        return None
    names = [each.name for each in found]
    titles = {each.name: each.title for each in found}
    wanted = st.query_params.get(KEY, st.session_state.get(LAST))
    if KEY not in st.session_state and wanted in names:
        st.session_state[KEY] = wanted
    # `bind` would put the title into the address bar, and titles change.
    chosen = st.selectbox(label, names, format_func=lambda name: f"{titles[name]} ({name})", key=KEY)
    st.query_params[KEY] = st.session_state[LAST] = chosen
    return next(each for each in found if each.name == chosen)


def released(*, searchable: bool = False, use: str | None = None) -> list[service.Overview]:
    """Applications with a champion, of those with facts only the ones that can be searched, or have a use.

    Broken ones stay in, so that the page can say what is wrong with them.
    """
    found = [each for each in cached.overviews() if each.release is not None or each.problem]
    if use is not None:
        found = [each for each in found if each.facts and use in each.facts.uses]
    return [each for each in found if not (searchable and each.facts and each.facts.items is None)]


def nothing_released() -> None:
    """What to do when there is no release."""
    st.info("Nothing is released yet. `make demo` makes two applications to try, `polyloom run SCENARIO` your own.")


def opened(each: service.Overview) -> service.Runtime | None:
    """The application's release, opened; None after saying what is wrong with it."""
    if each.problem or each.release is None:
        st.error(look.plain(each.problem or f"{each.name} has no release."), icon=":material/error:")
        return None
    with look.kindly():
        return cached.runtime(each.release)
    return None


def picture() -> bytes | None:
    """The picture that the person gave, shown small; None after saying what is wrong with it."""
    given = st.file_uploader("Picture", type=["png", "jpg", "jpeg", "webp", "gif", "bmp"])
    if given is None:
        return None
    with look.kindly():
        service.check_picture(given.getvalue())
        st.image(given.getvalue(), width=120)
        return given.getvalue()
    return None


def opened_for(use: str, *, otherwise: str) -> tuple[service.Registered, service.Runtime] | None:
    """The release of the application chosen among those with a use, and it opened; None after saying what to do."""
    able = released(use=use)
    if not able:
        st.info(otherwise)
        if not released():
            nothing_released()
        return None
    each = choose(able)
    runtime = None if each is None else opened(each)
    return None if each is None or each.release is None or runtime is None else (each.release, runtime)
