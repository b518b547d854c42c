"""The one table from a scenario's tasks to decoders, heads and task models."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from flows.cost_assembly import cost_decoder, cost_losses, knows_costs
from flows.detection_assembly import boxes_in_shares, detection_decoder, detection_task
from flows.fusion_assembly import build_fusion
from flows.modality_spec import Image, Text
from flows.scenario_columns import modality_columns, span_columns, table_of, task_inputs
from flows.spec import Scenario
from flows.task_spec import Alignment, Classification, Detection, Regression, Relation, Span, TokenClassification
from heads.alignment_decoding import AlignmentDecoder
from heads.decoder import Decoder, Truth
from heads.decoding import ClassificationDecoder
from heads.number_decoding import RegressionDecoder
from heads.relation_decoding import RelationDecoder
from heads.span_decoding import SpanDecoder
from heads.span_target import SpanTarget
from heads.token_decoding import TokenClassificationDecoder
from polyloom.errors import DataError

if TYPE_CHECKING:
    from torch import nn

    from training.task_models import TaskModel

Reads = Literal["fused", "tokens", "maps", "pair"]
READS: dict[str, Reads] = {
    "classification": "fused",
    "regression": "fused",
    "token_classification": "tokens",
    "alignment": "pair",
    "relation": "tokens",
    "span": "tokens",
    "detection": "maps",
}


def modalities_read_whole(scenario: Scenario) -> frozenset[str]:
    """The modalities whose tokens or feature maps a task reads, not only their pooled embedding."""
    return frozenset(
        name
        for task, settings in scenario.tasks.items()
        if READS[settings.kind] in {"tokens", "maps"}
        for name in task_inputs(scenario, task)
    )


def gives_maps(scenario: Scenario, name: str) -> bool:
    """Whether a modality's feature maps are read."""
    return isinstance(scenario.modalities[name], Image) and name in modalities_read_whole(scenario)


def target_values(scenario: Scenario, task: str, rows: Sequence[Mapping[str, object]]) -> list[object]:
    """What a task's decoder encodes, of rows of its table: the target, of a span its context too, of a pair both.

    Boxes are in shares of their picture.
    """
    settings = scenario.tasks[task]
    if isinstance(settings, Alignment):
        return pairs(scenario, task, rows)
    if isinstance(settings, Detection):
        return boxes_in_shares(scenario, task, rows)
    if not isinstance(settings, Span):
        return [row[settings.target] for row in rows]
    context = span_columns(scenario, task)[1]
    return [span_target(row, settings, context=context) for row in rows]


def pairs(scenario: Scenario, task: str, rows: Sequence[Mapping[str, object]]) -> list[object]:
    """The two values of each row that an alignment brings together, each as its columns, None where these are empty."""
    table = scenario.data[table_of(scenario, task)]
    first, second = (modality_columns(scenario.modalities[name], name, table) for name in task_inputs(scenario, task))
    return [(filled(row, first), filled(row, second)) for row in rows]


def filled(row: Mapping[str, object], columns: Sequence[str]) -> tuple[object, ...] | None:
    """A row's values in some columns, or None where all are missing."""
    values = tuple(row[column] for column in columns)
    return None if all(value is None for value in values) else values


def span_target(row: Mapping[str, object], settings: Span, *, context: str) -> SpanTarget:
    """A row's accepted answers in its context."""
    start = row[settings.start] if settings.start else None
    answers = row[settings.target]
    return SpanTarget(
        context=str(row[context] or ""),
        answers=[str(answer) for answer in answers] if isinstance(answers, list) else [],
        start=None if start is None else int(float(str(start))),
    )


