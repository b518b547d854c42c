"""Rows scored batch by batch, in smaller batches where memory asks for it, and shared among a team's processes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heads.decoder import Collected, Outputs
from training.memory import out_of_memory, release_memory
from training.team import Team


@dataclass(frozen=True)
class Scored:
    """The outputs of each task for the rows at `places`, and the sum of their losses."""

    places: np.ndarray
    outputs: Mapping[str, Outputs]
    loss_sum: float


ScoreBatch = Callable[[np.ndarray], Scored]


def score_in_parts(
    parts: Sequence[np.ndarray], score: ScoreBatch, *, rows: int, team: Team
) -> tuple[dict[str, dict[str, np.ndarray]], float]:
    """Every task's outputs in the order of the rows, and the mean loss; `parts` hold each of the `rows` places once."""
    mine: list[Scored] = []
    most = max(map(len, parts), default=1)
    for part in parts[team.rank :: team.size]:
        most = fitting(part, score, most=most, into=mine)
    found = [scored for arrays in team.gather(packed(mine)) for scored in unpacked(arrays)]
    collected = {task: Collected(rows) for scored in found for task in scored.outputs}
    for scored in found:
        for task, outputs in scored.outputs.items():
            collected[task].add(scored.places, outputs)
    return {task: one.outputs() for task, one in collected.items()}, sum(one.loss_sum for one in found) / max(rows, 1)


def fitting(part: np.ndarray, score: ScoreBatch, *, most: int, into: list[Scored]) -> int:
    """Score a part, at most so many rows at a time; returns how many fitted, half as many where memory ran out."""
    done = 0
    while done < len(part):
        try:
            into.append(score(part[done : done + most]))
            done += most
        except (RuntimeError, MemoryError) as error:
            if most == 1 or not out_of_memory(error):
                raise
            most = max(1, min(most, len(part)) // 2)
            release_memory()
    return most


def packed(found: Sequence[Scored]) -> dict[str, np.ndarray]:
    """Scores as named arrays."""
    arrays: dict[str, np.ndarray] = {}
    for number, one in enumerate(found):
        arrays[f"{number}"] = one.places
        arrays[f"{number}/loss"] = np.array([one.loss_sum])
        for task, outputs in one.outputs.items():
            arrays |= {f"{number}/{task}/{name}": array for name, array in outputs.items()}
    return arrays


def unpacked(arrays: Mapping[str, np.ndarray]) -> list[Scored]:
    """The reverse of `packed`."""
    outputs: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for key, array in arrays.items():
        number, *names = key.split("/")
        named = outputs.setdefault(number, {})
        if len(names) == 2:
            named.setdefault(names[0], {})[names[1]] = array
    return [
        Scored(arrays[number], outputs[number], float(arrays[f"{number}/loss"][0]))
        for number in sorted(outputs, key=int)
    ]
