"""Filters such as `price < 20 AND category = 'shoes'`: parsed, checked against the columns, never pasted.

Only what stands in `WORDS` and `PARTS` is understood. As in SQL a comparison with a missing value is unknown,
and so is its opposite, so that such a row never matches.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import ParseError, Token, TokenError, Tokenizer, TokenType, exp
from sqlglot.parser import Parser

from polyloom.errors import FilterError, suggestion
from retrieval.predicates import (
    Column,
    Condition,
    Operator,
    Value,
    all_of,
    any_of,
    compare,
    is_missing,
    matches,
    opposite,
)

MAX_CHARACTERS = 2_000
MAX_NESTING = 32
HINT = (
    "Allowed are =, <>, <, <=, >, >=, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL and parentheses, "
    "for example: price < 20 AND category = 'shoes'"
)
OPERATORS: dict[type[exp.Condition], Operator] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
# Each construct that is understood, with the parts that may be there: sqlglot hides meaning in optional ones.
PARTS: dict[type[exp.Condition], set[str]] = {
    **{operator: {"this", "expression"} for operator in OPERATORS},
    exp.And: {"this", "expression"},
    exp.Or: {"this", "expression"},
    exp.Not: {"this"},
    exp.Paren: {"this"},
    exp.Neg: {"this"},
    exp.Column: {"this"},
    exp.Is: {"this", "expression", "negate"},
    exp.Like: {"this", "expression", "negate"},
    exp.ILike: {"this", "expression", "negate"},
    exp.In: {"this", "expressions", "negate"},
    exp.Between: {"this", "low", "high", "negate"},
    exp.Literal: {"this", "is_string"},
    exp.Null: set(),
}
KEYWORDS = {TokenType[name] for name in ("AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "ILIKE", "IS", "NULL")}
SIGNS = {TokenType[name] for name in ("EQ", "NEQ", "LT", "LTE", "GT", "GTE", "DASH", "COMMA", "L_PAREN", "R_PAREN")}
NAMES = {TokenType[name] for name in ("VAR", "IDENTIFIER")}
VALUES = {TokenType[name] for name in ("NUMBER", "STRING")}
WORDS = KEYWORDS | SIGNS | NAMES | VALUES


@dataclass(frozen=True)
class Filter:
    """A filter that fits its columns."""

    text: str
    condition: Condition

    def mask(self, table: pa.Table) -> np.ndarray:
        """Which rows match, bool [rows]. Raises: DataError when the table lacks a column or holds another type."""
        return truths(pc.fill_null(self.condition(table), False))  # noqa: FBT003


def truths(known: pa.ChunkedArray | pa.BooleanArray) -> np.ndarray:
    """Bits without a missing one as bool [rows]: pyarrow's own way takes ten times as long for a million."""
    chunks = known.chunks if isinstance(known, pa.ChunkedArray) else [known]
    bits = [
        np.unpackbits(np.frombuffer(chunk.buffers()[1], np.uint8), count=chunk.offset + len(chunk), bitorder="little")[
            chunk.offset :
        ]
        for chunk in chunks
        if len(chunk)
    ]
    return np.concatenate(bits).view(np.bool_) if bits else np.zeros(0, dtype=np.bool_)


def parse_filter(text: str, columns: Mapping[str, str]) -> Filter:
    """The filter in `text` over `columns` (name -> number, category, text, labels or time).

    `labels = 'x'` means that x is among the labels; a time is written as ISO text, in UTC unless it says otherwise;
    in LIKE, % stands for any text, _ for one character, and a backslash makes the next character literal.

    Raises: FilterError saying what is not understood.
    """
    tokens = _tokens(text, columns)
    try:
        root = Parser().parse_into(exp.Condition, tokens, text)[0]
    except ParseError as error:
        place = error.errors[0]
        raise FilterError(
            f"The filter cannot be read near {place['highlight']!r} (character {place['col']}). {HINT}."
        ) from error
    if not isinstance(root, exp.Condition):
        raise FilterError(f"The filter is empty. {HINT}.")
    return Filter(text=text, condition=_Translation(columns).condition(root))


def _tokens(text: str, columns: Mapping[str, str]) -> list[Token]:
    """The words of a filter; a column's name is one even where SQL has another use for that word."""
    if len(text) > MAX_CHARACTERS:
        raise FilterError(f"The filter has {len(text)} characters; at most {MAX_CHARACTERS} are allowed. Shorten it.")
    try:
        tokens = Tokenizer().tokenize(text)
    except TokenError as error:
        raise FilterError(f"The filter cannot be read: a quote is opened but not closed. {HINT}.") from error
    for token in tokens:
        if token.text in columns and token.token_type not in KEYWORDS | VALUES:
            token.token_type = TokenType.IDENTIFIER
        if token.token_type not in WORDS:
            raise FilterError(f"{token.text!r} (character {token.start + 1}) is not understood in a filter. {HINT}.")
    _check_nesting(tokens)
    return tokens


