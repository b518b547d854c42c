"""A served prediction run again by the release that answered it, and held against what it answered then."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from polyloom.errors import RequestError
from releases.runtime import Runtime
from releases.serving.acts import index_state, perform
from releases.serving.served_batch import LoggedPrediction
from releases.serving.this_machine import this_machine


@dataclass(frozen=True)
class Difference:
    """A value that is another one now: in which of the request's rows, and where in its answer."""

    row: int
    place: str
    then: Any
    now: Any


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """Both answers to each row of a request, and where they differ.

    `machine` says, by name, what was otherwise where it ran then. Not `exact` where personal data was masked in what is
    kept but not in what the model saw. With `index_changed` another answer need not be another score.
    """

    prediction: str
    scenario: str
    release: str
    action: str
    at: float
    then: list[Any]
    now: list[Any]
    differences: tuple[Difference, ...]
    machine: dict[str, tuple[str | None, str | None]]
    index_changed: bool
    exact: bool

    @property
    def same(self) -> bool:
        """Whether the answers are the same, to the last bit of each score."""
        return not self.differences

    @property
    def why(self) -> str | None:
        """What may make the difference; None where nothing differs."""
        if self.same:
            return None
        if not self.exact:
            return "what was scored is not what is kept: personal data was masked afterwards (`unmasked_unstored`)"
        if self.index_changed:
            return "the index has changed since, so other items may be found"
        if self.machine:
            told = ", ".join(f"{name} was {then}, is {now}" for name, (then, now) in self.machine.items())
            return f"it ran on another machine: {told}"
        return "nothing that is known: the same release, the same rows, the same machine"

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {**asdict(self), "same": self.same, "why": self.why}


def replay(logged: LoggedPrediction, runtime: Runtime) -> Replayed:
    """Run the whole batch again, and compare the request's part of it.

    Raises: RequestError for another release than the one that answered.
    """
    batch = logged.batch
    if runtime.digest != batch.release:
        raise RequestError(
            f"{logged.member.prediction} was answered by the release {batch.release}, not by {runtime.digest}."
        )
    state = index_state(runtime, batch.action)
    answers = perform(runtime, batch.action, batch.rows, batch.options, noted=False)
    then, now = list(logged.answers), list(logged.part(answers))
    return Replayed(
        prediction=logged.member.prediction,
        scenario=batch.scenario,
        release=batch.release,
        action=batch.action,
        at=batch.at,
        then=then,
        now=now,
        differences=tuple(
            difference for row, pair in enumerate(zip(then, now, strict=True)) for difference in differences(row, *pair)
        ),
        machine=_machine_differences(logged),
        index_changed=state != batch.index,
        exact=batch.exact,
    )


def differences(row: int, then: Any, now: Any, place: str = "") -> Iterator[Difference]:
    """Every value that is not the same; a number must be so to its last bit."""
    if isinstance(then, dict) and isinstance(now, dict) and list(then) == list(now):
        for name, value in then.items():
            yield from differences(row, value, now[name], f"{place}.{name}" if place else name)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from differences(row, one, other, f"{place}[{number}]")
    # JSON carries a number as its shortest form that reads back as the same bits.
    elif repr(then) != repr(now):
        yield Difference(row, place, then, now)


def _machine_differences(logged: LoggedPrediction) -> dict[str, tuple[str | None, str | None]]:
    then, now = logged.machine, this_machine()
    names = dict.fromkeys([*then, *now])
    return {name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)}
