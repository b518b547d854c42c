"""Macro F1 over relations that have a direction, as the scorer of SemEval-2010 task 8 counts it."""

import re
from collections.abc import Sequence

import numpy as np

DIRECTED = re.compile(r"(.+)\((e1,e2|e2,e1)\)")
UNDIRECTED = -1
LABEL, RELATION = 0, 1


def directed_macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1, 0..1, over the relations that occur in the truth; 0 where none occurs.

    Both are [rows, 2], as `with_relations` gives them. A prediction is right when the label is; one of the right
    relation in the wrong direction is a false positive and a false negative of that relation. Labels without a
    direction (`Other`) are no relation: they only count as what was missed or wrongly found. Hendrickx et al.,
    "SemEval-2010 Task 8" (2010), the official score of `semeval2010_task8_scorer-v1.2.pl`.
    """
    right = truth[:, LABEL] == predicted[:, LABEL]
    count = int(max(truth[:, RELATION].max(initial=-1), predicted[:, RELATION].max(initial=-1))) + 1
    hits, true, found = (
        np.bincount(relations[relations >= 0], minlength=count)
        for relations in (truth[right, RELATION], truth[:, RELATION], predicted[:, RELATION])
    )
    present = true > 0
    scores = 2.0 * hits[present] / (true + found)[present]
    return float(scores.mean()) if scores.size else 0.0


def relation_numbers(labels: Sequence[str], *, known: Sequence[str]) -> np.ndarray:
    """The number of each label's relation, int64 [labels]: its place among those that `known` labels have, sorted.

    -1 for a label without a direction, or of another relation; a direction that is not known makes no difference.
    """
    names = sorted({name for name in map(directed_name, known) if name is not None})
    found = [
        UNDIRECTED if name is None or name not in names else names.index(name) for name in map(directed_name, labels)
    ]
    return np.array(found, dtype=np.int64)


def with_relations(numbers: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Numbers of labels [rows] with each one's relation beside, [rows, 2]; what is no label's number has none."""
    relations = relation_numbers(labels, known=labels)
    inside = (numbers >= 0) & (numbers < len(labels))
    found = np.full(len(numbers), UNDIRECTED, dtype=np.int64)
    found[inside] = relations[numbers[inside]]
    return np.stack([numbers.astype(np.int64), found], axis=1)


def directed_name(label: str) -> str | None:
    """`Cause-Effect` of `Cause-Effect(e2,e1)`; None for a label without a direction."""
    found = DIRECTED.fullmatch(label)
    return found.group(1) if found else None
