"""The picture of one product, 96 x 96 RGB, drawn from nothing but its category, its colour and a seed."""

import colorsys
import math
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from ingestion.demo.canvas import FINER, UNIT, Canvas, Colour, scaled
from ingestion.demo.patterns import PATTERNS, background, pattern
from ingestion.demo.shapes import SHAPES, gift_box

COLOURS: dict[str, Colour] = {
    "red": (206, 48, 52),
    "orange": (236, 126, 38),
    "yellow": (240, 200, 52),
    "green": (52, 144, 84),
    "blue": (48, 104, 196),
    "purple": (132, 76, 176),
    "black": (44, 44, 52),
    "white": (246, 244, 240),
}
FLOOR = 88

Style = Literal["photo", "grey", "boxed"]


def draw(*, category: str, colour: str, style: Style, rng: np.random.Generator) -> Image.Image:
    """A product in a setting of its own. `grey` is a black-and-white picture, `boxed` shows a gift box instead."""
    board = background(rng=rng, deep=colour == "white")
    layer = product(category=category, colour=colour, boxed=style == "boxed", rng=rng)
    size, angle = rng.uniform(0.72, 0.98), rng.normal(0, 0.08)
    middle, floor = 50 + rng.uniform(-6, 6), rng.uniform(84, 93)
    cast_shadow(board, middle=middle, floor=floor, half=34 * size)
    placed = place(layer, size=size, angle=angle, middle=middle, floor=floor)
    box = placed.getbbox()
    board.paste(placed.crop(box), box, placed.crop(box))
    picture = board.reduce(FINER)
    return picture.convert("L").convert("RGB") if style == "grey" else picture


def product(*, category: str, colour: str, boxed: bool, rng: np.random.Generator) -> Image.Image:
    """The thing itself on a transparent layer."""
    canvas = Canvas(colour=shade_of(COLOURS[colour], rng=rng))
    accent = canvas.pale if colour == "black" or rng.random() < 0.5 else canvas.dark
    printed = pattern(str(rng.choice(PATTERNS)), rng=rng)

    def finish() -> None:
        if printed is not None:
            canvas.decorate(printed, accent)
        canvas.shade()

    (gift_box if boxed else SHAPES[category])(canvas, finish, rng)
    return canvas.layer


def place(layer: Image.Image, *, size: float, angle: float, middle: float, floor: float) -> Image.Image:
    """The layer made smaller, turned by `angle` radians about its foot and stood on the floor."""
    cos, sin = math.cos(angle) / size, math.sin(angle) / size
    x, y, foot = middle * UNIT, floor * UNIT, FLOOR * UNIT
    # Pillow asks where each pixel of the result comes from, so this is the inverse of the movement.
    inverse = (cos, sin, 50 * UNIT - cos * x - sin * y, -sin, cos, foot + sin * x - cos * y)
    # Nearest is enough, and five times as fast: the board is averaged down by four afterwards.
    return layer.transform(layer.size, Image.Transform.AFFINE, inverse, resample=Image.Resampling.NEAREST)


def shade_of(colour: Colour, *, rng: np.random.Generator) -> Colour:
    """A neighbour of a colour: a little lighter or darker, a little off in hue."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    hue = (hue + rng.normal(0, 0.008)) % 1
    value = float(np.clip(value * rng.uniform(0.86, 1.1), 0, 1))
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation * rng.uniform(0.85, 1.0), value)
    return round(red * 255), round(green * 255), round(blue * 255)


def cast_shadow(board: Image.Image, *, middle: float, floor: float, half: float) -> None:
    """A soft shadow on the floor, from a few ellipses on top of each other."""
    height = 4.5
    mask = Image.new("L", (round(2 * half * UNIT), round(2 * height * UNIT)), 0)
    pen = ImageDraw.Draw(mask)
    for share, depth in ((1.0, 22), (0.86, 40), (0.7, 60), (0.5, 76)):
        box = (half * (1 - share), height * (1 - share), half * (1 + share), height * (1 + share))
        pen.ellipse(scaled(box), fill=depth)
    board.paste((30, 24, 40), (round((middle - half) * UNIT), round((floor - height) * UNIT)), mask)
