"""Canonical projections: against scipy's generalised eigenvectors, and at the edges of what rows can say."""

import numpy as np
import pytest
from scipy.linalg import eigh

from heads.canonical import canonical_maps


def pairs(rows, *, seed=0, shared=3):
    """Two views of the same few factors, each with noise of its own."""
    random = np.random.default_rng(seed)
    factors = random.normal(size=(rows, shared))
    mixed = [
        factors @ random.normal(size=(shared, width)) + 0.5 * random.normal(size=(rows, width)) + place
        for place, width in enumerate((8, 5))
    ]
    return mixed[0].astype(np.float32), mixed[1].astype(np.float32)


def defined(first, second, shrinkage):
    """Correlations and directions of the first side, from the generalised eigenvalue problem of the definition."""
    one, other = (side.astype(np.float64) - side.mean(axis=0, dtype=np.float64) for side in (first, second))
    within = [side.T @ side / len(side) for side in (one, other)]
    within = [
        own + share * np.trace(own) / len(own) * np.eye(len(own)) for own, share in zip(within, shrinkage, strict=True)
    ]
    across = one.T @ other / len(one)
    values, directions = eigh(across @ np.linalg.solve(within[1], across.T), within[0])
    return np.sqrt(values[::-1].clip(0)), directions[:, ::-1]


@pytest.mark.parametrize("shrinkage", [(0.1, 0.1), (1.0, 5.0)])
def test_the_maps_are_those_of_the_definition(shrinkage):
    first, second = pairs(400)
    found, _ = canonical_maps(first, second, dim=3, shrinkage=shrinkage)
    correlations, directions = defined(first, second, shrinkage)
    wanted = directions[:, :3] * correlations[:3]
    same = (
        np.abs(found.weight @ wanted) / np.linalg.norm(found.weight, axis=1)[:, None] / np.linalg.norm(wanted, axis=0)
    )
    np.testing.assert_allclose(np.diag(same), 1.0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found.weight, axis=1), np.linalg.norm(wanted, axis=0), rtol=1e-4)


def test_unseen_pairs_find_each_other():
    first, second = pairs(600)
    one, other = canonical_maps(first[:400], second[:400], dim=3, shrinkage=(0.1, 0.1))
    left, right = (side[400:] @ own.weight.T + own.offset for side, own in ((first, one), (second, other)))
    left, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, right))
    # Three noisy factors of one among 200: chance is 0.005.
    assert np.mean((left @ right.T).argmax(axis=1) == np.arange(200)) > 0.1
    np.testing.assert_allclose(first[:400].mean(axis=0) @ one.weight.T + one.offset, 0.0, atol=1e-4)


def test_a_space_wider_than_a_side_ends_in_zeros():
    first, second = pairs(50)
    one, other = canonical_maps(first, second, dim=7, shrinkage=(1.0, 1.0))
    assert (one.weight.shape, other.weight.shape) == ((7, 8), (7, 5))
    assert not one.weight[5:].any()
    assert not other.weight[5:].any()
    assert other.weight[:3].any(axis=1).all()


def test_fewer_rows_than_dimensions_and_a_side_that_never_changes_give_numbers():
    first, second = pairs(3)
    second[:] = 1.0
    for found in canonical_maps(first, second, dim=4, shrinkage=(1.0, 1.0)):
        assert np.isfinite(found.weight).all()
        assert np.isfinite(found.offset).all()


def test_one_pair_says_nothing():
    first, second = pairs(1)
    with pytest.raises(ValueError, match="1 and 1 values are not two pairs or more"):
        canonical_maps(first, second, dim=2, shrinkage=(1.0, 1.0))
