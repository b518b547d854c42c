import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ingestion.pictures import (
    MAX_BYTES,
    MAX_FRAMES,
    PictureFacts,
    describe,
    picture_limits,
    picture_refusal,
    size_refusal,
)
from ingestion.refusals import RowRefused
from modalities.preparation.pictures import PicturePreparation

KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF")


def noise(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((24, 24), 60).convert("RGB").save(buffer, format=kind)
    return buffer.getvalue()


def encoded(picture: Image.Image, kind: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **settings)
    return buffer.getvalue()


def animation(kind: str, frames: int) -> bytes:
    pictures = [Image.new("RGB", (16, 16), (number % 10 * 25, 0, 0)) for number in range(frames)]
    return encoded(pictures[0], kind, save_all=True, append_images=pictures[1:])


NOISE = {kind: noise(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_whole_pictures_pass_and_halves_do_not(kind: str) -> None:
    assert picture_refusal(NOISE[kind]) is None
    refusal = picture_refusal(NOISE[kind][: len(NOISE[kind]) // 2])
    assert refusal is not None
    assert refusal.reason in {"picture_truncated", "picture_broken", "not_a_picture"}


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_truncated_picture_is_called_so(kind: str) -> None:
    assert picture_refusal(NOISE[kind][:-100]).reason == "picture_truncated"


@pytest.mark.parametrize("content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"<svg/>", b"hello"])
def test_what_is_no_picture_or_runs_a_program(content: bytes) -> None:
    refusal = picture_refusal(content)
    assert refusal.reason == "not_a_picture"
    assert "the file is not one of JPEG, PNG" in refusal.message


@pytest.mark.parametrize("side", [8_001, 10_000, 20_000])
def test_too_many_pixels_are_refused_before_decoding(side: int) -> None:
    header = f"P6 {side} {side} 255\n".encode()
    with picture_limits():
        refusal = picture_refusal(header)
    assert refusal.reason == "picture_too_large"
    assert "the limit is 64 megapixels" in refusal.message


def test_too_many_bytes() -> None:
    assert size_refusal(MAX_BYTES) is None
    assert (
        size_refusal(MAX_BYTES + (1 << 20)).message == "the picture has 65 MiB; the limit is 64 MiB. Make it smaller."
    )


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_no_damage_is_more_than_a_refusal(kind: str, data: st.DataObject) -> None:
    content = bytearray(NOISE[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with picture_limits():
        picture_refusal(bytes(content[: data.draw(st.integers(0, len(content)))]))


MODES = [
    ("PNG", "1"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "I;16"), ("JPEG", "CMYK"),
    ("TIFF", "CMYK"), ("TIFF", "F"), ("TIFF", "I"), ("TIFF", "I;16"), ("TIFF", "LAB"), ("TIFF", "PA"),
    ("TIFF", "YCbCr"), ("BMP", "1"), ("PPM", "I"), ("PPM", "F"), ("GIF", "P"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "mode"), MODES)
def test_every_mode_is_described_kept_and_becomes_rgb(kind: str, mode: str) -> None:
    picture = Image.new(mode, (5, 7)) if mode in {"PA", "I;16"} else Image.new("RGB", (5, 7)).convert(mode)
    content = encoded(picture, kind)
    assert describe(content) == PictureFacts(format=kind, width=5, height=7, mode=mode, frames=1, orientation=1)
    assert picture_refusal(content) is None
    prepare = PicturePreparation(column="x", size=16, mean=(0,) * 3, deviation=(1,) * 3)
    assert prepare.decode([content]).shape == (1, 16, 16, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_stored_orientation_is_told(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert describe(encoded(Image.new("RGB", (6, 4)), kind, exif=exif)).orientation == 6


def test_a_damaged_exif_block_costs_no_picture() -> None:
    content = encoded(Image.new("RGB", (6, 4)), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    with picture_limits():
        assert picture_refusal(content) is None
        assert describe(content).orientation == 1


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF", "MPO"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    content = animation(kind, 5)
    assert describe(content).frames == 5
    assert picture_refusal(content) is None
    prepare = PicturePreparation(column="x", size=16, mean=(0,) * 3, deviation=(1,) * 3)
    assert prepare.decode([content]).max() <= 20


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF"])
def test_too_many_frames_are_refused_before_decoding(kind: str) -> None:
    refusal = picture_refusal(animation(kind, MAX_FRAMES + 2))
    assert refusal is not None
    assert refusal.reason == "picture_too_many_frames"
    assert "the picture has more than 1,000 frames; only the first would be used" in refusal.message


def test_frames_are_counted_no_further_than_needed() -> None:
    header = b"GIF89a\x01\x00\x01\x00\x00\x00\x00"
    frame = b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    refusal = picture_refusal(header + frame * 2_000_000)
    assert refusal is not None
    assert refusal.reason == "picture_too_many_frames"


def test_the_ending_does_not_count_and_a_progressive_picture_is_one() -> None:
    picture = Image.effect_noise((64, 64), 60).convert("RGB")
    progressive = encoded(picture, "JPEG", progressive=True)
    assert describe(progressive).format == "JPEG"
    assert picture_refusal(progressive) is None
    assert picture_refusal(progressive[:-200]).reason == "picture_truncated"


def test_what_is_no_picture_is_not_described() -> None:
    for content, message in ((b"", "the picture has 0 bytes"), (b"hello", "the file is not one of JPEG, PNG")):
        with pytest.raises(RowRefused, match=message):
            describe(content)


EXIF = Image.Exif()
EXIF[0x0112] = 6
DAMAGED = [
    encoded(Image.effect_noise((24, 24), 60).convert("RGB"), kind, exif=EXIF)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF")
]


@settings(max_examples=300, deadline=None)
@given(content=st.sampled_from(DAMAGED), data=st.data())
def test_what_passes_can_be_described_and_prepared(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, min(len(damaged), 300) - 1))] = data.draw(st.integers(0, 255))
    prepare = PicturePreparation(column="x", size=16, mean=(0,) * 3, deviation=(1,) * 3)
    with picture_limits():
        if picture_refusal(bytes(damaged)) is None:
            describe(bytes(damaged))
            prepare.decode([bytes(damaged)])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_check_decodes_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a check costs beside the decoding is measured by `benchmarks.ingestion`."""
    decoders = []
    make = Image._getdecoder

    def counted(*given: Any) -> Any:
        decoders.append(given)
        return make(*given)

    monkeypatch.setattr(Image, "_getdecoder", counted)
    content = encoded(Image.effect_noise((64, 64), 60).convert("RGB"), kind)
    with picture_limits():
        assert picture_refusal(content) is None
    assert len(decoders) == 1
