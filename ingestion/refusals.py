"""Why a row cannot be used: one code for machines, one sentence for people."""

from typing import Literal, NamedTuple

Reason = Literal[
    "wrong_type",
    "missing_value",
    "duplicate_key",
    "ragged_row",
    "field_too_large",
    "bad_json",
    "bad_encoding",
    "empty_text",
    "text_too_long",
    "control_characters",
    "out_of_range",
    "not_allowed",
    "bad_pattern",
    "wrong_order",
    "uneven_lengths",
    "not_unique",
    "unknown_reference",
    "unknown_split",
    "picture_missing",
    "picture_empty",
    "picture_broken",
    "picture_truncated",
    "picture_too_large",
    "picture_too_many_frames",
    "not_a_picture",
    "label_seen_once",
    "document_unreadable",
]


class Refusal(NamedTuple):
    """A row is refused: it goes to quarantine with this reason."""

    reason: Reason
    message: str


class RowRefused(Exception):  # noqa: N818 - it is the row that is refused; nothing failed
    """Carries a refusal out of a check; it never leaves the ingestion room."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(reason, message)


def shown(value: object, *, limit: int = 60) -> str:
    """A value as it stands in a message: quoted, and cut where it is long."""
    text = value if isinstance(value, str) else str(value)
    text = text.encode("utf-8", errors="replace").decode()
    return repr(text if len(text) <= limit else f"{text[:limit]}…")
