"""Sentences with places for a row's values: `"{title} costs {price:.2f}"`. Nothing in one is ever evaluated."""

import math
import re
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal

from polyloom.errors import RequestError, suggestion

NAME = re.compile(r"(?!\d+$)\w(?:[\w \-]*\w)?")
# As wide as a number may be asked to be; a width of a billion would fill the memory.
NUMBER_OR_TEXT = r"(?:.?[<>=^])?[+\- ]?#?0?\d{0,2}[,_]?(?:\.\d{1,2})?[bcdeEfFgGosxX%]?"
DATE = r"[^{}%]*(?:%[a-zA-Z%][^{}%]*)+"
FORMAT = re.compile(f"{NUMBER_OR_TEXT}|{DATE}")
PLAIN = (str, int, float, Decimal, date, time)
MOST_CHARACTERS = 2_000


@dataclass(frozen=True)
class Template:
    """Checked by `parse_template`: literal texts, each followed by a column and its format, both None at the end."""

    text: str
    parts: tuple[tuple[str, str | None, str], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it needs, in their order."""
        return tuple(dict.fromkeys(name for _, name, _ in self.parts if name is not None))

    def fill(self, row: Mapping[str, object]) -> str | None:
        """The sentence of one row; None when a value is missing (None or NaN).

        Raises: RequestError for a column that the row does not have, and a value that does not suit its format.
        """
        _check_columns(self.columns, row, self.text)
        if any(_is_missing(row[name]) for name in self.columns):
            return None
        return "".join(
            literal + (_formatted(name, row[name], spec) if name is not None else "")
            for literal, name, spec in self.parts
        )


def parse_template(text: str, *, columns: Collection[str] | None = None) -> Template:
    """A template whose places are names of columns, with a format after a colon where wanted; `{{` is a brace.

    Raises: RequestError for anything else in braces (an attribute, an index, a conversion, a format within a format,
    a width above 99), for a brace that is left open, and for a column that is not among `columns`.
    """
    if len(text) > MOST_CHARACTERS:
        raise RequestError(f"A template of {len(text):,} characters was given; allowed are {MOST_CHARACTERS:,}.")
    try:
        found = [(literal, name, spec or "", change) for literal, name, spec, change in string.Formatter().parse(text)]
    except ValueError as error:
        raise RequestError(f"Template {text!r}: {error}. Write a brace that is meant as such twice.") from None
    for _, name, spec, change in found:
        if name is not None and (not NAME.fullmatch(name) or not FORMAT.fullmatch(spec) or change):
            raise RequestError(
                f"Template {text!r}: {{{name}{'!' + change if change else ''}{':' + spec if spec else ''}}} is not "
                "allowed. In braces may stand a column's name and a format, as in {price:.2f}."
            )
    template = Template(text, tuple((literal, name, spec) for literal, name, spec, _ in found))
    if columns is not None:
        _check_columns(template.columns, columns, text)
    return template


def _check_columns(wanted: Collection[str], known: Collection[str], text: str) -> None:
    for name in wanted:
        if name not in known:
            raise RequestError(
                f"Template {text!r}: there is no column {name!r}.{suggestion(name, known)} "
                f"There are {', '.join(sorted(known)) or 'none'}."
            )


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float | Decimal) and math.isnan(value))


def _formatted(name: str, value: object, spec: str) -> str:
    """A plain value in its format; other objects could run code of their own."""
    if not isinstance(value, PLAIN):
        raise RequestError(f"Column {name!r} holds a {type(value).__name__}; a template takes text, numbers and dates.")
    try:
        return format(value, spec)
    except ValueError as error:
        raise RequestError(f"Column {name!r}: {value!r} cannot be written as {spec!r} ({error}).") from None
