"""Kinds of broken pictures and boxes, and every source kind that holds pictures."""

import io
import json
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pyarrow import feather

from ingestion.refusals import Reason
from ingestion.sources import TableSource

GOOD_PICTURES = 6
SIZE = (32, 16)
FRAMES = 1_001


class BrokenPicture(NamedTuple):
    """A file in the place of a picture, None for no file; what is said of it, and in which sources it can occur."""

    content: Callable[[], bytes | None]
    reason: Reason
    message: str
    sources: tuple[str, ...]


@cache
def picture(kind: str = "JPEG") -> bytes:
    """A good picture with noise in it, so that a part of it can be missing."""
    buffer = io.BytesIO()
    Image.effect_noise(SIZE, 60).convert("RGB").save(buffer, format=kind)
    return buffer.getvalue()


def damaged() -> bytes:
    """A PNG with the wrong bytes in its middle."""
    content = bytearray(picture("PNG"))
    content[len(content) // 2 : len(content) // 2 + 20] = b"\xff" * 20
    return bytes(content)


def huge() -> bytes:
    """A small PNG that says it has 300 megapixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 20_000, 15_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@cache
def animated() -> bytes:
    """A GIF with more frames than a picture may have."""
    frame = Image.new("P", SIZE)
    buffer = io.BytesIO()
    frame.save(buffer, format="GIF")
    still = buffer.getvalue()
    start = still.index(b",")
    return still[:start] + still[start:-1] * FRAMES + b";"


Pictures = Mapping[str, bytes | None]


def write_folder(folder: Path, pictures: Pictures) -> TableSource:
    """Class folders."""
    (folder / "pictures" / "things").mkdir(parents=True)
    write_files(folder / "pictures" / "things", pictures)
    return source("pictures", folder / "pictures", columns={"label": "category"})


def write_zip(folder: Path, pictures: Pictures) -> TableSource:
    """Class folders in a zip file."""
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for name, content in pictures.items():
            archive.writestr(f"things/{name}", content or b"")
    return source("pictures", folder / "all.zip", columns={"label": "category"})


def write_csv(folder: Path, pictures: Pictures) -> TableSource:
    """A table with paths."""
    write_files(folder, pictures)
    (folder / "rows.csv").write_text("image,name\n" + "".join(f"{name},{name}\n" for name in pictures))
    return source("table", folder / "rows.csv", key="name")


def write_jsonl(folder: Path, pictures: Pictures) -> TableSource:
    """Objects with paths."""
    write_files(folder, pictures)
    lines = [json.dumps({"image": name, "name": name}) + "\n" for name in pictures]
    (folder / "rows.jsonl").write_text("".join(lines))
    return source("table", folder / "rows.jsonl", key="name")


def write_parquet(folder: Path, pictures: Pictures) -> TableSource:
    """The pictures themselves in a column."""
    pq.write_table(columns(pictures), folder / "rows.parquet")
    return source("table", folder / "rows.parquet", key="name")


def write_arrow(folder: Path, pictures: Pictures) -> TableSource:
    """The pictures themselves in a column."""
    feather.write_feather(columns(pictures), folder / "rows.arrow")
    return source("table", folder / "rows.arrow", key="name")


def write_sqlite(folder: Path, pictures: Pictures) -> TableSource:
    """The pictures themselves in a column."""
    connection = sqlite3.connect(folder / "rows.db")
    connection.execute("CREATE TABLE rows (name TEXT PRIMARY KEY, image BLOB)")
    connection.executemany("INSERT INTO rows VALUES (?, ?)", list(pictures.items()))
    connection.commit()
    connection.close()
    options = {"url": f"sqlite:///{folder / 'rows.db'}", "table": "rows", "query": None}
    return source("sql", folder, key="name", options=options)


def write_hugging_face(folder: Path, pictures: Pictures) -> TableSource:
    """A folder of `save_to_disk` with a feature `Image`."""
    import datasets

    datasets.disable_progress_bars()
    features = datasets.Features({"name": datasets.Value("string"), "image": datasets.Image()})
    images = pa.StructArray.from_arrays(
        [pa.array(list(pictures.values()), pa.binary()), pa.nulls(len(pictures), pa.string())], ["bytes", "path"]
    )
    table = pa.table({"name": list(pictures), "image": images}, schema=features.arrow_schema)
    datasets.Dataset(table).save_to_disk(folder / "saved")
    return source("hf", folder / "saved", key="name")


BOX = (1, 2, 10, 8)


def write_coco(folder: Path, pictures: Pictures, **changed: object) -> TableSource:
    """A box in each picture; `changed` is put over the parts of the file."""
    write_files(folder / "images", pictures)
    images = [{"id": n, "file_name": name} for n, name in enumerate(pictures)]
    boxes = [{"id": n, "image_id": n, "category_id": 5, "bbox": list(BOX)} for n in range(len(pictures))]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 5, "name": "cat"}], **changed}
    (folder / "boxes.json").write_text(json.dumps(content))
    return source("boxes", folder / "boxes.json", columns={"boxes": "boxes"}, options={"layout": "coco"})


def voc_text(name: str, *, box: Sequence[float] = (1, 2, 11, 10), size: str = "") -> str:
    """The XML file of a picture."""
    named = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    sides = "".join(f"<{side}>{value}</{side}>" for side, value in named)
    inner = f"<object><name>cat</name><bndbox>{sides}</bndbox></object>"
    return f"<annotation><filename>{name}</filename>{size}{inner}</annotation>"


def write_voc(folder: Path, pictures: Pictures, **changed: str) -> TableSource:
    """An XML file for each picture; `changed` maps a stem to another text."""
    write_files(folder / "voc" / "JPEGImages", pictures)
    (folder / "voc" / "Annotations").mkdir()
    for name in pictures:
        stem = Path(name).stem
        (folder / f"voc/Annotations/{stem}.xml").write_text(changed.get(stem, voc_text(name)))
    return source("boxes", folder / "voc", columns={"boxes": "boxes"}, options={"layout": "voc"})


def write_yolo(folder: Path, pictures: Pictures, **changed: str) -> TableSource:
    """A label file for each picture; `changed` maps a stem to another text."""
    write_files(folder / "yolo" / "images", pictures)
    (folder / "yolo" / "labels").mkdir()
    (folder / "yolo" / "classes.txt").write_text("cat\ndog\n")
    for stem in {Path(name).stem: "" for name in pictures} | changed:
        (folder / f"yolo/labels/{stem}.txt").write_text(changed.get(stem, "0 0.5 0.5 0.25 0.25\n"))
    return source("boxes", folder / "yolo", columns={"boxes": "boxes"}, options={"layout": "yolo"})


WRITERS: Mapping[str, Callable[[Path, Pictures], TableSource]] = {
    "picture folder": write_folder,
    "zip": write_zip,
    "CSV": write_csv,
    "JSONL": write_jsonl,
    "Parquet": write_parquet,
    "Arrow": write_arrow,
    "SQL": write_sqlite,
    "Hugging Face": write_hugging_face,
    "COCO": write_coco,
    "VOC": write_voc,
    "YOLO": write_yolo,
}
PICTURES = tuple(WRITERS)
NAMED = ("CSV", "JSONL", "COCO", "VOC", "YOLO")
PICTURE_KINDS: Mapping[str, BrokenPicture] = {
    "picture of 0 bytes": BrokenPicture(lambda: b"", "picture_empty", "the picture has 0 bytes", PICTURES),
    "picture cut short": BrokenPicture(lambda: picture()[:-200], "picture_truncated", "ends too early", PICTURES),
    "picture damaged inside": BrokenPicture(damaged, "picture_broken", "cannot be", PICTURES),
    "no picture at all": BrokenPicture(
        lambda: b"<html>no</html>", "not_a_picture", "is not one of JPEG, PNG", PICTURES
    ),
    "picture with too many pixels": BrokenPicture(huge, "picture_too_large", "the limit is 64 megapixels", PICTURES),
    "picture with too many frames": BrokenPicture(
        animated, "picture_too_many_frames", "more than 1,000 frames", PICTURES
    ),
    "picture is missing": BrokenPicture(lambda: None, "picture_missing", "", NAMED),
}
IMAGES = {f"{number}.jpg": picture() for number in range(GOOD_PICTURES)}


def coco_part(part: str, place: int, **changed: object) -> Callable[[Path], TableSource]:
    """A COCO file one of whose elements is another."""

    def write(folder: Path) -> TableSource:
        path = write_coco(folder, IMAGES).paths[""]
        content = json.loads(path.read_text())
        content[part][place : place + 1] = [{**content[part][min(place, GOOD_PICTURES - 1)], **changed}]
        path.write_text(json.dumps(content))
        return source("boxes", path, columns={"boxes": "boxes"}, options={"layout": "coco"})

    return write


def voc(**changed: str) -> Callable[[Path], TableSource]:
    """VOC files of which one is another."""
    return lambda folder: write_voc(folder, IMAGES, **changed)


def yolo(**changed: str) -> Callable[[Path], TableSource]:
    """YOLO files of which one is another."""
    return lambda folder: write_yolo(folder, IMAGES, **changed)


class BrokenBoxes(NamedTuple):
    """How each layout is written with such a box; `extra` where the refused row is one beside the pictures' rows."""

    reason: Reason
    message: str
    writers: Mapping[str, Callable[[Path], TableSource]]
    extra: bool = False


ENTITIES = '<!DOCTYPE a [<!ENTITY b "bbbb">]><annotation>&b;</annotation>'
BOX_KINDS: Mapping[str, BrokenBoxes] = {
    "box outside its picture": BrokenBoxes(
        "out_of_range",
        "leaves the picture, 32 x 16 pixels",
        {
            "COCO": coco_part("annotations", 2, bbox=[30, 2, 10, 8]),
            "VOC": voc(**{"2": voc_text("2.jpg", box=(1, 2, 99, 9))}),
            "YOLO": yolo(**{"2": "0 0.9 0.5 0.9 0.5"}),
        },
    ),
    "box without area": BrokenBoxes(
        "out_of_range",
        "has no area",
        {
            "COCO": coco_part("annotations", 2, bbox=[3, 2, 0, 8]),
            "VOC": voc(**{"2": voc_text("2.jpg", box=(3, 2, 3, 9))}),
            "YOLO": yolo(**{"2": "0 0.5 0.5 0 0.5"}),
        },
    ),
    "box that is no numbers": BrokenBoxes(
        "wrong_type",
        "",
        {
            "COCO": coco_part("annotations", 2, bbox=[1, 2, "a", 8]),
            "YOLO": yolo(**{"2": "0 0.5 0.5 a 0.5"}),
            "VOC": voc(**{"2": voc_text("2.jpg", box=(1, 2, float("nan"), 9))}),
        },
    ),
    "box number beyond any float": BrokenBoxes(
        "wrong_type",
        "",
        {
            "COCO": coco_part("annotations", 2, bbox=[1, 2, 10**400, 8]),
            "VOC": voc(**{"2": voc_text("2.jpg", box=(1, 2, 1e999, 9))}),
        },
    ),
    "box of no known class": BrokenBoxes(
        "not_allowed",
        "has no name",
        {"COCO": coco_part("annotations", 2, category_id=9), "YOLO": yolo(**{"2": "7 0.5 0.5 0.2 0.5"})},
    ),
    "labels for another size": BrokenBoxes(
        "out_of_range",
        "the picture has 32 x 16",
        {
            "COCO": coco_part("images", 2, width=64, height=64),
            "VOC": voc(**{"2": voc_text("2.jpg", size="<size><width>64</width><height>64</height></size>")}),
        },
    ),
    "size that is no number": BrokenBoxes(
        "wrong_type",
        "not a number",
        {"VOC": voc(**{"2": voc_text("2.jpg", size="<size><width>nan</width><height>1e999</height></size>")})},
    ),
    "box line with a field missing": BrokenBoxes(
        "ragged_row", "has 4 fields", {"YOLO": yolo(**{"2": "0 0.5 0.5 0.2"})}
    ),
    "XML that cannot be read": BrokenBoxes(
        "wrong_type", "not XML that can be read", {"VOC": voc(**{"2": "<annotation><object>"})}
    ),
    "XML with entities": BrokenBoxes("wrong_type", "not XML that can be read", {"VOC": voc(**{"2": ENTITIES})}),
    "object without name or box": BrokenBoxes(
        "missing_value",
        "has no <name> or no <bndbox>",
        {"VOC": voc(**{"2": "<annotation><filename>2.jpg</filename><object/></annotation>"})},
    ),
    "labels without a picture": BrokenBoxes(
        "picture_missing", "no picture for these labels", {"YOLO": yolo(stray="0 0.5 0.5 0.2 0.5")}, extra=True
    ),
    "annotation of no image": BrokenBoxes(
        "unknown_reference",
        "no image has the id '99'",
        {"COCO": coco_part("annotations", GOOD_PICTURES, image_id=99)},
        extra=True,
    ),
    "image id stands twice": BrokenBoxes(
        "duplicate_key", "stands in an image above", {"COCO": coco_part("images", GOOD_PICTURES, id=3)}, extra=True
    ),
    "picture path that leads out": BrokenBoxes(
        "picture_missing",
        "is not a path below the folder",
        {
            "COCO": coco_part("images", 2, file_name="../2.jpg"),
            "VOC": voc(**{"2": voc_text("/etc/2.jpg")}),
        },
    ),
}


def columns(pictures: Pictures) -> pa.Table:
    """Names and bytes."""
    return pa.table({"name": list(pictures), "image": pa.array(list(pictures.values()), pa.binary())})


def write_files(folder: Path, pictures: Pictures) -> None:
    """A file for each picture that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pictures.items():
        if content is not None:
            (folder / name).write_bytes(content)


def source(kind: str, path: Path, **declared: object) -> TableSource:
    """What a scenario says of pictures."""
    settings = {"name": "rows", "kind": kind, "paths": {"": path}, "image": "image", "required": ("image",)}
    return TableSource(**{**settings, **declared})
