"""The one table from a kind of task to its decoder."""

from collections.abc import Sequence

from flows.confidence_assembly import confident, described_labels, learned_values
from flows.cost_assembly import cost_decoder, knows_costs
from flows.detection_assembly import detection_decoder
from flows.scenario_columns import task_inputs
from flows.spec import Scenario
from flows.task_spec import Alignment, Classification, Detection, Regression, Relation, Span, TokenClassification
from heads.alignment_decoding import AlignmentDecoder
from heads.decoder import Decoder
from heads.decoding import ClassificationDecoder
from heads.number_decoding import RegressionDecoder
from heads.relation_decoding import RelationDecoder
from heads.span_decoding import SpanDecoder
from heads.token_decoding import TokenClassificationDecoder
from polyloom.errors import DataError


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
    values, described = list(training), []
    if isinstance(settings, Classification):
        values = learned_values(task, settings, training)
        described = described_labels(settings)
    problem, labels = problem_of([*values, *described], multilabel=multilabel)
    if len(labels) < (1 if multilabel else 2):
        raise DataError(
            f"tasks.{task}.target: {settings.target!r} has the value(s) {list(labels)} in the training rows; "
            "a classifier needs at least two. Look at the quarantine, or give more rows."
        )
    plain = ClassificationDecoder(problem=problem, labels=labels)
    if not isinstance(settings, Classification):
        return plain
    return confident(settings, cost_decoder(task, settings, plain) if knows_costs(settings) else plain)


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
