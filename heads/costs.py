"""What confusing one label with another costs: given by hand, or by how far apart two labels stand in a tree."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from polyloom.errors import RequestError, suggestion

Path = tuple[str, ...]


def cost_matrix(
    given: Mapping[str, Mapping[str, float]], *, labels: Sequence[str], otherwise: float = 1.0
) -> np.ndarray:
    """Costs [true label, answered label], float64: 0 on the diagonal, `otherwise` where nothing is given.

    `given` maps a true label to what answering another one costs. Raises RequestError for a label that no training row
    has, and for a cost that is below 0 or no number.
    """
    places = {label: place for place, label in enumerate(labels)}
    matrix = np.full((len(labels), len(labels)), otherwise)
    np.fill_diagonal(matrix, 0.0)
    for true, costs in given.items():
        for answered, cost in costs.items():
            for label in (true, answered):
                check_label(label, places, where="costs")
            if not (np.isfinite(cost) and cost >= 0):
                raise RequestError(f"costs.{true}.{answered}: {cost} is no cost; a cost is a number of at least 0.")
            matrix[places[true], places[answered]] = cost
    return matrix


def check_label(label: str, known: Mapping[str, object], *, where: str) -> None:
    """Raises RequestError for a label that is not known, naming the nearest one that is."""
    if label not in known:
        near = (
            suggestion(label, known) or f" Labels are {', '.join(list(known)[:8])}{', ...' if len(known) > 8 else ''}."
        )
        raise RequestError(f"{where}: no training row has the label {label!r}.{near}")


@dataclass(frozen=True)
class LabelTree:
    """Labels as the leaves of a tree: `paths` are each label's parents, from the root's child down to its own parent.

    A node's height is that of the longest way down to a leaf; a leaf's is 0.
    """

    labels: tuple[str, ...]
    paths: tuple[Path, ...]

    @classmethod
    def of(cls, hierarchy: Mapping[str, Sequence[str] | str], *, labels: Sequence[str]) -> "LabelTree":
        """From parents by label, as a list or as "animal/dog". Raises RequestError for a label without parents."""
        known = dict.fromkeys(labels)
        for label in hierarchy:
            check_label(label, known, where="hierarchy")
        missing = [label for label in labels if label not in hierarchy]
        if missing:
            raise RequestError(
                f"hierarchy: the label(s) {', '.join(missing[:5])} have no place in it "
                f"({len(missing)} of {len(labels)}). "
                "Give each label its parents, from the most general one on: `label: general/special`."
            )
        paths = tuple(parents(hierarchy[label]) for label in labels)
        return cls(labels=tuple(labels), paths=paths)

    @cached_property
    def chains(self) -> list[list[Path]]:
        """Each label's nodes from its leaf up to the root, which is the empty path."""
        # A leaf is set apart from a parent of the same name.
        leaves = [(*path, f"{label}\0") for label, path in zip(self.labels, self.paths, strict=True)]
        return [[leaf[:length] for length in range(len(leaf), -1, -1)] for leaf in leaves]

    @cached_property
    def heights(self) -> dict[Path, int]:
        """The height of each node."""
        heights: dict[Path, int] = {}
        for chain in self.chains:
            for height, node in enumerate(chain):
                heights[node] = max(heights.get(node, 0), height)
        return heights

    def distances(self) -> np.ndarray:
        """Costs [true label, answered label]: the height of the lowest node above both, as a share of the tree's.

        Bertinetto et al., "Making Better Mistakes" (2020), section 3: 0 for the right label, 1 where only the root is
        above both.
        """
        highest = self.heights[()]
        ways = [set(chain) for chain in self.chains]
        return np.array(
            [
                [0.0 if true == other else self._meeting(chain, ways[other]) / highest for other in range(len(ways))]
                for true, chain in enumerate(self.chains)
            ]
        )

    def edges(self) -> list[tuple[Path, Path]]:
        """Every node but the root with its parent."""
        return sorted({(node, parent) for chain in self.chains for node, parent in itertools.pairwise(chain)})

    def members(self, node: Path) -> np.ndarray:
        """Which labels stand at or below a node, bool [labels]."""
        return np.array([node in chain for chain in self.chains])

    def _meeting(self, chain: Sequence[Path], other: set[Path]) -> int:
        return next(self.heights[node] for node in chain if node in other)


def parents(given: Sequence[str] | str) -> Path:
    """A label's parents as a path."""
    parts = given.split("/") if isinstance(given, str) else given
    return tuple(part.strip() for part in parts if part.strip())


def cheapest(probabilities: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """The label [rows] whose expected cost is least; of labels that cost alike, the more probable, then the first.

    With equal costs this is the most probable label: Elkan, "The Foundations of Cost-Sensitive Learning" (2001).
    """
    expected = probabilities @ costs
    least = np.isclose(expected, expected.min(axis=1, keepdims=True), rtol=1e-9, atol=1e-12)
    return np.asarray(np.where(least, probabilities, -1.0).argmax(axis=1))


def mean_cost(truth: np.ndarray, predicted: np.ndarray, *, costs: np.ndarray) -> float:
    """Mean cost of the answers over rows with a known truth; an answer that is no label costs the row's dearest.

    Truth and answers are label numbers [rows]. NaN where no truth is known.
    """
    known = truth >= 0
    if not known.any():
        return float("nan")
    dearest = costs.max(axis=1)[truth[known]]
    named = predicted[known]
    return float(np.where(named >= 0, costs[truth[known], np.maximum(named, 0)], dearest).mean())
