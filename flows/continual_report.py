"""What was learned in steps, as the command line, the model card and MLflow show it."""

from collections.abc import Mapping
from typing import Any

from releases.card import CardTable

Course = Mapping[str, Any]
"""What `flows.stages.continual` reports: `kind`, `metric` and `steps`."""


def step_lines(course: Course | None) -> list[str]:
    """A line a step; none without steps."""
    if not course:
        return []
    first = f"steps     {course['kind']}, {course['metric']} on the test rows of all steps so far"
    return [first, *(f"          {step['name']}: {step_line(step)}" for step in course["steps"])]


def step_line(step: Mapping[str, Any]) -> str:
    """A step in one line."""
    memory = f" and {step['memory']:,} of the memory" if step["memory"] else ""
    forgot = "" if step["forgetting"] is None else f", forgot {step['forgetting']:.3f}"
    return f"{shown(step['so_far'])}{forgot}; {step['rows']:,} rows{memory}, {step['labels']:,} labels"


def step_rows(course: Course) -> list[dict[str, Any]]:
    """The metric on the rows of each step after each step, without times, so that the same run gives the same card."""
    names = [step["name"] for step in course["steps"]]
    return [
        {
            "after step": step["name"],
            "rows": step["rows"],
            "memory": step["memory"],
            **{f"on {name}": score for name, score in zip(names, step["scores"], strict=True)},
            "on all so far": step["so_far"],
            "forgetting": step["forgetting"],
        }
        for step in course["steps"]
    ]


def step_tables(course: Course | None) -> list[CardTable]:
    """The steps as a table of the card; none without steps."""
    if not course:
        return []
    note = (
        f"{course['metric']} on test rows, learned by `{course['kind']}`; all labels known by then compete. "
        "Forgetting: how far earlier steps have fallen below their best, on average."
    )
    return [CardTable(title="What was learned in steps", rows=step_rows(course), note=note)]


def step_figures(course: Course, step: int) -> dict[str, float]:
    """A step's figures for MLflow, as `continual.<figure>`, and `continual.on.<n>` on the rows of the n-th step."""
    told = course["steps"][step]
    found = {f"continual.{name}": told[name] for name in ("so_far", "average", "forgetting", "memory", "seconds")}
    found |= {f"continual.on.{number}": score for number, score in enumerate(told["scores"], start=1)}
    return {name: float(value) for name, value in found.items() if value is not None}


def shown(value: float | None) -> str:
    """A figure to three places."""
    return "no rows" if value is None else f"{value:.3f}"
