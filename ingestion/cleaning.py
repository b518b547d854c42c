"""Text as it is kept: one form for each character, no control characters, not longer than allowed."""

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.refusals import Refusal, shown

Form = Literal["NFC", "NFKC", "NFD", "NFKD"]
# Tab, line feed and carriage return are part of a text; a byte order mark inside one is left over from joined files.
CONTROL = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F\x{80}-\x{9F}\x{FEFF}]"
LAYOUT = (9, 10, 13)
FIRST_PRINTABLE, DELETE, FIRST_LEAD = 32, 127, 0xC0
# By their first byte in UTF-8: Latin to U+02FF without C1, Cyrillic to U+047F, Han from U+4000 to U+9FFF. None of these
# has another form under NFC, alone or in a row (quick check "yes", combining class 0), and none is a control character.
INERT_LEADS = (*range(0xC3, 0xCC), 0xD0, 0xD1, *range(0xE4, 0xEA))
# Lead, second byte, first and last third byte: U+2010 to U+2026, U+3001 to U+3029, U+FF01 to U+FF3F.
INERT_PUNCTUATION = ((0xE2, 0x80, 0x90, 0xA6), (0xE3, 0x80, 0x81, 0xA9), (0xEF, 0xBC, 0x81, 0xBF))
BYTES_PER_STEP = 1 << 20


def _suspect_bytes(inert: Collection[int]) -> np.ndarray:
    """For each byte whether it makes a text suspect; bytes that go on a character do not."""
    byte = np.arange(256)
    low = (byte < FIRST_PRINTABLE) & ~np.isin(byte, LAYOUT)
    return np.asarray(low | (byte == DELETE) | ((byte >= FIRST_LEAD) & ~np.isin(byte, list(inert))))


SUSPECT = _suspect_bytes({*INERT_LEADS, *(lead for lead, *_ in INERT_PUNCTUATION)})
SUSPECT_BEYOND_ASCII = _suspect_bytes(())


class Cleaned(NamedTuple):
    """The column as it is kept, and why some of its rows are not, by position."""

    column: pa.Array
    refused: dict[int, Refusal]


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """How text is made uniform. `normalise` is a Unicode form, or None to leave the characters as they came.

    `control` says what becomes of control characters (all but tab and line ends): stripped, kept, or the row refused.
    """

    normalise: Form | None = "NFC"
    control: Literal["strip", "keep", "refuse"] = "strip"
    max_characters: int = 100_000

    def clean(self, column: pa.Array) -> Cleaned:
        """A column of text, cleaned; a text of which only white space is left becomes null.

        Plain ASCII costs three looks at its bytes; only the rows that hold anything else are gone through.
        """
        refused: dict[int, Refusal] = {}
        unclean = _suspects(column, SUSPECT if self.normalise in {None, "NFC"} else SUSPECT_BEYOND_ASCII)
        if unclean.size:
            column = self._mended(column, unclean, refused)
        return Cleaned(column, {**refused, **self._too_long(column)})

    def _mended(self, column: pa.Array, positions: np.ndarray, refused: dict[int, Refusal]) -> pa.Array:
        before = column.take(pa.array(positions))
        after = before
        if self.control != "keep":
            found = np.asarray(pc.fill_null(pc.match_substring_regex(before, CONTROL), False))  # noqa: FBT003 - Arrow's call
            if self.control == "refuse":
                refused |= _controlled(before, positions, found)
            elif found.any():
                after = pc.replace_substring_regex(after, CONTROL, "")
        if self.normalise is not None:
            after = _normalised(after, self.normalise)
        changed = np.flatnonzero(np.asarray(pc.fill_null(pc.not_equal(before, after), False)))  # noqa: FBT003
        if not changed.size:
            return column
        kept = after.take(pa.array(changed))
        kept = pc.if_else(pc.equal(pc.utf8_trim_whitespace(kept), ""), pa.scalar(None, kept.type), kept)
        mask = np.zeros(len(column), dtype=bool)
        mask[positions[changed]] = True
        return pc.replace_with_mask(column, pa.array(mask), kept)

    def _too_long(self, column: pa.Array) -> Mapping[int, Refusal]:
        # No text has more characters than bytes.
        suspects = np.flatnonzero(np.diff(_offsets(column)) > self.max_characters)
        lengths = pc.utf8_length(column.take(pa.array(suspects))).to_pylist()
        return {
            int(position): Refusal(
                "text_too_long",
                f"the text has {length:,} characters, more than the {self.max_characters:,} that the scenario "
                "allows (clean.max_characters).",
            )
            for position, length in zip(suspects, lengths, strict=True)
            if length is not None and length > self.max_characters
        }


