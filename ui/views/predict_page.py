"""Predict: words, a picture and column values in; each task's calibrated answer out."""

import streamlit as st

from ui import found, look, reasons, service
from ui.views.choosing import choose, nothing_released, opened, picture, released

DOUBTFUL = 0.5
WHY = "Asks again without each word and each part of a picture."


def show() -> None:
    """The page."""
    look.head("Predict", "Give what you have; what is missing is left out of the answer, and said.")
    each = choose(released())
    if each is None:
        nothing_released()
        return
    runtime = opened(each)
    if runtime is None:
        return
    reads = service.inputs_of(runtime)
    text, image, columns = _inputs(reads)
    if not (text and text.strip()) and image is None and all(value is None for value in columns.values()):
        st.html(look.quiet("The answer appears here."))
        return
    with look.kindly():
        predicted = service.predict(runtime, text=text, image=image, columns=columns)
        # An answer's span stands in the context.
        context = columns.get(reads.pair[1]) if reads.pair else None
        _show(predicted, text=str(context) if context else text, image=image)
        if st.toggle(
            "Why?", key="why", bind="query-params", help="Asks again without each word and part of a picture."
        ):
            with st.spinner("Leaving out words and parts …"):
                explanations = service.explain(runtime, text=text, image=image, columns=columns)
            for task, explanation in explanations.items():
                with st.container(border=True, key=f"why_{task}"):
                    _show_reasons(runtime, task, explanation, image=image)


def _inputs(reads: service.Inputs) -> tuple[str | None, bytes | None, dict[str, object]]:
    """What the person gives."""
    places = iter(st.columns(reads.text + reads.image or 1))
    text = image = None
    if reads.text:
        text = next(places).text_area("Words", key="q", bind="query-params", height=122, placeholder="Words 文字")
    if reads.image:
        with next(places):
            image = picture()
    asked: dict[str, object] = {
        name: st.text_area(name, key=f"text_{name}", height=122, placeholder="Words 文字") or None
        for name in reads.pair
    }
    return text, image, {**asked, **_columns(reads)}


def _columns(reads: service.Inputs) -> dict[str, object]:
    names = [*reads.numbers, *(choice.column for choice in reads.categories)]
    if not names:
        return {}
    places = dict(zip(names, st.columns(max(len(names), 3)), strict=False))
    values: dict[str, object] = {
        name: places[name].number_input(name, value=None, key=f"number_{name}", placeholder="unknown")
        for name in reads.numbers
    }
    for choice in reads.categories:
        values[choice.column] = places[choice.column].selectbox(
            choice.column, choice.values, index=None, key=f"category_{choice.column}", placeholder="unknown"
        )
    return values


def _show(predicted: service.Predicted, *, text: str | None, image: bytes | None) -> None:
    for task, answer in predicted.answers.items():
        with st.container(border=True, key=f"task_{task}"):
            st.html(
                look.quiet(task)
                + look.title(answer.label or "nothing found", is_big=True)
                + look.quiet(_certainty(answer))
                + (look.bars(answer.probabilities) if answer.probabilities else "")
            )
            _show_parts(answer, text=text, image=image)
    missing = f"Not given: {', '.join(predicted.missing)}. " if predicted.missing else ""
    st.html(look.quiet(f"{missing}Probabilities are calibrated on held-out rows. {1000 * predicted.seconds:.0f} ms."))


def _certainty(answer: service.Answer) -> str:
    """How far an answer can be trusted, in words."""
    if answer.value is not None:
        if not answer.probability:
            return "How far it may be off is not known: there were too few held-out rows."
        return f"{100 * answer.probability:.0f}% of the held-out rows lay within this interval"
    if answer.in_scope is False:
        return "This looks like nothing that it has learned from: the answer means little."
    doubt = ", so treat it as a guess" if answer.probability < DOUBTFUL else ""
    labels = answer.label_set or ()
    several = f"; it may be any of {', '.join(labels)}" if len(labels) > 1 else ""
    return f"{100 * answer.probability:.0f}% sure{doubt}{several}"


def _show_parts(answer: service.Answer, *, text: str | None, image: bytes | None) -> None:
    """What was found, in the text and the picture that it was found in."""
    if text and any(part.start is not None for part in answer.parts):
        st.html(found.marked_text(text, answer.parts))
    if image and any(part.box is not None for part in answer.parts):
        st.image(found.boxed_picture(image, answer.parts))


def _show_reasons(
    runtime: service.Runtime, task: str, explanation: service.Explanation, *, image: bytes | None
) -> None:
    """What an answer rests on: modalities, words, places in the picture, and known rows that are like it."""
    st.html(look.quiet(f"Why {task}") + look.title(explanation.label) + look.quiet(reasons.LEGEND))
    if len(explanation.contributions) > 1:
        st.html(reasons.signed_bars(explanation.contributions))
    st.html("".join(reasons.weighed(one) for one in explanation.evidence if not one.cells))
    for evidence in explanation.evidence:
        if evidence.cells and image is not None:
            (name,) = evidence.modalities
            st.image(reasons.heated_picture(service.seen_picture(runtime, name, image), evidence), width=280)
    if explanation.near:
        st.html(look.quiet("Rows that are like it, with their own labels"))
        for place, known in zip(st.columns(max(3, len(explanation.near))), explanation.near, strict=False):
            with place:
                picture = runtime.picture(known.picture) if known.picture else None
                if picture is not None:
                    st.image(str(picture), width=96)
                st.html(reasons.known_row(known))
