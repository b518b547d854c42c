"""Looking at pictures: grey copies of every mode, blank ones, and near duplicates against the exact answer."""

import itertools

import numpy as np
import pytest
from PIL import Image

from ingestion.blobs import blob_path
from ingestion.examination.near_pictures import LIKENESS, RADIUS, edges_of, near_pictures
from ingestion.examination.pictures import Look, grey_copy, look_at
from polyloom.errors import IntegrityError
from tests.ingestion.examination.toys import scene, splits, toy

KINDS = {"picture": "image"}


LEAST = dict.fromkeys(["L", "RGB", "RGBA", "CMYK", "LA", "I;16", "I", "F"], 0.99) | {"P": 0.95, "1": 0.5}


@pytest.mark.parametrize("mode", LEAST)
def test_every_mode_gives_nearly_the_same_grey_copy(mode: str) -> None:
    plain = scene(1).convert("L")
    wide = np.asarray(plain, np.uint16) * 257
    if mode == "I;16":
        other = Image.fromarray(wide)
    elif mode in {"I", "F"}:
        other = Image.fromarray(wide.astype(np.int32 if mode == "I" else np.float32))
    else:
        other = plain.convert("RGB").convert(mode)
    correlation = np.corrcoef(np.asarray(grey_copy(plain)).ravel(), np.asarray(grey_copy(other)).ravel())[0, 1]
    assert correlation > LEAST[mode]


def test_what_is_transparent_is_white() -> None:
    assert np.asarray(grey_copy(Image.new("RGBA", (8, 8), (0, 0, 0, 0)))).min() == 255


def test_candidates_by_bands_are_those_of_all_pairs() -> None:
    draw = np.random.default_rng(5)
    looks = []
    for seed in range(60):
        grey = np.asarray(grey_copy(scene(seed % 25)), np.float64)
        noisy = np.clip(grey + draw.normal(0, 2, grey.shape), 0, 255).astype(np.uint8)
        picture = Image.fromarray(noisy)
        import imagehash

        bits = imagehash.phash(picture).hash.ravel()
        number = int.from_bytes(np.packbits(bits).tobytes())
        looks.append(Look(width=64, height=64, mode="L", perceptual=number, grey=noisy))
    wanted = set()
    for (at, first), (there, second) in itertools.combinations(enumerate(looks), 2):
        close = (first.perceptual ^ second.perceptual).bit_count() <= RADIUS
        if close and edges_of(first.grey) @ edges_of(second.grey) >= LIKENESS:
            wanted.add((at, there))
    found = {tuple(pair) for pair in near_pictures(looks).positions.tolist()}
    assert found == wanted
    assert len(found) >= 30


@pytest.mark.parametrize("change", ["half", "recompressed", "darker"])
def test_a_changed_copy_is_alike_and_another_picture_is_not(pictures, change: str) -> None:
    plain = scene(1, side=200)
    changed = {
        "half": plain.resize((100, 100)),
        "recompressed": plain,
        "darker": plain.point(lambda value: value * 0.7),
    }[change]
    options = {"quality": 30} if change == "recompressed" else {}
    names = [pictures.put(plain), pictures.put(changed, "JPEG", **options), pictures.put(scene(2))]
    pairs = near_pictures([look_at(blob_path(pictures.blobs, name)) for name in names])
    assert pairs.positions.tolist() == [[0, 1]]
    assert 0.975 <= pairs.likeness[0] <= 1.0001


def test_blank_pictures_are_reported_and_are_no_duplicates(found, pictures) -> None:
    names = [pictures.put(scene(seed)) for seed in range(40)]
    names[3] = pictures.put(Image.new("RGB", (40, 40), "black"))
    names[7] = pictures.put(Image.new("RGB", (50, 40), (2, 0, 0)))
    names[8] = pictures.put(Image.new("L", (50, 40), 255))
    result = found(toy(kinds=KINDS, split=splits(40), picture=names), blobs=pictures.blobs)
    assert [row.key for row in result["blank_picture"].examples] == ["k3", "k7", "k8"]
    assert result["blank_picture"].figures == {"pictures": 3, "black": 2}
    assert "near_picture" not in result
    assert "from 40 x 40 to 96 x 96 pixels" in result["pictures"].message
    assert "modes RGB 39, L 1" in result["pictures"].message


def test_a_sample_of_pictures_is_named(found, pictures) -> None:
    names = [pictures.put(scene(seed)) for seed in range(30)]
    result = found(toy(kinds=KINDS, split=splits(30), picture=names), blobs=pictures.blobs, max_pictures=10)
    assert "10 different pictures in a sample of 10 of 30" in result["pictures"].message


def test_rows_without_a_picture_are_left_out(found, pictures) -> None:
    names = [None if seed % 2 else pictures.put(scene(seed)) for seed in range(40)]
    assert found(toy(kinds=KINDS, split=splits(40), picture=names), blobs=pictures.blobs)["pictures"].rows == 20


def test_a_damaged_blob_is_named(pictures) -> None:
    name = pictures.put(scene(1))
    blob_path(pictures.blobs, name).write_bytes(b"no picture")
    with pytest.raises(IntegrityError, match=rf"{name}: the picture can no longer be decoded .* Ingest again"):
        look_at(blob_path(pictures.blobs, name))
