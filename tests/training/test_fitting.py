"""The fitting loop on toy sets whose outcome is known."""

import numpy as np
import pytest
import torch

from heads.classification import balanced_weights
from polyloom.errors import DataError
from tests.support.small_fits import ROWS, decoder, fitting, frozen, full, goal, separable, task
from training.device import place
from training.inputs import ModalityInput
from training.model import ApplicationModel


def simple(folder, *, vectors=None, truth=None, head=None, tasks=None, targets=None, **changed):
    """One modality of finished vectors, no dropout."""
    given, known = separable()
    vectors = given if vectors is None else vectors
    torch.manual_seed(0)
    model = ApplicationModel(encoders={}, tasks=tasks or {"label": task({"one": vectors.shape[1]}, **(head or {}))})
    inputs = {"one": ModalityInput(present=np.ones(len(vectors), bool), vectors=vectors)}
    targets = targets or {"label": goal(known if truth is None else truth)}
    return fitting(folder, model=model, inputs=inputs, targets=targets, **changed)


def weights(fit):
    return fit.model.state_dict()


@pytest.mark.parametrize("build", [frozen, full])
def test_a_separable_set_is_learned(build, tmp_path):
    result = build(tmp_path, epochs=15).run()
    assert result.best_metric >= (1.0 if build is frozen else 0.8)
    assert result.history[-1].train_loss < result.history[0].train_loss / 2


def test_the_same_seed_gives_the_same_weights(tmp_path):
    one, other, third = frozen(tmp_path / "1"), frozen(tmp_path / "2"), frozen(tmp_path / "3", seed=8)
    for fit in (one, other, third):
        torch.manual_seed(1)
        fit.run()
    name = "tasks.of_label.head.linear.weight"
    assert torch.equal(weights(one)[name], weights(other)[name])
    assert not torch.equal(weights(one)[name], weights(third)[name])


def test_it_stops_when_nothing_gets_better_and_gives_the_best_epoch_back(tmp_path):
    random_truth = np.random.default_rng(0).integers(0, 3, ROWS)
    seen = []
    fit = simple(tmp_path, truth=random_truth, epochs=60, patience=3, learning_rate=0.3, on_epoch=seen.append)
    result = fit.run()
    assert result.stopped_early
    assert len(result.history) == result.best_epoch + 1 + 3 < 60
    assert tuple(seen) == result.history
    best = result.history[result.best_epoch]
    assert best.metric == result.best_metric == max(epoch.metric for epoch in result.history)
    assert fit.score(fit.validation_rows)[1] == pytest.approx(best.validation_loss, rel=1e-6)


def test_without_patience_every_epoch_is_run(tmp_path):
    result = simple(tmp_path, epochs=5).run()
    assert (len(result.history), result.stopped_early) == (5, False)


def test_two_half_batches_give_the_weights_of_one_whole(tmp_path):
    whole = simple(tmp_path / "whole", batch_size=12)
    halves = simple(tmp_path / "halves", batch_size=6, accumulate=2)
    whole.run()
    halves.run()
    assert whole.position.step == halves.position.step == 3 * 4
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(halves)[name], tensor, rtol=0, atol=2e-6)


def test_class_weights_give_a_rare_label_its_say(tmp_path):
    random = np.random.default_rng(3)
    truth = (np.arange(480) % 12 == 0).astype(np.int64)
    vectors = random.normal(size=(480, 6)).astype(np.float32)
    vectors[:, 0] += 2 * truth
    recalls = []
    for name, balance in (("plain", None), ("balanced", balanced_weights(truth, labels=2, problem="binary"))):
        fit = simple(
            tmp_path / name,
            vectors=vectors,
            head={"labels": 2, "problem": "binary", "class_weights": balance},
            targets={"label": goal(truth, decoder(2, problem="binary"))},
            train_rows=np.arange(480),
            validation_rows=np.arange(480),
            epochs=8,
        )
        fit.run()
        predicted = fit.score(np.arange(480))[0]["label"]["logits"].argmax(axis=1)
        recalls.append(float((predicted[truth == 1] == 1).mean()))
    assert recalls[1] > recalls[0] + 0.1


def test_several_tasks_are_learned_together(tmp_path):
    _, truth = separable()
    mask = np.stack([truth == 0, truth != 2], axis=1)
    tasks = {"label": task({"one": 6}), "type": task({"one": 6}, labels=2, problem="multilabel")}
    targets = {"label": goal(truth), "type": goal(mask, decoder(2, problem="multilabel"), loss_weight=2.0)}
    fit = simple(tmp_path, tasks=tasks, targets=targets, watch=("type", "micro_f1"), epochs=12)
    assert fit.run().best_metric == 1.0
    outputs, _ = fit.score(np.arange(ROWS))
    assert ((outputs["type"]["logits"] > 0) == mask).all()
    assert (outputs["label"]["logits"].argmax(axis=1) == truth).all()


def test_rows_whose_label_is_unknown_are_not_learned_from(tmp_path):
    _, truth = separable()
    partly = truth.copy()
    partly[::4] = -1
    fit = simple(tmp_path, truth=partly, epochs=12)
    fit.run()
    assert (fit.score(np.arange(ROWS))[0]["label"]["logits"].argmax(axis=1) == truth).all()


def test_scores_stand_in_the_order_of_the_rows(tmp_path):
    fit = full(tmp_path)
    rows = np.array([40, 3, 17, 8])
    together = fit.score(rows)[0]["label"]["logits"]
    for place_, row in enumerate(rows):
        np.testing.assert_allclose(fit.score(np.array([row]))[0]["label"]["logits"][0], together[place_], atol=1e-5)


def test_a_batch_with_a_single_picture_is_learned_from(tmp_path):
    fit = full(tmp_path, batch_size=2, accumulate=1)
    assert 1 in {int(fit.inputs["image"].present[rows].sum()) for rows in np.arange(36).reshape(-1, 2)}
    assert np.isfinite(fit.run().history[-1].train_loss)


def test_a_loss_that_is_no_number_says_what_to_do(tmp_path):
    vectors, _ = separable()
    vectors[5] = np.nan
    with pytest.raises(
        DataError, match=r"the loss is nan at epoch 1, step \d: lower recipe.learning_rate or recipe.enc"
    ):
        simple(tmp_path, vectors=vectors).run()


def test_half_precision_runs_on_a_cpu(tmp_path):
    result = full(tmp_path, placement=place("bf16"), epochs=2).run()
    assert all(np.isfinite(epoch.train_loss) for epoch in result.history)


def test_only_matrices_decay(tmp_path):
    groups = full(tmp_path, weight_decay=0.5).optimizer.param_groups
    decayed = {p.ndim > 1 for group in groups if group["weight_decay"] == 0.5 for p in group["params"]}
    spared = {p.ndim > 1 for group in groups if group["weight_decay"] == 0.0 for p in group["params"]}
    assert (decayed, spared) == ({True}, {False})
    assert sorted({group["initial_lr"] for group in groups}) == [0.01, 0.03]
