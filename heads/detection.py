"""Detection in one shot: every anchor of every feature map says what it shows and where exactly.

The single-shot detector of Liu et al., "SSD" (2016), in torchvision's parts, with the pyramid, the shared towers and
the focal loss of Lin et al., "Focal Loss for Dense Object Detection" (2017).
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.ops import box_iou, generalized_box_iou_loss, sigmoid_focal_loss

from heads.boxes import OFFSET_WEIGHTS, AnchorLevel, anchor_boxes
from heads.pyramid import FeaturePyramid, separable

# The share of anchors that show something as far as an unlearned head knows: keeps the first loss small.
PRIOR = 0.01
# An anchor shows what it overlaps by at least the first, nothing below the second; between the two it does not count.
SAME, OTHER = 0.5, 0.4
BOX_WEIGHT = 2.0


class DetectionHead(nn.Module):
    """Feature maps, fine to coarse, to `scores` [batch, anchors, labels] (logits) and `boxes` [batch, anchors, 4].

    `boxes` are offsets to the anchors, which `heads.boxes.decode_offsets` reads. There may be more levels than maps:
    the pyramid then adds coarser ones.
    """

    reads: ClassVar[Literal["maps"]] = "maps"
    anchors: Tensor

    def __init__(
        self, *, channels: Sequence[int], levels: Sequence[AnchorLevel], labels: int, width: int = 96, depth: int = 2
    ) -> None:
        super().__init__()
        self.labels = labels
        self.pyramid = FeaturePyramid(channels=channels, width=width, extra=len(levels) - len(channels))
        self.score_tower = nn.Sequential(*(separable(width) for _ in range(depth)))
        self.box_tower = nn.Sequential(*(separable(width) for _ in range(depth)))
        self.scores = nn.ModuleList(nn.Conv2d(width, len(level.shapes) * labels, 1) for level in levels)
        self.boxes = nn.ModuleList(nn.Conv2d(width, len(level.shapes) * 4, 1) for level in levels)
        self.register_buffer("anchors", torch.from_numpy(anchor_boxes(levels)), persistent=False)
        self.coder = BoxCoder(OFFSET_WEIGHTS)
        self.matcher = Matcher(SAME, OTHER, allow_low_quality_matches=True)
        self._start()

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Scores and offsets of every anchor."""
        levels = self.pyramid(maps)
        scores = [filters(self.score_tower(level)) for filters, level in zip(self.scores, levels, strict=True)]
        boxes = [filters(self.box_tower(level)) for filters, level in zip(self.boxes, levels, strict=True)]
        return {"scores": by_anchor(scores, last=self.labels), "boxes": by_anchor(boxes, last=4)}

    def loss(self, outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> Tensor:
        """Focal loss over anchors and generalised overlap loss over those that show something, for each such anchor.

        Truth: `labels` [batch, most], -1 where there is no further box, `boxes` [batch, most, 4] in shares of the
        picture, and `known` [batch]: whether the picture's boxes are known at all. Where augmentation moved them, the
        outputs hold `moved_labels`, `moved_boxes` and `moved_known`, which go before.
        """
        truth = {name: outputs.get(f"moved_{name}", truth[name]) for name in ("labels", "boxes", "known")}
        scores, boxes = [], []
        shown = 0
        for row in torch.nonzero(truth["known"] > 0).flatten().tolist():
            real = truth["labels"][row] >= 0
            target, decided, places = self.matched(truth["boxes"][row][real], truth["labels"][row][real])
            scores.append(sigmoid_focal_loss(outputs["scores"][row], target, reduction="none")[decided].sum())
            mine = torch.nonzero(target.sum(dim=1)).flatten()
            decoded = self.coder.decode_single(outputs["boxes"][row][mine], self.anchors[mine])
            boxes.append(generalized_box_iou_loss(decoded, truth["boxes"][row][real][places[mine]], reduction="sum"))
            shown += len(mine)
        if not scores:
            return (outputs["scores"].sum() + outputs["boxes"].sum()) * 0.0
        return (torch.stack(scores).sum() + BOX_WEIGHT * torch.stack(boxes).sum()) / max(shown, 1)

    def matched(self, boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One picture's targets [anchors, labels], which anchors count [anchors], and each one's true box [anchors]."""
        target = torch.zeros(len(self.anchors), self.labels, device=self.anchors.device)
        if not len(labels):
            everywhere = torch.ones(len(target), dtype=torch.bool, device=target.device)
            return target, everywhere, torch.full((len(target),), -1, device=target.device)
        places = self.matcher(box_iou(boxes, self.anchors))
        mine = torch.nonzero(places >= 0).flatten()
        target[mine, labels[places[mine]]] = 1.0
        return target, places != Matcher.BETWEEN_THRESHOLDS, places

    def _start(self) -> None:
        for filters in self.scores:
            nn.init.normal_(filters.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.constant_(filters.bias, -math.log((1.0 - PRIOR) / PRIOR))  # type: ignore[arg-type]
        for filters in self.boxes:
            nn.init.normal_(filters.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.zeros_(filters.bias)  # type: ignore[arg-type]


def by_anchor(maps: Sequence[Tensor], *, last: int) -> Tensor:
    """Maps [batch, shapes x last, rows, columns] as [batch, anchors, last], in the order of `anchor_boxes`."""
    flat = [given.permute(0, 2, 3, 1).reshape(given.shape[0], -1, last) for given in maps]
    return torch.cat(flat, dim=1)
