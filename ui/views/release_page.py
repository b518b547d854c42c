"""Release: the champion's figures and model card, and who promoted what, when and why."""

from datetime import datetime

import streamlit as st

from ui import cached, links, look, service
from ui.views.choosing import choose, nothing_released, released


def show() -> None:
    """The page."""
    look.head("Release", "One release is one digest: model, index, figures and card move and roll back together.")
    each = choose(released())
    if each is None:
        nothing_released()
        return
    if each.problem:
        st.error(look.plain(each.problem), icon=":material/error:")
    if each.release is not None and each.facts is not None:
        _champion(each.release, each.facts)
    with look.kindly():
        _waiting(each.name)
    with look.kindly():
        _history(each.name)


def _champion(release: service.Registered, facts: service.ReleaseFacts) -> None:
    st.html(look.title(facts.title, is_big=True))
    about = [
        ("champion", f"version {release.version}"),
        ("digest", release.digest),
        ("made", look.ago(release.created)),
    ]
    kept = [
        (name.replace("_", " "), f"{facts.snapshot[name]:,}")
        for name in ("rows_in", "rows_kept", "rows_quarantined")
        if name in facts.snapshot
    ]
    st.html(look.chips(about) + '<div style="height:0.4rem"></div>' + look.chips(kept))
    with st.container(horizontal=True, gap="medium"):
        if facts.items is not None:
            links.link("search", "Search", icon=":material/search:", scenario=release.scenario)
        links.link("predict", "Predict", icon=":material/label:", scenario=release.scenario)
    st.subheader("Figures on the test rows", anchor=False)
    for task, own in facts.metrics.items():
        with st.container(border=True, key=f"figures_{task}"):
            named = [(look.metric(name), look.number(value)) for name, value in own.items()]
            st.html(look.title(task) + look.figures(named))
    if facts.pictures:
        with st.expander("Pictures"):
            for column, picture in zip(st.columns(2) * len(facts.pictures), facts.pictures, strict=False):
                column.image(str(picture), width="stretch", alt=picture.stem)
    with st.expander("Model card"):
        st.markdown(facts.card)


def _waiting(name: str) -> None:
    """The version that waits for a person, the gate's figures, and the two answers."""
    change = service.waiting(name)
    if change is None:
        return
    st.subheader("Waits for approval", anchor=False)
    with st.container(border=True, key="waiting"):
        verdict = change.more["verdict"]
        until = datetime.fromisoformat(change.more["until"])
        judged = f"version {change.against}" if change.against else "no champion"
        st.html(look.title(f"Version {change.version}, judged against {judged}") + look.body(change.why))
        named = [
            ("challenger", verdict["challenger_value"]),
            ("champion", verdict["champion_value"]),
            ("difference", verdict["difference"]),
            ("rows", verdict["rows"]),
        ]
        st.html(look.figures([(word, look.number(value)) for word, value in named if value is not None]))
        st.html(look.quiet(f"Can be approved until {until:%Y-%m-%d %H:%M} UTC"))
        who = st.text_input("Your name", key="waiting_who")
        why = st.text_input("The reason", key="waiting_why")
        with st.container(horizontal=True, gap="small"):
            is_approved = st.button("Approve", type="primary", icon=":material/check:")
            is_refused = st.button("Refuse", icon=":material/block:")
        if is_approved or is_refused:
            decide = service.approve if is_approved else service.refuse
            st.toast(look.plain(decide(name, change.version, who=who, why=why)))
            cached.forget()
            st.rerun()


def _history(name: str) -> None:
    st.subheader("Releases", anchor=False)
    rows = [
        [each.version, ", ".join(each.aliases), each.digest[:12], look.ago(each.created)]
        for each in cached.versions(name)
    ]
    st.html(look.table(["version", "alias", "digest", "made"], rows))
    st.subheader("Promotions", anchor=False)
    made = [
        [
            f"{change.at:%Y-%m-%d %H:%M}",
            change.action,
            f"{change.alias} → {change.version}",
            change.outcome,
            change.who,
            change.why,
        ]
        for change in cached.history(name)
    ]
    st.html(look.table(["when (UTC)", "what", "alias", "outcome", "who", "why"], made))
