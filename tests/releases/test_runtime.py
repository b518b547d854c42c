import subprocess
import sys

import pytest

from polyloom.errors import IntegrityError, RequestError
from releases.runtime import Runtime
from tests.support.small_bundle import SHOP, make_small_bundle, picture_of

HEAVY = ["torch", "torchvision", "transformers", "timm", "prefect", "mlflow"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runtime")
    return folder / "bundle", make_small_bundle(folder / "bundle", blobs=folder / "blobs")


@pytest.fixture(scope="module")
def runtime(bundle):
    folder, digest = bundle
    return Runtime.open(folder, blobs=folder.parent / "blobs", digest=digest)


def shop_rows():
    return [{"title": title, "title_zh": chinese, "picture": picture_of(key)} for key, title, chinese, *_ in SHOP]


def test_it_says_what_it_is(runtime, bundle):
    assert (runtime.name, runtime.title, runtime.searchable) == ("shop", "Find products", True)
    assert runtime.digest == bundle[1]
    assert runtime.metrics["category"]["accuracy"] == 0.9375
    assert runtime.card.startswith("# Find products")


def test_each_item_gets_its_own_category(runtime):
    predictions = runtime.predict(shop_rows())
    assert [each.answers["category"].label for each in predictions] == [row[4] for row in SHOP]
    for each in predictions:
        answer = each.answers["category"]
        assert list(answer.probabilities.values()) == sorted(answer.probabilities.values(), reverse=True)
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.probability == next(iter(answer.probabilities.values()))


def test_a_batch_gives_what_single_rows_give(runtime):
    rows = [*shop_rows(), {"title": "a chair"}, {"picture": picture_of("p01")}] * 6
    together, alone = runtime.predict(rows), [runtime.predict([row])[0] for row in rows]
    for one, other in zip(together, alone, strict=True):
        assert one.missing == other.missing
        assert one.answers["category"].label == other.answers["category"].label
        assert one.answers["category"].probabilities == pytest.approx(other.answers["category"].probabilities, abs=1e-6)


def test_a_missing_modality_is_said(runtime):
    words, picture = runtime.predict([{"title": "Red wall clock"}, {"title": None, "picture": picture_of("p10")}])
    assert (words.missing, picture.missing) == (("image",), ("chars",))
    assert words.answers["category"].label == picture.answers["category"].label == "clock"


def test_a_picture_can_be_given_as_a_path(runtime):
    items = runtime.items()
    path = runtime.picture(items["picture"][0].as_py())
    given_path, given_bytes = runtime.predict([{"picture": str(path)}, {"picture": path.read_bytes()}])
    assert given_path == given_bytes


def test_top_bounds_the_probabilities(runtime):
    assert list(runtime.predict([{"title": "mug"}], top=1)[0].answers["category"].probabilities) == ["mug"]


def test_no_rows_give_no_predictions(runtime):
    assert runtime.predict([]) == []


def test_a_row_with_nothing_is_refused(runtime):
    with pytest.raises(RequestError, match="Row 2 has nothing that a task reads: task 'category' reads chars, image"):
        runtime.predict([{"title": "mug"}, {"title": "  "}])


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_an_empty_question_is_refused(runtime, text):
    with pytest.raises(RequestError, match="Nothing was asked: give a text of at least one character"):
        runtime.row(text=text)


def test_a_picture_for_a_release_of_words_is_refused(tmp_path):
    make_small_bundle(tmp_path / "bundle", name="support")
    with pytest.raises(RequestError, match=r"'support' does not read a picture; its modalities .* \['characters'\]"):
        Runtime.open(tmp_path / "bundle").row(image=b"x")


def test_words_go_into_the_columns_that_are_read(runtime):
    assert runtime.row(text="mug", image=b"p") == {"title": "mug", "picture": b"p"}


def test_a_picture_that_is_not_here_is_none(runtime):
    assert runtime.picture("f" * 64) is None


@pytest.mark.parametrize(
    "name",
    ["heads/category/model.onnx", "index/segments/s1/chars.exact.faiss", "index/segments/s1/rows.arrow", "card.md"],
)
def test_a_changed_byte_is_refused(tmp_path, name):
    make_small_bundle(tmp_path / "bundle")
    content = bytearray((tmp_path / "bundle" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "bundle" / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=f"'{name}' was changed in the bundle"):
        Runtime.open(tmp_path / "bundle")


def test_another_digest_than_the_registered_one_is_refused(bundle):
    with pytest.raises(IntegrityError, match=f"holds the bundle {bundle[1]}, not {'0' * 64}"):
        Runtime.open(bundle[0], digest="0" * 64)


def test_nothing_heavy_is_imported(bundle):
    code = f"""if True:
        import sys
        from pathlib import Path
        from releases.runtime import Runtime
        runtime = Runtime.open(Path({str(bundle[0])!r}))
        runtime.predict([{{"title": "mug"}}])
        runtime.search(text="mug")
        print(sorted(set({HEAVY!r}) & set(sys.modules)))
    """
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
