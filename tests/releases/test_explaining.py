"""Why a small release answers as it does; its heads add up over modalities, so that much is known beforehand."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from heads.explanation import Explanation
from polyloom.durable import read_json, write_json
from polyloom.errors import RequestError
from releases.bundle import seal
from releases.explaining import explain
from releases.occlusion import text_groups
from releases.row_scores import RowScores
from releases.runtime import Runtime
from retrieval.items import Field
from retrieval.live import open_index, publish_index
from tests.support.small_bundle import make_small_bundle, picture_of

HEAVY = ["torch", "torchvision", "transformers", "timm", "prefect", "mlflow"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    make_small_bundle(folder / "bundle", blobs=folder / "blobs")
    return folder / "bundle"


@pytest.fixture(scope="module")
def runtime(bundle):
    return Runtime.open(bundle, blobs=bundle.parent / "blobs")


def explained(runtime, **row) -> Explanation:
    return explain(runtime, row)["category"]


def scores_of(runtime, **row):
    head, preparations = runtime.heads["category"], runtime.preparations
    values = {name: preparations[name].value(row) for name in head.inputs}
    encoders = runtime.encoders
    return RowScores(head=head, decoder=head.decoder, preparations=preparations, encoders=encoders, values=values)


def test_it_explains_the_answer_that_is_given(runtime):
    row = {"title": "Green desk lamp", "picture": picture_of("p04")}
    answer = runtime.predict([row])[0].answers["category"]
    found = explained(runtime, **row)
    assert found.label == answer.label == "lamp"
    assert 1 / (1 + np.exp(-found.score)) == pytest.approx(answer.probability, abs=1e-5)


def test_modalities_add_up_to_the_difference_from_an_empty_row(runtime):
    found = explained(runtime, title="Green desk lamp", picture=picture_of("p04"))
    assert set(found.contributions) == {"chars", "image"}
    assert found.base + sum(found.contributions.values()) == pytest.approx(found.score)
    # With nothing, four labels are equally likely.
    assert found.base == pytest.approx(np.log(1 / 3), abs=1e-5)


def test_a_missing_modality_has_no_share(runtime):
    found = explained(runtime, title="Green desk lamp")
    assert list(found.contributions) == ["chars"]
    assert [one.modalities for one in found.evidence] == [("chars",)]


def test_the_word_that_tells_weighs_most(runtime):
    (evidence,) = explained(runtime, title="Green desk lamp").evidence
    assert (evidence.method, evidence.text) == ("occlusion", "Green desk lamp")
    weights = {word.text: word.weight for word in evidence.words}
    assert max(weights, key=weights.get) == "lamp"
    without = scores_of(runtime, title="Green desk lamp").changed({"chars": ["Green desk  "]})
    whole = scores_of(runtime, title="Green desk lamp").whole
    assert weights["lamp"] == pytest.approx(whole - without[0], abs=1e-5)


def test_chinese_goes_character_by_character(runtime):
    (evidence,) = explained(runtime, title_zh="红色挂钟").evidence
    assert [word.text for word in evidence.words] == list("红色挂钟")
    weights = {word.text: word.weight for word in evidence.words}
    # Mugs are red too, and only clocks hang.
    assert weights["钟"] > weights["红"]
    assert weights["挂"] > weights["红"]


def test_a_text_of_one_word_is_missing_without_it(runtime):
    found = explained(runtime, title="lamp")
    (word,) = found.evidence[0].words
    assert word.weight == pytest.approx(found.score - found.base)


def test_a_cells_weight_is_how_far_the_score_falls_without_it(runtime):
    row = {"picture": picture_of("p04")}
    (evidence,) = explained(runtime, **row).evidence
    cells = np.array(evidence.cells)
    assert cells.shape == (7, 7)
    scores = scores_of(runtime, **row)
    preparation = runtime.preparations["image"]
    (seen,) = preparation.decode([row["picture"]])
    changed = seen.copy()
    # The square is 8 pixels wide, so the first of 7 cells is 2 wide and the second 1.
    changed[:2, 2:3] = seen.mean(axis=(0, 1)).round()
    after = scores.changed_arrays("image", {"pixels": preparation.normalise(changed[None])})
    assert cells[0, 1] == pytest.approx(scores.whole - after[0], abs=1e-4)


def test_modalities_that_read_one_text_lose_a_word_together(runtime):
    scores = scores_of(runtime, title="a lamp")
    scores.given = ("chars", "again")
    scores.preparations = {**runtime.preparations, "again": runtime.preparations["chars"]}
    scores.values = {"chars": "a lamp", "again": "a lamp"}
    assert text_groups(scores) == [("chars", "again")]
    scores.values = {"chars": "a lamp", "again": "another"}
    assert text_groups(scores) == [("chars",), ("again",)]


def test_known_rows_come_with_their_own_labels(runtime):
    near = explained(runtime, title="Green desk lamp", picture=picture_of("p04")).near
    assert len(near) == 3
    assert (near[0].id, near[0].label) == ("p04", "lamp")
    assert near[0].cosines["image"] == pytest.approx(1)
    assert runtime.picture(near[0].picture) is not None
    assert explain(runtime, {"title": "lamp"}, near=0)["category"].near == ()


def test_only_rows_that_were_learned_from_are_shown_where_that_is_known(tmp_path):
    folder = tmp_path / "bundle"
    make_small_bundle(folder)
    facts = read_json(folder / "application.json")
    encoders = {name: facts["modalities"][name]["digest"] for name in facts["index"]["embed"]}
    fields = {name: Field(digest, facts["modalities"][name]["dim"]) for name, digest in encoders.items()}
    items = open_index(folder / "index", encoders=encoders, trusted=True)._parts[0].segment.items(None)
    splits = ["test" if key == "p04" else "train" for key in items.ids]
    rows = items.rows.append_column("_split", pa.array(splits))
    shutil.rmtree(folder / "index")
    publish_index(folder / "index", replace(items, rows=rows), fields=fields)
    (folder / "manifest.json").unlink()
    seal(folder)
    near = explained(Runtime.open(folder), title="Green desk lamp").near
    assert "p04" not in [known.id for known in near]
    assert len(near) == 3


def test_a_release_of_before_has_no_labels_to_show(tmp_path):
    folder = tmp_path / "bundle"
    make_small_bundle(folder)
    facts = read_json(folder / "application.json")
    del facts["targets"]
    write_json(folder / "application.json", facts)
    (folder / "manifest.json").unlink()
    seal(folder)
    assert [known.label for known in explained(Runtime.open(folder), title="lamp").near] == [None] * 3


def test_an_unknown_task_is_refused(runtime):
    with pytest.raises(RequestError, match="'shop' has no task 'colour'; it has category"):
        explain(runtime, {"title": "lamp"}, tasks=["colour"])


def test_a_task_of_another_kind_is_refused(runtime, monkeypatch):
    monkeypatch.setattr(runtime.heads["category"], "reads", "tokens")
    with pytest.raises(RequestError, match="kind 'classification' is not explained; classification and regression"):
        explain(runtime, {"title": "lamp"}, tasks=["category"])
    with pytest.raises(RequestError, match=r"'shop' has no task that is explained: .* Leave --explain out"):
        explain(runtime, {"title": "lamp"})


def test_a_row_that_no_task_reads_has_none(runtime):
    assert explain(runtime, {"colour": "red"}) == {}


def test_nothing_heavy_is_imported(bundle):
    code = f"""if True:
        import sys
        from pathlib import Path
        from releases.explaining import explain
        from releases.runtime import Runtime
        explain(Runtime.open(Path({str(bundle)!r})), {{"title": "mug"}})
        print(sorted(set({HEAVY!r}) & set(sys.modules)))
    """
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
