"""Pictures as bad cameras take them: noise and blur, after what is done to every picture."""

import numpy as np
from PIL import Image, ImageFilter


def with_noise(pictures: np.ndarray, *, deviation: float, random: np.random.Generator) -> np.ndarray:
    """uint8 [batch, size, size, 3] with normal noise of this deviation, in units of 0..1, on each pixel."""
    noise = random.normal(scale=255.0 * deviation, size=pictures.shape)
    return np.asarray((pictures + noise).round().clip(0, 255).astype(np.uint8))


def blurred(pictures: np.ndarray, *, radius: float) -> np.ndarray:
    """uint8 [batch, size, size, 3] behind a Gaussian of this deviation in pixels."""
    made = [np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius))) for picture in pictures]
    return np.stack(made) if made else pictures
