"""What must hold within the `data` section: columns and tables that are named are there, checks fit their columns."""

import codecs
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from flows.source_spec import (
    Checks,
    Conll,
    Data,
    Documents,
    Feedback,
    Files,
    Idx,
    Records,
    Rows,
    Semeval,
    Sql,
    Squad,
    Table,
    WatchedFolder,
)
from polyloom.errors import RequestError, suggestion

Sources = Mapping[str, Data]
ENCODINGS = ("utf-8", "utf-16", "latin-1", "cp1252", "gb18030", "big5", "shift_jis")
RANGED = {"number", "time"}
LISTS = {"labels", "tokens"}
# What a source of a fixed layout gives.
GIVEN_COLUMNS = {
    "semeval": ("id", "sentence", "relation", "comment"),
    "squad": ("id", "title", "paragraph", "question", "context", "answers", "answer_start"),
    "documents": ("passage", "document", "title", "heading", "text", "start", "end", "page"),
}
WORDS = {"text", "category", *LISTS}


def source_problems(name: str, sources: Sources) -> Iterator[str]:
    """One sentence for each thing in `data.NAME` that leads nowhere or cannot be meant."""
    rows, place = sources[name], f"data.{name}"
    kinds = column_kinds(rows)
    yield from (unknown(f"{place}.required", column, kinds) for column in rows.required if column not in kinds)
    twice = set(rows.text) & set(rows.columns)
    if twice:
        yield f"{place}: {sorted(twice)} stand both in text and in columns; one is enough."
    for column, checks in rows.checks.items():
        if column not in kinds:
            yield unknown(f"{place}.checks", column, kinds)
        else:
            yield from check_problems(f"{place}.checks.{column}", kinds[column], checks, sources)
    yield from order_problems(place, rows.order, kinds)
    yield from length_problems(place, rows.same_length, kinds)
    yield from split_problems(place, rows)
    yield from kind_problems(place, rows)
    of_clicks = (
        isinstance(rows, Table) and rows.feedback == "clicks",
        isinstance(rows, Feedback) and rows.of == "clicks",
    )
    if any(of_clicks) and isinstance(rows, Records) and not (rows.user and rows.item):
        yield f"{place}: clicks say who took what. Name the columns for that: `user` and `item`."


def column_kinds(rows: Rows) -> dict[str, str]:
    """What each declared column of a source holds; a picture's kind is `image`."""
    kinds = {name: "category" for name in (rows.split, rows.group) if name}
    if isinstance(rows, Records):
        kinds |= {name: "category" for name in (rows.key, rows.user, rows.item, rows.event) if name}
        kinds |= {rows.time: "time"} if rows.time else {}
    kinds |= {rows.time_split: "time"} if rows.time_split else {}
    kinds |= dict.fromkeys(rows.text, "text") | dict(rows.columns)
    return kinds | ({rows.image: "image"} if rows.image else {})


def check_problems(place: str, kind: str, checks: Checks, sources: Sources) -> Iterator[str]:
    """Checks that a column of this kind cannot have."""
    for word, bound in (("min", checks.minimum), ("max", checks.maximum)):
        if bound is not None and (kind not in RANGED or (kind == "time") != isinstance(bound, datetime)):
            needed = {"number": "a number", "time": "a time"}.get(kind, "a column of kind number or time")
            yield f"{place}.{word}: the column is declared as {kind}; {word} needs {needed}."
    if not in_order(checks.minimum, checks.maximum):
        yield f"{place}: min {checks.minimum} is above max {checks.maximum}; no value could pass."
    if checks.pattern is not None:
        yield from pattern_problems(f"{place}.pattern", kind, checks.pattern)
    if checks.allowed is not None:
        yield from allowed_problems(f"{place}.allowed", kind, checks.allowed)
    if checks.unique and kind in {*LISTS, "boxes"}:
        yield f"{place}.unique: the column is declared as {kind}; a list cannot be unique."
    if checks.references is not None:
        yield from reference_problems(f"{place}.in", kind, checks.references, sources)


def in_order(minimum: float | datetime | None, maximum: float | datetime | None) -> bool:
    """Whether a range has room; one of two kinds is another mistake."""
    if isinstance(minimum, datetime) and isinstance(maximum, datetime):
        return minimum.replace(tzinfo=minimum.tzinfo or UTC) <= maximum.replace(tzinfo=maximum.tzinfo or UTC)
    if isinstance(minimum, float) and isinstance(maximum, float):
        return minimum <= maximum
    return True


def pattern_problems(place: str, kind: str, pattern: str) -> Iterator[str]:
    """A pattern that cannot be read, or that stands at a column without text."""
    from ingestion.rules import pattern_mistake

    if kind not in WORDS:
        yield f"{place}: the column is declared as {kind}; a pattern needs text, category or labels."
    if mistake := pattern_mistake(pattern):
        yield f"{place}: {mistake}"


def allowed_problems(place: str, kind: str, allowed: Iterable[object]) -> Iterator[str]:
    """Values that the column could not hold."""
    if kind not in {*WORDS, "number"}:
        yield f"{place}: the column is declared as {kind}; a list of values needs number, text, category or labels."
    if kind == "number":
        for value in allowed:
            if not isinstance(value, float):
                yield f"{place}: {value!r} is not a number, but the column is declared as number."


