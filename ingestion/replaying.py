"""Replay: rows of the quarantine, repaired or as they are, are read again by the next ingestion."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestion.masking import noted_masks
from ingestion.quarantine_export import CONTENT, ID, NOTES, cell, repaired_rows
from ingestion.quarantine_view import Quarantine, open_quarantine
from ingestion.refused_row import RefusedRow, original_values
from ingestion.replayed import Replay, Replayed
from polyloom.durable import locked
from polyloom.errors import RequestError
from polyloom.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """Rows that the next ingestion reads again, and the others: replayed so before, unchanged, still no columns."""

    replayed: int
    known: int
    unchanged: int
    unreadable: int


def replay_file(folder: Path, path: Path, *, progress: Progress = SILENT) -> ReplayReport:
    """Take a repaired export back; rows that are unchanged in it stay in quarantine.

    `folder` is the scenario's in the snapshot store. Raises RequestError for an id that the quarantine does not hold.
    """
    given = list(repaired_rows(path))
    with _locked(folder, progress):
        quarantine, replayed = open_quarantine(folder), Replayed.open(folder)
        rows, masks = {row.id: row for row in quarantine}, noted_masks(folder)
        replays, unchanged, unreadable = [], 0, 0
        for repaired in given:
            before = _before(str(repaired[ID]), rows, replayed, path=path, quarantine=quarantine)
            values = repaired_values(before, repaired)
            if values is not None and before.table in masks:
                values = masks[before.table].values(values)
            if values is None:
                unreadable += 1
            elif values == original_values(before.content):
                unchanged += 1
            else:
                replays.append(_replay(before, values, replayed))
        count = replayed.add(replays)
    return ReplayReport(replayed=count, known=len(replays) - count, unchanged=unchanged, unreadable=unreadable)


def replay_again(folder: Path, rows: Iterable[RefusedRow], *, progress: Progress = SILENT) -> ReplayReport:
    """Have refused rows read again as they are, for what was wrong beside them: a picture that was missing."""
    with _locked(folder, progress):
        replayed = Replayed.open(folder)
        given = list(rows)
        replays = [_replay(row, row.values, replayed) for row in given if row.values is not None]
        count = replayed.add(replays)
    return ReplayReport(replayed=count, known=len(replays) - count, unchanged=0, unreadable=len(given) - len(replays))


def repaired_values(before: RefusedRow, repaired: Mapping[str, Any]) -> dict[str, Any] | None:
    """A repaired row's columns; a cell that nobody touched keeps its value and its type.

    None where the source's line could not be read as columns and nobody gave it any. A column that only other rows
    of the file have is none of this row's as long as it is empty.
    """
    original = before.values
    cells = {name: value for name, value in repaired.items() if name not in {*NOTES, CONTENT}}
    if original is not None:
        kept = {name: value for name, value in cells.items() if name in original or value not in (None, "")}
        return {**original, **{name: _touched(original.get(name), value) for name, value in kept.items()}}
    given = {name: value for name, value in cells.items() if value not in (None, "")}
    return given or original_values(str(repaired.get(CONTENT) or ""))


def _touched(before: object, value: object) -> object:
    if value == before or cell(value) == cell(before):
        return before
    return None if value == "" else value


def _replay(row: RefusedRow, values: Mapping[str, Any], replayed: Replayed) -> Replay:
    """The replay of a row; of one that was replayed and refused again, a replay of the row in the source."""
    earlier = replayed.repaired_by(row) or replayed.known(row.id)
    origin = earlier or row
    also = [*earlier.also, *([row.id] if row.id not in {earlier.id, *earlier.also} else [])] if earlier else []
    return Replay(
        id=origin.id,
        table=origin.table,
        source=origin.source,
        row=origin.row,
        reason=row.reason,
        content=origin.content,
        values=values,
        also=also,
    )


def _before(
    identity: str, rows: Mapping[str, RefusedRow], replayed: Replayed, *, path: Path, quarantine: Quarantine
) -> RefusedRow:
    """The row that is repaired: in quarantine now, or replayed before."""
    if identity in rows:
        return rows[identity]
    known = replayed.known(identity)
    if known is None:
        raise RequestError(
            f"{path}: {identity!r} is not the id of a row in quarantine ({quarantine.origin} has {len(quarantine)} "
            f"rows there). Export again: the source, or the row, is another one by now."
        )
    return RefusedRow(
        id=known.id,
        table=known.table,
        source=known.source,
        row=known.row,
        key="",
        reason=known.reason,
        message="",
        content=known.content,
    )


def _locked(folder: Path, progress: Progress) -> Any:
    return locked(
        folder.parent / f".{folder.name}.lock",
        waiting=lambda: progress.log(f"waiting: {folder.name} is being ingested"),
    )
