import numpy as np
import pytest
from PIL import Image

from flows.explanation_pictures import ShownRow, explanation_pictures, pieces
from flows.heat import AGAINST, FOR
from heads.explanation import ColumnWeight, Evidence, Explanation, KnownRow, WordWeight

WORDS = (WordWeight("退", 0, 1, 2.0), WordWeight("款", 1, 2, -2.0), WordWeight("please", 3, 9, 0.0))
TEXT = Evidence(("text",), "occlusion", text="退款 please", words=WORDS)


def shown(key, *, why="unsure", evidence=(TEXT,), contributions=None, pictures=None):
    explanation = Explanation(
        label="refund",
        score=1.0,
        base=0.0,
        contributions=contributions or {"text": 1.0},
        evidence=evidence,
        near=(KnownRow(id="k1", label="refund $5", cosines={"text": 0.8}, row={"text": "我要退款"}),),
    )
    return ShownRow(
        key=key,
        why=why,
        answer="refund",
        probability=0.6,
        truth="card",
        right=False,
        explanation=explanation,
        pictures=pictures or {},
    )


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def has(found, colour):
    return bool((np.abs(found - np.array(colour)).max(axis=2) < 8).any())


def test_blanks_stand_only_where_the_text_has_some():
    assert pieces(TEXT) == [("退", 2.0), ("款", -2.0), (" ", 0.0), ("please", 0.0)]


def test_words_are_drawn_in_the_colours_of_their_weights(tmp_path):
    explanation_pictures(tmp_path, "intent", [shown("a")], title="Bank: intent")
    found = pixels(tmp_path / "intent_explained_unsure.png")
    for colour in (FOR, AGAINST):
        assert has(found, 255 + (np.array(colour) - 255) * 0.72)


def test_pictures_bars_and_columns_make_the_sheet_longer(tmp_path):
    picture = np.full((32, 32, 3), (10, 200, 10), np.uint8)
    evidence = (
        TEXT,
        Evidence(("image",), "grad_cam", cells=((0.0, 1.0), (0.0, 0.0))),
        Evidence(("price",), "integrated_gradients", columns=(ColumnWeight("price", 9.5, 0.4),)),
    )
    shares = {"text": 1.0, "image": -0.5, "price": 0.5}
    row = shown("a", why="sure", evidence=evidence, contributions=shares, pictures={"image": picture})
    explanation_pictures(tmp_path, "intent", [row], title="Bank")
    explanation_pictures(tmp_path, "plain", [shown("a", why="sure")], title="Bank")
    assert has(pixels(tmp_path / "intent_explained_sure.png"), (10, 200, 10))
    tall, short = (pixels(tmp_path / f"{task}_explained_sure.png") for task in ("intent", "plain"))
    assert len(tall) > len(short)


@pytest.mark.parametrize(("rows", "files"), [(5, 1), (6, 2)])
def test_five_rows_go_on_a_sheet_and_each_reason_has_its_own(rows, files, tmp_path):
    many = [shown(str(number)) for number in range(rows)]
    explanation_pictures(tmp_path, "intent", [*many, shown("z", why="sure and right")], title="Bank")
    assert len(list(tmp_path.glob("intent_explained_unsure*.png"))) == files
    assert (tmp_path / "intent_explained_sure_and_right.png").is_file()


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        explanation_pictures(tmp_path / name, "intent", [shown("a")], title="Bank")
    one, two = (next((tmp_path / name).glob("*.png")).read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_row_is_json_without_its_pictures():
    told = shown("a", pictures={"image": np.zeros((2, 2, 3), np.uint8)}).to_json()
    assert set(told) == {"key", "why", "answer", "probability", "truth", "right", "explanation"}
    assert told["explanation"]["contributions"] == {"text": 1.0}
