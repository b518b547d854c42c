"""Words that find pictures: from a table of pairs to a release whose two sides can be asked one by one."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from flows import server
from flows.scenario_file import load_scenario
from flows.stages.job import one_text_a_row
from polyloom.errors import RequestError, ScenarioError
from releases.found import Wishes
from releases.runtime import Runtime
from tests.support.command_line import inside, state
from tests.support.mlflow_store import copy_store, template
from tests.support.paired import COLOURS, write_paired

released = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def ran(tmp_path_factory, session_server):
    """A way to run commands, the scenario, and its first run."""
    folder = tmp_path_factory.mktemp("paired")
    home = folder / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    environment = state(home, server=session_server.url, mlflow=uri)

    def run(*words):
        with server.connected(session_server.url):
            return inside(*words, environment=environment)

    path = write_paired(folder, lists=False)
    return run, path, run("run", path, "--json")


@released
@pytest.mark.slow
def test_each_side_finds_the_other(ran):
    _, _, ended = ran
    assert ended.code == 0, ended.err
    figures = ended.json["metrics"]["match"]
    # Twenty pictures, three captions each; chance finds a quarter of them among the first five.
    assert (figures["chars_to_image_queries"], figures["image_to_chars_queries"], figures["rows"]) == (60, 20, 60)
    assert figures["chars_to_image_recall_at_5"] > 0.5
    assert figures["image_to_chars_recall_at_5"] > 0.5
    assert ended.json["status"] == "released"


@released
@pytest.mark.slow
def test_a_pair_is_said_to_belong_together_or_not(ran, tmp_path):
    run, path, _ = ran
    rows = [
        {"picture": str(path.parent / "60.png"), "caption": caption}
        for caption in ("red over green", "black over blue")
    ]
    given = tmp_path / "rows.jsonl"
    given.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    ended = run("predict", "paired", "--input", given, "--json")
    assert ended.code == 0, ended.err
    right, wrong = (prediction["answers"]["match"] for prediction in ended.json["predictions"])
    assert right["value"] > wrong["value"]
    assert right["probabilities"]["belongs"] > wrong["probabilities"]["belongs"]


@released
@pytest.mark.slow
def test_words_alone_are_no_pair(ran):
    run, _, _ = ran
    ended = run("predict", "paired", "--text", "red over green")
    assert ended.code == 2
    assert "task 'match' reads chars and image, both at once" in ended.err


@released
@pytest.mark.slow
def test_either_side_can_be_asked_alone(ran):
    _, path, ended = ran
    runtime = Runtime.open(Path(ended.json["bundle"]))
    captions = ["red over green", "blue over black"]
    pictures = [str(path.parent / name) for name in ("60.png", "71.png")]
    outputs, _ = runtime.outputs([{"caption": c, "picture": p} for c, p in zip(captions, pictures, strict=True)])
    first = runtime.project("match", "chars", [captions[0], None, captions[1]])
    second = runtime.project("match", "image", pictures)
    np.testing.assert_allclose(first[[0, 2]], outputs["match"]["first"], atol=1e-5)
    np.testing.assert_allclose(second, outputs["match"]["second"], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(second, axis=1), 1.0, atol=1e-5)
    assert not first[1].any()
    assert runtime.project("match", "chars", []).shape == (0, 32)
    with pytest.raises(RequestError, match="'match' does not read 'text'; it reads chars and image"):
        runtime.project("match", "text", ["x"])
    with pytest.raises(RequestError, match=r"'words' is no alignment of 'paired'; it has \['match'\]"):
        runtime.project("words", "chars", ["x"])


@released
@pytest.mark.slow
def test_words_find_pictures_of_the_index_and_pictures_find_more_like_them(ran):
    _, path, ended = ran
    assert set(ended.json["index"]["modalities"]) == {"image"}
    runtime = Runtime.open(Path(ended.json["bundle"]))
    assert runtime.searcher.fields == ("image", "match")
    right = []
    for upper, lower in permutations(COLOURS, 2):
        hits = runtime.search(text=f"{upper} over {lower}", k=4)
        assert {name for hit in hits for name in hit.ranks} == {"match"}
        right += [f"{upper} over {lower}" in hit.row["caption"] for hit in hits]
    # Four of eighty pictures fit each question.
    assert np.mean(right) > 0.3
    both = runtime.search(image=str(path.parent / "60.png"), text="red over green", k=1)[0]
    assert set(both.ranks) == {"image", "match"}
    alone = runtime.find(Wishes(weights={"match": 0}), image=str(path.parent / "60.png")).hits
    assert {name for hit in alone for name in hit.ranks} == {"image"}
    assert alone[0].cosines["image"] == pytest.approx(1, abs=1e-4)


@released
@pytest.mark.slow
def test_a_list_of_captions_is_as_many_pairs(ran, tmp_path_factory):
    run, _, _ = ran
    folder = tmp_path_factory.mktemp("lists")
    path = write_paired(folder, lists=True)
    ended = run("run", path, "--set", "name=listed", "--json")
    assert ended.code == 0, ended.err
    figures = ended.json["metrics"]["match"]
    assert (figures["chars_to_image_queries"], figures["image_to_chars_queries"]) == (60, 20)
    assert figures["chars_to_image_recall_at_5"] > 0.5


@released
@pytest.mark.slow
def test_projections_that_are_solved_need_no_step(ran, tmp_path):
    run, path, _ = ran
    solved = ("tasks.match.method=canonical", "recipe.strategy=frozen", "modalities.image.crop_mode=squash")
    ended = run("run", path, "--set", "name=solved", *(word for one in solved for word in ("--set", one)), "--json")
    assert ended.code == 0, ended.err
    # The pictures' encoder has not learned anything and tells colours all the same.
    assert ended.json["metrics"]["match"]["chars_to_image_recall_at_5"] > 0.5
    assert ended.json["strategy"]["trained_parameters"] == 0
    preparation = json.loads((Path(ended.json["bundle"]) / "preparation" / "image" / "preparation.json").read_text())
    assert preparation["whole"] is True
    hits = Runtime.open(Path(ended.json["bundle"])).search(text="red over green", k=4)
    assert {name for hit in hits for name in hit.ranks} == {"match"}


@pytest.mark.slow
def test_a_space_of_no_pairs_is_refused(ran, tmp_path):
    run, path, _ = ran
    rows = [json.loads(line) for line in (path.parent / "pairs.jsonl").read_text().splitlines()]
    one = next(row["id"] for row in rows if row["split"] == "train")
    kept = [row for row in rows if row["split"] != "train" or row["id"] == one]
    (path.parent / "few.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    changed = ("name=few", "data.pairs.path=few.jsonl", "tasks.match.method=canonical", "recipe.strategy=frozen")
    ended = run("run", path, *(word for one in changed for word in ("--set", one)))
    assert ended.code != 0
    assert "tasks.match: 1 different training row(s) have both chars and image; two are the least" in ended.err


def test_each_text_of_a_list_stands_beside_the_rows_other_values():
    rows = [{"a": 1, "t": ["x", "y"]}, {"a": 2, "t": []}, {"a": 3, "t": None}]
    assert one_text_a_row(rows, ["t"]) == [
        {"a": 1, "t": "x"},
        {"a": 1, "t": "y"},
        {"a": 2, "t": None},
        {"a": 3, "t": None},
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tasks.match.inputs=[chars]", "an alignment brings two modalities together, here are 1 (chars)"),
        ("tasks.match.inputs=[chars, picture]", "tasks.match.inputs: 'picture' is not there"),
        ("tasks.match.target=caption", "tasks.match.target: 'caption' is not known"),
        ("gate.metric=match.accuracy", "gate.metric: 'accuracy' is not there"),
        (
            "tasks.match={kind: alignment, inputs: [chars, image], method: canonical, hidden: 8}",
            "projections are linear",
        ),
        ("tasks.match.shrinkage=[0, 1]", "tasks.match.shrinkage"),
        ("tasks.match.temperature=0", "tasks.match.temperature: 0 is too small"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, override, message):
    path = write_paired(tmp_path, lists=False)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path), overrides=[override])
    assert message in str(caught.value)


def test_projections_over_encoders_that_change_are_not_solved(tmp_path):
    path = write_paired(tmp_path, lists=False)
    with pytest.raises(ScenarioError, match=r"stay as they are; image would be trained\. Write `train: frozen` there"):
        load_scenario(str(path), overrides=["tasks.match.method=canonical", "modalities.image.train=full"])