def build_decoder(scenario: Scenario, task: str, *, column_kind: str, training: Sequence[object]) -> Decoder:
    """A task's decoder from the target values of its training rows. Raises DataError when these teach nothing."""
    settings = scenario.tasks[task]
    if isinstance(settings, Alignment):
        return alignment_decoder(scenario, task, training=training)
    if isinstance(settings, Regression):
        decoder = RegressionDecoder.fit(training)
        if len({value for value in training if value is not None}) < 2:
            raise DataError(
                f"tasks.{task}.target: {settings.target!r} has fewer than two different numbers in the training rows; "
                "there is nothing to learn. Look at the quarantine, or give more rows."
            )
        return decoder
    if isinstance(settings, Detection):
        return detection_decoder(scenario, task, settings, training=training)
    if isinstance(settings, TokenClassification):
        return token_decoder(task, settings, training=training)
    if isinstance(settings, Span):
        return span_decoder(task, settings, training=training)
    classes = classification_decoder(task, settings, column_kind=column_kind, training=training)
    return relation_decoder(scenario, task, classes) if isinstance(settings, Relation) else classes


def span_decoder(task: str, settings: Span, *, training: Sequence[object]) -> SpanDecoder:
    """A span's decoder. Raises DataError where no answer of the training rows stands in its context."""
    decoder = SpanDecoder(max_answer_tokens=settings.max_answer_tokens)
    if not (decoder.encode(training)["end"] > 0).any():
        raise DataError(
            f"tasks.{task}.target: no answer in {settings.target!r} stands word for word in its context in the "
            "training rows; there is nothing to learn. Look at both columns."
        )
    return decoder


def relation_decoder(scenario: Scenario, task: str, classes: ClassificationDecoder) -> RelationDecoder:
    """A relation's decoder. Raises DataError where the gate asks for directions that no label has."""
    decoder = RelationDecoder(classes)
    if scenario.gate.metric == f"{task}.directed_macro_f1" and not decoder.directed:
        raise DataError(
            f"gate.metric: no label of {scenario.tasks[task].target!r} has a direction, as `Cause(e1,e2)` has; the "
            f"labels are {', '.join(classes.labels[:5])}. Use {task}.macro_f1."
        )
    return decoder


def alignment_decoder(scenario: Scenario, task: str, *, training: Sequence[object]) -> AlignmentDecoder:
    """The decoder of two modalities. Raises DataError where fewer than two rows have both."""
    first, second = task_inputs(scenario, task)
    pairs = {pair for pair in training if isinstance(pair, tuple) and None not in pair}
    if len(pairs) < 2:
        raise DataError(
            f"tasks.{task}: {len(pairs)} different training row(s) have both {first} and {second}; two are the least "
            "to learn from. Look at the quarantine, or give more rows."
        )
    return AlignmentDecoder(sides=(first, second))


def classification_decoder(
    task: str, settings: Classification | Relation, *, column_kind: str, training: Sequence[object]
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
    plain = ClassificationDecoder(problem=problem, labels=labels)
    return (
        cost_decoder(task, settings, plain) if isinstance(settings, Classification) and knows_costs(settings) else plain
    )


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
    from training.task_models import FusedTask, PairTask, TokenTask

    settings = scenario.tasks[task]
    if isinstance(settings, Alignment):
        first, second = task_inputs(scenario, task)
        return PairTask(first=first, second=second, head=alignment_head(settings, dims=(dims[first], dims[second])))
    if isinstance(settings, Detection):
        return detection_task(scenario, task, settings, decoder=decoder)
    if READS[settings.kind] == "tokens":
        (name,) = task_inputs(scenario, task)
        head = build_head(scenario, task, decoder=decoder, dim=dims[name], training=training)
        return TokenTask(modality=name, head=head)
    fusion = build_fusion(scenario, task, {name: dims[name] for name in task_inputs(scenario, task)})
    return FusedTask(fusion=fusion, head=build_head(scenario, task, decoder=decoder, dim=fusion.dim, training=training))


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
        instead=instead,
        beside=beside,
    )


def alignment_head(settings: Alignment, *, dims: tuple[int, int]) -> "nn.Module":
    """A head that brings two modalities into one space."""
    from heads.alignment import AlignmentHead

    return AlignmentHead(
        dims=dims,
        dim=settings.dim,
        hidden=settings.hidden,
        dropout=settings.dropout,
        temperature=settings.temperature,
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
    from heads.classification import balanced_weights

    if settings.class_weights != "balanced" or training is None:
        return None
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
