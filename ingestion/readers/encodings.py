"""Encodings: the declared one is checked before a file is read, and bytes outside it are found row by row."""

import codecs
from pathlib import Path

from ingestion.refusals import Refusal
from polyloom.errors import DataError, RequestError, suggestion

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
WELL_KNOWN = ("utf-8", "utf-16", "latin-1", "cp1252", "gb18030", "big5", "shift_jis")


def checked_codec(encoding: str, path: Path) -> str:
    """The codec for a file's declared encoding; for UTF-8 one that skips a byte order mark.

    Raises:
        RequestError: there is no such encoding.
        DataError: the file starts like UTF-16 though another encoding was declared.
    """
    try:
        "a".encode(encoding)
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise RequestError(
            f"encoding: {encoding!r} is not a text encoding.{suggestion(encoding, WELL_KNOWN)} "
            f"Allowed are Python's encodings, such as {', '.join(WELL_KNOWN)}."
        ) from None
    if not codec.startswith(("utf-16", "utf-32")):
        _refuse_utf16(path, encoding)
    return "utf-8-sig" if codec == "utf-8" else codec


def encoding_refusal(text: str, encoding: str) -> Refusal | None:
    """A refusal when text that was decoded with `surrogateescape` held bytes outside the encoding, or a NUL."""
    if "\0" in text:
        return Refusal("bad_encoding", "the row holds a NUL byte; remove it from the file.")
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return Refusal("bad_encoding", not_in_encoding(encoding))
    return None


def not_in_encoding(encoding: str) -> str:
    """What to do about bytes outside the declared encoding."""
    return (
        f"the row holds bytes that are not {encoding}; declare the file's own encoding in the scenario, "
        f"such as `encoding: latin-1` (western) or `encoding: gb18030` (Chinese)."
    )


def _refuse_utf16(path: Path, encoding: str) -> None:
    with path.open("rb") as stream:
        start = stream.read(len(codecs.BOM_UTF16_LE))
    if start in UTF16_MARKS:
        raise DataError(
            f"{path.name} starts with a UTF-16 byte order mark but is read as {encoding}; "
            f"declare `encoding: utf-16` in the scenario."
        )
