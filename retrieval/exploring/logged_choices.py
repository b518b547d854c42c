"""Logged choices as arrays, by which other policies are judged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyloom.errors import DataError


@dataclass(frozen=True, kw_only=True)
class LoggedChoices:
    """What was chosen, how likely it was, and what it brought.

    `contexts` hold one array [candidates, dim] a choice, where the candidates may differ in number; `chosen` [choices]
    the candidate's place in it, `propensities` [choices] its probability, above 0 and at most 1, `rewards` [choices].
    `users` [choices] say whose choices belong together; None where each is another user's.

    Raises: DataError for arrays of different lengths, places that there are not, and propensities of zero.
    """

    contexts: tuple[np.ndarray, ...]
    chosen: np.ndarray
    propensities: np.ndarray
    rewards: np.ndarray
    users: np.ndarray | None = None

    def __post_init__(self) -> None:
        columns = (self.contexts, self.chosen, self.propensities, self.rewards)
        lengths = [len(one) for one in (*columns, *(() if self.users is None else (self.users,)))]
        if len({*lengths}) != 1 or not lengths[0]:
            raise DataError(
                f"There are {lengths} contexts, choices, propensities, rewards (and users); there must be one of each "
                "for every choice, and at least one choice."
            )
        for number, (rows, place) in enumerate(zip(self.contexts, self.chosen, strict=True)):
            if not 0 <= place < len(rows):
                raise DataError(f"Choice {number} is of place {place} among {len(rows)} candidates.")
        check_propensities(self.propensities)

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def features(self) -> np.ndarray:
        """The contexts of what was chosen [choices, dim]."""
        return np.stack([rows[place] for rows, place in zip(self.contexts, self.chosen, strict=True)])

    @property
    def units(self) -> np.ndarray:
        """A number from 0 on [choices], the same for choices that belong together."""
        if self.users is None:
            return np.arange(len(self))
        return np.unique(self.users, return_inverse=True)[1]

    def by_user(self, terms: np.ndarray) -> np.ndarray:
        """The sums of terms [choices] over each user's choices [users]; the terms themselves without users."""
        return np.bincount(self.units, weights=terms)

    def of_chosen(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """From values [candidates] of each choice those of what was chosen [choices]."""
        return np.array([own[place] for own, place in zip(values, self.chosen, strict=True)], dtype=np.float64)


def check_propensities(propensities: np.ndarray) -> None:
    """Raises: DataError unless all lie above 0 and are at most 1."""
    wrong = ~((propensities > 0) & (propensities <= 1 + 1e-9))
    if wrong.any():
        place = int(wrong.argmax())
        raise DataError(
            f"The propensity of choice {place} is {propensities[place]}; it must be above 0 and at most 1. A choice "
            "that could not have been made otherwise says nothing of other policies: log with a rule that explores."
        )
