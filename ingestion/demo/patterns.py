"""What is printed on a product, and what stands behind it."""

import numpy as np
from PIL import Image, ImageDraw

from ingestion.demo.canvas import BOARD_PIXELS, UNIT, Colour, mix

PATTERNS = ("plain", "plain", "plain", "band", "stripes", "dots", "checks")
WALLS: tuple[Colour, ...] = (
    (228, 216, 202),
    (205, 219, 222),
    (219, 208, 222),
    (214, 222, 203),
    (235, 214, 208),
    (200, 205, 214),
    (226, 222, 200),
    (189, 199, 196),
)
BACKGROUNDS = ("table", "table", "sun", "glow", "panel")


def pattern(name: str, *, rng: np.random.Generator) -> Image.Image | None:
    """A pattern as an 8-bit mask over the whole board; None where nothing is printed."""
    if name == "plain":
        return None
    mask = Image.new("L", (BOARD_PIXELS, BOARD_PIXELS), 0)
    pen = ImageDraw.Draw(mask)
    step = rng.uniform(8, 13) * UNIT
    places = np.arange(0, BOARD_PIXELS, step)
    if name == "band":
        top = rng.uniform(46, 58) * UNIT
        pen.rectangle((0, top, BOARD_PIXELS, top + rng.uniform(6, 12) * UNIT), fill=210)
    if name in {"stripes", "checks"}:
        for place in places:
            pen.rectangle((place, 0, place + step * 0.32, BOARD_PIXELS), fill=150)
    if name == "checks":
        for place in places:
            pen.rectangle((0, place, BOARD_PIXELS, place + step * 0.32), fill=150)
    if name == "dots":
        for row, y in enumerate(places):
            for x in places + (row % 2) * step / 2:
                pen.ellipse((x, y, x + step * 0.42, y + step * 0.42), fill=200)
    return mask


def background(*, rng: np.random.Generator, deep: bool) -> Image.Image:
    """A wall with a table, a sun, a glow or a panel. `deep`: darker, so that a white thing stands out."""
    wall = mix(WALLS[int(rng.integers(len(WALLS)))], (60, 66, 84), 0.42 if deep else rng.uniform(0.0, 0.1))
    pale, board = mix(wall, (255, 255, 255), 0.38), Image.new("RGB", (BOARD_PIXELS, BOARD_PIXELS), wall)
    pen, kind = ImageDraw.Draw(board), str(rng.choice(BACKGROUNDS))
    x, y, size = (rng.uniform(*limits) * UNIT for limits in ((35, 65), (35, 55), (26, 38)))
    if kind == "table":
        pen.rectangle((0, rng.uniform(66, 78) * UNIT, BOARD_PIXELS, BOARD_PIXELS), fill=mix(wall, (92, 70, 58), 0.2))
    if kind == "sun":
        pen.ellipse((x - size, y - size, x + size, y + size), fill=pale)
    if kind == "glow":
        for ring in np.linspace(1.7, 0.5, 12):
            fill = mix(wall, (255, 255, 255), 0.45 * (1.8 - ring) / 1.3)
            pen.ellipse((x - size * ring, y - size * ring, x + size * ring, y + size * ring), fill=fill)
    if kind == "panel":
        pen.rounded_rectangle((12 * UNIT, 8 * UNIT, 88 * UNIT, 84 * UNIT), radius=6 * UNIT, fill=pale)
    return board