def reference_problems(place: str, kind: str, table: str, sources: Sources) -> Iterator[str]:
    """A table that is not there or has no key, or a column whose values are no keys."""
    if table not in sources:
        yield unknown(place, table, sources)
        return
    target = sources[table]
    if not (isinstance(target, Records) and target.key):
        yield f"{place}: data.{table} has no key that a value could name. Declare `key: COLUMN` there."
    if kind != "category":
        yield f"{place}: the column is declared as {kind}; a value that names a key is a category."


def order_problems(place: str, order: tuple[str, ...], kinds: Mapping[str, str]) -> Iterator[str]:
    """Columns that cannot be compared with each other."""
    if len(order) == 1:
        yield f"{place}.order: {order[0]!r} alone has no order; name two columns or more."
    yield from (unknown(f"{place}.order", column, kinds) for column in order if column not in kinds)
    found = {column: kinds[column] for column in order if column in kinds}
    if set(found.values()) - RANGED or len(set(found.values())) > 1:
        told = ", ".join(f"{column} is {kind}" for column, kind in found.items())
        yield f"{place}.order: {told}; all must be time, or all number."


def length_problems(place: str, columns: tuple[str, ...], kinds: Mapping[str, str]) -> Iterator[str]:
    """Columns that have no length, or one column that has nothing to be compared with."""
    if len(columns) == 1:
        yield f"{place}.same_length: {columns[0]!r} alone is of one length; name two columns or more."
    for column in columns:
        if column not in kinds:
            yield unknown(f"{place}.same_length", column, kinds)
        elif kinds[column] not in {*LISTS, "boxes"}:
            told = f"{column!r} is declared as {kinds[column]}"
            yield f"{place}.same_length: {told}; a length needs labels, tokens or boxes."


def split_problems(place: str, rows: Rows) -> Iterator[str]:
    """More than one answer to the question which rows are for training."""
    by_file = isinstance(rows, Files) and isinstance(rows.path, dict)
    if rows.split and by_file:
        yield f"{place}.split: the files already say which rows are for training; leave it out."
    given = {"group": rows.group, "time_split": rows.time_split, "split": rows.split, "a path for each split": by_file}
    named = [word for word, value in given.items() if value]
    if len(named) > 1 and (rows.group or rows.time_split):
        yield f"{place}.{named[0]}: {' and '.join(named)} exclude each other; each says which rows are for training."
    for word, column, wanted in (("group", rows.group, "category"), ("time_split", rows.time_split, "time")):
        kind = rows.columns.get(column) if column else None
        if kind not in {None, wanted} or (column and column in rows.text):
            yield f"{place}.{word}: {column!r} is declared as {kind or 'text'}; {word} needs {wanted}."


def kind_problems(place: str, rows: Rows) -> Iterator[str]:
    """What only one kind of source can get wrong."""
    if isinstance(rows, Table | Conll | Semeval | Squad | WatchedFolder) and not is_encoding(rows.encoding):
        yield (
            f"{place}.encoding: {rows.encoding!r} is not a text encoding.{suggestion(rows.encoding, ENCODINGS)} "
            f"Allowed are `auto` and Python's encodings, such as {', '.join(ENCODINGS)}."
        )
    if isinstance(rows, Sql):
        if (rows.query is None) == (rows.table is None):
            yield f"{place}: give either `query` or `table`, one of the two."
        if "://" not in rows.url and not rows.url.startswith("${"):
            yield f"{place}.url: {rows.url!r} is no database URL, such as 'postgresql+psycopg://host/name'."
    if isinstance(rows, Conll):
        there = {*rows.fields, "document"}
        yield from (unknown(f"{place}.columns", column, there) for column in rows.columns if column not in there)
    given = GIVEN_COLUMNS.get(getattr(rows, "kind", ""))
    if given is not None:
        yield from (unknown(f"{place}.columns", name, given) for name in rows.column_names() if name not in given)
    if isinstance(rows, Documents):
        yield from document_problems(place, rows)
    if isinstance(rows, Idx) and rows.labels is None and "label" in rows.columns:
        yield f"{place}.labels: missing, but it is the file that `label` comes from. Name it, or write `columns: {{}}`."
    if rows.personal.mask and "text" not in column_kinds(rows).values():
        yield f"{place}.personal.mask: there is no text column to mask in. Name one under `text`."


def document_problems(place: str, rows: Documents) -> Iterator[str]:
    """Passages of lengths that cannot be, and a pattern that leads out of the folder."""
    from ingestion.documents.passages import check_lengths
    from ingestion.readers.documents import check_pattern

    try:
        check_lengths(rows.characters, rows.overlap)
    except RequestError as error:
        yield f"{place}.overlap: {error}"
    try:
        check_pattern(rows.pattern)
    except RequestError as error:
        yield f"{place}.{error}"


def is_encoding(name: str) -> bool:
    """Whether text can be read as that, or its encoding is to be found out."""
    try:
        return name == "auto" or bool("a".encode(codecs.lookup(name).name))
    except LookupError:
        return False


def unknown(place: str, word: str, known: Iterable[str]) -> str:
    """A name that leads nowhere, with the nearest one that does not."""
    names = sorted(known)
    return f"{place}: {word!r} is not there.{suggestion(word, names)} There is {', '.join(names) or 'nothing'}."
