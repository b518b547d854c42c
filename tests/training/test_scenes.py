"""Augmented scenes: what happens to the pixels happens to the boxes."""

import numpy as np
import pytest
import torch

from training import scenes
from training.scenes import Scene, away, changed, cut, mirrored, placed, put_together

SIZE = 96


def scene(*, level=255, box=(0.25, 0.5, 0.5, 0.875), side=120, label=0):
    """A dark picture with one bright rectangle, which is its box."""
    picture = torch.zeros(3, side, side, dtype=torch.uint8)
    left, top, right, bottom = (round(edge * side) for edge in box)
    picture[:, top:bottom, left:right] = level
    return Scene(picture=picture, boxes=torch.tensor([box]), labels=torch.tensor([label]))


def shown_box(picture, level):
    """Edges of the pixels of about this brightness, in shares."""
    rows, columns = torch.nonzero((picture[0].int() - level).abs() < 12, as_tuple=True)
    height, width = picture.shape[-2:]
    return torch.tensor(
        [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]
    )


@pytest.fixture
def same_light(monkeypatch):
    monkeypatch.setattr(scenes, "LIGHT", lambda picture: picture)


def test_a_mirrored_scene_by_hand():
    turned = mirrored(scene())
    assert turned.boxes.tolist() == [[0.5, 0.5, 0.75, 0.875]]
    torch.testing.assert_close(shown_box(turned.picture, 255), turned.boxes[0], atol=0.01, rtol=0)


def test_a_scene_is_squeezed_into_its_place():
    found = placed([scene()], [(24, 0, 72, 96)], size=SIZE, random=np.random.default_rng(0))
    torch.testing.assert_close(shown_box(found.picture, 255), found.boxes[0], atol=0.02, rtol=0)
    assert (found.picture[:, :, :24] == 127).all()
    assert found.boxes[0, 3] == 0.875


def test_four_scenes_are_put_together():
    levels = (255, 220, 180, 80)
    parts = [scene(level=level, label=number) for number, level in enumerate(levels)]
    found = put_together(parts, size=SIZE, random=np.random.default_rng(1))
    assert found.labels.tolist() == [0, 1, 2, 3]
    for level, box in zip(levels, (found.boxes * SIZE).tolist(), strict=True):
        left, top, right, bottom = (round(edge) for edge in box)
        inside = found.picture[0, top + 1 : bottom - 1, left + 1 : right - 1].float()
        around = found.picture[0, top - 2, left:right].float()
        assert inside.mean() == pytest.approx(level, abs=3)
        assert around.mean() < 0.2 * level


@pytest.mark.parametrize("seed", range(20))
def test_boxes_stay_on_their_pixels_whatever_is_drawn(same_light, seed):
    parts = [scene(level=255), *(scene(level=200, label=1) for _ in range(3))]
    found = changed(parts, size=SIZE, random=np.random.default_rng(seed))
    assert found.picture.shape == (3, SIZE, SIZE)
    assert found.picture.dtype == torch.uint8
    assert ((found.boxes >= 0) & (found.boxes <= 1)).all()
    first = found.boxes[found.labels == 0]
    if len(first):
        torch.testing.assert_close(shown_box(found.picture, 255), first[0], atol=0.04, rtol=0)


def test_a_cut_keeps_a_box_or_drops_it_with_its_label():
    counts = set()
    for seed in range(30):
        torch.manual_seed(seed)
        found = cut(scene())
        assert len(found.boxes) == len(found.labels)
        counts.add(len(found.labels))
        if len(found.boxes):
            torch.testing.assert_close(shown_box(found.picture, 255), found.boxes[0], atol=0.03, rtol=0)
    assert 1 in counts


def test_what_becomes_too_small_is_gone():
    tiny = scene(box=(0.5, 0.5, 0.52, 0.52))
    assert len(placed([tiny], [(0, 0, 96, 96)], size=SIZE, random=np.random.default_rng(0)).labels) == 0


def test_a_scene_without_boxes_stays_without():
    empty = Scene(picture=scene().picture, boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    for seed in range(10):
        found = changed([empty] * 4, size=SIZE, random=np.random.default_rng(seed))
        assert found.boxes.shape == (0, 4)


def test_places_of_what_is_moved_away_are_inside():
    for seed in range(50):
        left, top, right, bottom = away(size=SIZE, random=np.random.default_rng(seed))
        assert 0 <= left < right <= SIZE
        assert 0 <= top < bottom <= SIZE


def test_the_same_seed_gives_the_same_scene_and_leaves_torch_s_state_alone():
    parts = [scene() for _ in range(4)]
    state = torch.random.get_rng_state()
    one, other = (changed(parts, size=SIZE, random=np.random.default_rng(5)) for _ in range(2))
    torch.testing.assert_close(vars(one), vars(other))
    assert torch.equal(torch.random.get_rng_state(), state)