def _check_nesting(tokens: list[Token]) -> None:
    """Refuse what would need a deep recursion: parentheses, and NOT or minus upon each other."""
    open_parentheses = prefixes = 0
    for token in tokens:
        prefixes = prefixes + 1 if token.token_type in {TokenType.NOT, TokenType.DASH} else 0
        open_parentheses += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
        if open_parentheses + prefixes > MAX_NESTING:
            raise FilterError(f"The filter nests deeper than {MAX_NESTING} levels. Write it flatter.")


class _Translation:
    """From sqlglot's tree to a condition over a table."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns

    def condition(self, node: exp.Condition) -> Condition:
        """A node that is true, false or unknown for each row."""
        _check_parts(node)
        found = self._connected(node) or self._compared(node) or self._listed(node)
        if found is None:
            raise FilterError(f"{_name(node)} alone is not a condition. Compare a column with a value. {HINT}.")
        return opposite(found) if node.args.get("negate") else found

    def _connected(self, node: exp.Condition) -> Condition | None:
        match node:
            case exp.And():
                return all_of(self._each(node.flatten()))
            case exp.Or():
                return any_of(self._each(node.flatten()))
            case exp.Not():
                return opposite(self.condition(node.this))
            case exp.Paren():
                return self.condition(node.this)
        return None

    def _each(self, nodes: Iterable[Any]) -> list[Condition]:
        return [self.condition(node) for node in nodes]

    def _compared(self, node: exp.Condition) -> Condition | None:
        match node:
            case exp.Like() | exp.ILike():
                value = self._operand(node.expression)
                return matches(self._column(node.this), value, ignore_case=isinstance(node, exp.ILike))
            case exp.Is():
                if not isinstance(node.expression, exp.Null):
                    raise FilterError(f"IS {_name(node.expression)} is not understood; IS NULL and IS NOT NULL are.")
                return is_missing(self._column(node.this))
        if type(node) in OPERATORS:
            return compare(self._operand(node.this), OPERATORS[type(node)], self._operand(node.expression))
        return None

    def _listed(self, node: exp.Condition) -> Condition | None:
        match node:
            case exp.In():
                column = self._column(node.this)
                if not node.expressions:
                    raise FilterError(f"IN needs values in parentheses, such as {column.name} IN ('a', 'b').")
                return any_of([compare(column, "=", self._operand(value)) for value in node.expressions])
            case exp.Between():
                value, low, high = (self._operand(node.args[part]) for part in ("this", "low", "high"))
                return all_of([compare(value, ">=", low), compare(value, "<=", high)])
        return None

    def _operand(self, node: exp.Condition) -> Column | Value:
        _check_parts(node)
        match node:
            case exp.Column():
                return self._column(node)
            case exp.Literal():
                return _value(node, sign="")
            case exp.Neg() if isinstance(node.this, exp.Literal):
                return _value(node.this, sign="-")
            case exp.Null():
                raise FilterError("Nothing equals NULL. Write IS NULL or IS NOT NULL.")
        raise FilterError(f"{_name(node)} stands where a column or a value is expected. {HINT}.")

    def _column(self, node: exp.Condition) -> Column:
        _check_parts(node)
        if not isinstance(node, exp.Column):
            raise FilterError(f"{_name(node)} stands where a column is expected. {HINT}.")
        if node.name not in self._columns:
            near = suggestion(node.name, self._columns)
            quoted = f" Text stands in single quotes: '{node.name}'." if node.this.args.get("quoted") else ""
            known = ", ".join(sorted(self._columns))
            raise FilterError(f"There is no column {node.name!r}.{near}{quoted} Columns: {known}.")
        return Column(name=node.name, kind=self._columns[node.name])


def _check_parts(node: exp.Condition) -> None:
    """Refuse a construct that is not in `PARTS`, or has a part that is not."""
    present = {name for name, value in node.args.items() if value not in (None, False, [])}
    if type(node) not in PARTS or not present <= PARTS[type(node)]:
        raise FilterError(f"{_name(node)} is not understood in a filter. {HINT}.")


def _name(node: exp.Condition) -> str:
    """What a person would call a node; its whole SQL could be deep."""
    named = isinstance(node, exp.Column | exp.Literal | exp.Anonymous)
    return repr(node.name) if named else type(node).__name__.upper()


def _value(node: exp.Literal, *, sign: str) -> Value:
    """A literal as Python's own."""
    if node.is_string and sign:
        raise FilterError(f"A minus cannot stand before the text {node.name!r}. Write numbers without quotes.")
    try:
        return node.name if node.is_string else float(sign + node.name)
    except ValueError as error:
        raise FilterError(f"{node.name!r} is not a number. Write one such as 20 or 1.5.") from error
