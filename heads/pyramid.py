"""A light feature pyramid: coarse maps, which know what is seen, lend it to fine ones, which know where."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

GROUPS = 8


class FeaturePyramid(nn.Module):
    """Maps [batch, channels, height, width], fine to coarse, to maps of `width` channels and `extra` coarser ones.

    Lin et al., "Feature Pyramid Networks" (2017), with depthwise separable filters as in SSDLite (Sandler et al.,
    "MobileNetV2", 2018) and group norm, which small batches do not harm.
    """

    def __init__(self, *, channels: Sequence[int], width: int, extra: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(count, width, 1, bias=False), nn.GroupNorm(GROUPS, width)) for count in channels
        )
        self.smooth = nn.ModuleList(separable(width) for _ in channels[:-1])
        self.coarser = nn.ModuleList(separable(width, stride=2) for _ in range(extra))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The pyramid's maps, fine to coarse."""
        levels = [lateral(given) for lateral, given in zip(self.lateral, maps, strict=True)]
        for place in range(len(levels) - 2, -1, -1):
            above = functional.interpolate(levels[place + 1], size=levels[place].shape[-2:], mode="nearest")
            levels[place] = self.smooth[place](levels[place] + above)
        for filters in self.coarser:
            levels.append(filters(levels[-1]))
        return levels


def separable(width: int, *, stride: int = 1) -> nn.Sequential:
    """A 3 x 3 filter for each channel, then a mixture of the channels."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.GroupNorm(GROUPS, width),
        nn.ReLU(),
    )
