"""Which photos are learned from and which are tested."""

import numpy as np
import pytest
import yaml

from benchmarks.retrieval_pictures import WAYS, parts, scenario, summary, write_parts

ROWS = [{"image": f"/photos/{photo}.jpg", "caption": f"{photo}, {way}"} for photo in range(1000) for way in "ab"]


def photos(rows):
    return {row["image"] for row in rows}


def test_a_seed_draws_what_is_learned_from_and_not_what_is_tested():
    one, other = (parts(ROWS, seed=seed, fold=0, judged="test", kept_back=100) for seed in (1, 2))
    assert photos(one["test"]) == photos(other["test"])
    assert photos(one["validation"]) != photos(other["validation"])
    assert [len(photos(one[split])) for split in ("train", "validation", "test")] == [700, 100, 200]
    assert not photos(one["test"]) & photos(one["train"] + one["validation"])
    assert len(one["test"]) == 400


def test_nothing_is_kept_back_unless_it_is_asked_for():
    found = parts(ROWS, seed=1, fold=0, judged="test", kept_back=0)
    assert photos(found["validation"]) < photos(found["train"])
    assert len(photos(found["train"])) == 800


def test_settings_are_chosen_without_the_tested_photos():
    tested = photos(parts(ROWS, seed=1, fold=0, judged="test", kept_back=0)["test"])
    found = parts(ROWS, seed=1, fold=0, judged="validation", kept_back=0)
    assert not tested & photos(found["train"] + found["validation"] + found["test"])
    assert (len(photos(found["train"])), len(photos(found["test"]))) == (600, 200)


def test_folds_test_each_photo_once():
    folds = [photos(parts(ROWS, seed=1, fold=fold, judged="test", kept_back=0)["test"]) for fold in range(5)]
    assert sorted(photo for fold in folds for photo in fold) == sorted(photos(ROWS))


def test_the_shipped_scenario_reads_the_parts(tmp_path):
    from flows.scenario_file import whole_scenario

    write_parts(parts(ROWS, seed=1, fold=0, judged="test", kept_back=0), tmp_path / "one")
    raw = scenario(tmp_path / "one", seed=5, weights=tmp_path / "w", changes=yaml.safe_load("{recipe: {epochs: 2}}"))
    found = whole_scenario(tmp_path / "one" / "flickr8k.yaml", raw).scenario
    assert (found.recipe.seed, found.recipe.epochs, found.tasks["match"].kind) == (5, 2, "alignment")


def test_the_share_of_ranks_up_to_k_is_held_against_the_goal():
    ranks = {WAYS[0]: np.array([1, 1, 4, 11]), WAYS[1]: np.array([2, 10])}
    first, ten, back, back_ten = summary([ranks, ranks])
    assert (first.value, first.met) == (0.5, True)
    assert (ten.value, ten.met) == (0.75, True)
    assert (back.value, back.met) == (0.0, False)
    assert back_ten.value == pytest.approx(1.0)
    assert "sd 0.0000 over 2 fits" in first.name
