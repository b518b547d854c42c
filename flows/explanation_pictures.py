"""Pictures of explanations: words and pictures in the colours of their weights, bars, and rows that are alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flows.drawing import INK, QUIET, RIGHT, WRONG, short_label
from flows.heat import overlaid
from flows.sheet import LINE, Sheet
from heads.explanation import Evidence, Explanation, KnownRow

WIDTH, TEXT_ENDS, SIDE = 11.0, 6.5, 1.25
ROWS_A_PICTURE = 5


@dataclass(frozen=True)
class ShownRow:
    """A test row, why it was chosen, its answer and its truth, and why it was answered so.

    `pictures` are its pictures by modality as the encoder sees them, uint8 [size, size, 3].
    """

    key: str
    why: str
    answer: str
    probability: float
    truth: str | None
    right: bool | None
    explanation: Explanation
    pictures: Mapping[str, np.ndarray]

    def to_json(self) -> dict[str, Any]:
        """A JSON value, without the pictures."""
        facts = {name: value for name, value in vars(self).items() if name not in {"explanation", "pictures"}}
        return {**facts, "explanation": self.explanation.to_json()}


def explanation_pictures(folder: Path, task: str, rows: Sequence[ShownRow], *, title: str) -> None:
    """Draw the rows, five a picture and those that were chosen for one reason together, as `<task>_explained_*.png`."""
    for why in dict.fromkeys(row.why for row in rows):
        chosen = [row for row in rows if row.why == why]
        for number, start in enumerate(range(0, len(chosen), ROWS_A_PICTURE), start=1):
            name = f"{task}_explained_{why.replace(' ', '_')}" + (f"_{number}" if number > 1 else "")
            draw_rows(folder / f"{name}.png", chosen[start : start + ROWS_A_PICTURE], title=title, why=why)


def draw_rows(path: Path, rows: Sequence[ShownRow], *, title: str, why: str) -> None:
    """Draw rows one below the other."""
    sheet = Sheet(width=WIDTH)
    sheet.write(short_label(title, 60), left=0, top=0, size=13, weight="bold")
    note = f"answers that are {why}; orange raises the answer's score, blue lowers it"
    sheet.write(note, left=0, top=0.27, size=9, color=QUIET)
    top = 0.62
    for row in rows:
        sheet.rule(top=top - 0.06)
        top = max(write_row(sheet, row, top=top), draw_sides(sheet, row, top=top)) + 0.2
    sheet.save(path, height=top)


def write_row(sheet: Sheet, row: ShownRow, *, top: float) -> float:
    """Answer, truth, words, columns and known rows, on the left; returns where they end."""
    at = sheet.write(f"{short_label(row.answer or 'nothing', 40)}", left=0, top=top, size=10, weight="bold")
    at = sheet.write(f"{row.probability:.2f}", left=at + 0.12, top=top, color=QUIET)
    color = QUIET if row.right is None else RIGHT if row.right else WRONG
    sheet.write("right" if row.right else short_label(f"true: {row.truth}", 40), left=at + 0.15, top=top, color=color)
    top += LINE + 0.05
    for evidence in row.explanation.evidence:
        if evidence.words:
            sheet.write(f"{', '.join(evidence.modalities)}, {method(evidence)}", left=0, top=top, size=7.5, color=QUIET)
            top = sheet.tinted(pieces(evidence), left=0, top=top + LINE - 0.02, right=TEXT_ENDS) + 0.05
    columns = [
        (f"{one.column} {one.value}  ", one.weight) for evidence in row.explanation.evidence for one in evidence.columns
    ]
    if columns:
        top = sheet.tinted(columns, left=0, top=top + 0.03, right=TEXT_ENDS) + 0.05
    for known in row.explanation.near:
        top = write_known(sheet, known, top=top)
    return top


def pieces(evidence: Evidence) -> list[tuple[str, float]]:
    """The words with their weights, and as words of no weight the blanks between them."""
    found: list[tuple[str, float]] = []
    end = 0
    for word in evidence.words:
        if end < word.start and found:
            found.append((" ", 0.0))
        found.append((word.text, word.weight))
        end = word.end
    return found


def write_known(sheet: Sheet, known: KnownRow, *, top: float) -> float:
    """One known row in a line: how like it is, its label, and its first words."""
    cosine = sum(known.cosines.values()) / max(1, len(known.cosines))
    at = sheet.write(f"like it, {cosine:.2f}", left=0, top=top, size=8, color=QUIET)
    at = sheet.write(short_label(known.label or known.id, 30), left=at + 0.1, top=top, size=8, color=INK)
    texts = [value for value in known.row.values() if isinstance(value, str) and value != known.label]
    sheet.write(short_label(" · ".join(texts), 70), left=at + 0.1, top=top, size=8, color=QUIET)
    return top + LINE - 0.02


def draw_sides(sheet: Sheet, row: ShownRow, *, top: float) -> float:
    """Pictures and bars, on the right; returns where they end."""
    left = TEXT_ENDS + 0.25
    for evidence in row.explanation.evidence:
        if evidence.cells:
            (name,) = evidence.modalities
            sheet.write(f"{name}, {method(evidence)}", left=left, top=top, size=7.5, color=QUIET)
            top += LINE
            sheet.picture(row.pictures[name], left=left, top=top, side=SIDE)
            heat = overlaid(row.pictures[name], evidence.cells)
            sheet.picture(heat, left=left + SIDE + 0.1, top=top, side=SIDE)
            top += SIDE + 0.08
    if len(row.explanation.contributions) > 1:
        top = sheet.bars(row.explanation.contributions, left=left, top=top, right=WIDTH)
    return top


def method(evidence: Evidence) -> str:
    """A method's name in words."""
    return evidence.method.replace("_", " ")
