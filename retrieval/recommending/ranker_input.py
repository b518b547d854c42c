"""What a ranker learns from and is asked about: checked columns, rows put together by request."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyloom.errors import DataError, RequestError, suggestion

# LightGBM's label gains end there, and so do its lists.
HIGHEST_RELEVANCE, LONGEST_GROUP = 30, 10_000


@dataclass(frozen=True, kw_only=True)
class RankedRows:
    """Features [rows, columns] and relevance [rows] with the rows of a request together, and the requests' sizes."""

    features: np.ndarray
    relevance: np.ndarray
    sizes: np.ndarray

    @property
    def telling(self) -> int:
        """How many requests have candidates of different relevance."""
        return sum(int(np.ptp(own) > 0) for own in np.split(self.relevance, np.cumsum(self.sizes)[:-1]) if len(own))

    def of(self, requests: np.ndarray) -> "RankedRows":
        """The rows of some requests, marked by a mask [requests]."""
        rows = np.repeat(requests, self.sizes)
        return RankedRows(features=self.features[rows], relevance=self.relevance[rows], sizes=self.sizes[requests])


def training_rows(features: np.ndarray, relevance: np.ndarray, groups: np.ndarray) -> RankedRows:
    """Rows sorted by request. Raises: DataError for lengths that differ, and relevance that is no whole number."""
    if not len(features) == len(relevance) == len(groups):
        raise DataError(
            f"There are {len(features)} rows of features, {len(relevance)} relevances and {len(groups)} groups; give "
            "one of each for every row."
        )
    grades = np.asarray(relevance, dtype=np.float64)
    wrong = ~((grades >= 0) & (grades <= HIGHEST_RELEVANCE) & (grades == np.round(grades)))
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"The relevance of row {row} is {grades[row]:g}; it must be a whole number from 0 to {HIGHEST_RELEVANCE}: "
            "0 for not wanted, 1 for a view, 2 for a purchase."
        )
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) and sizes.max() > LONGEST_GROUP:
        raise DataError(f"A request has {sizes.max()} candidates; at most {LONGEST_GROUP} can be ranked. Sample some.")
    order = np.argsort(places, kind="stable")
    return RankedRows(features=features[order], relevance=grades[order].astype(np.int32), sizes=sizes)


def checked_columns(features: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Features [rows, columns] as float64; NaN is allowed. Raises: RequestError for other columns, and infinity."""
    rows = np.asarray(features, dtype=np.float64)
    if len({*names}) != len(names):
        raise RequestError(f"A column's name stands twice among {', '.join(names)}. Each needs a name of its own.")
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise RequestError(
            f"The features have the shape {list(rows.shape)}; they must be [rows, {len(names)}], the columns being "
            f"{', '.join(names)}."
        )
    if np.isinf(rows).any():
        column = names[int(np.isinf(rows).any(axis=0).argmax())]
        raise RequestError(f"The column {column!r} holds infinity. Give NaN where a value is unknown.")
    return rows


def ordered_columns(features: np.ndarray, names: Sequence[str], given: Sequence[str] | None) -> np.ndarray:
    """Features whose columns are called `given` in the order of `names`. Raises: RequestError naming what differs."""
    if given is None:
        return checked_columns(features, names)
    missing, unknown = [one for one in names if one not in given], [one for one in given if one not in names]
    if missing or unknown:
        near = suggestion(unknown[0], missing) if unknown else ""
        raise RequestError(
            f"The ranker learned from {', '.join(names)}; missing: {', '.join(missing) or 'none'}, "
            f"unknown: {', '.join(unknown) or 'none'}.{near} Give NaN where a value is unknown."
        )
    return checked_columns(features, given)[:, [list(given).index(one) for one in names]]


def ndcg(scores: np.ndarray, rows: RankedRows, *, k: int = 10) -> float:
    """Mean NDCG@k over the requests that have anything of relevance; gains `2 ** relevance - 1`.

    Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002.
    """
    ends = np.cumsum(rows.sizes)[:-1]
    found = []
    for own, grades in zip(np.split(scores, ends), np.split(rows.relevance, ends), strict=True):
        gains = 2.0**grades - 1
        best = _discounted(np.sort(gains)[::-1][:k])
        if best > 0:
            found.append(_discounted(gains[np.argsort(-own, kind="stable")][:k]) / best)
    return float(np.mean(found)) if found else 0.0


def _discounted(gains: np.ndarray) -> float:
    return float((gains / np.log2(np.arange(len(gains)) + 2)).sum())
