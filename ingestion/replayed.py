"""Repaired rows of a scenario: what stands in the place of rows that its sources hold and ingestion refuses.

`replayed/<table>/<number>.jsonl` in the scenario's folder, each file written once; for one row the last file counts.
A repaired row is read only as long as the row that it repairs is refused, so that every row of a source counts once:
as it is, or as it was repaired. When the source itself is repaired, the replayed row is out of use.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingestion.readers.reader import RawRow
from ingestion.refused_row import RefusedRow, identified
from polyloom.durable import replace_file

FOLDER = "replayed"
MARK = " (replayed)"


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A repaired row: the id and the content of the row that it repairs, and its values now.

    `also` are the ids that it had in quarantine when it was refused again.
    """

    id: str
    table: str
    source: str
    row: int
    reason: str
    content: str
    values: Mapping[str, Any]
    also: list[str]

    @property
    def text(self) -> str:
        """The values as the content of a row."""
        return json.dumps(self.values, ensure_ascii=False)


class Replayed:
    """All repaired rows of a scenario, by the id of the row that each repairs."""

    def __init__(self, folder: Path, rows: Mapping[str, Replay]) -> None:
        self.folder = folder
        self.rows = rows

    @classmethod
    def open(cls, scenario_folder: Path) -> "Replayed":
        """The repaired rows under a scenario's folder in the snapshot store; none at all is no error."""
        folder = scenario_folder / FOLDER
        rows: dict[str, Replay] = {}
        for path in sorted(folder.glob("*/*.jsonl"), key=lambda path: path.name):
            for line in path.read_text(encoding="utf-8").splitlines():
                replay = Replay(**json.loads(line))
                rows[replay.id] = replay
        return cls(folder, rows)

    def __len__(self) -> int:
        return len(self.rows)

    def in_place_of(self, refused: pa.Table) -> dict[int, RawRow]:
        """The repaired rows to read in the place of refused ones, by position in `refused` (the quarantine's columns).

        Such a row says `rows.csv (replayed)` and the number of the row that it repairs.
        """
        if not self.rows or not refused.num_rows:
            return {}
        found: dict[int, RawRow] = {}
        for position, identity in enumerate(identified(refused, elsewhere={})["id"].to_pylist()):
            replay = self.rows.get(identity)
            if replay is not None:
                number = refused["row"][position].as_py()
                found[position] = RawRow(
                    f"{replay.source}{MARK}", number, _readable(replay.values), content=replay.text
                )
        return found

    def known(self, identity: str) -> Replay | None:
        """The replay of the row that has, or had, this id."""
        if identity in self.rows:
            return self.rows[identity]
        return next((replay for replay in self.rows.values() if identity in replay.also), None)

    def repaired_by(self, row: RefusedRow) -> Replay | None:
        """The replay that gave a row which was refused again."""
        if not row.source.endswith(MARK):
            return None
        same = [
            replay
            for replay in self.rows.values()
            if (replay.table, f"{replay.source}{MARK}", replay.text) == (row.table, row.source, row.content)
        ]
        exact = [replay for replay in same if replay.row == row.row]
        return next(iter(exact or same), None)

    def add(self, replays: Iterable[Replay]) -> int:
        """Write down what is new or changed, a file for each table; returns how many rows that are."""
        new: dict[str, list[Replay]] = defaultdict(list)
        for replay in replays:
            known = self.rows.get(replay.id)
            if known is None or known.values != replay.values:
                new[replay.table].append(replay)
        for table, rows in new.items():
            lines = [json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows]
            replace_file(self.folder / table / f"{self._next():06}.jsonl", "".join(lines).encode())
        self.rows = {**self.rows, **{row.id: row for rows in new.values() for row in rows}}
        return sum(map(len, new.values()))

    def _next(self) -> int:
        return 1 + max((int(path.stem) for path in self.folder.glob("*/*.jsonl")), default=0)


def _readable(values: Mapping[str, Any]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
