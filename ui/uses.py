"""What pages ask a release beyond predictions and searches: items for a user, and answers in a conversation."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flows.events import history_of, users_of
from flows.exploring import exploring_of, log_of
from releases.exploring import noted
from releases.exploring_report import ExposureReport, report_of
from releases.found import Hit
from releases.recommending import Recommendation
from releases.runtime import Runtime
from retrieval.answering.asking import Answered
from retrieval.answering.conversation import Conversation, Turn
from retrieval.recommending.recommender import Event
from ui.asking import Found, found_of

LISTED_USERS = 200


@dataclass(frozen=True)
class Explored:
    """What feedback speaks of, and how likely the item was."""

    exposure: str
    propensity: float


@dataclass(frozen=True)
class Offered:
    """Items for somebody, best first, how many events they go by, and the seconds that it took.

    `explored` are, by item, those that were drawn.
    """

    found: tuple[Found, ...]
    history: int
    seconds: float
    explored: Mapping[str, Explored] = field(default_factory=dict)


def users(runtime: Runtime) -> tuple[str, ...]:
    """Those who did most. Raises RequestError where the release recommends nothing."""
    return tuple(users_of(runtime)[:LISTED_USERS])


def recommend(
    runtime: Runtime, *, user: str | None, items: Sequence[str] = (), where: str = "", k: int = 12
) -> Offered:
    """Items for a user, or a visitor without a name, who took some just now. Raises RequestError and FilterError."""
    begun = time.perf_counter()
    known = history_of(runtime, user) if user else []
    history = [*known, *(Event(item, time=time.time()) for item in items)]
    hits = runtime.recommend(history, k=k, where=where.strip() or None)
    return Offered(
        found=tuple(_offered(runtime, hit) for hit in hits), history=len(history), seconds=time.perf_counter() - begun
    )


def explores(runtime: Runtime) -> bool:
    """Whether a release's lists can explore."""
    return bool((runtime.facts.get("recommend") or {}).get("explore"))


def explore(runtime: Runtime, *, user: str | None, items: Sequence[str] = (), where: str = "", k: int = 12) -> Offered:
    """As `recommend`, with the last places drawn, and all of it logged. Raises RequestError where nothing explores."""
    begun = time.perf_counter()
    known = history_of(runtime, user) if user else []
    history = [*known, *(Event(item, time=time.time()) for item in items)]
    shown = exploring_of(runtime).recommend(history, user=user, k=k, where=where.strip() or None)
    drawn = {one.item.id: Explored(one.exposure, one.propensity) for one in shown if one.propensity is not None}
    return Offered(
        found=tuple(_offered(runtime, one.item) for one in shown),
        history=len(history),
        seconds=time.perf_counter() - begun,
        explored=drawn,
    )


def feedback(runtime: Runtime, exposure: str, *, taken: bool) -> None:
    """Note whether an item that was drawn was taken. Raises RequestError for an exposure that there is not."""
    noted(log_of(runtime.name), exposure, reward=float(taken))


def exposures(scenario: str) -> ExposureReport:
    """What exploring has shown so far, and what other policies would have brought."""
    return report_of(log_of(scenario))


def _offered(runtime: Runtime, hit: Recommendation) -> Found:
    """An item as a card, with what speaks for it."""
    card = found_of(runtime, Hit(hit.id, hit.score, dict(hit.row), ranks={}, cosines={}, image=hit.image))
    rows = runtime.searcher.snapshot.rows(list(hit.because))
    title = runtime.facts["index"]["show"][0]
    because = [str(rows[item][title] or item) for item in hit.because if item in rows]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in hit.parts.items())
    place = ", ".join(f"{name.replace('_', ' ')} {share:+.0%}" for name, share in hit.why.items())
    why = (
        f"by {shares}",
        *([f"because of {'; '.join(because)}"] if because else []),
        *([f"in this place by {place}"] if place else []),
    )
    return Found(card.id, card.title, card.body, card.facts, why, card.picture)


def ask(runtime: Runtime, question: str, said: Sequence[tuple[str, Answered]]) -> Answered:
    """An answer, or a hand-over, after what was said before."""
    turns = tuple(Turn(one, found.text, tuple(cited.id for cited in found.citations)) for one, found in said)
    return runtime.ask(question, conversation=Conversation(turns) if turns else None)
