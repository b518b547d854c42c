"""How each kind of product is drawn: about 100 units wide and high, standing on y = 88.

A shape draws what may be printed on, calls `finish`, then draws what lies on top of the print.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ingestion.demo.canvas import Canvas, Colour, Point

WOOD: Colour = (166, 122, 84)
METAL: Colour = (122, 126, 136)
PAPER: Colour = (250, 246, 236)
INK: Colour = (46, 42, 54)
LEAF: Colour = (58, 132, 78)
PALE_LEAF: Colour = (112, 178, 106)
GLOW: Colour = (255, 233, 166)
SOIL: Colour = (84, 62, 50)

Finish = Callable[[], None]
Shape = Callable[[Canvas, Finish, np.random.Generator], None]


def lamp(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A table lamp: a shade, a foot and a little light below the shade."""
    top, low, height = rng.uniform(10, 20), rng.uniform(25, 32), rng.uniform(46, 54)
    canvas.polygon([(50 - top, 12), (50 + top, 12), (50 + low, height), (50 - low, height)], canvas.body)
    finish()
    canvas.polygon(
        [(50 - low, height), (50 + low, height), (50 + low - 3, height + 4), (50 - low + 3, height + 4)], GLOW
    )
    foot = WOOD if rng.random() < 0.5 else METAL
    canvas.line([(50, height + 3), (50, 84)], foot, width=4)
    if rng.random() < 0.5:
        canvas.ellipse((40, 58, 60, 82), canvas.dark)
    canvas.rounded((33, 83, 67, 88), foot, radius=2.5)


