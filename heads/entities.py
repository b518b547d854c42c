"""Entities as tags of words and as spans: BIO and BIOES, read leniently, written strictly."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np

Scheme = Literal["BIO", "BIOES"]
OUTSIDE = "O"
PREFIXES: dict[Scheme, str] = {"BIO": "BI", "BIOES": "BIES"}
# BILOU and its kin say the same with other letters.
SYNONYMS = {"L": "E", "U": "S", "W": "S"}


class Entity(NamedTuple):
    """Words `start` to `end` (exclusive) of one type."""

    kind: str
    start: int
    end: int


def tag_names(types: Sequence[str], scheme: Scheme) -> tuple[str, ...]:
    """Every tag of the scheme: `O`, then each type's in the order of `PREFIXES`."""
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in types for prefix in PREFIXES[scheme]))


def entities_of(tags: Sequence[str]) -> list[Entity]:
    """The entities that tags mean, whichever scheme they are in (IOB1, BIO, BIOES, BILOU), in order.

    The rule of conlleval and of seqeval's default mode: an entity starts at B and S, after O, E and S, and where
    the type changes; every other tag that is not O continues it. `ORG` alone counts as `I-ORG`.
    """
    found: list[Entity] = []
    before, open_kind = OUTSIDE, ""
    for place, tag in enumerate(tags):
        prefix, kind = split_tag(tag)
        if prefix == OUTSIDE:
            before = OUTSIDE
            continue
        if prefix in "BS" or before in "OES" or kind != open_kind:
            found.append(Entity(kind, place, place + 1))
        else:
            found[-1] = found[-1]._replace(end=place + 1)
        before, open_kind = prefix, kind
    return found


def tags_of(entities: Iterable[Entity], *, words: int, scheme: Scheme) -> list[str]:
    """The tags of a sentence of so many words; entities may not overlap."""
    tags = [OUTSIDE] * words
    for kind, start, end in entities:
        for place in range(start, end):
            tags[place] = f"{prefix_at(place, start, end, scheme)}-{kind}"
    return tags


def prefix_at(place: int, start: int, end: int, scheme: Scheme) -> str:
    """The prefix of one word of an entity."""
    if scheme == "BIO":
        return "B" if place == start else "I"
    if end - start == 1:
        return "S"
    return "B" if place == start else "E" if place == end - 1 else "I"


def tag_list(value: object) -> list[str]:
    """A row's tags; none where the row has no target."""
    return [str(tag) for tag in value] if isinstance(value, (list, tuple, np.ndarray)) else []


def split_tag(tag: str) -> tuple[str, str]:
    """Prefix and type of a tag; the prefix is one of O, B, I, E, S."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, dash, kind = tag.partition("-")
    prefix = SYNONYMS.get(prefix, prefix)
    return (prefix, kind) if dash and prefix in {"B", "I", "E", "S"} else ("I", tag)


def allowed_transitions(tags: Sequence[str], scheme: Scheme) -> np.ndarray:
    """Which tag may follow which, bool [tags, tags] from row to column; before and after a sentence stands O."""
    parts = [split_tag(tag) for tag in tags]
    return np.array([[may_follow(one, other, scheme) for other in parts] for one in parts], dtype=bool)


def may_follow(one: tuple[str, str], other: tuple[str, str], scheme: Scheme) -> bool:
    """Whether a tag (prefix, type) may come after another. In BIOES an entity that was begun is also ended."""
    inside = one[0] in "BI"
    if other[0] in "IE":
        return inside and one[1] == other[1]
    return not (inside and scheme == "BIOES")


def continuing(tags: Sequence[str]) -> np.ndarray:
    """Which tags go on with the entity of the word before, bool [tags]."""
    return np.array([split_tag(tag)[0] in "IE" for tag in tags], dtype=bool)
