"""The real texts of the public data sets, and MiniLM's vectors of them, kept from run to run."""

import csv
import gzip
import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from polyloom.durable import json_digest, replace_file
from polyloom.home import home

SHORTEST = 12
# Sentences of what is longer: an index of passages is what the question is about.
LONGEST = 300
SENTENCE_END = re.compile(r"(?<=[.!?。!?;;])\s*")
COLUMNS = {
    "banking77/train.csv": ("text",),
    "banking77/test.csv": ("text",),
    "bank_faq_hdfc/BankFAQs.csv": ("Question", "Answer"),
    "flickr8k_1000/captions.txt": ("caption",),
}


def real_texts(data: Path) -> list[str]:
    """Different texts of all the sets, long ones by sentences, in a fixed order."""
    found = dict.fromkeys(" ".join(part.split()) for text in raw_texts(data) for part in parts(text))
    return [text for text in found if len(text) >= SHORTEST]


def parts(text: str) -> Iterable[str]:
    """A text, or its sentences where it is long."""
    return [text] if len(text) <= LONGEST else [one[:LONGEST] for one in SENTENCE_END.split(text)]


def raw_texts(data: Path) -> Iterator[str]:
    """Every text as it stands in the files; a set that is not there is left out."""
    for read in (tables, chinese_answers, tweets, lines_of_files, abstracts, paragraphs, plots):
        yield from read(data)


def tables(data: Path) -> Iterator[str]:
    """Columns of CSV files."""
    for name, columns in COLUMNS.items():
        if (data / name).is_file():
            with (data / name).open(encoding="utf-8", errors="replace", newline="") as lines:
                yield from (row[column] or "" for row in csv.DictReader(lines) for column in columns)


def chinese_answers(data: Path) -> Iterator[str]:
    """Questions about insurance with their replies."""
    for path in sorted((data / "baoxian_faq_zh").glob("*.csv")):
        with path.open(encoding="gb18030", errors="replace", newline="") as lines:
            yield from (text or "" for row in csv.DictReader(lines) for text in (row["title"], row["reply"]))


def tweets(data: Path) -> Iterator[str]:
    """Tweets about shares."""
    for path in sorted((data / "stocknet").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from (tweet(json.loads(line)) for line in lines)


def lines_of_files(data: Path) -> Iterator[str]:
    """Sentences and titles, one a line or one word a line."""
    for name in ("conll2003", "semeval2010_task8", "thucnews_titles"):
        for path in sorted((data / name).glob("*.[tT][xX][tT]")):
            yield from plain_lines(path.read_text(encoding="utf-8", errors="replace"))


def abstracts(data: Path) -> Iterator[str]:
    """Abstracts of papers, and their titles."""
    for path in sorted((data / "cranfield").glob("cran.all*")):
        yield from re.split(r"^\.[A-Z].*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)


def paragraphs(data: Path) -> Iterator[str]:
    """Paragraphs of an encyclopedia in many languages."""
    for path in sorted((data / "xquad").glob("*.json")):
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        yield from (paragraph["context"] for article in articles for paragraph in article["paragraphs"])


def plots(data: Path) -> Iterator[str]:
    """Films in words."""
    for path in sorted((data / "movielens_100k").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield from (value for value in json.loads(line).values() if isinstance(value, str))


def tweet(row: dict[str, object]) -> str:
    """A tweet's words."""
    text = row.get("text", "")
    return " ".join(map(str, text)) if isinstance(text, list) else str(text)


def plain_lines(content: str) -> Iterator[str]:
    """Lines of a file; of one word a line, sentences between blank lines."""
    lines = content.splitlines()
    if sum(len(line.split()) > 4 for line in lines) > len(lines) / 3:
        yield from lines
        return
    words: list[str] = []
    for line in lines:
        if line.strip():
            words.append(line.split()[0])
        elif words:
            yield " ".join(words)
            words = []


def text_vectors(data: Path, *, most: int | None = None) -> np.ndarray:
    """MiniLM's unit vectors of the texts, float32 [texts, dim]; embedded once for a set of texts."""
    texts = real_texts(data)[:most]
    kept = home() / "benchmarks" / "retrieval" / f"{json_digest(texts)[:16]}.npy"
    if not kept.is_file():
        print(f"embedding {len(texts):,} texts, once", file=sys.stderr, flush=True)
        from benchmarks.retrieval_encoder import TEXT, at_length_one, graph_encoder, prepared_job

        # An embedding that was broken off leaves it.
        shutil.rmtree(kept.with_suffix(".job"), ignore_errors=True)
        job = prepared_job(kept.with_suffix(".job"), texts[:64])
        encoder, preparation = graph_encoder(job), job.preparations[TEXT]
        order = np.argsort([len(text) for text in texts], kind="stable")
        vectors = np.zeros((len(texts), encoder.dim), np.float32)
        for begin in range(0, len(texts), 64):
            rows = order[begin : begin + 64]
            vectors[rows] = encoder(preparation([texts[row] for row in rows.tolist()]))
            if begin % 64_000 == 0:
                print(f"{begin:,} of {len(texts):,}", file=sys.stderr, flush=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(".draft.npy")
        np.save(draft, at_length_one(vectors).astype(np.float32))
        replace_file(kept, draft.read_bytes())
        draft.unlink()
    loaded: np.ndarray = np.load(kept)
    return loaded
