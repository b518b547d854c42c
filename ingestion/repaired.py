"""Repaired rows take the place of refused ones: read again, in parts of their own."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ingestion.assembled import AssembledTable
from ingestion.quarantined import Quarantined
from ingestion.readers.reader import RawRow
from ingestion.replayed import Replayed
from ingestion.tables import ReadTable


class Repaired(NamedTuple):
    """A table read again with the repaired rows, and the positions of those in whose place they stand."""

    read: ReadTable
    kept: np.ndarray
    refused: np.ndarray


def repaired_tables(
    replayed: Replayed, tables: Mapping[str, AssembledTable], quarantined: Mapping[str, Quarantined]
) -> dict[str, Repaired]:
    """The tables of which refused rows were repaired."""
    found = {name: replayed.in_place_of(quarantined[name].rows) for name in tables}
    return {name: _repaired(tables[name], quarantined[name], rows) for name, rows in found.items() if rows}


def _repaired(table: AssembledTable, quarantined: Quarantined, rows: Mapping[int, RawRow]) -> Repaired:
    refused_parts = np.repeat(np.arange(len(table.read.parts)), [part.refused for part in table.read.parts])
    groups: dict[tuple[Path, str], list[RawRow]] = defaultdict(list)
    for position, row in rows.items():
        place = int(quarantined.early[position])
        part = int(refused_parts[place] if place >= 0 else table.part_of[quarantined.late[position]])
        groups[table.read.paths[part], table.read.given[part]].append(row)
    places = np.array(list(rows), dtype=np.int64)
    late, early = quarantined.late[places], quarantined.early[places]
    return Repaired(table.read.with_repaired(groups, table.store), late[late >= 0], early[early >= 0])
