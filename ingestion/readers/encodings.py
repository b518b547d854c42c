"""Encodings: a file's own is found, the declared one is checked, and bytes outside it are found row by row."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ingestion.refusals import Refusal
from polyloom.durable import CHUNK_BYTES
from polyloom.errors import DataError, RequestError, suggestion

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# UTF-32 first: its little-endian mark starts with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    *((mark, "utf-16") for mark in UTF16_MARKS),
)
WELL_KNOWN = ("utf-8", "utf-16", "latin-1", "cp1252", "gb18030", "big5", "shift_jis")
# In this order where two fit a text alike.
CANDIDATES = ("gb18030", "big5", "shift_jis", "euc_jp", "cp949", "cp1252", "latin-1", "cp1251", "koi8_r", "cp1250")
SAMPLE_BYTES = 1 << 16
SOUND_SHARE = 0.9
"""A file is in an encoding when at least this share of what is not ASCII fits it; the rest is refused row by row."""
WEIGHT_OF_COHERENCE = 0.2
MAX_MIXED_SHARE = 0.2
MIN_SHARE_OF_NUL = 0.001
NEVER_HALF_A_CHARACTER = (b" ", b",", b'"', b"\n")
NOT_ASCII = re.compile(rb"[\x80-\xff]")
WINDOWS_ONLY = re.compile(rb"[\x80-\x9f]")
BESIDE_NUL = b"\t\n\r ,"
ASCII = re.compile(r"[\x00-\x7f]+")
WORD = re.compile(r"[^\W\d_]+")


class Detected(NamedTuple):
    """A file's encoding, and what that rests on."""

    encoding: str
    why: str


def detect(path: Path) -> Detected:
    """The encoding of a text file: by its byte order mark, else UTF-8 if it fits, else the likeliest by its letters."""
    with path.open("rb") as stream:
        start = stream.read(SAMPLE_BYTES)
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return Detected(encoding, f"{path.name} starts with the byte order mark of {encoding}")
    if wide := _without_mark(path, start):
        return Detected(wide, f"every second byte of {path.name} is zero, as {wide} writes plain letters")
    sound, broken = _utf8_characters(path)
    if not broken:
        return Detected("utf-8", f"{path.name} is UTF-8 to its end")
    if sound * (1 - SOUND_SHARE) >= broken * SOUND_SHARE:
        return Detected("utf-8", f"{path.name} is UTF-8 but for {broken:,} bytes; the rows that hold them are refused")
    return _likeliest(path)


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


def _without_mark(path: Path, start: bytes) -> str | None:
    """UTF-16 without a mark: zeros stand beside blanks, commas and line ends, always on the same side."""
    if start.count(0) < max(1, len(start) * MIN_SHARE_OF_NUL):
        return None
    even, odd = start[0::2], start[1::2]
    little = sum(high == 0 and low in BESIDE_NUL for low, high in zip(even, odd, strict=False))
    big = sum(high == 0 and low in BESIDE_NUL for high, low in zip(even, odd, strict=False))
    encoding = "utf-16-le" if little > big else "utf-16-be"
    return encoding if little != big and _decodes(path, encoding) else None


def _utf8_characters(path: Path) -> tuple[int, int]:
    """Characters beyond ASCII that are UTF-8, and bytes that are not."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    sound = broken = 0
    for block in _blocks(path):
        text = decoder.decode(block, final=not block)
        if text.isascii():
            continue
        beyond = ASCII.sub("", text)
        escaped = len(re.findall(r"[\udc80-\udcff]", beyond))
        sound += len(beyond) - escaped
        broken += escaped
        if broken > max(sound, CHUNK_BYTES // 8):
            break
    return sound, broken


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _blocks(path):
            decoder.decode(block, final=not block)
    except UnicodeDecodeError:
        return False
    return True


def _blocks(path: Path) -> Iterator[bytes]:
    """The file's bytes, and an empty block at its end."""
    with path.open("rb") as stream:
        while block := stream.read(CHUNK_BYTES):
            yield block
    yield b""


def _likeliest(path: Path) -> Detected:
    lines = _sample(path)
    scores = {encoding: score for encoding in CANDIDATES if (score := _misfit(lines, encoding)) is not None}
    if not scores:
        return Detected("cp1252", f"{path.name} is not UTF-8 and fits no encoding well; cp1252 is a guess")
    best = min(scores, key=lambda encoding: round(scores[encoding], 2))
    if best in {"cp1252", "latin-1"}:
        best = "cp1252" if any(map(WINDOWS_ONLY.search, lines)) else "latin-1"
    others = [other for other in sorted(scores, key=lambda one: scores[one]) if other not in {best, "cp1252"}][:2]
    likewise = f"; next likely: {', '.join(others)}" if others else ""
    return Detected(best, f"{path.name} is not UTF-8; its letters are likeliest {best}{likewise}")


def _sample(path: Path) -> list[bytes]:
    """The first lines that are not plain ASCII."""
    lines: list[bytes] = []
    size = 0
    with path.open("rb") as stream:
        # The length is bounded: a file of one line would come into memory whole.
        while size < SAMPLE_BYTES and (line := stream.readline(SAMPLE_BYTES)):
            if len(line) == SAMPLE_BYTES:
                line = line[: max(map(line.rfind, NEVER_HALF_A_CHARACTER)) + 1] or line
            if NOT_ASCII.search(line):
                lines.append(line)
                size += len(line)
    return lines


def _misfit(lines: list[bytes], encoding: str) -> float | None:
    """How badly lines fit an encoding, or None where they do not; lower is likelier."""
    from charset_normalizer import from_bytes

    sound = [line for line in lines if _in_encoding(line, encoding)]
    if len(sound) < len(lines) * SOUND_SHARE:
        return None
    content = b"".join(sound)
    if _mixes_alphabets(content.decode(encoding)):
        return None
    match = from_bytes(content, cp_isolation=[encoding], enable_fallback=False).best()
    return None if match is None else match.chaos - WEIGHT_OF_COHERENCE * match.coherence


def _in_encoding(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _mixes_alphabets(text: str) -> bool:
    """Whether many words hold Latin beside Cyrillic letters, as no language writes them."""
    cyrillic = [word for word in WORD.findall(text) if re.search("[\u0400-\u04ff]", word)]
    mixed = sum(bool(re.search("[A-Za-z]", word)) for word in cyrillic)
    return mixed > len(cyrillic) * MAX_MIXED_SHARE
