"""What a row must look like, and the check that turns raw values into typed ones."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ingestion.refusals import RowRefused
from ingestion.sources import TableSource
from ingestion.values import as_category, as_labels, as_number, as_text, as_time, is_missing
from polyloom.errors import DataError, suggestion

PARSERS: dict[str, Callable[[object], object]] = {
    "number": as_number,
    "category": as_category,
    "labels": as_labels,
    "text": as_text,
    "time": as_time,
}


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

    @classmethod
    def of(cls, source: TableSource, *, targets: Iterable[str] = ()) -> "Schema":
        """The schema of a source. A row must have a value in each of `targets`, as in `source.required`."""
        kinds = {name: "category" for name in (source.key, source.user, source.item, source.weight) if name}
        if source.time:
            kinds[source.time] = "time"
        if source.split:
            kinds[source.split] = "category"
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
        )

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

    def check(self, values: Mapping[str, object]) -> dict[str, object]:
        """The typed values of a row; a picture's is left as it came.

        Raises:
            RowRefused: a value is of the wrong type, or missing though it may not be.
        """
        typed = {name: self._typed(name, kind, values.get(name)) for name, kind in self.kinds.items()}
        for name in self.required:
            if is_missing(typed[name] if name in typed else values.get(name)):
                raise RowRefused("missing_value", f"{name!r} is empty; the scenario needs a value in it.")
        if self.text and all(typed[name] is None for name in self.text):
            raise RowRefused("empty_text", f"all text columns are empty: {', '.join(self.text)}.")
        return typed

    def _typed(self, name: str, kind: str, value: object) -> object:
        if value is None:
            return None
        if kind == "image":
            return None if is_missing(value) else value
        try:
            parsed = PARSERS[kind](value)
        except RowRefused as refused:
            raise RowRefused(refused.refusal.reason, f"{name!r}: {refused.refusal.message}") from None
        if parsed is None and kind == "number" and name in self.required and str(value).strip():
            raise RowRefused("wrong_type", f"{name!r}: NaN is not a number.")
        return parsed
