import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image

from flows import drawing
from flows.pictures import confusion_matrix, learning_curve, reliability_diagram
from polyloom.errors import DataError

chance = np.random.default_rng(7)


def drawn(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_the_colours_of_a_confusion_matrix_are_its_cells(tmp_path):
    """Two classes, the first always right and the second always wrong: one blue cell, one red, two white."""
    confusion_matrix(tmp_path / "m.png", truth=[0, 0, 1], predicted=[0, 0, 0], labels=["no", "yes"], title="spam")
    pixels = drawn(tmp_path / "m.png").reshape(-1, 3)
    blue, red = [0x1F, 0x6F, 0x8B], [0xC8, 0x55, 0x3D]
    blue_count, red_count = ((abs(pixels - color) < 2).all(axis=1).sum() for color in (blue, red))
    assert blue_count > 3000
    assert 0.8 < blue_count / red_count < 1.25


def test_77_classes_are_legible(tmp_path):
    truth = chance.integers(0, 77, 3000)
    predicted = np.where(chance.random(3000) < 0.9, truth, (truth + 1) % 77)
    labels = [f"card_payment_{number}" for number in range(77)]
    confusion_matrix(tmp_path / "m.png", truth=truth, predicted=predicted, labels=labels, title="banking77: intent")
    height, width, _ = drawn(tmp_path / "m.png").shape
    assert height / 77 > 18, "a label of 6.5 points needs 12 pixels"
    assert width > height


def test_a_class_without_rows_and_no_rows_at_all(tmp_path):
    confusion_matrix(tmp_path / "a.png", truth=[0, 1], predicted=[0, 1], labels=["a", "b", "c"], title="t")
    confusion_matrix(tmp_path / "b.png", truth=[], predicted=[], labels=["a", "b"], title="t")
    assert drawn(tmp_path / "b.png").size > 0


@pytest.mark.parametrize(("truth", "predicted"), [([0, 1], [0]), ([0, 2], [0, 1]), ([0, -1], [0, 1]), ([[0]], [[0]])])
def test_class_numbers_that_do_not_fit_are_refused(tmp_path, truth, predicted):
    with pytest.raises(DataError, match=r"two lists of the same length, with class numbers from 0 to 1 for 2 labels"):
        confusion_matrix(tmp_path / "m.png", truth=truth, predicted=predicted, labels=["a", "b"], title="t")
    assert not (tmp_path / "m.png").exists()


def test_a_calibrated_model_shows_no_gap(tmp_path):
    """Every bin half right at 0.5, or always right at 1.0: nothing to colour as too sure."""
    sure = np.repeat([0.5, 1.0], 100)
    right = np.concatenate([np.tile([True, False], 50), np.ones(100, dtype=bool)])
    reliability_diagram(tmp_path / "a.png", probabilities=sure, correct=right, ece=0.0, title="t")
    reliability_diagram(tmp_path / "b.png", probabilities=sure, correct=np.zeros(200), ece=0.75, title="t")
    red = [0xEC, 0xC0, 0xB6]
    counts = [(drawn(tmp_path / name) == red).all(axis=2).sum() for name in ("a.png", "b.png")]
    assert counts[0] < 400, "only the legend is red"
    assert counts[1] > 10_000


@pytest.mark.parametrize(("probabilities", "correct"), [([], []), ([0.5], [True, False])])
def test_a_reliability_diagram_needs_rows(tmp_path, probabilities, correct):
    with pytest.raises(DataError, match=r"must be two lists of the same length, with at least one row"):
        reliability_diagram(tmp_path / "r.png", probabilities=probabilities, correct=correct, ece=0.0, title="t")


def test_a_learning_curve_with_gaps_and_one_of_a_single_epoch(tmp_path):
    history = [{"epoch": epoch, "train_loss": 1 / epoch, "validation_loss": None, "metric": 0.5} for epoch in (1, 2, 3)]
    learning_curve(tmp_path / "a.png", history=history, title="shop: category")
    learning_curve(tmp_path / "b.png", history=[{"epoch": 1.0, "train_loss": 1.0}], title="t")
    assert drawn(tmp_path / "a.png").shape[0] > 600
    with pytest.raises(DataError, match=r"the history is empty; it needs at least one epoch"):
        learning_curve(tmp_path / "c.png", history=[], title="t")


def test_the_best_epoch_is_marked(tmp_path):
    history = [{"epoch": float(epoch), "train_loss": 1.0, "metric": 1.0 - abs(epoch - 4)} for epoch in range(1, 6)]
    learning_curve(tmp_path / "a.png", history=history, title="t")
    pixels = drawn(tmp_path / "a.png")
    mark = np.argwhere((abs(pixels - [0xE0, 0xA0, 0x30]) < 12).all(axis=2))
    assert 0.6 < np.median(mark[:, 1]) / pixels.shape[1] < 0.85, "epoch 4 of 1 to 5 lies at three quarters"


def test_the_same_figures_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        confusion_matrix(tmp_path / name, truth=[0, 1], predicted=[1, 1], labels=["退货", "US$ or €$"], title="帮助 $5")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_without_a_chinese_font_a_picture_still_comes_out(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "CHINESE_FONTS", ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        confusion_matrix(tmp_path / "m.png", truth=[0], predicted=[0], labels=["退货", "物流"], title="帮助台")
    assert (tmp_path / "m.png").exists()


def test_an_installed_chinese_font_is_used():
    installed = [name for name in drawing.CHINESE_FONTS if name in font_manager.fontManager.get_font_names()]
    assert drawing.font_families() == ["DejaVu Sans", *installed[:1]]


def test_threads_draw_at_once(tmp_path):
    def draw(number):
        confusion_matrix(tmp_path / f"{number}.png", truth=[0, 1], predicted=[0, 1], labels=["a", "b"], title="t")

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(tmp_path / f"{number}.png").read_bytes() for number in range(4)}) == 1


def test_the_module_imports_no_matplotlib_and_drawing_no_pyplot(tmp_path):
    code = (
        "import sys; from flows import pictures; assert 'matplotlib' not in sys.modules; "
        "pictures.learning_curve(pictures.Path(sys.argv[1]), history=[{'epoch': 1.0}], title='t'); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "c.png"], check=True)
