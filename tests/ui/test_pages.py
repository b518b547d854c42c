"""Each page in Streamlit's own test runner, over an empty state folder, a real one, and own_home ones."""

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from releases.challenge import ask_a_person
from releases.mlflow_store import SQLITE
from releases.registry import Registry
from tests.support.small_bundle import make_small_bundle, picture_of
from tests.ui.browser import APP

PAGES = ["", "search", "ask", "recommend", "predict", "runs", "serving", "release"]


def look_at(page, **query):
    at = AppTest.from_file(APP, default_timeout=120)
    at._page_hash = calc_hash(page)
    for name, value in query.items():
        at.query_params[name] = value
    return again(at)


def again(at):
    at.run()
    assert [error.value for error in at.exception] == []
    return at


def words(at):
    """All text on the page."""
    kinds = ("title", "subheader", "markdown", "info", "warning", "error", "code")
    said = [element.value for kind in kinds for element in getattr(at, kind)]
    return "\n".join([*said, *(element.proto.body for element in at.get("html"))]).replace("\\", "")


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_home_is_left_empty(page, tmp_path, at_home):
    at_home(tmp_path / "home")
    assert "nothing is released" in words(look_at(page)).lower() or page in {"runs", "serving"}
    assert not (tmp_path / "home").exists()


def test_an_empty_home_says_what_to_do(tmp_path, at_home):
    at_home(tmp_path / "home")
    said = words(look_at(""))
    assert "make demo" in said
    assert "polyloom run shop" in said
    assert "polyloom deploy shop" in words(look_at("runs"))


@pytest.mark.parametrize("page", PAGES)
def test_a_real_home_is_shown(page, released_home, at_home):
    at_home(released_home)
    at = look_at(page)
    assert len(at.error) == len(at.warning) == 0


def test_home_shows_champions_figures_and_runs(released_home, at_home):
    at_home(released_home)
    said = words(look_at(""))
    for part in ("Find products", "A help desk in two languages", "version 1", "0.931", "macro F1", "run-failed"[4:]):
        assert part in said
    assert ">12<" in said


def test_search_by_words(released_home, at_home):
    at_home(released_home)
    at = look_at("search", scenario="shop", q="绿色台灯")
    said = words(at)
    assert "12 hits" in said
    assert said.index("Green desk lamp") < said.index("Green alarm clock")
    assert "chars: rank 1" in said
    assert len(at.get("image")) == 12


def test_search_narrowed_by_a_filter(released_home, at_home):
    at_home(released_home)
    said = words(look_at("search", scenario="shop", q="lamp", where="category = 'clock' AND price < 30"))
    assert "2 hits" in said
    assert "lamp" not in said


def test_a_wrong_filter_is_explained(released_home, at_home):
    at_home(released_home)
    at = look_at("search", scenario="shop", q="lamp", where="pric < 30")
    assert "Did you mean 'price'?" in at.warning[0].value.replace("\\", "")


def test_search_like_an_item(released_home, at_home):
    at_home(released_home)
    at = look_at("search", scenario="shop", by="Like an item", like_shop="Green desk lamp (p04)")
    said = words(at)
    assert "11 hits" in said
    assert "Green desk lamp" not in said


def test_search_by_a_picture(released_home, at_home):
    at_home(released_home)
    at = look_at("search", scenario="shop", by="Picture")
    at.file_uploader[0].set_value(("lamp.png", picture_of("p04"), "image/png"))
    said = words(again(at))
    assert said.index("Green desk lamp") < said.index("image: rank 1, cosine 1.00")
    at.file_uploader[0].set_value(("lamp.png", b"no picture", "image/png"))
    assert "This picture cannot be used: the file is not one of" in again(at).warning[0].value.replace("\\", "")


def test_questions_are_cards_with_answers(released_home, at_home):
    at_home(released_home)
    at = look_at("search", scenario="support", q="怎么退货")
    assert "打印退货单" in words(at)
    assert len(at.get("image")) == 0


def test_predict(released_home, at_home):
    at_home(released_home)
    said = words(look_at("predict", scenario="shop", q="an alarm clock"))
    assert "Not given: image" in said
    assert said.index("clock") < said.index("sure")
    assert "pl-bars" in said


def test_predict_says_why_when_it_is_asked(released_home, at_home):
    at_home(released_home)
    at = look_at("predict", scenario="shop", q="绿色 desk lamp")
    assert "Orange speaks" not in words(at)
    at.toggle[0].set_value(True)
    said = words(again(at))
    assert "Why category" in said
    assert ">lamp</span>" in said
    assert "Green desk lamp" in said
    assert 'class="pl-signed"' not in said


