"""The characters of a text file whose encoding nobody told."""

import codecs
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
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _likeliest(content: bytes, path: Path) -> str:
    """What charset_normalizer takes it for, among the encodings that people use."""
    from charset_normalizer import from_bytes

    best = from_bytes(content[:SAMPLE_BYTES], cp_isolation=CANDIDATES).best()
    if best is None:
        raise DataError(f"{path}: its encoding could not be found out. Save it as UTF-8.")
    return content.decode(best.encoding, errors="replace")
