"""What only several rows or tables can decide: repeated values, lonely labels, references that lead nowhere."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.assembled import AssembledTable
from ingestion.refusals import Refusal, shown


def decide(tables: Mapping[str, AssembledTable], *, rare_labels: Mapping[str, Sequence[str]]) -> None:
    """Refuse what cannot stay beside the other rows, until nothing changes: a refused row may rule out others."""
    for table in tables.values():
        table.refuse_repeated_keys()
        _refuse_repeated_values(table)
    before = -1
    while before != (before := sum(len(table.late) for table in tables.values())):
        for name, table in tables.items():
            _refuse_dangling(table, tables)
            kinds = table.read.schema.kinds
            _refuse_lonely(table, [column for column in rare_labels.get(name, ()) if kinds.get(column) == "category"])


def _refuse_repeated_values(table: AssembledTable) -> None:
    for name, rule in table.read.schema.rules.columns.items() if table.read.schema.rules else ():
        if not rule.unique:
            continue
        kept = table.kept()
        values = table.column(name).take(pa.array(kept))
        codes = np.asarray(pc.fill_null(pc.dictionary_encode(values).indices, -1))
        _, first = np.unique(codes, return_index=True)
        repeats = np.setdiff1d(np.flatnonzero(codes >= 0), first)
        first_of = {int(codes[place]): int(kept[place]) for place in first}
        for place in repeats.tolist():
            where = table.where(first_of[int(codes[place])])
            told = f"{name!r}: {shown(values[place].as_py())} stands in {where} already; it must be unique."
            table.refuse({int(kept[place]): Refusal("not_unique", told)})


def _refuse_dangling(table: AssembledTable, tables: Mapping[str, AssembledTable]) -> None:
    for name, rule in table.read.schema.rules.columns.items() if table.read.schema.rules else ():
        if rule.references is None or rule.references not in tables:
            continue
        other = tables[rule.references]
        known = other.column("_key").take(pa.array(other.kept()))
        kept = table.kept()
        values = table.column(name).take(pa.array(kept))
        lost = pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=known)))
        for place in np.flatnonzero(np.asarray(lost)).tolist():
            told = f"{name!r}: {shown(values[place].as_py())} is no key of the kept rows of {rule.references!r}."
            table.refuse({int(kept[place]): Refusal("unknown_reference", told)})


def _has_none_alone(table: AssembledTable, column: str) -> bool:
    """Whether the parts' profiles, which count the values where these are few, show every label twice or more."""
    counts: Counter[str] = Counter()
    for part in table.read.parts if table.chosen.all() else ():
        figures = table.store.profile(part)["columns"][column]
        if figures["capped"]:
            return False
        counts.update(figures["values"])
    if table.late:
        counts.subtract(table.columns.at(column, np.array(sorted(table.late))).to_pylist())
    return bool(counts) and 1 not in counts.values()


def _refuse_lonely(table: AssembledTable, columns: Sequence[str]) -> None:
    for column in columns:
        if _has_none_alone(table, column):
            continue
        kept = table.kept()
        values = table.column(column)
        if len(kept) < len(values):
            values = values.take(pa.array(kept))
        codes = np.asarray(pc.dictionary_encode(values).indices)
        lonely = np.flatnonzero(np.bincount(codes, minlength=1)[codes] == 1) if len(codes) else codes
        for place in lonely.tolist():
            told = (
                f"{column!r}: {shown(values[place].as_py())} is the only row with this label; "
                f"a label needs two rows or more to be learned and tested."
            )
            table.refuse({int(kept[place]): Refusal("label_seen_once", told)})
