"""Files of every format that is read, with secrets in every place that Pillow can write: same pixels, no secrets."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ingestion.pictures import FORMATS, picture_refusal
from modalities.preparation.pictures import PicturePreparation, as_rgb, orientation, shown_size, turned_upright
from polyloom.errors import RequestError
from releases.serving.picture_metadata import without_metadata

SECRET = "ada.lovelace@example.org"
BYTES = SECRET.encode()
PREPARATION = PicturePreparation(column="picture", size=24, mean=[0.5] * 3, deviation=[0.5] * 3)
MODES = {
    "JPEG": ["L", "RGB", "CMYK"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "WEBP": ["RGB", "RGBA"],
    "GIF": ["L", "P", "RGB"],
    "BMP": ["1", "L", "P", "RGB"],
    "TIFF": ["1", "L", "I;16", "F", "RGB", "RGBA", "CMYK"],
    "PPM": ["1", "L", "RGB"],
    "AVIF": ["RGB", "RGBA"],
}


def drawn(mode, *, size=(37, 26), seed=0):
    """A picture that no turn leaves as it is."""
    numbers = np.random.default_rng(seed)
    if mode == "F":
        return Image.fromarray(numbers.random((size[1], size[0]), dtype=np.float32))
    if mode == "I;16":
        return Image.fromarray(numbers.integers(0, 65536, (size[1], size[0]), dtype=np.uint16))
    pixels = numbers.integers(0, 256, (size[1] // 2, size[0] // 2, 4), dtype=np.uint8)
    return Image.fromarray(pixels, "RGBA").resize(size, Image.Resampling.BICUBIC).convert(mode)


def exif(turn=1):
    found = Image.Exif()
    found[0x0112] = turn
    found[0x013B] = SECRET
    found.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 29: SECRET})
    found.get_ifd(0x8769).update({0x9286: BYTES})
    return found


def saved(picture, file_format, **given):
    content = io.BytesIO()
    picture.save(content, format=file_format, **given)
    return content.getvalue()


def pixels(content):
    return PREPARATION([content])["pixels"]


def check(content):
    """What must hold of every file."""
    assert picture_refusal(content) is None
    clean = without_metadata(content)
    assert np.array_equal(pixels(clean), pixels(content))
    with Image.open(io.BytesIO(content)) as picture:
        assert shown_size(clean) == turned_upright(as_rgb(picture), orientation(picture)).size
    assert BYTES not in clean
    assert without_metadata(clean) == clean
    return clean


def test_every_format_that_is_read_is_tried():
    assert set(MODES) == set(FORMATS)


@pytest.mark.parametrize(("file_format", "mode"), [(name, mode) for name, modes in MODES.items() for mode in modes])
def test_no_pixel_changes(file_format, mode):
    check(saved(drawn(mode), file_format))


@pytest.mark.parametrize("turn", range(10))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_picture_stays_as_upright_as_it_was_and_says_nothing_else(file_format, turn):
    content = saved(drawn("RGB"), file_format, exif=exif(turn))
    clean = check(content)
    with Image.open(io.BytesIO(clean)) as picture:
        assert set(picture.getexif()) <= {0x0112}
        assert not picture.getexif().get_ifd(0x8825)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_loses_all_but_what_decoding_reads(progressive, quality, subsampling):
    content = saved(
        drawn("RGB"),
        "JPEG",
        exif=exif(6),
        comment=BYTES,
        icc_profile=b"icc" + BYTES,
        xmp=b"<x:xmpmeta>" + BYTES + b"</x:xmpmeta>",
        progressive=progressive,
        quality=quality,
        subsampling=subsampling,
        restart_marker_rows=1,
        dpi=(72, 72),
    )
    iptc = b"Photoshop 3.0\x00" + BYTES
    content = content[:2] + b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc + content[2:] + BYTES
    check(content)


def test_a_thumbnail_in_the_first_segment_of_a_jpeg_is_gone():
    content = saved(drawn("RGB"), "JPEG")
    thumbnail = bytes([3, 3]) + (BYTES + b"\0\0\0")[:27]
    jfif = b"JFIF\0\1\1\0\0\1\0\1" + thumbnail
    check(b"\xff\xd8\xff\xe0" + struct.pack(">H", len(jfif) + 2) + jfif + content[20:])


def test_an_orientation_that_only_xmp_tells_is_kept():
    told = b'<x:xmpmeta xmlns:tiff="t" tiff:Orientation="6" who="' + BYTES + b'"></x:xmpmeta>'
    content = saved(drawn("RGB"), "JPEG", xmp=told)
    with Image.open(io.BytesIO(content)) as picture:
        assert orientation(picture) == 6
    check(content)


def test_several_pictures_in_one_jpeg_file_become_the_first():
    content = io.BytesIO()
    drawn("RGB").save(content, format="MPO", save_all=True, append_images=[drawn("RGB", seed=1)], comment=BYTES)
    clean = check(content.getvalue())
    assert len(clean) < len(content.getvalue()) * 0.6


def test_png_loses_texts_times_and_what_stands_behind_its_end():
    told = PngInfo()
    told.add_text("Author", SECRET)
    told.add_text("Comment", SECRET, zip=True)
    told.add_itxt("XML:com.adobe.xmp", SECRET)
    content = saved(drawn("P"), "PNG", pnginfo=told, exif=exif(3), icc_profile=b"icc" + BYTES, dpi=(72, 72))
    own = b"prVt" + BYTES
    chunk = struct.pack(">I", len(BYTES)) + own + struct.pack(">I", zlib.crc32(own))
    clean = check(content[:33] + chunk + content[33:] + BYTES)
    assert zlib.compress(BYTES) not in clean


def test_a_transparent_palette_stays_transparent():
    picture = drawn("P")
    check(saved(picture, "PNG", transparency=picture.getpixel((3, 3))))
    check(saved(picture, "GIF", transparency=picture.getpixel((3, 3)), comment=BYTES))


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_a_moving_picture_the_first_frame_stays(file_format):
    frames = [drawn("RGB", seed=seed) for seed in range(3)]
    content = saved(frames[0], file_format, save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(check(content))) as picture:
        assert getattr(picture, "n_frames", 1) == 1


def test_the_words_of_other_formats_are_gone():
    check(saved(drawn("RGB"), "WEBP", exif=exif(6), xmp=BYTES, icc_profile=b"icc" + BYTES))
    check(saved(drawn("RGB"), "TIFF", description=SECRET, artist=SECRET, software=SECRET))
    check(saved(drawn("RGB"), "AVIF", exif=exif(6), xmp=BYTES))
    ppm = saved(drawn("RGB"), "PPM")
    check(ppm[:3] + b"# " + BYTES + b"\n" + ppm[3:] + BYTES)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"no picture", b"GIF89a", BYTES])
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(RequestError, match=r"The picture cannot be read \(.*Send a whole file of one of JPEG, PNG"):
        without_metadata(content)


# Of damaged EXIF Pillow warns, and goes on.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG"]), st.data())
def test_a_damaged_file_is_a_picture_as_before_or_refused(file_format, data):
    content = bytearray(saved(drawn("RGB", size=(16, 12)), file_format, exif=exif(6)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(2, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(2, len(content)))])
    if picture_refusal(cut) is None:
        assert np.array_equal(pixels(without_metadata(cut)), pixels(cut))
