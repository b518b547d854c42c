import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingestion.pictures import picture_refusal
from ingestion.readers.idx import IdxReader
from polyloom.errors import DataError, RequestError


def write(path: Path, array: np.ndarray, *, magic: int, tail: bytes = b"") -> Path:
    content = struct.pack(f">I{array.ndim}I", magic, *array.shape) + array.astype(np.uint8).tobytes() + tail
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture(params=["digits-idx3-ubyte", "digits-idx3-ubyte.gz"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / request.param, np.arange(3 * 4 * 5).reshape(3, 4, 5), magic=0x803)


def test_pixels_and_labels_by_hand(images: Path, tmp_path: Path) -> None:
    labels = write(tmp_path / "labels.gz", np.array([7, 0, 9]), magic=0x801)
    rows = list(IdxReader(images, labels=labels, image="picture", label="digit").rows())
    assert [(row.source, row.number, row.values["digit"]) for row in rows] == [
        (images.name, 1, 7), (images.name, 2, 0), (images.name, 3, 9),
    ]  # fmt: skip
    content = rows[1].values["picture"].content
    assert picture_refusal(content) is None
    assert np.array(Image.open(io.BytesIO(content))).tolist() == np.arange(20, 40).reshape(4, 5).tolist()


def test_without_labels(images: Path) -> None:
    assert IdxReader(images).header() == {"image"}
    assert [set(row.values) for row in IdxReader(images).rows()] == [{"image"}] * 3


def test_colours(tmp_path: Path) -> None:
    pixels = np.arange(2 * 2 * 2 * 3).reshape(2, 2, 2, 3)
    rows = list(IdxReader(write(tmp_path / "colours", pixels, magic=0x804)).rows())
    assert np.array(Image.open(io.BytesIO(rows[1].values["image"].content))).tolist() == pixels[1].tolist()
    with pytest.raises(DataError, match=r"colours holds 2 colours a pixel; 3 can be read"):
        list(IdxReader(write(tmp_path / "colours", pixels[..., :2], magic=0x804)).rows())


def test_files_that_do_not_belong_together(images: Path, tmp_path: Path) -> None:
    labels = write(tmp_path / "labels", np.array([7, 0]), magic=0x801)
    with pytest.raises(
        DataError, match=r"holds 3 pictures but labels 2 labels. Give the two files that belong together"
    ):
        list(IdxReader(images, labels=labels).rows())
    with pytest.raises(DataError, match=r"starts with 0x0803; a file of labels starts with 0x0801. Are .* exchanged"):
        list(IdxReader(labels, labels=images).rows())
    with pytest.raises(DataError, match=r"labels starts with 0x0801; a file of pictures starts with 0x0803"):
        list(IdxReader(labels).rows())
    with pytest.raises(RequestError, match=r"labels: there is no .*gone. Check the path, or leave the labels out"):
        IdxReader(images, labels=tmp_path / "gone")
    with pytest.raises(RequestError, match=r"image: 'label' is the name of the label too"):
        IdxReader(images, image="label")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it ends too early"),
        (b"\0\0\x08\x03" + bytes(6), "it ends too early"),
        (struct.pack(">4I", 0x803, 2, 2, 2) + bytes(7), "it ends too early"),
        (
            struct.pack(">4I", 0xD03, 2, 2, 2) + bytes(32),
            "it starts with 0x00000d03, and IDX files of bytes with 0x000008",
        ),
        (struct.pack(">4I", 0x803, 2, 0, 2), "an item of it is said to have 0 bytes"),
        (struct.pack(">4I", 0x803, 1, 2**31, 2**31), "an item of it is said to have 4,611,686,018,427,387,904 bytes"),
        (b"\x1f\x8b and no more", "Unknown compression method|Not a gzipped file"),
    ],
)
def test_damage(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "digits").write_bytes(content)
    with pytest.raises(DataError, match=rf"digits is not a whole IDX file: ({message}).*Fetch or write it again"):
        list(IdxReader(tmp_path / "digits").rows())


def test_what_stands_behind_the_pictures(tmp_path: Path) -> None:
    path = write(tmp_path / "digits", np.zeros((2, 2, 2)), magic=0x803, tail=b"more")
    with pytest.raises(DataError, match=r"digits goes on after its 2 pictures"):
        list(IdxReader(path).rows())
