"""How often a gate that asks for evidence promotes what is no better, and how often what is: real models on Banking77.

Heads over MiniLM's frozen vectors, fitted in the same way but for the seed, which draws the training rows with
replacement, their order and the first weights. Without a real difference one of them is judged against another, both
drawn by chance: no order of the two is favoured. With one, two points are given to the challenger: as many of the rows
that it had wrong, drawn by chance, are right. 3,000 of the 3,080 test rows are drawn for each trial.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.answers_index import Vectors
from benchmarks.figures import Figure
from heads.metrics import accuracy
from releases.gate import judge

SEEDS, TRIALS, ROWS, POINTS = 16, 200, 3000, 0.02
EPOCHS, BATCH, RATE, SCALE = 6, 64, 0.5, 20.0


def gate_figures(data: Path, folder: Path) -> list[Figure]:
    """Wrong promotions without a difference, and passes with one of two points."""
    train, test = (rows_of(data / "banking77" / f"{name}.csv") for name in ("train", "test"))
    vectors = Vectors(folder, [text for text, _ in train])
    names = sorted({label for _, label in train})
    known = np.array([names.index(label) for _, label in train])
    truth = np.array([names.index(label) for _, label in test])
    inputs, asked = (vectors([text for text, _ in rows]) for rows in (train, test))
    models = [fitted_answers(inputs, known, asked, classes=len(names), seed=seed) for seed in range(SEEDS)]
    return [
        passes(truth, models, gain=0.0, name="promotions without a real difference, of 200", goal="at most 10"),
        passes(truth, models, gain=POINTS, name="promotions with two points more, of 200", goal="at least 160"),
    ]


def rows_of(path: Path) -> list[tuple[str, str]]:
    """Texts with their labels."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [(row["text"], row["category"]) for row in csv.DictReader(stream)]


def fitted_answers(inputs: np.ndarray, known: np.ndarray, asked: np.ndarray, *, classes: int, seed: int) -> np.ndarray:
    """What a softmax regression says of the asked rows [rows], fitted by steps over rows drawn by the seed."""
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(inputs), len(inputs))
    weights = random.normal(0.0, 0.01, (inputs.shape[1], classes))
    for epoch in range(EPOCHS):
        order = random.permutation(drawn)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            logits = SCALE * inputs[rows] @ weights
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            shares[np.arange(len(rows)), known[rows]] -= 1.0
            weights -= RATE / (1 + epoch) * inputs[rows].T @ shares * (SCALE / len(rows))
    return np.asarray((asked @ weights).argmax(axis=1))


def passes(truth: np.ndarray, models: Sequence[np.ndarray], *, gain: float, name: str, goal: str) -> Figure:
    """How many of the trials are promoted by `rule: better`; the gain is in shares of the rows."""
    random, passed = np.random.default_rng(17), 0
    for trial in range(TRIALS):
        own, other = random.permutation(len(models))[:2]
        rows = random.permutation(len(truth))[:ROWS]
        challenger = models[own][rows].copy()
        wrong = np.flatnonzero(challenger != truth[rows])
        mended = random.permutation(wrong)[: round(gain * ROWS)]
        challenger[mended] = truth[rows][mended]
        passed += judge(
            metric="accuracy",
            scorer=accuracy,
            truth=truth[rows],
            challenger=challenger,
            champion=models[other][rows],
            rule="better",
            margin=0.0,
            seed=trial,
        ).passed
    met = passed <= 0.05 * TRIALS if not gain else passed >= 0.8 * TRIALS
    return Figure(name=name, value=passed, unit="trials", against=TRIALS, ratio=passed / TRIALS, goal=goal, met=met)
