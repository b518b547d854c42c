"""The one table from a scenario's tasks to decoders, heads and task models."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from flows.scenario_checks import task_inputs
from flows.spec import Classification, Regression, Scenario, Text, TokenClassification
from heads.decoder import Decoder, Truth
from heads.decoding import ClassificationDecoder
from heads.number_decoding import RegressionDecoder
from heads.token_decoding import TokenClassificationDecoder
from polyloom.errors import DataError

if TYPE_CHECKING:
    from torch import nn

    from modalities.fusion import ConcatFusion, GatedFusion
    from training.task_models import TaskModel

Reads = Literal["fused", "tokens", "maps", "pair"]
READS: dict[str, Reads] = {"classification": "fused", "regression": "fused", "token_classification": "tokens"}
# What makes a finished vector about as large as a normalised embedding: hashed characters have length 1.
SCALES = {"number": 1.0, "category": 1.0, "characters": 8.0}


def modalities_read_whole(scenario: Scenario) -> frozenset[str]:
    """The modalities whose tokens or feature maps a task reads, not only their pooled embedding."""
    return frozenset(
        name
        for task, settings in scenario.tasks.items()
        if READS[settings.kind] in {"tokens", "maps"}
        for name in task_inputs(scenario, task)
    )


def build_decoder(scenario: Scenario, task: str, *, column_kind: str, training: Sequence[object]) -> Decoder:
    """A task's decoder from the target values of its training rows. Raises DataError when these teach nothing."""
    settings = scenario.tasks[task]
    if isinstance(settings, Regression):
        decoder = RegressionDecoder.fit(training)
        if len({value for value in training if value is not None}) < 2:
            raise DataError(
                f"tasks.{task}.target: {settings.target!r} has fewer than two different numbers in the training rows; "
                "there is nothing to learn. Look at the quarantine, or give more rows."
            )
        return decoder
    if isinstance(settings, TokenClassification):
        return token_decoder(task, settings, training=training)
    return classification_decoder(task, settings, column_kind=column_kind, training=training)


def classification_decoder(
    task: str, settings: Classification, *, column_kind: str, training: Sequence[object]
) -> ClassificationDecoder:
    """A classifier's labels and kind of problem."""
    from heads.classification import problem_of

    multilabel = column_kind == "labels"
    problem, labels = problem_of(list(training), multilabel=multilabel)
    if len(labels) < (1 if multilabel else 2):
        raise DataError(
            f"tasks.{task}.target: {settings.target!r} has the value(s) {list(labels)} in the training rows; "
            "a classifier needs at least two. Look at the quarantine, or give more rows."
        )
    return ClassificationDecoder(problem=problem, labels=labels)


def token_decoder(
    task: str, settings: TokenClassification, *, training: Sequence[object]
) -> TokenClassificationDecoder:
    """The types of entities that the training rows have."""
    decoder = TokenClassificationDecoder.fit(training, scheme=settings.scheme)
    if not decoder.types:
        raise DataError(
            f"tasks.{task}.target: {settings.target!r} has no tag but O in the training rows; there is nothing "
            "to find. Tags are O, B-TYPE and I-TYPE. Look at the quarantine, or give more rows."
        )
    return decoder


def build_task(
    scenario: Scenario, task: str, *, decoder: Decoder, dims: Mapping[str, int], training: Truth | None = None
) -> "TaskModel":
    """A task's model; `dims` are the lengths of its modalities' pooled embeddings.

    `training` is the truth of the training rows, which may weigh the loss; without it the model can only answer.
    """
    from training.task_models import FusedTask, TokenTask

    if READS[scenario.tasks[task].kind] == "tokens":
        (name,) = task_inputs(scenario, task)
        head = build_head(scenario, task, decoder=decoder, dim=dims[name], training=training)
        return TokenTask(modality=name, head=head)
    fusion = build_fusion(scenario, {name: dims[name] for name in task_inputs(scenario, task)})
    return FusedTask(fusion=fusion, head=build_head(scenario, task, decoder=decoder, dim=fusion.dim, training=training))


def build_head(scenario: Scenario, task: str, *, decoder: Decoder, dim: int, training: Truth | None) -> "nn.Module":
    """A task's head over embeddings of length `dim`."""
    settings = scenario.tasks[task]
    if isinstance(settings, Regression):
        from heads.regression import RegressionHead

        return RegressionHead(dim=dim, loss=settings.loss)
    if isinstance(settings, TokenClassification) and isinstance(decoder, TokenClassificationDecoder):
        return token_head(scenario, task, settings, tags=len(decoder.tags), dim=dim)
    if isinstance(settings, Classification) and isinstance(decoder, ClassificationDecoder):
        smoothing = scenario.recipe.label_smoothing
        return classification_head(settings, decoder, dim=dim, training=training, label_smoothing=smoothing)
    raise TypeError(f"a task of kind {settings.kind!r} has no use for a decoder of kind {decoder.kind!r}")


def classification_head(
    settings: Classification,
    decoder: ClassificationDecoder,
    *,
    dim: int,
    training: Truth | None,
    label_smoothing: float,
) -> "nn.Module":
    """A head over classes, which the training rows may weigh."""
    from heads.classification import ClassificationHead, balanced_weights

    labels, problem = len(decoder.labels), decoder.problem
    weights = None
    if settings.class_weights == "balanced" and training is not None:
        weights = balanced_weights(training["labels"], labels=labels, problem=problem)
    return ClassificationHead(
        dim=dim, labels=labels, problem=problem, class_weights=weights, label_smoothing=label_smoothing
    )


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


def build_fusion(scenario: Scenario, dims: Mapping[str, int]) -> "ConcatFusion | GatedFusion":
    """The fusion of one task's inputs."""
    from modalities.fusion import ConcatFusion, GatedFusion

    kind: type[ConcatFusion | GatedFusion] = ConcatFusion if scenario.fusion.kind == "concat" else GatedFusion
    return kind(
        dims=dims,
        modality_dropout=scenario.fusion.modality_dropout,
        hidden=scenario.fusion.hidden,
        dropout=scenario.fusion.dropout,
        scales={
            name: SCALES[scenario.modalities[name].kind] for name in dims if scenario.modalities[name].kind in SCALES
        },
    )
