"""What a task found in a text or a picture, shown where it was found."""

import html
import io
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from flows.drawing import font_families
from modalities.preparation.pictures import as_rgb, orientation, turned_upright
from ui.service import Part

# Distinct at a glance and readable under dark text; labels beyond the eighth begin anew.
COLOURS = ("#bfe3df", "#f6d9a8", "#d5d3f0", "#f3c6c0", "#cfe6b8", "#c9dff2", "#eccde3", "#e2dcc4")
LINES = ("#1f8a83", "#c97a14", "#5d55c4", "#c4402f", "#5b8f1f", "#2d74b5", "#a8438a", "#857632")
LONGEST_SIDE = 1200


def marked_text(text: str, parts: Sequence[Part]) -> str:
    """The text as HTML in which each found stretch is marked with its label; of overlapping ones the surest stands."""
    chosen = without_overlaps(parts, len(text))
    colours = by_label(parts, COLOURS)
    edges = [0, *(edge for part in chosen for edge in (int(part.start or 0), int(part.end or 0))), len(text)]
    pieces = []
    for number, (start, end) in enumerate(pairwise(edges)):
        piece = html.escape(text[start:end])
        if number % 2:
            part = chosen[number // 2]
            said = html.escape(f"{part.label} {100 * part.probability:.0f}%")
            piece = f'<mark class="pl-mark" style="background:{colours[part.label]}">{piece}<span>{said}</span></mark>'
        pieces.append(piece)
    return f'<p class="pl-body">{"".join(pieces)}</p>'


def without_overlaps(parts: Sequence[Part], length: int) -> list[Part]:
    """Stretches that lie within the text and do not overlap, in its order; the surest first come first."""
    taken: list[Part] = []
    for part in sorted(parts, key=lambda part: -part.probability):
        if part.start is None or part.end is None or not 0 <= part.start < part.end <= length:
            continue
        if all(part.end <= int(other.start or 0) or part.start >= int(other.end or 0) for other in taken):
            taken.append(part)
    return sorted(taken, key=lambda part: int(part.start or 0))


def boxed_picture(picture: bytes, parts: Sequence[Part]) -> bytes:
    """The picture as PNG, upright and at most 1,200 pixels long, with each found box and its label drawn in."""
    with Image.open(io.BytesIO(picture)) as opened:
        canvas = turned_upright(as_rgb(opened), orientation(opened))
    scale = min(1.0, LONGEST_SIDE / max(canvas.size))
    if scale < 1:
        canvas = canvas.resize((max(1, round(canvas.width * scale)), max(1, round(canvas.height * scale))))
    draw = ImageDraw.Draw(canvas)
    size = max(12, round(max(canvas.size) / 45))
    font = font_for("".join(part.label for part in parts), size)
    colours = by_label(parts, LINES)
    for part in sorted(parts, key=lambda part: part.probability):
        if part.box is not None:
            left, top, right, bottom = (side * scale for side in part.box)
            colour = colours[part.label]
            draw.rectangle((left, top, right, bottom), outline=colour, width=max(2, size // 6))
            said = f"{part.label} {100 * part.probability:.0f}%"
            place = (left, max(0.0, top - size * 1.3))
            draw.rectangle(draw.textbbox(place, said, font=font), fill=colour)
            draw.text(place, said, fill="white", font=font)
    content = io.BytesIO()
    canvas.save(content, format="PNG")
    return content.getvalue()


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of that many pixels; one that knows Chinese where the text needs it and one is installed."""
    if text.isascii() or len(font_families()) < 2:
        return ImageFont.load_default(size)
    from matplotlib.font_manager import findfont

    return ImageFont.truetype(findfont(font_families()[-1]), size)


def by_label(parts: Sequence[Part], colours: Sequence[str]) -> dict[str, str]:
    """A colour for each label, the same for the same labels whatever their order."""
    return {label: colours[place % len(colours)] for place, label in enumerate(sorted({part.label for part in parts}))}
