"""Weights as colours: orange speaks for an answer, blue against it, and the strongest has the full colour."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

FOR, AGAINST = (232, 137, 43), (74, 127, 181)
STRONGEST = 0.72
LEAST_SIDE = 224


def strengths(weights: Sequence[float]) -> list[float]:
    """Weights as shares of the strongest one, -1 to 1; zeros where none counts."""
    most = max((abs(weight) for weight in weights), default=0.0)
    return [weight / most if most else 0.0 for weight in weights]


def tint(strength: float) -> str:
    """A background for a word, as #rrggbb: white for 0, light enough for dark letters at 1."""
    colour = np.array(FOR if strength > 0 else AGAINST, dtype=float)
    mixed = 255.0 + (colour - 255.0) * STRONGEST * min(1.0, abs(strength))
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


def overlaid(picture: np.ndarray, cells: Sequence[Sequence[float]]) -> np.ndarray:
    """A picture, uint8 [size, size, 3], under the colours of its cells' weights; small ones come out larger."""
    side = max(LEAST_SIDE, len(picture))
    shown = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
    weights = np.asarray(cells, dtype=np.float32)
    most = float(np.abs(weights).max(initial=0.0))
    grid = Image.fromarray(weights / most if most else weights)
    heat = np.asarray(grid.resize((side, side), Image.Resampling.BILINEAR))[..., None]
    # Pale greys below, so that the colours are those of the weights and not of the picture.
    grey = np.asarray(shown.convert("L"), dtype=np.float32)[..., None] * 0.75 + 64.0
    ink = np.where(heat > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    share = STRONGEST * np.abs(heat)
    return np.asarray((grey * (1.0 - share) + ink * share).round().clip(0, 255).astype(np.uint8))