def chair(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A chair from the front: a back, a seat and splayed legs."""
    legs = WOOD if rng.random() < 0.6 else METAL
    seat, lean = rng.uniform(54, 60), rng.uniform(2, 7)
    for side in (-1, 1):
        canvas.line([(50 + side * 17, seat), (50 + side * (19 + lean), 87)], legs, width=4)
        canvas.line([(50 + side * 10, seat), (50 + side * (9 + lean / 2), 80)], legs, width=3)
        canvas.line([(50 + side * 17, 18), (50 + side * 18, seat)], legs, width=4)
    if rng.random() < 0.5:
        canvas.rounded((31, 12, 69, 42), canvas.body, radius=rng.uniform(4, 14))
    else:
        for top in (13, 25, 37):
            canvas.rounded((31, top, 69, top + 8), canvas.body, radius=3)
    canvas.polygon([(33, seat - 6), (67, seat - 6), (74, seat + 4), (26, seat + 4)], canvas.body)
    finish()
    canvas.rounded((26, seat + 3, 74, seat + 7), canvas.dark, radius=2)


def mug(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A mug from the side with its handle and, sometimes, steam."""
    top, half, side = rng.uniform(34, 44), rng.uniform(21, 26), int(rng.choice([-1, 1]))
    middle = 50 - side * 7
    handle = middle + side * half
    canvas.ring((handle - 15, top + 10, handle + 15, top + 38), canvas.dark, width=6)
    canvas.rounded((middle - half, top + 4, middle + half, 88), canvas.body, radius=rng.uniform(5, 11))
    canvas.polygon([(middle - half, top), (middle + half, top), (middle + half, 72), (middle - half, 72)], canvas.body)
    finish()
    canvas.ellipse((middle - half, top - 6, middle + half, top + 6), canvas.pale)
    canvas.ellipse((middle - half + 3, top - 4, middle + half - 3, top + 4.5), (98, 66, 48))
    if rng.random() < 0.6:
        for x in (middle - 9, middle + 7):
            canvas.arc((x - 4, top - 22, x + 4, top - 14), (90, 270), PAPER, width=2)
            canvas.arc((x - 4, top - 14, x + 4, top - 6), (270, 90), PAPER, width=2)


def bag(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A bag with a handle: a tote or a handbag with a flap."""
    top, spread, tote = rng.uniform(38, 44), rng.uniform(-4, 4), rng.random() < 0.5
    reach = rng.uniform(8, 16) if tote else rng.uniform(16, 22)
    canvas.arc((34, reach, 66, top + 30), (180, 360), canvas.dark, width=4)
    canvas.line([(36, top - 8), (36, top + 4)], canvas.dark, width=4)
    canvas.line([(64, top - 8), (64, top + 4)], canvas.dark, width=4)
    corners: list[Point] = [(24 - spread, top), (76 + spread, top), (76 - spread, 84), (24 + spread, 84)]
    canvas.polygon(corners, canvas.body)
    canvas.rounded((24 + spread, 74, 76 - spread, 88), canvas.body, radius=5)
    finish()
    if tote:
        canvas.rounded((37, 58, 63, 76), canvas.dark, radius=2)
        canvas.rounded((38.5, 61, 61.5, 74.5), canvas.body, radius=1)
    else:
        canvas.polygon([(24 - spread, top), (76 + spread, top), (66, top + 20), (34, top + 20)], canvas.dark)
        canvas.ellipse((46, top + 15, 54, top + 23), GLOW)


def shoe(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A shoe from the side, low or up to the ankle, with laces and a sole."""
    collar = rng.uniform(30, 40) if rng.random() < 0.4 else rng.uniform(46, 52)
    outline: list[Point] = [(18, collar), (43, collar), (50, 58), (68, 64), (84, 70), (88, 80), (16, 80)]
    canvas.polygon(outline, canvas.body)
    canvas.ellipse((66, 63, 90, 88), canvas.body)
    finish()
    canvas.polygon([(16, collar), (45, collar), (46, collar + 5), (16, collar + 5)], canvas.dark)
    for step in range(4):
        x, y = 44 + step * 6.5, collar + 9 + step * (60 - collar) / 3.6
        canvas.line([(x - 5, y + 4), (x + 4, y - 2)], PAPER, width=2.2)
    canvas.ellipse((20, 60, 36, 76), canvas.dark)
    sole = PAPER if rng.random() < 0.6 else WOOD
    canvas.rounded((13, 79, 92, 88), sole, radius=4)
    canvas.line([(17, 84), (88, 84)], canvas.dark, width=1.2)


def shirt(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A shirt laid out flat: short or long sleeves, a collar with buttons or a round neck."""
    hem, long_sleeves, buttons = rng.uniform(80, 88), rng.random() < 0.45, rng.random() < 0.5
    canvas.polygon([(32, 20), (68, 20), (69, hem), (31, hem)], canvas.body)
    for side in (-1, 1):
        cuff: list[Point] = [(46, 72), (35, 75)] if long_sleeves else [(44, 44), (32, 49)]
        sleeve: list[Point] = [(12, 17), (27, 22), *cuff, (18, 38)]
        canvas.polygon([(50 + side * x, y) for x, y in sleeve], canvas.body)
    canvas.polygon([(38, 17), (62, 17), (70, 22), (30, 22)], canvas.body)
    finish()
    for side in (-1, 1):
        canvas.line([(50 + side * 18.5, 38), (50 + side * 19, hem - 1)], canvas.dark, width=1.2)
    if buttons:
        canvas.polygon([(40, 16), (50, 28), (60, 16), (50, 20)], canvas.dark)
        canvas.line([(50, 27), (50, hem - 1)], canvas.dark, width=1.4)
        for y in np.arange(33, hem - 4, 11):
            canvas.ellipse((48.4, y, 51.6, y + 3.2), PAPER)
    else:
        canvas.bowl((38.5, 6, 61.5, 29), canvas.dark)
        canvas.bowl((41, 8.5, 59, 25), canvas.pale)


def clock(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A clock, round or square, at some time of the day."""
    if rng.random() < 0.65:
        canvas.ellipse((15, 16, 85, 86), canvas.body)
    else:
        canvas.rounded((17, 18, 83, 84), canvas.body, radius=rng.uniform(6, 16))
    finish()
    face = 51 - 27, 51 + 27
    canvas.ellipse((face[0] - 1, face[0], face[1] - 1, face[1]), PAPER)
    for hour in range(12):
        turn = hour * np.pi / 6
        near = 20.5 if hour % 3 == 0 else 22.5
        ends = [(50 + r * np.sin(turn), 51 - r * np.cos(turn)) for r in (near, 24.5)]
        canvas.line(ends, INK, width=1.6)
    for reach, width, turn in ((13, 3.0, rng.uniform(0, 6.28)), (20, 2.0, rng.uniform(0, 6.28))):
        canvas.line([(50, 51), (50 + reach * np.sin(turn), 51 - reach * np.cos(turn))], INK, width=width)
    canvas.ellipse((47.5, 48.5, 52.5, 53.5), canvas.body)


def plant(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A pot in the product's colour with leaves: blades, or round leaves on stems."""
    top, leaves = rng.uniform(58, 64), int(rng.integers(5, 9))
    canvas.polygon([(32, top), (68, top), (62, 88), (38, 88)], canvas.body)
    canvas.rounded((29, top - 4, 71, top + 5), canvas.body, radius=2)
    finish()
    canvas.ellipse((33, top - 5, 67, top), SOIL)
    blades = rng.random() < 0.5
    for place, turn in enumerate(np.linspace(-1.15, 1.15, leaves)):
        reach, fill = rng.uniform(34, 46), LEAF if place % 2 else PALE_LEAF
        tip = 50 + reach * np.sin(turn), top - 3 - reach * np.cos(turn) * 1.05
        side = 5 * np.cos(turn), 5 * np.sin(turn)
        if blades:
            waist = 50 + 0.5 * (tip[0] - 50), top + 0.5 * (tip[1] - top)
            leaf = [
                (50, top - 1),
                (waist[0] - side[0], waist[1] - side[1]),
                tip,
                (waist[0] + side[0], waist[1] + side[1]),
            ]
            canvas.polygon(leaf, fill)
        else:
            canvas.line([(50, top - 1), tip], LEAF, width=1.6)
            canvas.ellipse((tip[0] - 8, tip[1] - 7, tip[0] + 8, tip[1] + 7), fill)


def book(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A standing book, seen a little from the side: cover, spine, pages and a label or a ribbon."""
    left, top, depth = rng.uniform(26, 30), rng.uniform(14, 24), rng.uniform(5, 9)
    right = 100 - left
    canvas.rounded((left, top, right, 88), canvas.body, radius=2)
    finish()
    canvas.polygon([(right, top + 1), (right + depth, top - depth), (right + depth, 88 - depth), (right, 87)], PAPER)
    canvas.polygon([(left, top), (left + depth, top - depth), (right + depth, top - depth), (right, top)], PAPER)
    for share in (0.35, 0.7):
        edge = [(right + depth * share, top - depth * share), (right + depth * share, 87 - depth * share)]
        canvas.line(edge, (212, 204, 188), width=0.8)
    canvas.rounded((left, top, left + 7, 88), canvas.dark, radius=2)
    if rng.random() < 0.6:
        canvas.rounded((left + 14, top + 12, right - 7, top + 28), PAPER, radius=1.5)
        canvas.line([(left + 18, top + 18), (right - 11, top + 18)], INK, width=1.4)
        canvas.line([(left + 18, top + 23), (right - 17, top + 23)], INK, width=1.2)
    else:
        canvas.polygon(
            [(right - 14, top), (right - 9, top), (right - 9, 95), (right - 11.5, 91), (right - 14, 95)], GLOW
        )


def bottle(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A drinking bottle: body, shoulders, neck and a cap."""
    half, shoulder, neck = rng.uniform(13, 18), rng.uniform(34, 42), rng.uniform(6, 9)
    canvas.rounded((50 - half, shoulder, 50 + half, 88), canvas.body, radius=5)
    canvas.ellipse((50 - half, shoulder - half * 0.8, 50 + half, shoulder + half * 0.8), canvas.body)
    canvas.polygon([(50 - neck, 18), (50 + neck, 18), (50 + neck, shoulder), (50 - neck, shoulder)], canvas.body)
    finish()
    cap = METAL if rng.random() < 0.6 else WOOD
    canvas.rounded((50 - neck - 2, 9, 50 + neck + 2, 20), cap, radius=2)
    if rng.random() < 0.4:
        canvas.ring((43, 1, 57, 13), cap, width=2.4)
    canvas.line([(50 - half + 5, shoulder + 6), (50 - half + 5, 78)], canvas.pale, width=2.6)


def gift_box(canvas: Canvas, finish: Finish, rng: np.random.Generator) -> None:
    """A wrapped box with a bow, which could hold anything."""
    top = rng.uniform(44, 52)
    canvas.rounded((22, top, 78, 88), canvas.body, radius=2)
    canvas.rounded((19, top - 6, 81, top + 8), canvas.body, radius=2)
    finish()
    canvas.line([(20, top + 8.5), (80, top + 8.5)], canvas.dark, width=1.2)
    canvas.rounded((46, top - 6, 54, 88), GLOW, radius=0)
    for side in (-1, 1):
        box = sorted((50 + side * 2, 50 + side * 20))
        canvas.ring((box[0], top - 20, box[1], top - 5), GLOW, width=4)


SHAPES: Mapping[str, Shape] = {
    "lamp": lamp,
    "chair": chair,
    "mug": mug,
    "bag": bag,
    "shoe": shoe,
    "shirt": shirt,
    "clock": clock,
    "plant": plant,
    "book": book,
    "bottle": bottle,
}
