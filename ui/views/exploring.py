"""A list that explores: its drawn cards with buttons for feedback, and what the log tells of policies."""

from dataclasses import dataclass, field
from typing import NamedTuple

import streamlit as st

from ui import cached, look, service

KEPT = "exploration"


class Asked(NamedTuple):
    """For whom a list is, what was taken just now, and what it may hold."""

    user: str | None
    items: tuple[str, ...]
    where: str
    k: int


@dataclass
class Exploration:
    """A list that was drawn and logged once, and what was said of its drawn items since.

    It stays until something else is asked for: the page runs again at each click, and a list that nobody saw must not
    be logged.
    """

    runtime: service.Runtime
    asked: Asked
    offered: service.Offered
    said: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, runtime: service.Runtime, asked: Asked) -> "Exploration":
        """The list on the page, or a new one where another was asked for."""
        wants_new = st.button("Draw again", icon=":material/casino:")
        kept = st.session_state.get(KEPT)
        if not wants_new and isinstance(kept, cls) and (kept.runtime.digest, kept.asked) == (runtime.digest, asked):
            return kept
        offered = service.explore(runtime, user=asked.user, items=asked.items, where=asked.where, k=asked.k)
        drawn = st.session_state[KEPT] = cls(runtime, asked, offered)
        cached.exposures.clear()
        return drawn

    def below(self, hit: service.Found) -> None:
        """Below a drawn card: how likely it was, and what one can say of it; nothing below the others."""
        drawn = self.offered.explored.get(hit.id)
        if drawn is None:
            return
        st.html(look.chips([("explored, drawn with", f"{drawn.propensity:.1%}")]))
        if drawn.exposure in self.said:
            st.html(look.quiet("Noted: taken." if self.said[drawn.exposure] else "Noted: not for this user."))
            return
        beside = st.container(horizontal=True)
        for label, taken in (("Take it", True), ("Not for me", False)):
            beside.button(
                label,
                key=f"{'take' if taken else 'leave'}_{drawn.exposure}",
                on_click=self.say,
                args=(drawn.exposure, taken),
            )

    def say(self, exposure: str, taken: bool) -> None:  # noqa: FBT001 - Streamlit calls it with what stands in `args`
        """Send what was clicked, once."""
        with look.kindly():
            service.feedback(self.runtime, exposure, taken=taken)
            self.said[exposure] = taken
            cached.exposures.clear()


def policies(scenario: str) -> None:
    """What was explored so far, and what each policy would bring."""
    with st.expander("What exploring has told so far"):
        report = cached.exposures(scenario)
        st.html(
            look.figures(
                [
                    (f"{name}: taken of {own.shown}", "-" if own.click_rate is None else f"{own.click_rate:.1%}")
                    for name, own in (("Explored places", report.explored), ("Other places", report.others))
                ]
            )
        )
        if not report.policies:
            st.html(look.quiet("Nothing was drawn yet, so there is nothing to judge by."))
            return
        rows = [[one.policy, _estimate(one), f"{one.effective:.0f}", " ".join(one.notes)] for one in report.policies]
        st.html(look.table(["policy", "reward a choice, 95% interval", "effective choices", "note"], rows))


def _estimate(one: service.Judged) -> str:
    return "-" if one.value is None else f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
