"""Pictures of every kind, against pixels that can be computed by hand."""

import io

import numpy as np
import pytest
from PIL import Image

from modalities.encoders.picture import picture_preparation
from modalities.preparation.pictures import PicturePreparation, as_rgb, orientation, shown_size, turned_upright
from tests.support.tiny_models import encoded, noise, png

SIZE = 16
RED, GREEN = (200, 30, 60), (10, 220, 40)


@pytest.fixture
def prepare():
    return PicturePreparation(column="picture", size=SIZE, mean=(0, 0, 0), deviation=(1, 1, 1))


def decoded(prepare, content):
    return prepare.decode([content])[0]


def halves(left, right, *, height=SIZE, width=SIZE):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = left, right
    return pixels


def test_a_picture_of_the_right_size_is_left_as_it_is(prepare):
    pixels = noise(seed=1, height=SIZE, width=SIZE)
    np.testing.assert_array_equal(decoded(prepare, png(pixels)), pixels)


def test_pixels_are_normalised_by_channel():
    prepare = PicturePreparation(column="picture", size=SIZE, mean=(0.5, 0.4, 0.3), deviation=(0.5, 0.25, 0.1))
    pixels = prepare([png(halves(RED, RED))])["pixels"]
    assert pixels.shape == (1, 3, SIZE, SIZE)
    assert pixels.dtype == np.float32
    for channel, expected in enumerate([(200 / 255 - 0.5) / 0.5, (30 / 255 - 0.4) / 0.25, (60 / 255 - 0.3) / 0.1]):
        np.testing.assert_allclose(pixels[0, channel], expected, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(SIZE, 4 * SIZE), (3 * SIZE, SIZE), (80, 32), (99, 33)])
def test_the_centre_of_a_non_square_picture_is_kept(prepare, height, width):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[...] = GREEN
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    pixels[top : top + short, left : left + short] = RED
    found = decoded(prepare, png(pixels))
    assert found.shape == (SIZE, SIZE, 3)
    np.testing.assert_array_equal(found[2:-2, 2:-2], np.broadcast_to(np.uint8(RED), (SIZE - 4, SIZE - 4, 3)))


def test_the_whole_picture_is_squeezed_where_shares_of_it_must_stay():
    prepare = PicturePreparation(column="picture", size=SIZE, mean=(0,) * 3, deviation=(1,) * 3, crop=0.5, whole=True)
    found = decoded(prepare, png(halves(RED, GREEN, width=4 * SIZE)))
    np.testing.assert_array_equal(found[:, [0, -1]], halves(RED, GREEN)[:, [0, -1]])


