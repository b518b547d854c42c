"""Policies that change a picture at random and leave what it shows: torchvision's, drawn from a step's own generator.

RandAugment: Cubuk et al. (2020). TrivialAugment: Müller and Hutter (2021). AugMix: Hendrycks et al., without its
consistency loss (2020). Random erasing: Zhong et al., "Random Erasing Data Augmentation" (2020).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn
from torchvision.transforms import v2

Policy = Literal["randaugment", "trivialaugment", "augmix"]
POLICIES: tuple[Policy, ...] = get_args(Policy)


def with_policy(pictures: np.ndarray, *, kind: Policy, random: np.random.Generator) -> np.ndarray:
    """Pictures uint8 [batch, size, size, 3], each changed by itself; the given ones are left alone."""
    change = transform(kind)
    with drawing_from(random):
        changed = [change(torch.from_numpy(picture.transpose(2, 0, 1).copy())) for picture in pictures]
    return np.stack([picture.permute(1, 2, 0).numpy() for picture in changed]) if changed else pictures


def transform(kind: Policy) -> nn.Module:
    """The policy of this name, with the settings of its paper."""
    policies: dict[Policy, type[nn.Module]] = {
        "randaugment": v2.RandAugment,
        "trivialaugment": v2.TrivialAugmentWide,
        "augmix": v2.AugMix,
    }
    return policies[kind]()


def erased(pixels: np.ndarray, *, share: float, random: np.random.Generator) -> np.ndarray:
    """Normalised pixels [batch, 3, size, size]; this share of the pictures loses a rectangle to the mean colour."""
    if share <= 0:
        return pixels
    erase = v2.RandomErasing(p=share, value=0.0)
    with drawing_from(random):
        return np.stack([erase(torch.from_numpy(picture.copy())).numpy() for picture in pixels])


@contextmanager
def drawing_from(random: np.random.Generator) -> Iterator[None]:
    """Within the block torch's global state, from which alone torchvision draws, follows a generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(random.integers(1 << 62)))
        yield
