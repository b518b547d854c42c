"""A plain PDF of lines of Latin text, page by page, in a font that every reader has; the same text, the same bytes."""

import textwrap
from collections.abc import Sequence

WIDTH, HEIGHT = 595, 842  # A4, in points
MARGIN, SIZE, LEADING = 64, 11, 16
LINE_CHARACTERS = 84
CATALOGUE, TREE, FONT, FIRST = 1, 2, 3, 4


def pdf(pages: Sequence[str]) -> bytes:
    """A document with a page for each text; paragraphs are apart by a blank line."""
    kids = [FIRST + 2 * number for number in range(len(pages))]
    objects = {
        CATALOGUE: f"<< /Type /Catalog /Pages {TREE} 0 R >>".encode(),
        TREE: f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>".encode(),
        FONT: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    }
    for kid, text in zip(kids, pages, strict=True):
        content = drawn(text)
        objects[kid] = (
            f"<< /Type /Page /Parent {TREE} 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {kid + 1} 0 R "
            f"/Resources << /Font << /F1 {FONT} 0 R >> >> >>"
        ).encode()
        objects[kid + 1] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    return assembled(objects)


def drawn(text: str) -> bytes:
    """The drawing of a page: one line after the other from the top, a blank one between paragraphs."""
    lines = [line for part in text.strip().split("\n\n") for line in ("", *textwrap.wrap(part, LINE_CHARACTERS))][1:]
    shown = "".join(f"({escaped(line)}) Tj T*\n" for line in lines)
    return f"BT /F1 {SIZE} Tf {LEADING} TL {MARGIN} {HEIGHT - MARGIN} Td\n{shown}ET".encode("cp1252")


def escaped(line: str) -> str:
    """A line as it stands between round brackets."""
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def assembled(objects: dict[int, bytes]) -> bytes:
    """The file: its objects, and where each of them begins."""
    body, places = b"%PDF-1.4\n", []
    for number in sorted(objects):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    entries = "".join(f"{place:010} 00000 n \n" for place in places)
    count = len(objects) + 1
    end = f"trailer << /Size {count} /Root {CATALOGUE} 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + f"xref\n0 {count}\n0000000000 65535 f \n{entries}{end}".encode()
