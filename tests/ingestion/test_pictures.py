import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ingestion.pictures import MAX_BYTES, picture_limits, picture_refusal, size_refusal

KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF")


def noise(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((24, 24), 60).convert("RGB").save(buffer, format=kind)
    return buffer.getvalue()


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
