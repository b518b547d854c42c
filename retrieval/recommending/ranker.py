"""A learned ranker: joins several models' scores of candidates with what else is known of them into one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np

from polyloom.durable import file_digest, publish_folder, read_json, write_json
from polyloom.errors import DataError, IntegrityError, RequestError
from retrieval.recommending.ranker_input import checked_columns, ndcg, ordered_columns, training_rows

MODEL, RECORD = "model.txt", "ranker.json"
# Below this an order that was learned is mostly the order of chance.
LEAST_GROUPS = 50
HELD_OUT = 5
ROUNDS, PATIENCE = 400, 30
SETTINGS: dict[str, Any] = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": [10],
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


class Reason(NamedTuple):
    """What one column adds to a candidate's score, or takes from it."""

    name: str
    contribution: float


class HeldOut(NamedTuple):
    """NDCG@10 over requests that no tree was grown on, and that of the fallback's order over the same.

    They chose the number of trees, so the first is a little too high: judge a ranker on requests of your own.
    """

    ndcg: float
    fallback_ndcg: float
    groups: int


@dataclass(frozen=True, kw_only=True)
class Ranker:
    """Trees over named columns; without trees the order of the column `fallback`, and `note` says why.

    Source: LambdaMART, Burges, "From RankNet to LambdaRank to LambdaMART", Microsoft Research 2010, by LightGBM.
    """

    names: tuple[str, ...]
    fallback: str
    booster: lightgbm.Booster | None = None
    held_out: HeldOut | None = None
    note: str | None = None

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        relevance: np.ndarray,
        groups: np.ndarray,
        *,
        names: Sequence[str],
        seed: int,
        fallback: str | None = None,
    ) -> "Ranker":
        """Learn from features [rows, columns], NaN where unknown, and each row's relevance [rows], 0 to 30.

        `groups` [rows] says which request a row was a candidate of. A fifth of the requests is held out to stop by.
        `fallback` is the column to order by where too little is known to learn from; the first one when None.

        Raises: DataError for rows that do not fit together, RequestError for names that there are not.
        """
        names, fallback = tuple(names), fallback or names[0]
        if fallback not in names:
            raise RequestError(f"The fallback {fallback!r} is not a column. There are {', '.join(names)}.")
        rows = training_rows(checked_columns(features, names), relevance, groups)
        if rows.telling < LEAST_GROUPS:
            note = (
                f"Only {rows.telling} of {len(rows.sizes)} requests have candidates of different relevance; at least "
                f"{LEAST_GROUPS} are needed to learn from. Candidates are ordered by {fallback!r} alone."
            )
            return cls(names=names, fallback=fallback, note=note)
        held = np.random.default_rng(seed).permutation(len(rows.sizes)) % HELD_OUT == 0
        learned, judged = rows.of(~held), rows.of(held)
        data = lightgbm.Dataset(learned.features, learned.relevance, group=learned.sizes, free_raw_data=False)
        booster = lightgbm.train(
            {**SETTINGS, "seed": seed},
            data,
            num_boost_round=ROUNDS,
            valid_sets=[data.create_valid(judged.features, judged.relevance, group=judged.sizes)],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
        # A model that was read back from its text is what was saved, to the last bit.
        booster = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=booster.best_iteration))
        ranker = cls(names=names, fallback=fallback, booster=booster)
        plain = cls(names=names, fallback=fallback).scores(judged.features)
        found = HeldOut(ndcg(ranker.scores(judged.features), judged), ndcg(plain, judged), len(judged.sizes))
        return cls(names=names, fallback=fallback, booster=booster, held_out=found)

    def scores(self, features: np.ndarray, *, names: Sequence[str] | None = None) -> np.ndarray:
        """How far up each row of features [rows, columns] belongs [rows]; only their order within a request counts.

        With `names` the columns may stand in another order. Raises: RequestError for other columns, naming them.
        """
        rows = ordered_columns(features, self.names, names)
        if self.booster is None:
            column = rows[:, self.names.index(self.fallback)]
            return np.asarray(np.where(np.isnan(column), -np.inf, column))
        return np.asarray(self.booster.predict(rows, num_threads=1)) if len(rows) else np.zeros(0)

    def importance(self) -> dict[str, float]:
        """Each column's share of what all splits gained, most first; of the fallback everything."""
        if self.booster is None:
            return {name: float(name == self.fallback) for name in sorted(self.names, key=self._is_not_fallback)}
        gains = self.booster.feature_importance(importance_type="gain")
        shares = gains / max(gains.sum(), 1e-12)
        return {self.names[place]: float(shares[place]) for place in np.argsort(-shares, kind="stable")}

    def reasons(self, row: np.ndarray, *, names: Sequence[str] | None = None) -> list[Reason]:
        """What each column of one row [columns] contributes to its score, the largest first.

        The contributions and a constant add up to the score.

        Source: TreeSHAP, Lundberg et al., "From local explanations to global understanding", 2020.
        """
        return self.contributions(np.asarray(row)[None], names=names)[0]

    def contributions(self, features: np.ndarray, *, names: Sequence[str] | None = None) -> list[list[Reason]]:
        """`reasons` of each row of features [rows, columns]."""
        rows = ordered_columns(features, self.names, names)
        if self.booster is None:
            column = self.names.index(self.fallback)
            return [[Reason(self.fallback, float(row[column]))] for row in rows]
        parts = np.asarray(self.booster.predict(rows, pred_contrib=True, num_threads=1))[:, :-1]
        orders = np.argsort(-np.abs(parts), axis=1, kind="stable")
        return [
            [Reason(self.names[place], float(own[place])) for place in order]
            for own, order in zip(parts, orders, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write LightGBM's text and a JSON record into a new folder. Raises: DataError when it is there already."""
        if folder.exists():
            raise DataError(f"{folder} is there already. Name another folder.")
        with publish_folder(folder) as draft:
            digest = None
            if self.booster is not None:
                (draft / MODEL).write_text(self.booster.model_to_string(), encoding="utf-8")
                digest = file_digest(draft / MODEL)
            record = {"names": self.names, "fallback": self.fallback, "note": self.note, "sha256": digest}
            write_json(draft / RECORD, {**record, "held_out": self.held_out and self.held_out._asdict()})

    @classmethod
    def load(cls, folder: Path) -> "Ranker":
        """The ranker that was saved. Raises: IntegrityError for what is missing or not as it was recorded."""
        try:
            record = read_json(folder / RECORD)
            intact = record["sha256"] is None or file_digest(folder / MODEL) == record["sha256"]
            held = record["held_out"]
        except (OSError, ValueError, KeyError) as error:
            raise IntegrityError(
                f"{folder} does not hold a whole ranker ({error}). Restore it, or fit anew."
            ) from error
        if not intact:
            raise IntegrityError(f"{folder / MODEL} is not what was recorded. Restore it, or fit anew.")
        text = None if record["sha256"] is None else (folder / MODEL).read_text(encoding="utf-8")
        return cls(
            names=tuple(record["names"]),
            fallback=record["fallback"],
            booster=None if text is None else lightgbm.Booster(model_str=text),
            held_out=None if held is None else HeldOut(**held),
            note=record["note"],
        )

    def _is_not_fallback(self, name: str) -> bool:
        return name != self.fallback
