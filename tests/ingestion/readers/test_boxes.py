import io
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ingestion.readers.boxes import BoxesReader
from ingestion.readers.reader import RawRow
from polyloom.errors import DataError, RequestError

LYING = 6
ORIENTATION = 274


def picture(path: Path, size: tuple[int, int] = (100, 50), orientation: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "JPEG", exif=exif)
    path.write_bytes(buffer.getvalue())


def box(label: str, x: float, y: float, width: float, height: float) -> dict[str, object]:
    return {"label": label, "x": x, "y": y, "width": width, "height": height}


def outcome(row: RawRow) -> object:
    return row.refusal.reason if row.refusal else row.values["boxes"]


@pytest.fixture
def yolo(tmp_path: Path) -> Callable[..., list[RawRow]]:
    def read(labels: str | None, *, classes: str | None = "cat\n狗\n", **options: object) -> list[RawRow]:
        picture(tmp_path / "set/images/a.jpg")
        (tmp_path / "set/labels").mkdir(exist_ok=True)
        if labels is not None:
            (tmp_path / "set/labels/a.txt").write_text(labels)
        if classes is not None:
            (tmp_path / "set/classes.txt").write_text(classes, encoding="utf-8")
        return list(BoxesReader(tmp_path / "set", layout="yolo", **options).rows())

    return read


def test_yolo_by_hand(yolo: Callable[..., list[RawRow]], tmp_path: Path) -> None:
    (row,) = yolo("1 0.5 0.5 0.2 0.4\n\n0 0.25 0.5 0.5 1\n")
    assert row.values == {
        "image": str(tmp_path / "set/images/a.jpg"),
        "path": "a.jpg",
        "boxes": [box("狗", 40.0, 15.0, 20.0, 20.0), box("cat", 0.0, 0.0, 50.0, 50.0)],
    }
    assert (row.source, row.number) == ("labels/a.txt", 1)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("", []),
        (None, []),
        ("0 0.5 0.5 0 0.5\n", "out_of_range"),
        ("0 0.5 0.5 -0.2 0.5\n", "out_of_range"),
        ("0 0.95 0.5 0.2 0.5\n", "out_of_range"),
        ("0 nan 0.5 0.2 0.5\n", "out_of_range"),
        ("0 inf 0.5 0.2 0.5\n", "out_of_range"),
        ("0 0.25 0.5 0.51 1\n", [box("cat", 0.0, 0.0, 50.5, 50.0)]),
        ("0 0.5 0.5 0.2\n", "ragged_row"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2\n", "ragged_row"),
        ("cat 0.5 0.5 0.2 0.2\n", "wrong_type"),
        ("7 0.5 0.5 0.2 0.2\n", "not_allowed"),
    ],
)
def test_yolo_labels(yolo: Callable[..., list[RawRow]], labels: str | None, expected: object) -> None:
    assert [outcome(row) for row in yolo(labels)] == [expected]


def test_messages_of_refused_boxes(yolo: Callable[..., list[RawRow]]) -> None:
    (row,) = yolo("0 0.5 0.5 0.2 0.2\n0 0.95 0.5 0.2 0.5\n")
    assert (
        row.refusal.message == "box 2 ('cat': x 85, y 12.5, width 20, height 25) leaves the picture, 100 x 50 pixels."
    )
    assert row.content == "0 0.5 0.5 0.2 0.2\n0 0.95 0.5 0.2 0.5\n"
    assert yolo("0 0.5 0.5 0.2 0\n")[0].refusal.message.endswith("width 20, height 0) has no area.")


def test_yolo_shares_are_of_the_picture_as_it_is_shown(yolo: Callable[..., list[RawRow]], tmp_path: Path) -> None:
    yolo("")
    picture(tmp_path / "set/images/b.jpg", (100, 50), orientation=LYING)
    (tmp_path / "set/labels/b.txt").write_text("0 0.5 0.5 1 1")
    rows = list(BoxesReader(tmp_path / "set", layout="yolo").rows())
    assert outcome(rows[1]) == [box("cat", 0.0, 0.0, 50.0, 100.0)]


def test_yolo_names(yolo: Callable[..., list[RawRow]], tmp_path: Path) -> None:
    assert yolo("3 0.5 0.5 0.2 0.4\n", classes=None)[0].values["boxes"][0]["label"] == "3"
    for text in ("names: [a, b, c, d]\n", "names: {0: a, 3: d}\n"):
        (tmp_path / "data.yaml").write_text(text)
        assert yolo("3 0.5 0.5 0.2 0.4\n", classes=None)[0].values["boxes"][0]["label"] == "d"
    for text in ("names: 3\n", "train: x\n", "names: {a: b}\n"):
        (tmp_path / "data.yaml").write_text(text)
        with pytest.raises(DataError, match=r"data.yaml has no `names`: a list of the classes"):
            yolo("", classes=None)
    (tmp_path / "own.yaml").write_text("names: [")
    with pytest.raises(DataError, match=r"own.yaml cannot be read: .*Repair it"):
        list(BoxesReader(tmp_path / "set", layout="yolo", classes=tmp_path / "own.yaml").rows())


