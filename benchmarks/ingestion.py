"""Ingestion against DuckDB and a bare Pillow loop: `python -m benchmarks.ingestion [--rows N] [--pictures N] --json`.

A million text rows are written, read and written as Parquet by DuckDB, ingested by polyloom, and ingested again
unchanged and with 1% more rows; each in a process of its own, so that memory and time are its own.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, below, ratio, show

ENGLISH = "order card refund delivery account price market share profit loss doctor image traffic lane signal late"
CHINESE = "订单 退款 价格 市场 交通 图像 医生 亏损 身份 转账"
WORDS = (*ENGLISH.split(), *CHINESE.split())
GIB = 1 << 30
PAIRS = 5


def write_rows(path: Path, rows: int, *, start: int = 0) -> None:
    """Rows of about 500 bytes: id, text, number, label, time."""
    drawn = random.Random(start)
    with path.open("a", encoding="utf-8") as stream:
        for number in range(start, start + rows):
            row = {
                "id": f"r{number}",
                "text": " ".join(drawn.choices(WORDS, k=62)),
                "price": round(drawn.uniform(1, 900), 2),
                "label": f"class {drawn.randrange(20)}",
                "at": f"2026-{drawn.randrange(1, 13):02d}-{drawn.randrange(1, 29):02d}T10:00:00Z",
            }
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def by_duckdb(path: Path, target: Path) -> None:
    """What a peer does at least: read the file, write it as Parquet."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    rows = f"SELECT * FROM read_json('{path}', format='newline_delimited')"
    connection.execute(f"COPY ({rows}) TO '{target}' (FORMAT parquet)")


def by_polyloom(path: Path, home: Path) -> dict[str, object]:
    """A snapshot of the file, validated and split."""
    from ingestion.snapshots import take_snapshot
    from ingestion.sources import TableSource

    source = TableSource(
        name="rows",
        paths={"": path},
        key="id",
        text=("text",),
        columns={"price": "number", "label": "category", "at": "time"},
    )
    report = take_snapshot(
        scenario="bench",
        tables=[source],
        store=home / "snapshots",
        blobs=home / "blobs",
        max_share=0.0,
        fractions={"validation": 0.1, "test": 0.1},
        seed=7,
        rare_labels={"rows": ["label"]},
    )
    table = report.tables["rows"]
    return {"kept": report.rows_kept, "parts": table.parts, "reused": table.parts_reused}


def bare_decoding(folder: Path) -> dict[str, object]:
    """A Pillow loop over the same files, on as many threads as polyloom takes."""
    import os
    from concurrent.futures import ThreadPoolExecutor

    from PIL import Image

    def decode(path: Path) -> None:
        with Image.open(path) as picture:
            picture.load()

    paths = sorted(folder.rglob("*.jpg"))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return {"pictures": sum(1 for _ in pool.map(decode, paths, chunksize=32))}


def pictures_by_polyloom(folder: Path, home: Path) -> dict[str, object]:
    """A snapshot of a folder of pictures: decoded, hashed, stored."""
    from ingestion.snapshots import take_snapshot
    from ingestion.sources import TableSource

    source = TableSource(
        name="pictures", kind="pictures", paths={"": folder}, image="image", columns={"label": "category"}
    )
    report = take_snapshot(
        scenario="pictures",
        tables=[source],
        store=home / "snapshots",
        blobs=home / "blobs",
        max_share=0.0,
        fractions={"validation": 0.1, "test": 0.1},
        seed=7,
        rare_labels={},
    )
    return {"kept": report.rows_kept}


def write_pictures(folder: Path, count: int) -> None:
    """JPEG photographs of 256 x 256 pixels: noise over gradients, each its own."""
    import numpy as np
    from PIL import Image

    drawn = np.random.default_rng(0)
    base = np.linspace(0, 160, 256, dtype=np.float32)
    for number in range(count):
        target = folder / f"class{number % 10}" / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        coarse = drawn.normal(60, 40, (32, 32, 3)).repeat(8, 0).repeat(8, 1)
        pixels = np.clip(base[:, None, None] + coarse, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(target, quality=85)


WORK = {
    "duckdb": by_duckdb,
    "polyloom": by_polyloom,
    "pillow": bare_decoding,
    "pictures": pictures_by_polyloom,
}


def measured(work: str, *paths: Path) -> dict[str, float]:
    """Seconds of the work without the start of Python and its imports, and the peak of memory with them."""
    command = [sys.executable, "-m", "benchmarks.ingestion", "--work", work, *map(str, paths)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ended.stdout)


def do(work: str, paths: list[str]) -> None:
    """One piece of work in this process."""
    # Paid before the clock starts on both sides; pyarrow imports pandas at its first array.
    import duckdb  # noqa: F401
    import pandas as pd  # noqa: F401

    import ingestion.snapshots  # noqa: F401

    started = time.monotonic()
    told = WORK[work](*map(Path, paths))
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak_bytes": peak, **(told or {})}))


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", nargs="+")
    asked = parser.parse_args()
    if asked.work:
        do(asked.work[0], asked.work[1:])
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        figures = [*text_figures(folder, asked.rows), *picture_figures(folder, asked.pictures)]
    sys.exit(show("ingestion", figures, as_json=asked.json))


def text_figures(folder: Path, rows: int) -> list[Figure]:
    """Time and memory against DuckDB, and again with nothing and with 1% changed."""
    path, home = folder / "rows.jsonl", folder / "home"
    write_rows(path, rows)
    megabytes = path.stat().st_size / 1e6
    peers = [measured("duckdb", path, folder / f"peer{number}.parquet")["seconds"] for number in range(PAIRS)]
    first = measured("polyloom", path, home)
    unchanged = measured("polyloom", path, home)
    write_rows(path, rows // 100, start=rows)
    appended = measured("polyloom", path, home)
    assert (first["kept"], appended["kept"]) == (rows, rows + rows // 100)
    peer = sorted(peers)[PAIRS // 2]
    name = f"{rows:,} rows, {megabytes:.0f} MB of JSONL"
    return [
        ratio(f"{name}, against DuckDB", first["seconds"], "s", against=peer, at_most=4.0),
        below(f"{name}, peak memory", first["peak_bytes"] / GIB, "GiB", limit=2.0),
        ratio(
            "the same again, against the first time", unchanged["seconds"], "s", against=first["seconds"], at_most=0.1
        ),
        ratio("1% more rows", appended["seconds"], "s", against=first["seconds"], at_most=0.1),
    ]


def picture_figures(folder: Path, count: int) -> list[Figure]:
    """Pictures a second against a bare decoding loop: the median of pairs, each run one after the other."""
    write_pictures(folder / "pictures", count)
    pairs = []
    for number in range(PAIRS):
        peer = measured("pillow", folder / "pictures")
        ours = measured("pictures", folder / "pictures", folder / f"home{number}")
        assert ours["kept"] == count
        pairs.append((ours["seconds"], peer["seconds"]))
    ours_seconds, peer_seconds = sorted(pairs, key=lambda pair: pair[0] / pair[1])[PAIRS // 2]
    name = f"{count:,} pictures of 256 x 256, against a bare decoding loop"
    return [ratio(name, count / ours_seconds, "pictures/s", against=count / peer_seconds, at_least=0.7)]


if __name__ == "__main__":
    main()