def _normalised(column: pa.Array, form: Form) -> pa.Array:
    # Python's tables: Arrow's utf8_normalize leaves a letter and its accent apart in every form (pyarrow 25).
    texts = column.to_pylist()
    other = [text is not None and not unicodedata.is_normalized(form, text) for text in texts]
    if not any(other):
        return column
    found = [unicodedata.normalize(form, text) for text, differs in zip(texts, other, strict=True) if differs]
    return pc.replace_with_mask(column, pa.array(other), pa.array(found, column.type))


def _controlled(column: pa.Array, positions: np.ndarray, found: np.ndarray) -> dict[int, Refusal]:
    return {
        int(positions[place]): Refusal(
            "control_characters",
            f"{shown(column[int(place)].as_py().strip())} holds control characters; remove them, or let the scenario "
            "strip them (clean.control: strip).",
        )
        for place in np.flatnonzero(found)
    }


def _suspects(column: pa.Array, suspect: np.ndarray) -> np.ndarray:
    """Positions of the rows that hold a suspect byte: no others can be changed or refused."""
    offsets = _offsets(column)
    data = column.buffers()[2]
    if data is None or not len(column):
        return np.zeros(0, dtype=np.int64)
    content = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    steps = [start for start in range(0, len(content), BYTES_PER_STEP) if not _is_plain(content, start)]
    if not steps:
        return np.zeros(0, dtype=np.int64)
    strange = np.zeros(len(content), dtype=bool)
    for start in steps:
        step = content[start : start + BYTES_PER_STEP]
        strange[start : start + BYTES_PER_STEP] = suspect[step]
    if suspect is SUSPECT:
        strange |= _beside_punctuation(content)
    starts, ends = offsets[:-1] - offsets[0], offsets[1:] - offsets[0]
    filled = np.flatnonzero(ends > starts)
    # The bytes of filled rows follow each other without a gap, as reduceat needs it.
    return filled[np.logical_or.reduceat(strange, starts[filled])]


def _beside_punctuation(content: np.ndarray) -> np.ndarray:
    """Where characters of blocks begin of which only the common punctuation and full-width forms are inert."""
    strange = np.zeros(len(content), dtype=bool)
    padded = np.concatenate([content, np.zeros(2, np.uint8)])
    for lead, second, first_third, last_third in INERT_PUNCTUATION:
        places = np.flatnonzero(content == lead)
        if len(places):
            third = padded[places + 2]
            inert = (padded[places + 1] == second) & (third >= first_third) & (third <= last_third)
            strange[places] = ~inert
    return strange


def _is_plain(content: np.ndarray, start: int) -> bool:
    step = content[start : start + BYTES_PER_STEP]
    if step.max() >= DELETE:
        return False
    low = np.count_nonzero(step < FIRST_PRINTABLE)
    return not low or low == sum(np.count_nonzero(step == character) for character in LAYOUT)


def _offsets(column: pa.Array) -> np.ndarray:
    width = np.int64 if pa.types.is_large_string(column.type) else np.int32
    if not len(column):
        return np.zeros(1, dtype=width)
    return np.frombuffer(column.buffers()[1], dtype=width)[column.offset : column.offset + len(column) + 1]
