"""What the rows of a table must look like."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingestion.cleaning import Cleaning
from ingestion.masking import Masking
from ingestion.personal import Personal
from ingestion.rules import Rules
from ingestion.sources import TableSource
from polyloom.errors import DataError, suggestion


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The declared columns of one table. `kinds` maps a column to its kind; a picture's kind is `image`.

    `content` are the columns that make up a row's content: all but its key and its split.
    """

    kinds: Mapping[str, str]
    required: frozenset[str]
    text: tuple[str, ...]
    image: str | None
    content: tuple[str, ...]
    cleaning: Cleaning
    rules: Rules | None
    personal: Personal | None

    @classmethod
    def of(cls, source: TableSource, *, targets: Iterable[str] = ()) -> "Schema":
        """The schema of a source. A row must have a value in each of `targets`, as in `source.required`."""
        kinds = {name: "category" for name in (source.key, source.user, source.item, source.weight) if name}
        if source.time:
            kinds[source.time] = "time"
        kinds |= dict.fromkeys([name for name in (source.split, source.group) if name], "category")
        if source.time_split:
            kinds[source.time_split] = "time"
        kinds |= dict.fromkeys(source.text, "text") | dict(source.columns)
        if source.image:
            kinds[source.image] = "image"
        described = {*source.text, *source.columns}
        named = (source.key, source.user, source.item)
        return cls(
            kinds=kinds,
            required=frozenset({*source.required, *targets, *(name for name in named if name)}),
            text=source.text,
            image=source.image,
            content=tuple(name for name in kinds if name not in {source.key, source.split} or name in described),
            cleaning=source.cleaning or Cleaning(),
            rules=source.rules,
            personal=Personal(mask=source.mask) if source.mask else None,
        )

    @property
    def masking(self) -> Masking | None:
        """How refused rows are masked; None where nothing is."""
        columns = tuple(name for name, kind in self.kinds.items() if kind == "text")
        return None if self.personal is None else Masking(kinds=self.personal.kinds, columns=columns)

    def columns(self) -> list[str]:
        """Every declared column and every required one, in order of declaration."""
        return [*self.kinds, *sorted(self.required - self.kinds.keys())]

    def check_columns(self, found: Iterable[str], *, where: str, hint: str = "") -> None:
        """Raises DataError when a declared column is not among those that a file has."""
        there = sorted(set(found))
        for name in self.columns():
            if name not in there:
                raise DataError(
                    f"{where}: no column {name!r}. Columns there: {', '.join(map(repr, there)) or 'none'}."
                    f"{suggestion(name, there)}{hint}"
                )
