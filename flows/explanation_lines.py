"""Explanations as lines of text, for a terminal."""

from collections.abc import Mapping, Sequence

from heads.explanation import Evidence, Explanation, KnownRow

STRONGEST = 6
DOWN, ACROSS = ("upper", "middle", "lower"), ("left", "centre", "right")
KNOWN_CHARACTERS = 70


def explanation_lines(explanations: Mapping[str, Explanation], *, row: int) -> list[str]:
    """What each task's answer to a row rests on, a few lines a task."""
    return [line for task, explanation in explanations.items() for line in task_lines(task, explanation, row=row)]


def task_lines(task: str, explanation: Explanation, *, row: int) -> list[str]:
    """One task's answer: what the modalities add, then what counts within them, then known rows that are like it."""
    added = listed(list(explanation.contributions.items()), most=len(explanation.contributions))
    scores = f"scores {explanation.score:+.2f}, an empty row {explanation.base:+.2f}"
    lines = [f"row {row}, {task}: {explanation.label!r} {scores}", f"  modalities  {added}"]
    lines += [f"  {', '.join(one.modalities)}  {within(one)}" for one in explanation.evidence]
    return [*lines, *(f"  like it     {known_line(known)}" for known in explanation.near)]


def within(evidence: Evidence) -> str:
    """What counts most within one modality."""
    if evidence.cells:
        return f"most in the {place_of_strongest(evidence.cells)} of the picture"
    if evidence.columns:
        return listed([(f"{one.column}={one.value}", one.weight) for one in evidence.columns])
    return listed([(word.text, word.weight) for word in evidence.words])


def listed(weighed: Sequence[tuple[str, float]], *, most: int = STRONGEST) -> str:
    """Names with what they add, the strongest first."""
    strongest = sorted(weighed, key=lambda pair: -abs(pair[1]))[:most]
    return ", ".join(f"{name} {weight:+.2f}" for name, weight in strongest) or "nothing"


def place_of_strongest(cells: Sequence[Sequence[float]]) -> str:
    """In which of nine parts of the picture the strongest cell is, in words."""
    places = [(weight, row, column) for row, line in enumerate(cells) for column, weight in enumerate(line)]
    _, row, column = max(places)
    down, across = DOWN[3 * row // len(cells)], ACROSS[3 * column // len(cells[0])]
    return "middle" if (down, across) == ("middle", "centre") else f"{down} {across}"


def known_line(known: KnownRow) -> str:
    """A known row's label, how like it is, and its first words."""
    cosines = ", ".join(f"{name} {cosine:.2f}" for name, cosine in known.cosines.items())
    texts = " · ".join(str(value) for value in known.row.values() if value is not None)
    shown = texts if len(texts) <= KNOWN_CHARACTERS else texts[: KNOWN_CHARACTERS - 1] + "…"
    return f"{known.label or 'no label'} ({cosines}): {shown}"