def test_a_picture_has_the_size_in_which_it_is_shown(tmp_path):
    picture = Image.new("RGB", (40, 20))
    assert shown_size(encoded(picture, "PNG")) == (40, 20)
    turned = Image.Exif()
    turned[0x0112] = 6
    (tmp_path / "turned.jpg").write_bytes(encoded(picture, "JPEG", exif=turned))
    assert shown_size(str(tmp_path / "turned.jpg")) == (20, 40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("stored", range(1, 9))
def test_the_size_is_that_of_what_the_encoder_gets(kind, stored):
    turned = Image.Exif()
    turned[0x0112] = stored
    content = encoded(Image.new("RGB", (40, 20)), kind, exif=turned)
    with Image.open(io.BytesIO(content)) as picture:
        upright = turned_upright(as_rgb(picture), orientation(picture))
    assert shown_size(content) == upright.size


def test_crop_cuts_the_edges_away():
    prepare = PicturePreparation(column="picture", size=SIZE, mean=(0,) * 3, deviation=(1,) * 3, crop=0.5)
    pixels = np.full((2 * SIZE, 2 * SIZE, 3), 255, np.uint8)
    pixels[SIZE // 2 : -SIZE // 2, SIZE // 2 : -SIZE // 2] = RED
    np.testing.assert_array_equal(decoded(prepare, png(pixels)), halves(RED, RED))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(prepare, orientation):
    upright = np.zeros((SIZE, SIZE, 3), np.uint8)
    upright[: SIZE // 2, : SIZE // 2] = RED
    upright[SIZE // 2 :, : SIZE // 2] = GREEN
    turn_back = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: np.rot90(p, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = png(np.ascontiguousarray(turn_back(upright)), exif=exif)
    np.testing.assert_array_equal(decoded(prepare, stored), upright)


def test_palette_and_grey_pictures_give_the_same_pixels_as_their_colours(prepare):
    pixels = halves(RED, GREEN)
    np.testing.assert_array_equal(decoded(prepare, png(pixels, mode="P")).shape, pixels.shape)
    palette = encoded(Image.fromarray(pixels).quantize(2), "PNG")
    np.testing.assert_array_equal(decoded(prepare, palette), pixels)
    grey = halves((90,) * 3, (210,) * 3)
    np.testing.assert_array_equal(decoded(prepare, png(grey, mode="L")), grey)
    black_and_white = halves((0,) * 3, (255,) * 3)
    np.testing.assert_array_equal(decoded(prepare, png(black_and_white, mode="1")), black_and_white)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_becomes_white(prepare, mode):
    layered = np.dstack([halves((90,) * 3, (90,) * 3), np.zeros((SIZE, SIZE), np.uint8)])
    layered[:, : SIZE // 2, 3] = 255
    found = decoded(prepare, png(layered, mode=mode))
    np.testing.assert_array_equal(found, halves((90,) * 3, (255,) * 3))


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_a_colour_that_is_declared_transparent_becomes_white(prepare, mode):
    picture = Image.fromarray(halves((90,) * 3, (0,) * 3)).convert("L")
    clear = 0
    if mode == "RGB":
        picture, clear = picture.convert("RGB"), (0, 0, 0)
    if mode == "P":
        picture = picture.quantize(2)
        clear = picture.getpixel((SIZE - 1, 0))
    content = encoded(picture, "PNG", transparency=clear)
    np.testing.assert_array_equal(decoded(prepare, content), halves((90,) * 3, (255,) * 3))


def test_sixteen_bits_give_the_pixels_of_the_same_picture_in_eight(prepare):
    eight = np.linspace(20, 140, SIZE * SIZE).astype(np.uint8).reshape(SIZE, SIZE)
    sixteen = Image.fromarray(eight.astype(np.uint16) * 257)
    np.testing.assert_array_equal(decoded(prepare, encoded(sixteen, "PNG")), decoded(prepare, png(eight)))
    np.testing.assert_array_equal(decoded(prepare, encoded(sixteen, "TIFF")), decoded(prepare, png(eight)))


@pytest.mark.parametrize(("greatest", "white"), [(0.8, 1.0), (200.0, 255.0), (3000.0, 65535.0), (1e6, 1e6)])
def test_fractions_are_scaled_to_the_least_white_that_holds_them(prepare, greatest, white):
    greys = np.linspace(0, greatest, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    found = decoded(prepare, encoded(Image.fromarray(greys), "TIFF"))
    np.testing.assert_allclose(found[..., 0], greys / white * 255, atol=0.51)


def test_a_grey_that_is_not_a_number_is_black(prepare):
    greys = np.full((SIZE, SIZE), 0.5, dtype=np.float32)
    greys[0, 0], greys[0, 1], greys[0, 2] = np.nan, np.inf, -1.0
    found = decoded(prepare, encoded(Image.fromarray(greys), "TIFF"))[..., 0]
    assert found[0, :3].tolist() == [0, 0, 0]
    assert set(found[1:].ravel().tolist()) == {128}


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "AVIF"])
def test_every_format_that_has_exif_is_turned_upright(prepare, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(halves((255,) * 3, (0,) * 3)).transpose(Image.Transpose.ROTATE_90)
    found = decoded(prepare, encoded(stored, kind, exif=exif, quality=95))
    assert found[:, :6].min() > 200
    assert found[:, -6:].max() < 50


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_exif_block_costs_no_picture(prepare):
    content = encoded(Image.fromarray(halves(RED, RED)), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=95)
    assert np.abs(decoded(prepare, content).astype(int) - RED).max() < 10


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_a_palette_with_transparent_colours_is_laid_over_white(prepare, kind):
    picture = Image.fromarray(halves(RED, GREEN)).quantize(2)
    clear = picture.getpixel((SIZE - 1, 0))
    found = decoded(prepare, encoded(picture, kind, transparency=clear))
    np.testing.assert_array_equal(found, halves(RED, (255,) * 3))


def test_print_colours_are_read(prepare):
    picture = Image.fromarray(halves(RED, GREEN)).convert("CMYK")
    found = decoded(prepare, encoded(picture, "TIFF"))
    np.testing.assert_array_equal(found, np.asarray(picture.convert("RGB")))
    jpeg = decoded(prepare, encoded(picture, "JPEG", quality=100, subsampling=0))
    np.testing.assert_allclose(jpeg.astype(int), np.asarray(picture.convert("RGB")).astype(int), atol=6)


def test_a_path_and_its_bytes_are_the_same_picture(prepare, tmp_path):
    content = png(noise(seed=3))
    (tmp_path / "图.png").write_bytes(content)
    np.testing.assert_array_equal(decoded(prepare, tmp_path / "图.png"), decoded(prepare, content))


def test_many_pictures_keep_their_order(prepare):
    contents = [png(noise(seed=number)) for number in range(20)]
    together = prepare.decode(contents)
    for number, content in enumerate(contents):
        np.testing.assert_array_equal(together[number], decoded(prepare, content))


@pytest.mark.parametrize(
    ("model", "size", "mean", "deviation"),
    [
        ("inception_v3", 299, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("resnet18", 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("resnet50", 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_each_model_has_its_own_size_and_normalisation(model, size, mean, deviation):
    prepare = picture_preparation(model=model, column="picture", size=None, weights="hub")
    assert (prepare.size, prepare.mean, prepare.deviation) == (size, mean, deviation)
    assert 0.8 < prepare.crop < 1.0
    assert prepare([png(noise(seed=0))])["pixels"].shape == (1, 3, size, size)


def test_a_given_size_wins_and_from_scratch_the_whole_picture_is_seen():
    prepare = picture_preparation(model="inception_v3", column="picture", size=96, weights="scratch")
    assert (prepare.size, prepare.crop) == (96, 1.0)
