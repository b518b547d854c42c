"""What a release reads of a row: the columns that are kept of a request, each as what it is read as."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.marked import MarkedPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.pictures import PicturePreparation

# A number is clipped five deviations from the mean; one that lies further out is no other number to the model.
SEEN_DEVIATIONS = 6.0


class Bounds(NamedTuple):
    """Between these a number is told from its neighbours; beyond them the model sees the same."""

    low: float
    high: float


class Place(NamedTuple):
    """A column that holds the place of a character of a text: where a stretch begins, or after its end."""

    text: str
    is_end: bool


@dataclass(frozen=True, kw_only=True)
class ReadColumns:
    """Columns by how they are read; one that is in none of these is not kept.

    `numbers` has each column's bounds, `categories` the values that the release knows.
    """

    texts: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()
    numbers: Mapping[str, Bounds] = field(default_factory=dict)
    categories: Mapping[str, frozenset[str]] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, preparations: Iterable[Any]) -> "ReadColumns":
        """The columns that a release's preparations read."""
        texts: set[str] = set()
        pictures: set[str] = set()
        numbers: dict[str, Bounds] = {}
        categories: dict[str, frozenset[str]] = {}
        places: dict[str, Place] = {}
        for one in preparations:
            if isinstance(one, PicturePreparation):
                pictures.add(one.column)
            elif isinstance(one, NumberPreparation):
                numbers |= widest(numbers, one)
            elif isinstance(one, CategoryPreparation):
                categories |= {name: categories.get(name, frozenset()) | {*known} for name, known in one.values.items()}
            else:
                texts.update(one.columns)
                if isinstance(one, MarkedPreparation):
                    # First character and the one after the last, in turn.
                    places |= {name: Place(one.columns[0], bool(n % 2)) for n, name in enumerate(one.ranges)}
        return cls(
            texts=frozenset(texts), pictures=frozenset(pictures), numbers=numbers, categories=categories, places=places
        )

    @property
    def all(self) -> frozenset[str]:
        """Every column that is read."""
        return self.texts | self.pictures | self.numbers.keys() | self.categories.keys() | self.places.keys()


def widest(known: Mapping[str, Bounds], one: NumberPreparation) -> dict[str, Bounds]:
    """The bounds of a preparation's columns, as wide as those that another one has for them."""
    found = {}
    for name, mean, deviation in zip(one.columns, one.mean, one.deviation, strict=True):
        low, high = mean - SEEN_DEVIATIONS * deviation, mean + SEEN_DEVIATIONS * deviation
        before = known.get(name, Bounds(low, high))
        found[name] = Bounds(min(low, before.low), max(high, before.high))
    return found
