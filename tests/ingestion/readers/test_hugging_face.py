import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from ingestion.readers.hugging_face import HuggingFaceReader
from ingestion.readers.picture_values import PictureBytes
from polyloom.errors import DataError, RequestError

datasets = pytest.importorskip("datasets", reason="the extra polyloom[huggingface] is not installed")


@pytest.fixture(autouse=True)
def no_bars() -> None:
    datasets.disable_progress_bars()


@pytest.fixture
def reviews() -> datasets.Dataset:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["差", "好"]),
            "tags": datasets.Sequence(datasets.ClassLabel(names=["x", "y"])),
            "image": datasets.Image(),
        }
    )
    columns = {
        "text": ["bad", "good", None],
        "label": [0, 1, -1],
        "tags": [[0, 1], [], None],
        "image": [{"bytes": buffer.getvalue(), "path": None}, {"bytes": b"x", "path": "a.png"}, None],
    }
    return datasets.Dataset.from_dict(columns, features=features)


def test_names_of_classes_and_pictures(reviews: datasets.Dataset, tmp_path: Path) -> None:
    reviews.save_to_disk(tmp_path / "reviews")
    reader = HuggingFaceReader(tmp_path / "reviews")
    rows = [dict(row.values) for row in reader.rows()]
    picture = rows[0].pop("image")
    assert isinstance(picture, PictureBytes)
    assert Image.open(io.BytesIO(picture.content)).size == (4, 4)
    assert rows == [
        {"text": "bad", "label": "差", "tags": ["x", "y"]},
        {"text": "good", "label": "好", "tags": [], "image": PictureBytes(b"x")},
        {"text": None, "label": None, "tags": None, "image": None},
    ]
    assert reader.header() == {"text", "label", "tags", "image"}


def test_splits(reviews: datasets.Dataset, tmp_path: Path) -> None:
    both = {"train": reviews.select([0, 1]), "test": reviews.select([2])}
    datasets.DatasetDict(both).save_to_disk(tmp_path / "reviews")
    reader = HuggingFaceReader(tmp_path / "reviews")
    rows = list(reader.rows())
    assert [(row.source, row.number, row.values["split"]) for row in rows] == [
        ("reviews/train", 1, "train"), ("reviews/train", 2, "train"), ("reviews/test", 1, "test"),
    ]  # fmt: skip
    assert reader.header() == set(rows[0].values)
    assert [row.values["text"] for row in HuggingFaceReader(tmp_path / "reviews", split="train").rows()] == [
        "bad",
        "good",
    ]
    with pytest.raises(RequestError, match=r"split: reviews has no 'tets'. Did you mean 'test'\? It has train, test"):
        HuggingFaceReader(tmp_path / "reviews", split="tets")


def test_shards_come_in_order(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"n": list(range(50))}).save_to_disk(tmp_path / "numbers", num_shards=3)
    assert [row.values["n"] for row in HuggingFaceReader(tmp_path / "numbers").rows()] == list(range(50))


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    with pytest.raises(
        DataError, match=r"reviews is empty or was not written by save_to_disk .*none of dataset_dict.json"
    ):
        HuggingFaceReader(tmp_path / "reviews")


@pytest.mark.parametrize("file", ["state.json", "dataset_info.json", "data-00000-of-00001.arrow"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff" * 100], ids=["gone", "empty", "other", "noise"])
def test_damage(reviews: datasets.Dataset, tmp_path: Path, file: str, content: bytes | None) -> None:
    datasets.DatasetDict({"train": reviews}).save_to_disk(tmp_path / "reviews")
    target = tmp_path / "reviews/train" / file
    target.unlink() if content is None else target.write_bytes(content)
    if file == "dataset_info.json" and content == b"{}":
        pytest.skip("features are then read from the data itself")
    with pytest.raises(DataError, match=r"train is not a whole data set: .*Write it again with save_to_disk"):
        list(HuggingFaceReader(tmp_path / "reviews").rows())


def test_the_error_without_the_library_names_the_extra(
    reviews: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviews.save_to_disk(tmp_path / "reviews")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(RequestError, match=r"need the library `datasets`. Install polyloom\[huggingface\]"):
        HuggingFaceReader(tmp_path / "reviews").header()
