"""What every benchmark prints: `{"bench", "machine", "figures"}`, one entry for each bar that a figure can show."""

import json
import platform
from dataclasses import asdict, dataclass
from typing import Any

from polyloom.cores import cores


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value beside what it is held against."""

    name: str
    value: float
    unit: str
    against: float | str | None = None
    ratio: float | None = None
    goal: str
    met: bool


def share(name: str, *, done: int, of: int, unit: str) -> Figure:
    """A figure that is met when nothing is missing."""
    return Figure(
        name=name, value=done, unit=unit, against=of, ratio=done / of if of else None, goal="all", met=done == of
    )


def ratio(name: str, value: float, unit: str, *, against: float, at_most: float = 0, at_least: float = 0) -> Figure:
    """A figure that is met when its ratio to another one is at most, or at least, the goal."""
    found = value / against
    return Figure(
        name=name,
        value=round(value, 3),
        unit=unit,
        against=round(against, 3),
        ratio=round(found, 3),
        goal=f"ratio at most {at_most:g}" if at_most else f"ratio at least {at_least:g}",
        met=found <= at_most if at_most else found >= at_least,
    )


def below(name: str, value: float, unit: str, *, limit: float) -> Figure:
    """A figure that is met when it is at most the limit."""
    return Figure(name=name, value=round(value, 3), unit=unit, goal=f"at most {limit:g} {unit}", met=value <= limit)


def show(bench: str, figures: list[Figure], *, as_json: bool) -> int:
    """Print the figures; returns the exit code, 0 when every goal is met."""
    if as_json:
        print(json.dumps({"bench": bench, "machine": machine(), "figures": [asdict(one) for one in figures]}, indent=2))
    else:
        for one in figures:
            against = f" (against {one.against})" if one.against is not None else ""
            print(f"{'met   ' if one.met else 'MISSED'} {one.name}: {one.value:g} {one.unit}{against}, goal {one.goal}")
    return 0 if all(one.met for one in figures) else 1


def machine() -> dict[str, Any]:
    """Where the figures were taken."""
    return {"system": platform.platform(), "cores": cores(), "python": platform.python_version()}
