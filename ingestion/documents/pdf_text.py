"""The text of a PDF, page by page (by pypdf)."""

import io
import logging
import re
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.documents.decoding import plain
from polyloom.errors import DataError

if TYPE_CHECKING:
    from pypdf import PdfReader

PAGE_BREAK = "\n\n"
MOST_PAGES = 5_000
HYPHEN = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
SPACES = re.compile(r"[^\S\n]+")
# What pypdf lets through from a file that is not what the standard says, beside its own errors.
DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RecursionError,
    OverflowError,
    AssertionError,
    NotImplementedError,
    OSError,
    MemoryError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
)


def pdf_pages(content: bytes, path: Path) -> list[str]:
    """Each page's text, empty where it has none; words that were parted at the end of a line are whole.

    Raises: DataError naming `path` when the file is damaged, encrypted or scanned, or has too many pages.
    """
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(io.BytesIO(content))
        _refuse_locked(reader, path)
        count = len(reader.pages)
        if count > MOST_PAGES:
            raise DataError(f"{path}: it has {count:,} pages, allowed are {MOST_PAGES:,}. Split it.")
        texts = [_tidy(page.extract_text()) for page in reader.pages]
    except (PyPdfError, *DAMAGE) as error:
        raise DataError(f"{path}: this PDF is damaged ({error}). Save it again from where it was made.") from error
    if not any(texts):
        raise DataError(
            f"{path}: none of its {count} pages has text; it seems to be scanned. Run a text recognition over it first."
        )
    return texts


def _refuse_locked(reader: "PdfReader", path: Path) -> None:
    """Raises: DataError for a PDF that no one can read without a password."""
    from pypdf.errors import DependencyError

    try:
        locked = reader.is_encrypted and not reader.decrypt("")
    except DependencyError:
        locked = True
    if locked:
        raise DataError(f"{path}: this PDF is encrypted. Save it without a password.")


def _tidy(text: str) -> str:
    """A page's text without runs of blanks and without half words."""
    return HYPHEN.sub("", SPACES.sub(" ", plain(text))).strip()
