"""The data card: what it shows, that it needs nothing else, and that hostile data stay text."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from ingestion.examination.card import write_data_card
from ingestion.examination.examine import examine
from ingestion.examination.thumbnails import Thumbnails
from ingestion.quarantine import QUARANTINE_SCHEMA
from tests.ingestion.examination.toys import chinese, scene, sentences, splits, toy

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'"
KINDS = {"title": "text", "picture": "image", "price": "number", "label": "category"}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "rect", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def refused(**changed: object) -> pa.Table:
    row = {
        "table": "items",
        "source": "items.csv",
        "row": 9,
        "key": "k",
        "reason": "wrong_type",
        "message": "no number.",
        "content": "12a",
    } | changed
    return pa.Table.from_pylist([row], schema=QUARANTINE_SCHEMA)


def shop(pictures, *, texts: list[str], label: str = "blue"):
    names = [pictures.put(scene(row % 49)) for row in range(100)]
    return toy(
        kinds=KINDS,
        split=splits(100),
        title=texts,
        picture=names,
        price=[row / 3 for row in range(100)],
        label=[label if row % 2 else "red" for row in range(100)],
        refused=refused(content=texts[0], source=texts[1]),
    )


def card(tmp_path: Path, pictures, snapshot, profile=None) -> tuple[str, Tags]:
    findings = examine(snapshot, targets={"items": ["label"]}, blobs=pictures.blobs)
    path = tmp_path / "card.html"
    write_data_card(path, snapshot=snapshot, findings=findings, profile=profile, blobs=pictures.blobs)
    page = path.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return page, tags


def test_the_card_shows_what_there_is(tmp_path, pictures) -> None:
    page, tags = card(tmp_path, pictures, shop(pictures, texts=sentences(100)), {"rows": {"longest": 12}})
    words = " ".join(tags.words.split())
    for expected in (
        "toy",
        "101 rows in",
        "100 kept",
        "1 in quarantine",
        "wrong type",
        "no number.",
        "Classes of label",
    ):
        assert expected in words
    assert "rows.longest12" in words
    assert "leaked picture · items" in words
    kinds = [tag for tag, _ in tags.tags]
    assert kinds.count("svg") == 2
    assert kinds.count("img") > 12
    assert len(page) < 2_000_000


def test_the_card_needs_nothing_outside_itself(tmp_path, pictures) -> None:
    page, tags = card(tmp_path, pictures, shop(pictures, texts=sentences(100)))
    assert "default-src 'none'" in page
    assert not {tag for tag, _ in tags.tags} & {"script", "link", "iframe", "object", "form"}
    assert all(found["src"].startswith("data:image/jpeg;base64,") for tag, found in tags.tags if tag == "img")
    assert not re.search(r"url\(|@import|https?://", page)


def test_hostile_data_stay_text(tmp_path, pictures) -> None:
    texts = [f"{EVIL} {text}" for text in sentences(100)]
    texts[0] = texts[2]
    _, tags = card(tmp_path, pictures, shop(pictures, texts=texts, label=EVIL), {EVIL: EVIL})
    assert not [tag for tag, _ in tags.tags if tag == "script"]
    assert not [name for _, found in tags.tags for name in found if name.startswith("on")]
    assert "<script>alert(1)</script>" in tags.words


def test_chinese_is_shown_as_it_is(tmp_path, pictures) -> None:
    texts = chinese(100)
    texts[4] = texts[0]
    _, tags = card(tmp_path, pictures, shop(pictures, texts=texts, label="保险"))
    assert texts[0] in tags.words
    assert "保险" in tags.words


def test_personal_data_are_masked_in_quarantine(tmp_path, pictures) -> None:
    page, _ = card(tmp_path, pictures, shop(pictures, texts=[f"mail a{row}@b.io" for row in range(100)]))
    assert "a0@b.io" not in page
    assert "[mail]" in page


def test_a_lone_surrogate_does_no_harm(tmp_path, pictures) -> None:
    _, tags = card(tmp_path, pictures, shop(pictures, texts=sentences(100)), {"odd": "a\ud800b"})
    assert "a?b" in tags.words


def test_a_card_of_an_empty_table(tmp_path, pictures) -> None:
    snapshot = toy(kinds={"price": "number"}, split=[], price=[])
    _, tags = card_without_target(tmp_path, pictures, snapshot)
    assert "No row was refused." in tags.words


def card_without_target(tmp_path: Path, pictures, snapshot) -> tuple[str, Tags]:
    path = tmp_path / "card.html"
    write_data_card(path, snapshot=snapshot, findings=[], profile=None, blobs=pictures.blobs)
    tags = Tags()
    tags.feed(path.read_text(encoding="utf-8"))
    return path.read_text(encoding="utf-8"), tags


def test_every_column_kind_is_drawn(tmp_path, pictures) -> None:
    snapshot = toy(
        kinds={"empty": "number", "one": "number", "tags": "labels", "at": "time"},
        split=splits(30),
        empty=[None] * 30,
        one=[5.0] * 30,
        tags=[["x", "y"], None, ["x"]] * 10,
        at=list(range(0, 30 * 86_400_000_000, 86_400_000_000)),
    )
    _, tags = card_without_target(tmp_path, pictures, snapshot)
    words = " ".join(tags.words.split())
    assert "no value" in words
    assert "2 different" in words
    assert "1970-01-01 – 1970-01-30, median 1970-01-15" in words


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "I;16", "I", "F", "P", "1"])
def test_a_thumbnail_of_every_mode(pictures, mode: str) -> None:
    plain = scene(3, side=300)
    other = plain.convert("I").convert(mode) if mode in {"I;16", "F"} else plain.convert(mode)
    kind = "TIFF" if mode in {"CMYK", "F", "I"} else "PNG"
    address = Thumbnails(pictures.blobs).address(pictures.put(other, kind))
    import base64

    made = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert made.size == (112, 112)
    low, high = made.convert("L").getextrema()
    assert high - low > 60


def test_thumbnails_are_bounded_and_forgive_a_missing_blob(pictures) -> None:
    thumbnails = Thumbnails(pictures.blobs, limit=2)
    names = [pictures.put(scene(seed)) for seed in range(2)]
    assert thumbnails.address("f" * 64) == ""
    assert thumbnails.address(names[0]).startswith("data:")
    assert thumbnails.address(names[1]) == thumbnails.address(None) == ""
