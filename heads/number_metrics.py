"""Regression metrics in numpy. Truth and predictions are numbers [rows]; rows whose truth is NaN do not count."""

import numpy as np


def r2(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the variance that is explained: 1 at best, 0 for always saying the mean; rows of NaN do not count."""
    known = np.isfinite(truth)
    spread = float(((truth[known] - truth[known].mean()) ** 2).sum()) if known.any() else 0.0
    return 1.0 - float(((truth[known] - predicted[known]) ** 2).sum()) / spread if spread else float("nan")


def negative_mae(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean absolute error with a minus sign."""
    known = np.isfinite(truth)
    return -float(np.abs(truth[known] - predicted[known]).mean()) if known.any() else float("nan")


def negative_rmse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error with a minus sign."""
    known = np.isfinite(truth)
    return -float(np.sqrt(((truth[known] - predicted[known]) ** 2).mean())) if known.any() else float("nan")