def test_predict_shows_what_in_a_picture_counts(released_home, at_home):
    at_home(released_home)
    at = look_at("predict", scenario="shop", q="a lamp", why="true")
    shown = len(at.get("image"))
    at.file_uploader[0].set_value(("lamp.png", picture_of("p04"), "image/png"))
    said = words(again(at))
    assert 'class="pl-signed"' in said
    # The picture that was given, and its heat map.
    assert len(at.get("image")) == shown + 2


def test_release_shows_card_figures_and_history(released_home, at_home):
    at_home(released_home)
    said = words(look_at("release", scenario="support"))
    for part in ("A tiny release for tests. 测试用。", "calibration error", "first release", "champion → 1", "0.042"):
        assert part in said


@pytest.mark.parametrize(
    ("run", "parts"),
    [
        ("shop/run-done", ["done", "category · macro F1", "0.850", "产品已发布"]),
        ("support/run-failed", ["failed", "line 12 is not JSON"]),
        ("shop/unknown", ["No journal of the run shop/unknown"]),
        ("../../etc/passwd", ["No journal of the run"]),
    ],
)
def test_one_run_is_followed_by_its_address(run, parts, released_home, at_home):
    at_home(released_home)
    said = words(look_at("runs", run=run))
    for part in parts:
        assert part in said


@pytest.mark.parametrize("name", ["metrics.json", "application.json", "index/index.json", "card.md"])
def test_a_missing_file_of_a_bundle_is_named(name, own_home, at_home):
    next(own_home.glob(f"releases/shop/*/{name}")).unlink()
    at_home(own_home)
    assert name in look_at("").error[0].value.replace("\\", "")


def test_a_changed_byte_is_named_where_the_release_is_opened(own_home, at_home):
    graph = next(own_home.glob("releases/shop/*/heads/category/model.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    at_home(own_home)
    for page in ("search", "predict"):
        assert "'heads/category/model.onnx' was changed" in look_at(page).error[0].value.replace("\\", "")


def test_a_registry_that_is_no_database_is_said(tmp_path, at_home):
    (tmp_path / "home" / "journal" / "shop").mkdir(parents=True)
    (tmp_path / "home" / "mlflow.db").write_bytes(b"this is not a database, whatever its name says")
    at_home(tmp_path / "home")
    assert "The MLflow registry cannot be read" in look_at("").error[0].value


def test_a_release_that_waits_is_approved_on_the_page(own_home, at_home):
    at_home(own_home)
    registry = wait_for_approval(own_home)
    at = look_at("release", scenario="shop")
    for part in ("Waits for approval", "Version 2, judged against version 1", "0.95", "until"):
        assert part in words(at)
    press(at, "Approve")
    assert "Give a name and a reason" in words(at)
    assert registry.resolve("shop").version == "1"
    at.text_input(key="waiting_who").set_value("Eve")
    at.text_input(key="waiting_why").set_value("I looked")
    press(at, "Approve")
    assert registry.resolve("shop").version == "2"
    assert (registry.history("shop")[-1].who, registry.history("shop")[-1].why) == ("Eve", "I looked")
    assert "Waits for approval" not in words(look_at("release", scenario="shop"))


def test_a_release_that_waits_is_refused_on_the_page(own_home, at_home):
    at_home(own_home)
    registry = wait_for_approval(own_home)
    at = look_at("release", scenario="shop")
    at.text_input(key="waiting_who").set_value("Eve")
    at.text_input(key="waiting_why").set_value("too bold")
    press(at, "Refuse")
    assert registry.waiting("shop") is None
    assert registry.resolve("shop").version == "1"


def press(at, label):
    next(button for button in at.button if button.label == label).click()
    again(at)


def wait_for_approval(home):
    """Let a second release of `shop` wait; returns the registry."""
    registry = Registry(f"{SQLITE}{home / 'mlflow.db'}", home / "ledger")
    draft = home / "releases" / "shop" / "other"
    digest = make_small_bundle(draft, name="support", blobs=home / "blobs")
    registry.register("shop", draft.rename(draft.with_name(digest)), digest, None, {})
    verdict = {"challenger_value": 0.95, "champion_value": 0.9, "difference": 0.05, "rows": 96}
    ask_a_person(registry, "shop", "2", against="1", why="better by 0.05", hours=1, verdict=verdict)
    return registry
