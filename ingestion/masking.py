"""Personal data in refused rows: their originals are masked where kept rows are, in the text columns.

A line that could not be read as columns is masked as a whole. What masks a scenario's tables is noted beside its
snapshots, so that what a person types into a replay is masked too before it is stored.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ingestion.hashing import identities
from ingestion.personal import Personal
from ingestion.refused_row import original_values
from polyloom.durable import read_json, write_json

NOTE = "masks.json"


@dataclass(frozen=True, kw_only=True)
class Masking:
    """How the refused rows of one table are masked: `kinds` of personal data, in `columns` of text."""

    kinds: tuple[str, ...]
    columns: tuple[str, ...]

    def refused(self, rows: pa.Table) -> pa.Table:
        """Refused rows, with the quarantine's columns, before they are stored."""
        pairs = zip(rows["content"].to_pylist(), rows["message"].to_pylist(), strict=True)
        told = [(self.content(content), self._message(message, content)) for content, message in pairs]
        contents, messages = (pa.array([one[place] for one in told], pa.string()) for place in (0, 1))
        masked = rows.set_column(rows.column_names.index("content"), "content", contents)
        masked = masked.set_column(rows.column_names.index("message"), "message", messages)
        if "_identity" not in rows.column_names:
            return masked
        own = pa.array(identities(contents) if len(contents) else np.zeros(0, np.uint64), pa.uint64())
        return masked.set_column(rows.column_names.index("_identity"), "_identity", own)

    def content(self, content: str) -> str:
        """An original, unchanged where nothing personal stands in it."""
        values = original_values(content)
        if values is None:
            return self._personal.mask_text(content)
        masked = self.values(values)
        if masked == values:
            return content
        return json.dumps(masked, ensure_ascii=False).encode("utf-8", errors="replace").decode()

    def values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a row, masked in its text columns."""
        return {name: self._masked(value) if name in self.columns else value for name, value in values.items()}

    def _message(self, message: str, content: str) -> str:
        about_text = message.startswith(tuple(f"{name!r}: " for name in self.columns))
        return self._personal.mask_text(message) if about_text or original_values(content) is None else message

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._personal.mask_text(value)
        if isinstance(value, list):
            return [self._masked(inner) for inner in value]
        return {name: self._masked(inner) for name, inner in value.items()} if isinstance(value, dict) else value

    @cached_property
    def _personal(self) -> Personal:
        return Personal(mask=self.kinds)


def note_masks(scenario: Path, masks: Mapping[str, Masking | None]) -> None:
    """Note how a scenario's tables are masked; `scenario` is its folder in the snapshot store."""
    told = {name: asdict(mask) for name, mask in masks.items() if mask is not None}
    if told or (scenario / NOTE).exists():
        write_json(scenario / NOTE, told)


def noted_masks(scenario: Path) -> dict[str, Masking]:
    """How the tables of a scenario are masked, by name."""
    note = scenario / NOTE
    told = read_json(note) if note.exists() else {}
    return {name: Masking(kinds=tuple(mask["kinds"]), columns=tuple(mask["columns"])) for name, mask in told.items()}
