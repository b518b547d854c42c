"""Shadow traffic: what a challenger says to the rows that the champion was asked for, beside what was answered then."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from polyloom.errors import PolyloomError
from releases.runtime import Runtime
from releases.serving.acts import perform
from releases.serving.served_batch import ServedBatch

PREDICT = "predict"
NEAR = 0.01
SHOWN_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """Both answers to `rows` rows that were asked between two times, in seconds since 1970.

    `failed` rows the challenger could not answer; `why` says of the first one why. By the name of a task that both
    have: the share of its rows whose answer is `changed`, and by how much the probability of the answer moved in the
    mean where it stayed the same.
    """

    rows: int
    failed: int
    first: float
    last: float
    why: str = ""
    changed: Mapping[str, float] = field(default_factory=dict)
    moved: Mapping[str, float] = field(default_factory=dict)

    @property
    def problem(self) -> str | None:
        """What refuses a challenger; None where it answers all."""
        if not self.failed:
            return None
        return (
            f"{self.failed:,} of the last {self.rows:,} rows that the champion was asked for it cannot answer "
            f"({self.why.rstrip('.')}); gate.shadow_rows: 0 leaves them out"
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def shadow(challenger: Runtime, batches: Sequence[ServedBatch]) -> Shadow | None:
    """Let a challenger predict what was asked in some batches of a champion; None where nothing was."""
    answers = [
        (then, now) for batch in batches for then, now in zip(batch.answers, said(challenger, batch), strict=True)
    ]
    if not answers:
        return None
    failures = [now for _, now in answers if isinstance(now, Exception)]
    pairs = [(then["answers"], now["answers"]) for then, now in answers if not isinstance(now, Exception)]
    changed, moved = compared(pairs)
    return Shadow(
        rows=len(answers),
        failed=len(failures),
        why=told(failures[0]) if failures else "",
        first=min(batch.at for batch in batches),
        last=max(batch.at for batch in batches),
        changed=changed,
        moved=moved,
    )


def said(challenger: Runtime, batch: ServedBatch) -> list[Any]:
    """The challenger's answer to each row, or the error that stands in its place."""
    try:
        return perform(challenger, PREDICT, batch.rows, batch.options, noted=False)
    except Exception:  # noqa: BLE001  (whatever it dies of, it dies of before callers do)
        return [alone(challenger, row, batch) for row in batch.rows]


def alone(challenger: Runtime, row: Mapping[str, Any], batch: ServedBatch) -> Any:
    """The answer to one row, whatever the others of its batch were."""
    try:
        return perform(challenger, PREDICT, [row], batch.options, noted=False)[0]
    except Exception as error:  # noqa: BLE001  (see above)
        return error


def told(error: Exception) -> str:
    """An error in a report: what nobody foresaw by its type alone, since its message may quote a row."""
    return str(error)[:SHOWN_CHARACTERS] if isinstance(error, PolyloomError) else type(error).__name__


def compared(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> tuple[dict[str, float], dict[str, float]]:
    """By task the share of answers that changed, and the mean change of the probability of those that did not."""
    changes: dict[str, list[bool]] = defaultdict(list)
    moves: dict[str, list[float]] = defaultdict(list)
    for then, now in pairs:
        for task in then.keys() & now.keys():
            one, other = then[task], now[task]
            changes[task].append(not same(one, other))
            if not changes[task][-1] and one["probability"] is not None and other["probability"] is not None:
                moves[task].append(abs(one["probability"] - other["probability"]))
    return (
        {task: sum(found) / len(found) for task, found in sorted(changes.items())},
        {task: sum(found) / len(found) for task, found in sorted(moves.items())},
    )


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two answers say the same: a number within a hundredth, the same labels, the same stretches of a text."""
    if one.get("value") is not None and other.get("value") is not None:
        return math.isclose(one["value"], other["value"], rel_tol=NEAR)
    return bool(one["label"] == other["label"] and places(one) == places(other))


def places(answer: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """The labels of an answer's parts, with their characters where they are of a text; boxes may move a little."""
    return sorted((part["label"], part["start"] or 0, part["end"] or 0) for part in answer.get("parts") or ())
