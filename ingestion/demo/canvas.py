"""A small drawing board in units of 0 to 100, four times as fine as the picture that comes out of it."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw

PICTURE_PIXELS = 96
FINER = 4
BOARD_PIXELS = PICTURE_PIXELS * FINER
UNIT = BOARD_PIXELS / 100

Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour in the first."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def scaled(values: Sequence[float]) -> list[float]:
    """Units to pixels of the board."""
    return [value * UNIT for value in values]


@functools.cache
def light() -> Image.Image:
    """How dark a thing lit from the upper left is at each place: an 8-bit mask."""
    steps = np.linspace(0.0, 1.0, BOARD_PIXELS)
    ramp = 0.75 * steps[None, :] + 0.25 * steps[:, None]
    return Image.fromarray((80 * np.clip(ramp - 0.25, 0, 1)).astype(np.uint8))


class Canvas:
    """A transparent layer that a thing is drawn on, in its own colour and the colours that belong to it."""

    def __init__(self, *, colour: Colour) -> None:
        self.body = colour
        self.dark = mix(colour, (20, 18, 28), 0.35)
        self.pale = mix(colour, (255, 252, 245), 0.45)
        self.layer = Image.new("RGBA", (BOARD_PIXELS, BOARD_PIXELS), (*colour, 0))
        self.pen = ImageDraw.Draw(self.layer)

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        """A filled polygon."""
        self.pen.polygon([(x * UNIT, y * UNIT) for x, y in points], fill=fill)

    def ellipse(self, box: Box, fill: Colour) -> None:
        """A filled ellipse."""
        self.pen.ellipse(scaled(box), fill=fill)

    def bowl(self, box: Box, fill: Colour) -> None:
        """The lower half of a filled ellipse."""
        self.pen.chord(scaled(box), 0, 180, fill=fill)

    def ring(self, box: Box, fill: Colour, *, width: float) -> None:
        """An ellipse's outline."""
        self.pen.ellipse(scaled(box), outline=fill, width=round(width * UNIT))

    def arc(self, box: Box, degrees: tuple[float, float], fill: Colour, *, width: float) -> None:
        """A part of an ellipse's outline, clockwise from three o'clock."""
        self.pen.arc(scaled(box), *degrees, fill=fill, width=round(width * UNIT))

    def rounded(self, box: Box, fill: Colour, *, radius: float) -> None:
        """A rectangle with round corners."""
        self.pen.rounded_rectangle(scaled(box), radius=radius * UNIT, fill=fill)

    def line(self, points: Sequence[Point], fill: Colour, *, width: float) -> None:
        """A line with round joints and ends."""
        pixels = [(x * UNIT, y * UNIT) for x, y in points]
        self.pen.line(pixels, fill=fill, width=round(width * UNIT), joint="curve")
        half = width * UNIT / 2
        for x, y in (pixels[0], pixels[-1]):
            self.pen.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    def decorate(self, pattern: Image.Image, fill: Colour) -> None:
        """Print a pattern (an 8-bit mask) on all that is drawn so far."""
        box = self.layer.getbbox()
        mask = ImageChops.multiply(pattern.crop(box), self.layer.getchannel("A").crop(box))
        self.layer.paste(fill, box, mask)

    def shade(self) -> None:
        """Let the light fall from the upper left on all that is drawn so far."""
        self.decorate(light(), (18, 14, 40))
