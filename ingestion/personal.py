"""Personal data in texts: mail addresses, telephone numbers, card numbers, identity numbers; found and masked."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.personal_kinds.cards import cards
from ingestion.personal_kinds.identities import identities
from ingestion.personal_kinds.mail import mails
from ingestion.personal_kinds.phones import phones
from ingestion.personal_kinds.surroundings import fold
from polyloom.errors import RequestError, suggestion

Kind = Literal["mail", "phone", "card", "identity"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# In this order: what an identity number or a card takes is no telephone number.
FINDERS: dict[Kind, Callable[[str], Iterator[tuple[int, int]]]] = {
    "mail": mails,
    "identity": identities,
    "card": cards,
    "phone": phones,
}
FEWEST_DIGITS = 6
# One pass in RE2 over the whole column; what has fewer digits never reaches Python.
SUSPECT = rf"[@＠]|(?:[0-9０-９][^0-9０-９]{{0,4}}){{{FEWEST_DIGITS}}}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A piece of personal data: `text[start:end]`."""

    kind: Kind
    start: int
    end: int


def find(text: str) -> list[Found]:
    """What is personal in a text, in the order in which it stands there; nothing overlaps."""
    folded = fold(text)
    kinds = KINDS if sum(map(folded.count, "0123456789")) >= FEWEST_DIGITS else ("mail",)
    taken: list[Found] = []
    for kind, finder in FINDERS.items():
        if kind not in kinds:
            continue
        for start, end in finder(folded):
            if all(end <= other.start or other.end <= start for other in taken):
                taken.append(Found(kind=kind, start=start, end=end))
    return sorted(taken, key=lambda found: found.start)


class Personal:
    """Masks the kinds of personal data that are named. Raises RequestError for a kind that there is not."""

    def __init__(self, *, mask: Iterable[str] = KINDS) -> None:
        self._kinds = frozenset(mask)
        for kind in self._kinds:
            if kind not in KINDS:
                raise RequestError(
                    f"personal.mask: {kind!r} is no kind of personal data. Allowed: {', '.join(KINDS)}."
                    f"{suggestion(kind, KINDS)}"
                )

    def __repr__(self) -> str:
        # It stands in the names of parts: without it every process would take its own rules for new ones.
        return f"Personal(mask={list(self.kinds)})"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is masked."""
        return tuple(kind for kind in KINDS if kind in self._kinds)

    def mask(self, column: pa.StringArray) -> tuple[pa.StringArray, dict[str, int]]:
        """The column with `[mail]`, `[phone]`, `[card]`, `[identity]` in place of each, and how many of each kind."""
        suspect = pc.fill_null(pc.match_substring_regex(column, SUSPECT), False)  # noqa: FBT003
        counts: Counter[str] = Counter()
        masked = [self.mask_text(text, counts) for text in column.filter(suspect).to_pylist()]
        if not counts:
            return column, {}
        return pc.replace_with_mask(column, suspect, pa.array(masked, column.type)), dict(sorted(counts.items()))

    def mask_text(self, text: str, counts: Counter[str] | None = None) -> str:
        """One text, masked; what was masked is added to `counts`."""
        # What stands alone once its neighbour is masked can be found only then: so until nothing is left.
        while found := [one for one in find(text) if one.kind in self._kinds]:
            for one in reversed(found):
                text = f"{text[: one.start]}[{one.kind}]{text[one.end :]}"
            if counts is not None:
                counts.update(one.kind for one in found)
        return text
