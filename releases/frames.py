"""Between data frames and the rows that a release answers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def rows_of(frame: pd.DataFrame) -> list[dict[str, object]]:
    """A data frame's rows with None where nothing is known."""
    return [{str(name): known(value) for name, value in row.items()} for row in frame.to_dict(orient="records")]


def known(value: object) -> object | None:
    """A cell as the preparations read it."""
    if isinstance(value, np.ndarray | list | tuple):
        return [part.item() if isinstance(part, np.generic) else part for part in value]
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124  (only NaN differs)
        return None
    if isinstance(value, np.datetime64 | pd.Timestamp):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


def labels(answer: Mapping[str, Any]) -> dict[str, object]:
    """The columns that a prediction has beside its JSON."""
    columns: dict[str, object] = {}
    for task, one in answer.get("answers", {}).items():
        columns[task] = one["label"] if one["value"] is None else one["value"]
        columns[f"{task}_probability"] = one["probability"]
    return columns
