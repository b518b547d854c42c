"""What a task says of one row, whatever kind of task it is; without torch, and plain enough for JSON."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A piece of an answer: an entity, an answer's span, a box; `probability` is in 0..1.

    `start` and `end` are characters of the given text, `end` exclusive; of a list of words, characters of the words
    joined by single spaces. `box` is left, top, right, bottom in pixels of the given picture.
    """

    label: str
    probability: float
    text: str | None = None
    start: int | None = None
    end: int | None = None
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Answer:
    """One task's answer: its label (several labels joined by ", ") and calibrated probabilities, best first.

    `value` is a regression's number, `parts` are what was found in the text or the picture. Where the task asks for
    them: `label_set` holds the right label as often as was promised, `in_scope` says whether the row looks like those
    in training, by `scope_score`, which is higher the stranger the row.
    """

    label: str
    probability: float
    probabilities: dict[str, float]
    value: float | None = None
    parts: tuple[Part, ...] = ()
    label_set: tuple[str, ...] | None = None
    in_scope: bool | None = None
    scope_score: float | None = None
