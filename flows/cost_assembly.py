"""From what a classification task says of costs and of its labels' tree to a decoder and losses."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from flows.task_spec import Classification
from heads.cost_decoding import COST, DISTANCE, CostDecoder, as_rows
from heads.costs import LabelTree, cost_matrix
from heads.decoding import ClassificationDecoder
from polyloom.errors import RequestError

if TYPE_CHECKING:
    from torch import nn

DECAY, SHARPNESS = 0.1, 10.0


def knows_costs(settings: Classification) -> bool:
    """Whether the task says that mistakes differ."""
    return bool(settings.costs or settings.hierarchy)


def cost_metrics(settings: object) -> tuple[str, ...]:
    """The metrics that a gate may name beside those of every classifier."""
    if not isinstance(settings, Classification):
        return ()
    return tuple(name for name, given in ((COST, settings.costs), (DISTANCE, settings.hierarchy)) if given)


def cost_decoder(task: str, settings: Classification, plain: ClassificationDecoder) -> CostDecoder:
    """A classifier's decoder that knows costs. Raises RequestError for labels that no training row has."""
    tree = label_tree(task, settings, plain.labels)
    return CostDecoder(
        problem=plain.problem,
        labels=plain.labels,
        costs=as_rows(costs_of(task, settings, plain.labels)) if settings.costs else (),
        distances=as_rows(tree.distances()) if tree else (),
        # Who gives costs wants them kept down; who gives a tree wants better mistakes, not other answers.
        answering=settings.answering or ("cheapest" if settings.costs else "probable"),
    )


def costs_of(task: str, settings: Classification, labels: Sequence[str]) -> np.ndarray:
    """The matrix of costs [true label, answered label]."""
    if isinstance(settings.costs, dict):
        try:
            return cost_matrix(settings.costs, labels=labels, otherwise=settings.other_cost)
        except RequestError as error:
            raise RequestError(f"tasks.{task}.{error}") from error
    widths = {len(settings.costs), *(len(row) for row in settings.costs)}
    if widths != {len(labels)}:
        raise RequestError(
            f"tasks.{task}.costs: a matrix of {len(settings.costs)} rows and up to {max(widths)} columns, but there "
            f"are {len(labels)} labels. Give one row and one column for each, sorted: {', '.join(labels[:8])}."
        )
    return np.array(settings.costs)


def label_tree(task: str, settings: Classification, labels: Sequence[str]) -> LabelTree | None:
    """The labels' tree, or None where none is given."""
    if not settings.hierarchy:
        return None
    try:
        return LabelTree.of(settings.hierarchy, labels=labels)
    except RequestError as error:
        raise RequestError(f"tasks.{task}.{error}") from error


def cost_losses(
    task: str, settings: Classification, labels: Sequence[str]
) -> "tuple[nn.Module | None, nn.Module | None]":
    """What stands instead of cross-entropy, and what beside it."""
    from heads.cost_losses import ExpectedCost, HierarchicalCrossEntropy, SoftLabels

    instead: nn.Module | None = None
    tree = label_tree(task, settings, labels)
    strength = settings.hierarchy_strength
    if tree and settings.hierarchy_loss == "hxe":
        instead = HierarchicalCrossEntropy(tree, decay=DECAY if strength is None else strength)
    elif tree and settings.hierarchy_loss == "soft_labels":
        instead = SoftLabels(tree.distances(), sharpness=SHARPNESS if strength is None else strength)
    if not (settings.costs and settings.cost_weight):
        return instead, None
    return instead, ExpectedCost(costs_of(task, settings, labels), weight=settings.cost_weight)
