"""Which task rows a fit sees."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from flows.stages.job import Job


@dataclass(frozen=True, eq=False)
class FitRows:
    """Numbers of task rows, int64: to learn from, to choose the epoch by, and whose labels the heads are to know."""

    train: np.ndarray
    validation: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, job: Job) -> Self:
        """The training and validation rows, as a plain fit sees them."""
        train = job.split("train")
        return cls(train=train, validation=job.split("validation"), known=train)
