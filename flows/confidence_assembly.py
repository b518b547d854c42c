"""From what a classification task says of calibration, sets and scope to its decoder."""

from collections.abc import Sequence
from dataclasses import replace

from flows.task_spec import Classification
from heads.conformal import ConformalSets
from heads.decoding import ClassificationDecoder
from heads.scope import Scope
from polyloom.errors import RequestError, suggestion


def confident(settings: Classification, decoder: ClassificationDecoder) -> ClassificationDecoder:
    """A decoder that will say how sure it is, as the task asks; labels are held out of it already."""
    sets, scope = settings.conformal, settings.out_of_scope
    return replace(
        decoder,
        calibration=settings.calibration,
        conformal=None
        if sets is None
        else ConformalSets(
            alpha=sets.alpha,
            per_class=sets.per_class,
            score=sets.score,
            penalty=sets.penalty,
            free_labels=sets.free_labels,
        ),
        scope=None if scope is None else Scope(score=scope.score, share=scope.share),
        held_out=() if scope is None else tuple(sorted(scope.unknown)),
    )


def learned_values(task: str, settings: Classification, training: Sequence[object]) -> list[object]:
    """The target values of the training rows, None where the label is held out.

    Raises RequestError for a label to hold out that no training row has.
    """
    unknown = set() if settings.out_of_scope is None else set(settings.out_of_scope.unknown)
    present = {str(value) for value in training if value is not None}
    for label in sorted(unknown - present):
        raise RequestError(
            f"tasks.{task}.out_of_scope.unknown: no training row has the label {label!r}."
            f"{suggestion(label, present)} Name labels of {settings.target!r}, as they are written there."
        )
    return [None if unknown and str(value) in unknown else value for value in training]


def described_labels(settings: Classification) -> list[str]:
    """Labels that are told by a text, and so are known without a row, but for those that are held out."""
    unknown = () if settings.out_of_scope is None else settings.out_of_scope.unknown
    return [] if settings.zero_shot is None else [one for one in settings.zero_shot.descriptions if one not in unknown]