def test_yolo_labels_and_pictures_without_each_other(yolo: Callable[..., list[RawRow]], tmp_path: Path) -> None:
    yolo("0 0.5 0.5 0.2 0.4\n")
    (tmp_path / "set/images/b.jpg").write_bytes(b"broken")
    (tmp_path / "set/labels/b.txt").write_text("")
    (tmp_path / "set/labels/c.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    rows = list(BoxesReader(tmp_path / "set", layout="yolo").rows())
    assert [(row.source, outcome(row)) for row in rows[1:]] == [
        ("labels/b.txt", "not_a_picture"), ("labels/c.txt", "picture_missing"),
    ]  # fmt: skip


def test_yolo_in_splits_and_beside_each_other(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        picture(tmp_path / f"set/{part}/images/a.jpg")
        (tmp_path / f"set/{part}/labels").mkdir()
        (tmp_path / f"set/{part}/labels/a.txt").write_text("0 0.5 0.5 1 1")
    picture(tmp_path / "flat/a.jpg")
    (tmp_path / "flat/a.txt").write_text("0 0.5 0.5 1 1")
    whole = [box("0", 0.0, 0.0, 100.0, 50.0)]
    split = list(BoxesReader(tmp_path / "set", layout="yolo").rows())
    assert [(row.source, outcome(row)) for row in split] == [
        ("train/labels/a.txt", whole), ("valid/labels/a.txt", whole),
    ]  # fmt: skip
    assert [outcome(row) for row in BoxesReader(tmp_path / "flat", layout="yolo").rows()] == [whole]


@pytest.mark.parametrize(("part", "pictures"), [("train", 439), ("valid", 125), ("test", 63)])
def test_vehicles_have_the_counts_of_their_readme(part: str, pictures: int) -> None:
    folder = Path(os.environ.get("POLYLOOM_DATA", "")) / "vehicles_openimages"
    if "POLYLOOM_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("POLYLOOM_DATA names no folder with vehicles_openimages")
    rows = list(BoxesReader(folder / part, layout="yolo").rows())
    assert [row.refusal for row in rows if row.refusal] == []
    assert len(rows) == pictures


def test_vehicles_have_the_boxes_of_their_readme() -> None:
    folder = Path(os.environ.get("POLYLOOM_DATA", "")) / "vehicles_openimages"
    if "POLYLOOM_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("POLYLOOM_DATA names no folder with vehicles_openimages")
    rows = [row for part in ("train", "valid", "test") for row in BoxesReader(folder / part, layout="yolo").rows()]
    labels = Counter(one["label"] for row in rows for one in row.values["boxes"])
    assert labels == {"0": 126, "1": 141, "2": 651, "3": 140, "4": 136}


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., list[RawRow]]:
    def read(images: object, annotations: object, categories: object = ({"id": 9, "name": "猫"},)) -> list[RawRow]:
        picture(tmp_path / "images/a.jpg")
        content = {"info": {"x": [1]}, "images": images, "annotations": annotations, "categories": categories}
        (tmp_path / "boxes.json").write_text(json.dumps(content))
        return list(BoxesReader(tmp_path / "boxes.json", layout="coco").rows())

    return read


def annotation(image: object, bbox: object, category: object = 9) -> dict[str, object]:
    return {"image_id": image, "bbox": bbox, "category_id": category, "segmentation": [[1.5] * 8]}


def test_coco_by_hand(coco: Callable[..., list[RawRow]], tmp_path: Path) -> None:
    images = [{"id": 5, "file_name": "a.jpg", "width": 100, "height": 50}, {"id": "x", "file_name": "a.jpg"}]
    rows = coco(images, [annotation("x", [0, 0, 1, 1]), annotation(5, [1, 2, 3.5, 4]), annotation("x", [2, 2, 1, 1])])
    assert [outcome(row) for row in rows] == [
        [box("猫", 1.0, 2.0, 3.5, 4.0)], [box("猫", 0.0, 0.0, 1.0, 1.0), box("猫", 2.0, 2.0, 1.0, 1.0)],
    ]  # fmt: skip
    assert rows[0].values["image"] == str(tmp_path / "images/a.jpg")
    assert [(row.source, row.number) for row in rows] == [("boxes.json", 1), ("boxes.json", 2)]


def test_coco_refuses_what_is_wrong_and_keeps_the_rest(coco: Callable[..., list[RawRow]]) -> None:
    one = {"file_name": "a.jpg", "width": 100, "height": 50}
    images = [
        {"id": 1, **one}, {"id": 1, **one}, {"id": 2, **one, "width": 80}, {"id": 3, "file_name": "gone.jpg"},
        {"id": 4, "file_name": "../boxes.json"}, {**one}, {"id": 6, **one}, {"id": 7, **one}, {"id": [8], **one},
    ]  # fmt: skip
    annotations = [
        annotation(1, [0, 0, 1, 1]),
        annotation(99, [0, 0, 1, 1]),
        annotation(6, [0, 0, 1]),
        annotation(7, [0, 0, 1, 1], 4),
        annotation([1], None),
    ]
    rows = coco(images, annotations)
    assert [outcome(row) for row in rows] == [
        [box("猫", 0.0, 0.0, 1.0, 1.0)], "duplicate_key", "out_of_range", "picture_missing", "picture_missing",
        "missing_value", "wrong_type", "not_allowed", "missing_value", "unknown_reference", "unknown_reference",
    ]  # fmt: skip
    assert [(row.source, row.number) for row in rows[-2:]] == [
        ("boxes.json, annotations", 2),
        ("boxes.json, annotations", 5),
    ]
    assert rows[2].refusal.message == "the labels of 'a.jpg' are for 80 x 50 pixels, the picture has 100 x 50."


def test_coco_files_that_are_none(coco: Callable[..., list[RawRow]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"boxes.json: element 1 of `images` is no object. A COCO file has `images`"):
        coco([1], [])
    with pytest.raises(
        DataError, match=r"boxes.json holds no pictures with boxes. Check `path`, `layout` and `images`"
    ):
        coco([], [])
    for content in ("[]", '{"images": [], "annotations": {}}', "{}"):
        (tmp_path / "boxes.json").write_text(content)
        with pytest.raises(DataError, match=r"boxes.json has no list '(images|annotations)'. A COCO file has `images`"):
            list(BoxesReader(tmp_path / "boxes.json", layout="coco").rows())


VOC = """<annotation><folder>x</folder><filename>{name}</filename>
<size><width>{width}</width><height>50</height><depth>3</depth></size>
<object><name> 猫 </name><bndbox><xmin>{left}</xmin><ymin>2</ymin><xmax>31.5</xmax><ymax>42</ymax></bndbox>
<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part></object>
</annotation>"""


@pytest.fixture
def voc(tmp_path: Path) -> Callable[..., list[RawRow]]:
    def read(*texts: str) -> list[RawRow]:
        picture(tmp_path / "voc/JPEGImages/a.jpg")
        (tmp_path / "voc/Annotations").mkdir(exist_ok=True)
        for number, text in enumerate(texts):
            (tmp_path / f"voc/Annotations/{number}.xml").write_text(text, encoding="utf-8")
        return list(BoxesReader(tmp_path / "voc", layout="voc").rows())

    return read


def voc_text(name: str = "a.jpg", width: str = "100", left: str = "1.5") -> str:
    return VOC.format(name=name, width=width, left=left)


def test_voc_by_hand(voc: Callable[..., list[RawRow]], tmp_path: Path) -> None:
    (row,) = voc(voc_text())
    assert row.values["boxes"] == [box("猫", 1.5, 2.0, 30.0, 40.0)]
    assert row.values["image"] == str(tmp_path / "voc/JPEGImages/a.jpg")
    assert (row.source, row.number) == ("Annotations/0.xml", 1)


def test_voc_refuses_what_is_wrong_and_keeps_the_rest(voc: Callable[..., list[RawRow]]) -> None:
    rows = voc(
        voc_text(width="0"),
        voc_text(name="gone.jpg"),
        voc_text(name="../Annotations/0.xml"),
        voc_text(width="80"),
        voc_text(left="x"),
        voc_text(left="40"),
        voc_text()[:-20],
        voc_text().replace("<bndbox>", "<b>").replace("</bndbox>", "</b>"),
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><annotation>&e;</annotation>',
    )
    assert [outcome(row) for row in rows] == [
        [box("猫", 1.5, 2.0, 30.0, 40.0)], "picture_missing", "picture_missing", "out_of_range", "wrong_type",
        "out_of_range", "wrong_type", "missing_value", "wrong_type",
    ]  # fmt: skip


def test_requests_that_cannot_be_meant(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(RequestError, match=r"layout: 'coc' is not known. Allowed are coco, voc and yolo"):
        BoxesReader(tmp_path, layout="coc")
    with pytest.raises(RequestError, match=r"is a folder; `layout: coco` needs the JSON file in it"):
        BoxesReader(tmp_path, layout="coco")
    with pytest.raises(RequestError, match=r"a.json is a file; `layout: voc` needs the folder of its labels"):
        BoxesReader(tmp_path / "a.json", layout="voc")
    with pytest.raises(RequestError, match=r"image: 'boxes' is the name of another column"):
        BoxesReader(tmp_path, layout="yolo", image="boxes")
