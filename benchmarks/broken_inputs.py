"""Twelve kinds of broken input through `polyloom run`: no stack trace, a reason each, and no row vanishes.

python -m benchmarks.broken_inputs --json
"""

import argparse
import csv
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image

from benchmarks.figures import Figure, share, show

GOOD_ROWS = 60
LIMIT_SECONDS = 300
COLUMNS = ("id", "title", "price", "picture", "label")


@dataclass(frozen=True, kw_only=True)
class BrokenInput:
    """One kind of broken input: how the folder of a good scenario is spoilt, and what polyloom must then say.

    `reason` is the code under which exactly one row is refused; without one the command must end with `code`.
    """

    spoil: Callable[[Path], None]
    reason: str | None = None
    code: int = 0
    message: str = ""


def write_good(folder: Path) -> Path:
    """A scenario that runs: words, numbers and pictures; returns its path."""
    folder.mkdir(parents=True)
    (folder / "pictures").mkdir()
    for number in range(GOOD_ROWS):
        colour = ("red", "blue")[number % 2]
        Image.effect_noise((16, 16), 20 + number).convert("RGB").save(folder / "pictures" / f"{number}.jpg")
        append(folder, good_row(number, colour), new=number == 0)
    content = {
        "name": "broken",
        "title": "Broken input",
        "data": {
            "items": {
                "kind": "table",
                "path": "rows.csv",
                "key": "id",
                "text": ["title"],
                "image": "picture",
                "columns": {"price": "number", "label": "category"},
                "required": ["price"],
            }
        },
        "modalities": {"words": {"kind": "characters", "dim": 64}},
        "tasks": {"label": {"kind": "classification", "target": "label"}},
        "recipe": {"epochs": 1},
        "gate": {"metric": "label.accuracy"},
    }
    path = folder / "broken.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def good_row(number: int, colour: str) -> list[object]:
    """One row that can be used."""
    return [f"i{number}", f"a {colour} thing {number}", number / 2, f"pictures/{number}.jpg", colour]


def append(folder: Path, row: list[object], *, new: bool = False) -> None:
    """One more line of `rows.csv`."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([list(COLUMNS), row] if new else [row])
    with (folder / "rows.csv").open("a", encoding="utf-8") as stream:
        stream.write(text.getvalue())


def with_row(*row: object) -> Callable[[Path], None]:
    """Spoil by one more row."""
    return lambda folder: append(folder, list(row))


def with_picture(content: Callable[[], bytes], *, suffix: str) -> Callable[[Path], None]:
    """Spoil by one more row whose picture is broken."""

    def spoil(folder: Path) -> None:
        (folder / "pictures" / f"broken{suffix}").write_bytes(content())
        append(folder, ["x", "a red thing", 1, f"pictures/broken{suffix}", "red"])

    return spoil


def replaced(old: bytes, new: bytes) -> Callable[[Path], None]:
    """Spoil by other bytes in the first place where `old` stands."""

    def spoil(folder: Path) -> None:
        content = (folder / "rows.csv").read_bytes()
        (folder / "rows.csv").write_bytes(content.replace(old, new, 1))

    return spoil


def truncated_jpeg() -> bytes:
    """A JPEG whose end is missing."""
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, format="JPEG")
    return buffer.getvalue()[:-200]


def huge_png() -> bytes:
    """A PNG of 300 megapixels in a few bytes: a true header, and hardly any content."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 15_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def no_file(folder: Path) -> None:
    """Spoil by removing the table."""
    (folder / "rows.csv").unlink()


def empty_file(folder: Path) -> None:
    """Spoil by emptying the table."""
    (folder / "rows.csv").write_bytes(b"")


KINDS: Mapping[str, BrokenInput] = {
    "missing file": BrokenInput(spoil=no_file, code=2, message="there is no 'rows.csv'"),
    "empty file": BrokenInput(spoil=empty_file, code=1, message="rows.csv is empty"),
    "wrong column": BrokenInput(spoil=replaced(b"title", b"titel"), code=1, message="Did you mean 'titel'?"),
    "wrong type": BrokenInput(spoil=with_row("x", "a red thing", "cheap", None, "red"), reason="wrong_type"),
    "NaN": BrokenInput(spoil=with_row("x", "a red thing", "NaN", None, "red"), reason="wrong_type"),
    "duplicate key": BrokenInput(spoil=with_row("i3", "a red thing", 1, None, "red"), reason="duplicate_key"),
    "truncated JPEG": BrokenInput(spoil=with_picture(truncated_jpeg, suffix=".jpg"), reason="picture_truncated"),
    "0-byte picture": BrokenInput(spoil=with_picture(bytes, suffix=".png"), reason="picture_empty"),
    "300-megapixel PNG": BrokenInput(spoil=with_picture(huge_png, suffix=".png"), reason="picture_too_large"),
    "latin-1 CSV": BrokenInput(
        spoil=replaced(b"a red thing 0", "a röd thing".encode("latin-1")), reason="bad_encoding"
    ),
    "ragged CSV": BrokenInput(spoil=with_row("x", "a red thing"), reason="ragged_row"),
    "label seen once": BrokenInput(spoil=with_row("x", "a green thing", 1, None, "green"), reason="label_seen_once"),
}


def run(kind: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """What is wrong with how `polyloom run` takes one kind of broken input; empty when nothing is."""
    scenario = write_good(folder)
    KINDS[kind].spoil(folder)
    ended = subprocess.run(
        [sys.executable, "-m", "flows.cli", "run", str(scenario), "--json"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return judged(kind, code=ended.returncode, out=ended.stdout, err=ended.stderr)


def judged(kind: str, *, code: int, out: str, err: str) -> list[str]:
    """How an ending differs from what it must be."""
    expected = KINDS[kind]
    found = []
    if "Traceback" in out + err or "unforeseen" in err:
        found.append(f"{kind}: a stack trace")
    if code != expected.code:
        found.append(f"{kind}: exit code {code}, not {expected.code}: {err[-300:]}")
    elif expected.reason is None:
        found += [] if expected.message in err else [f"{kind}: {expected.message!r} is not in {err[-300:]!r}"]
    else:
        found += wrong_counts(kind, json.loads(out)["snapshot"])
    return found


def wrong_counts(kind: str, snapshot: Mapping[str, object]) -> list[str]:
    """Whether a row vanished, or was refused for another reason."""
    counts = [snapshot["rows_in"], snapshot["rows_kept"], snapshot["rows_quarantined"]]
    rows = GOOD_ROWS if kind == "latin-1 CSV" else GOOD_ROWS + 1
    wrong = [] if counts == [rows, rows - 1, 1] else [f"{kind}: in, kept, refused are {counts}"]
    tables = snapshot["tables"]
    reasons = tables["items"]["reasons"] if isinstance(tables, Mapping) else None
    return wrong + ([] if reasons == {KINDS[kind].reason: 1} else [f"{kind}: reasons {reasons}"])


def measure() -> list[Figure]:
    """Every kind, in a state folder of their own."""
    found = []
    with tempfile.TemporaryDirectory() as given:
        environment = {"POLYLOOM_HOME": str(Path(given) / "home")}
        for number, kind in enumerate(KINDS):
            found.append(run(kind, Path(given) / str(number), environment))
            print(kind, *(found[-1] or ["as it must be"]), sep=": ", file=sys.stderr)
    return [share("broken inputs named, without a stack trace", done=found.count([]), of=len(KINDS), unit="kinds")]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    return show("broken_inputs", measure(), as_json=parser.parse_args().json)


if __name__ == "__main__":
    sys.exit(main())
