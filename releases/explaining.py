"""Why a release answers a row as it does: what modalities and their parts add, and which known rows are like it.

Without torch, as everything that a release answers by: parts are left out, and the exported graphs asked again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from heads.explanation import Explanation, KnownRow
from polyloom.errors import RequestError
from releases.found import Hit, Wishes
from releases.occlusion import occluded
from releases.row_scores import RowScores
from releases.runtime import Runtime
from releases.search import Asked

NEAR = 3


def explain(
    runtime: Runtime, row: Mapping[str, object], *, tasks: Sequence[str] | None = None, near: int = NEAR
) -> dict[str, Explanation]:
    """The explanation of each task's answer to a row; of all tasks that can be explained, or of those named.

    A task that reads nothing of the row has none. Raises RequestError for a named task that is not there or is of a
    kind that has no explanation, and when no task of the release has one.
    """
    found = {}
    for task in explained_tasks(runtime, tasks):
        head = runtime.heads[task]
        values = {name: runtime.preparations[name].value(row) for name in head.inputs}
        if any(value is not None for value in values.values()):
            scores = RowScores(
                head=head,
                decoder=head.decoder,
                preparations=runtime.preparations,
                encoders=runtime.encoders,
                values=values,
            )
            found[task] = explained(scores, near=known_rows(runtime, task, scores, near=near))
    return found


def explained_tasks(runtime: Runtime, tasks: Sequence[str] | None) -> list[str]:
    """The tasks that are to be explained."""
    able = [task for task, head in runtime.heads.items() if head.reads == "fused"]
    for task in tasks or ():
        if task not in runtime.heads:
            raise RequestError(f"{runtime.name!r} has no task {task!r}; it has {', '.join(runtime.heads)}.")
    wanted = able if tasks is None else list(tasks)
    if not wanted:
        kinds = ", ".join(sorted({head.decoder.kind for head in runtime.heads.values()}))
        raise RequestError(
            f"{runtime.name!r} has no task that is explained: its tasks are of kind {kinds}, and classification and "
            "regression are explained. Leave --explain out."
        )
    return wanted


def explained(scores: RowScores, *, near: tuple[KnownRow, ...] = ()) -> Explanation:
    """The explanation of one task's answer."""
    shares = scores.shares()
    return Explanation(
        label=scores.score.label,
        score=shares.whole,
        base=shares.base,
        contributions=dict(zip(scores.given, shares.values.tolist(), strict=True)),
        evidence=occluded(scores),
        near=near,
    )


def known_rows(runtime: Runtime, task: str, scores: RowScores, *, near: int) -> tuple[KnownRow, ...]:
    """The items of the index that are nearest by what the task reads: those it learned from, where that is known."""
    if not runtime.searchable or near < 1:
        return ()
    searcher = runtime.searcher
    queries = {name: (scores.embedded[name], 1.0) for name in scores.given if name in searcher.fields}
    if not any(vector.any() for vector, _ in queries.values()):
        return ()
    target = runtime.facts.get("targets", {}).get(task, "")
    return tuple(
        known_row(hit, searcher.item(hit.id), target)
        for hit in searcher.find(Asked(queries), Wishes(k=near), learned=True).hits
    )


def known_row(hit: Hit, item: Mapping[str, Any], target: str) -> KnownRow:
    """A hit with its own label."""
    label = item.get(target)
    said = ", ".join(map(str, label)) if isinstance(label, list) else None if label is None else str(label)
    return KnownRow(id=hit.id, label=said, cosines=hit.cosines, row=hit.row, picture=hit.image)
