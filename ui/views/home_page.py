"""Home: every application with its champion, the last runs, and what to do when there is nothing yet."""

import streamlit as st

from ui import cached, links, look, service


def show() -> None:
    """The page."""
    look.head("Applications", "What is released, how good it is, and what ran last.")
    found = cached.overviews()
    used = [each for each in found if each.release or each.problem or each.last_run]
    if not any(each.release for each in found):
        _welcome()
    for start in range(0, len(used), 2):
        for column, each in zip(st.columns(2), used[start : start + 2], strict=False):
            with column.container(border=True, key=f"card_{each.name}"):
                _card(each)
    _last_runs()
    _others([each for each in found if each not in used])


def _welcome() -> None:
    with st.container(border=True):
        st.html(look.title("Nothing is released yet", is_big=True))
        st.markdown(
            "From a bare checkout, this makes the demo data, trains both demo applications and releases them. "
            "Then come back here."
        )
        st.code("make demo", language="bash")
        st.html(look.quiet(f"State is looked for in {service.state_folder()} (POLYLOOM_HOME)."))


def _card(each: service.Overview) -> None:
    st.html(look.title(each.title, is_big=True) + look.quiet(each.description or each.name))
    if each.release is not None and each.facts is not None:
        _champion(each, each.release, each.facts)
    if each.problem:
        st.error(look.plain(each.problem), icon=":material/error:")
    elif each.release is None:
        st.html(look.quiet("No release yet. Make one in a terminal:"))
        st.code(f"polyloom run {each.name}", language="bash")
    if each.last_run is not None:
        words = f"Last run {look.ago(each.last_run.started)}"
        st.html(f'<div class="pl-row">{look.state(each.last_run.state)}{look.quiet(words)}</div>')


def _champion(each: service.Overview, release: service.Registered, facts: service.ReleaseFacts) -> None:
    pairs = []
    if facts.headline is not None:
        pairs.append((look.metric(facts.headline[0]), look.number(facts.headline[1])))
    if facts.items is not None:
        pairs.append(("items indexed", f"{facts.items:,}"))
    pairs.append(("tasks", ", ".join(facts.tasks)))
    st.html(look.figures(pairs))
    st.html(look.chips([("champion", f"version {release.version}"), ("digest", release.digest[:12])]))
    with st.container(horizontal=True, gap="medium"):
        if facts.items is not None:
            links.link("search", "Search", icon=":material/search:", scenario=each.name)
        links.link("predict", "Predict", icon=":material/label:", scenario=each.name)
        links.link("release", "Release", icon=":material/inventory_2:", scenario=each.name)


def _last_runs() -> None:
    st.subheader("Last runs", anchor=False)
    runs = service.known_runs(limit=5)
    if not runs:
        st.html(look.quiet("No run has left a journal here yet."))
        return
    rows = [[run.scenario, run.state, look.ago(run.started), run.error or "–"] for run in runs]
    st.html(look.table(["application", "state", "started", "error"], rows))
    links.link("runs", "All runs", icon=":material/timeline:")


def _others(found: list[service.Overview]) -> None:
    if not found:
        return
    st.subheader("Shipped, not run yet", anchor=False)
    rows = [[each.title, each.description, f"polyloom run {each.name}"] for each in found]
    st.html(look.table(["application", "what it does", "make it"], rows))
