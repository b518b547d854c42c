"""Contrastive learning over few labelled rows: labels come apart, and the best epoch is kept where that is asked."""

import numpy as np
import pytest
import torch

from tests.support.small_pretrainings import contrast


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def separation(task):
    """How much nearer rows are to rows of their own label than to others, in cosines."""
    rows = np.arange(len(task.objective.labels))
    arrays = task.objective._source.arrays(rows, random=None)
    task.objective.encoder.eval()
    with torch.inference_mode():
        pooled = task.objective.encoder(
            *(torch.from_numpy(arrays[name]) for name in task.objective.encoder.reads)
        ).pooled
    unit = torch.nn.functional.normalize(pooled, dim=1).numpy()
    cosines = unit @ unit.T
    alike = task.objective.labels[:, None] == task.objective.labels
    return cosines[alike & ~np.eye(len(rows), dtype=bool)].mean() - cosines[~alike].mean()


@pytest.mark.parametrize("kind", ["text", "picture"])
def test_labels_come_apart(kind, tmp_path):
    task = contrast(tmp_path / "c", kind=kind, epochs=6)
    before = separation(task)
    result = task.run()
    assert result.losses[-1] < result.losses[0]
    assert separation(task) > before + 0.2


def test_a_partner_is_another_row_of_the_same_label_and_part(tmp_path):
    task = contrast(tmp_path / "c")
    objective, random = task.objective, np.random.default_rng(0)
    for row in range(len(objective.labels)):
        partners = {objective._partner(row, random) for _ in range(60)}
        assert row not in partners
        assert {objective.labels[partner] for partner in partners} == {objective.labels[row]}
        assert {partner in task.held_out for partner in partners} == {row in task.held_out}


def test_a_row_alone_with_its_label_is_its_own_partner(tmp_path):
    task = contrast(tmp_path / "c", labels=np.array([0, 0, 1]), rows=np.arange(3), held_out=np.arange(0))
    assert task.objective._partner(2, np.random.default_rng(0)) == 2
    assert np.isfinite(task.run().losses[-1])


def test_texts_in_pieces_are_embedded_as_alone(tmp_path):
    task = contrast(tmp_path / "c")
    objective = task.objective
    objective.encoder.eval()
    rows = np.arange(40)
    arrays = {name: torch.from_numpy(array) for name, array in objective._source.arrays(rows, random=None).items()}
    with torch.inference_mode():
        together = objective._pooled(arrays)
        for row in (0, 7, 39):
            alone = objective._source.arrays(rows[[row]], random=None)
            given = (torch.from_numpy(alone[name]) for name in objective.encoder.reads)
            torch.testing.assert_close(together[[row]], objective.encoder(*given).pooled, atol=1e-5, rtol=1e-4)


def test_patience_keeps_the_best_epoch(tmp_path):
    # Steps so large that the held-out rows get worse.
    task = contrast(tmp_path / "c", epochs=30, patience=1, learning_rate=0.3)
    result = task.run()
    best = int(np.argmin(result.held_out_losses))
    assert len(result.held_out_losses) == best + 2 < 30
    assert task._held_out_loss() == pytest.approx(result.held_out_losses[best], rel=1e-5)


def test_without_held_out_rows_patience_has_nothing_to_wait_for(tmp_path):
    result = contrast(tmp_path / "c", epochs=3, patience=1, held_out=np.arange(0)).run()
    assert len(result.losses) == 3
