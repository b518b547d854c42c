"""What pages ask a release beyond predictions and searches: items for a user, and answers in a conversation."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from flows.events import history_of, users_of
from releases.found import Hit
from releases.recommending import Recommendation
from releases.runtime import Runtime
from retrieval.answering.asking import Answered
from retrieval.answering.conversation import Conversation, Turn
from retrieval.recommending.recommender import Event
from ui.asking import Found, found_of

LISTED_USERS = 200


@dataclass(frozen=True)
class Offered:
    """Items for somebody, best first, how many events they go by, and the seconds that it took."""

    found: tuple[Found, ...]
    history: int
    seconds: float


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
