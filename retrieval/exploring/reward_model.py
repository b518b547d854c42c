"""What each logged candidate would have brought, as a model says that did not see that choice."""

import numpy as np

from polyloom.errors import RequestError
from retrieval.exploring.logged_choices import LoggedChoices


def cross_fitted(log: LoggedChoices, *, folds: int = 5, ridge: float = 1.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Rewards [candidates] predicted for each choice by a ridge regression on the choices of the other folds.

    That a choice is not predicted by a model that knows its reward keeps doubly robust estimates unbiased. A user's
    choices are in one fold.

    Raises: RequestError for fewer than two folds, or more than there are users.
    """
    most = int(log.units.max()) + 1
    if not 2 <= folds <= most:
        raise RequestError(f"folds is {folds}; it must lie between 2 and the {most} users. 5 is usual.")
    features = log.features
    fold_of = (np.random.default_rng(seed).permutation(most) % folds)[log.units]
    fits = [ridge_fit(features[fold_of != fold], log.rewards[fold_of != fold], ridge=ridge) for fold in range(folds)]
    return tuple(rows @ fits[fold][1:] + fits[fold][0] for rows, fold in zip(log.contexts, fold_of, strict=True))


def ridge_fit(features: np.ndarray, rewards: np.ndarray, *, ridge: float) -> np.ndarray:
    """Intercept and weights [1 + dim] of the least squares with a penalty on the weights alone."""
    centre, mean = features.mean(axis=0), rewards.mean()
    rows = features - centre
    weights = np.linalg.solve(rows.T @ rows + ridge * np.eye(rows.shape[1]), rows.T @ (rewards - mean))
    return np.concatenate([[mean - centre @ weights], weights])
