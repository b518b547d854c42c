"""The one table from a kind of task to its head."""

from typing import TYPE_CHECKING

import numpy as np

from flows.cost_assembly import cost_losses
from flows.modality_spec import Text
from flows.scenario_columns import task_inputs
from flows.spec import Scenario
from flows.task_spec import Alignment, Classification, Regression, Relation, Span, TokenClassification
from flows.zero_shot import has_prototypes, is_zero_shot
from heads.decoder import Decoder, Truth
from heads.decoding import ClassificationDecoder
from heads.relation_decoding import RelationDecoder
from heads.span_decoding import SpanDecoder
from heads.token_decoding import TokenClassificationDecoder

if TYPE_CHECKING:
    from torch import nn


def build_head(scenario: Scenario, task: str, *, decoder: Decoder, dim: int, training: Truth | None) -> "nn.Module":
    """A task's head over embeddings of length `dim`."""
    settings = scenario.tasks[task]
    if isinstance(settings, Regression):
        from heads.regression import RegressionHead

        return RegressionHead(dim=dim, loss=settings.loss)
    smoothing = scenario.recipe.label_smoothing
    if isinstance(settings, TokenClassification) and isinstance(decoder, TokenClassificationDecoder):
        return token_head(scenario, task, settings, tags=len(decoder.tags), dim=dim)
    if isinstance(settings, Classification) and isinstance(decoder, ClassificationDecoder):
        return classification_head(task, settings, decoder, dim=dim, training=training, label_smoothing=smoothing)
    if isinstance(settings, Relation) and isinstance(decoder, RelationDecoder):
        return relation_head(settings, decoder.classes, dim=dim, training=training, label_smoothing=smoothing)
    if isinstance(settings, Span) and isinstance(decoder, SpanDecoder):
        from heads.span import SpanHead

        return SpanHead(dim=dim, dropout=settings.dropout)
    raise TypeError(f"a task of kind {settings.kind!r} has no use for a decoder of kind {decoder.kind!r}")


def classification_head(
    task: str,
    settings: Classification,
    decoder: ClassificationDecoder,
    *,
    dim: int,
    training: Truth | None,
    label_smoothing: float,
) -> "nn.Module":
    """A head over classes, which the training rows may weigh."""
    from heads.classification import ClassificationHead

    instead, beside = cost_losses(task, settings, decoder.labels)
    return ClassificationHead(
        dim=dim,
        labels=len(decoder.labels),
        problem=decoder.problem,
        class_weights=class_weights(settings, decoder, training),
        label_smoothing=label_smoothing,
        focal_gamma=settings.gamma if settings.loss == "focal" else 0.0,
        instead=instead,
        beside=beside,
        gives_fused=decoder.scope is not None and decoder.scope.reads_fused,
        prototypes=prototypes(settings, labels=len(decoder.labels), dim=dim),
    )


def prototypes(settings: Classification, *, labels: int, dim: int) -> "nn.Module | None":
    """One vector a label, which a task without a fit leaves as it is; None for a linear layer."""
    from heads.prototypes import Prototypes

    if not has_prototypes(settings):
        return None
    return Prototypes(dim=dim, labels=labels, learned=not is_zero_shot(settings))


def alignment_head(settings: Alignment, *, dims: tuple[int, int]) -> "nn.Module":
    """A head that brings two modalities into one space."""
    from heads.alignment import AlignmentHead

    return AlignmentHead(
        dims=dims,
        dim=settings.dim,
        hidden=settings.hidden,
        dropout=settings.dropout,
        temperature=settings.temperature,
        learned=settings.method == "contrastive",
    )


def relation_head(
    settings: Relation, classes: ClassificationDecoder, *, dim: int, training: Truth | None, label_smoothing: float
) -> "nn.Module":
    """A head over two marked stretches, whose classes the training rows may weigh."""
    from heads.relation import RelationHead

    return RelationHead(
        dim=dim,
        labels=len(classes.labels),
        hidden=settings.hidden,
        dropout=settings.dropout,
        class_weights=class_weights(settings, classes, training),
        label_smoothing=label_smoothing,
    )


def class_weights(
    settings: Classification | Relation, decoder: ClassificationDecoder, training: Truth | None
) -> np.ndarray | None:
    """The labels' weights in the loss, or None where each row counts alike."""
    from heads.classification import balanced_weights, effective_weights

    if settings.class_weights == "none" or training is None:
        return None
    if settings.class_weights == "effective":
        return effective_weights(training["labels"], labels=len(decoder.labels), beta=settings.beta)
    return balanced_weights(training["labels"], labels=len(decoder.labels), problem=decoder.problem)


def token_head(scenario: Scenario, task: str, settings: TokenClassification, *, tags: int, dim: int) -> "nn.Module":
    """A head over words, with their letters where the modality gives them."""
    from heads.token_classification import TokenClassificationHead
    from modalities.preparation.letters import LETTERS

    modality = scenario.modalities[task_inputs(scenario, task)[0]]
    return TokenClassificationHead(
        dim=dim,
        tags=tags,
        letters=LETTERS if isinstance(modality, Text) and modality.letters else 0,
        hidden=settings.hidden,
        dropout=settings.dropout,
        label_smoothing=scenario.recipe.label_smoothing,
    )
