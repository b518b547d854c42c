"""What a choice is expected to bring: a linear model with one set of weights for all candidates, learned as it goes."""

import numpy as np

from polyloom.errors import RequestError

# Rounding errors of one-rank updates add up; so often the covariance is computed anew.
REFRESHED_EVERY = 500


class LinearPayoff:
    """Bayesian ridge regression of a reward on a context: a normal distribution over the weights.

    `precision` [dim, dim] is `ridge * I + sum of x x'`, `covariance` its inverse, `moment` [dim] `sum of reward * x`,
    `weights` [dim] their product. With `forgetting` below 1 what was learned n updates ago counts `forgetting ** n`,
    and the ridge stays whole.

    Sources: Li et al., "A contextual-bandit approach to personalized news article recommendation", WWW 2010; for
    forgetting Russac et al., "Weighted linear bandits for non-stationary environments", NeurIPS 2019.
    """

    def __init__(self, dim: int, *, ridge: float = 1.0, forgetting: float = 1.0) -> None:
        _check(dim, ridge, forgetting)
        self.dim, self.ridge, self.forgetting = dim, ridge, forgetting
        self.precision = ridge * np.eye(dim)
        self.covariance = np.eye(dim) / ridge
        self.moment = np.zeros(dim)
        self.weights = np.zeros(dim)
        self.updates = 0

    def means(self, contexts: np.ndarray) -> np.ndarray:
        """The expected reward [candidates] of contexts [candidates, dim]."""
        return np.asarray(contexts @ self.weights)

    def spreads(self, contexts: np.ndarray) -> np.ndarray:
        """The standard deviation [candidates] of `means`, for rewards with noise of variance one."""
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", contexts @ self.covariance, contexts).clip(0)))

    def draws(self, contexts: np.ndarray, *, number: int, scale: float, generator: np.random.Generator) -> np.ndarray:
        """Expected rewards [number, candidates] under weights drawn at random, their deviations times `scale`."""
        directions = contexts @ np.linalg.cholesky(self.covariance)
        noise = generator.standard_normal((number, self.dim)) @ directions.T
        return np.asarray(self.means(contexts) + scale * noise)

    def update(self, context: np.ndarray, reward: float) -> None:
        """Learn that the candidate of this context [dim] brought this reward.

        Raises: RequestError for a context of another dim, and for numbers that are not finite.
        """
        row = self.checked(np.asarray(context)[None])[0]
        if not np.isfinite(reward):
            raise RequestError(
                f"The reward is {reward}; it must be a finite number. Leave out a reward that is unknown."
            )
        faded = (1 - self.forgetting) * self.ridge * np.eye(self.dim)
        self.precision = self.forgetting * self.precision + faded + np.outer(row, row)
        self.moment = self.forgetting * self.moment + reward * row
        self.updates += 1
        self._invert(row)
        self.weights = self.covariance @ self.moment

    def correct(self, context: np.ndarray, difference: float) -> None:
        """Learn that what the candidate of this context [dim] brought was so much more than was learned of it.

        Raises: RequestError as `update` does, and for a model that forgets: it no longer knows what that counts.
        """
        row = self.checked(np.asarray(context)[None])[0]
        if self.forgetting < 1 or not np.isfinite(difference):
            raise RequestError(
                f"A reward cannot be corrected by {difference} with a forgetting factor of {self.forgetting}; the "
                "difference must be finite and the factor 1."
            )
        self.moment = self.moment + difference * row
        self.weights = self.covariance @ self.moment

    def restore(self, precision: np.ndarray, moment: np.ndarray, *, updates: int) -> None:
        """Know again what a model of the same settings knew. Raises: ValueError for arrays that are not one's."""
        if precision.shape != (self.dim, self.dim) or moment.shape != (self.dim,):
            raise ValueError(f"The arrays have the shapes {precision.shape} and {moment.shape}, dim is {self.dim}.")
        inverse = np.linalg.inv(np.linalg.cholesky(precision))
        self.precision, self.moment, self.updates = precision, moment, updates
        self.covariance = inverse.T @ inverse
        self.weights = self.covariance @ moment

    def checked(self, contexts: np.ndarray) -> np.ndarray:
        """Contexts [candidates, dim] as float64. Raises: RequestError for another shape, and for NaN or infinity."""
        rows = np.asarray(contexts, dtype=np.float64)
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != self.dim:
            raise RequestError(
                f"The contexts have the shape {list(rows.shape)}; they must be [candidates, {self.dim}] with at least "
                "one candidate, in the columns that the model was made for."
            )
        if not np.isfinite(rows).all():
            raise RequestError("A context holds NaN or infinity; fill in what is missing before it is asked for.")
        return rows

    def _invert(self, row: np.ndarray) -> None:
        """Bring the covariance in step: by Sherman and Morrison's formula, where nothing fades."""
        if self.forgetting < 1 or self.updates % REFRESHED_EVERY == 0:
            inverse = np.linalg.inv(np.linalg.cholesky(self.precision))
            self.covariance = inverse.T @ inverse
            return
        seen = self.covariance @ row
        self.covariance = self.covariance - np.outer(seen, seen) / (1 + row @ seen)


def _check(dim: int, ridge: float, forgetting: float) -> None:
    if dim < 1:
        raise RequestError(f"dim is {dim}; a context needs at least 1 number.")
    if not ridge > 0:
        raise RequestError(f"The ridge is {ridge}; it must be above 0. 1 is usual.")
    if not 0 < forgetting <= 1:
        raise RequestError(
            f"The forgetting factor is {forgetting}; it must be above 0 and at most 1, which forgets nothing. "
            "0.999 remembers about 1,000 choices."
        )
