"""The characters of a text file whose encoding nobody told."""

import codecs
import re
import unicodedata
from pathlib import Path

from polyloom.errors import DataError

# UTF-32 first: its little-endian mark starts with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CANDIDATES = ["gb18030", "big5", "shift_jis", "cp949", "cp1252", "latin_1", "cp1251", "cp1250"]
SAMPLE_BYTES = 1 << 16
CONTROL = frozenset(range(32)) - {*b"\t\n\r\f\x1b"}
MOST_CONTROL = 0.01
# What no reader sees: control characters but for tab, line feed and form feed, and marks of byte order within a text.
UNSEEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufeff]")


def decoded(content: bytes, path: Path) -> str:
    """A file's text: by its byte order mark, else UTF-8 if it fits, else the likeliest by its letters.

    Ends of lines become a single line feed. Raises: DataError naming `path` when it is no text.
    """
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = _likeliest(content, path)
    control = sum(ord(letter) in CONTROL for letter in text[:SAMPLE_BYTES])
    if control > MOST_CONTROL * min(len(text), SAMPLE_BYTES):
        raise DataError(f"{path}: it holds bytes that are no text. Name its `kind`, or save it as text.")
    return plain(text.replace("\r\n", "\n").replace("\r", "\n"))


def plain(text: str) -> str:
    """A text in the form in which texts are kept (NFC, no control characters), so that places in it stay right."""
    return unicodedata.normalize("NFC", UNSEEN.sub("", text).replace("\f", "\n\n"))


def _likeliest(content: bytes, path: Path) -> str:
    """What charset_normalizer takes it for, among the encodings that people use."""
    from charset_normalizer import from_bytes

    best = from_bytes(content[:SAMPLE_BYTES], cp_isolation=CANDIDATES).best()
    if best is None:
        raise DataError(f"{path}: its encoding could not be found out. Save it as UTF-8.")
    return content.decode(best.encoding, errors="replace")
