"""Ask: a conversation in which only what is sure enough is answered; the rest is handed over with the best guesses."""

from collections.abc import Sequence

import streamlit as st

from ui import look, service
from ui.views.choosing import opened_for

SAID = "said"
NONE = "No release answers. Add a section `answer` to a scenario and run it; `polyloom run support` has one."


def show() -> None:
    """The page."""
    look.head("Ask", "Answers whose share of wrong ones is bounded. What is not sure enough goes to a person.")
    chosen = opened_for("answer", otherwise=NONE)
    if chosen is None:
        return
    _, runtime = chosen
    # A conversation is with one release: what another said is not what this one rests on.
    said = st.session_state.setdefault(f"{SAID}_{runtime.digest}", [])
    _promise(runtime)
    question = st.chat_input("Ask in a sentence. 用一句话提问。", max_chars=10_000, key="question")
    if question:
        with look.kindly():
            said.append((question, service.ask(runtime, question, said)))
    for one, found in said:
        with st.chat_message("user"):
            st.text(one)
        with st.chat_message("assistant"):
            _answer(found)
    if said and st.button("Begin anew", icon=":material/refresh:"):
        said.clear()
        st.rerun()


def _promise(runtime: service.Runtime) -> None:
    promise = service.promise(runtime)
    threshold, broken = promise.threshold, promise.broken()
    if broken:
        st.warning(look.plain(broken), icon=":material/warning:")
        return
    if threshold.value is None:
        st.warning(look.plain(f"This release answers nothing. {threshold.reason}"), icon=":material/block:")
        return
    told = f"at most {threshold.alpha:.0%} of its answers are wrong, with confidence {1 - threshold.delta:.0%}"
    st.html(look.quiet(f"It answers {threshold.answered_share:.0%} of questions like those it was tried on: {told}."))


def _answer(found: service.Answered) -> None:
    if found.note:
        st.html(look.quiet(found.note))
    if found.text is not None:
        st.text(found.text)
        for cited in found.citations:
            st.html(look.quiet(f"{_place(cited)}: {cited.text}"))
        st.html(look.chips([("sure", f"{found.score:.0%}")]))
        return
    if found.hand_over is not None:
        st.text("A person should answer this.")
        st.html(look.quiet(found.hand_over.reason))
        if found.hand_over.guesses:
            _guesses(found.hand_over.guesses)


def _guesses(guesses: Sequence[service.Citation]) -> None:
    """Known questions with their answers, or what was read in documents."""
    if guesses[0].reply is not None:
        rows = [[one.id, one.text, one.reply or ""] for one in guesses]
        st.html(look.table(["guess", "question", "answer"], rows))
        return
    st.html(look.table(["document", "read there"], [[_place(one), one.text] for one in guesses]))


def _place(cited: service.Citation) -> str:
    """Where the cited words stand: the row, or the document with page and characters."""
    if cited.reply is not None:
        return f"{cited.source} {cited.id}"
    page = f", page {cited.page}" if cited.page else ""
    return f"{cited.source}{page}, characters {cited.start} to {cited.end}"
