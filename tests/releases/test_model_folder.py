import ast
import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from polyloom.durable import read_json, write_json
from polyloom.errors import RequestError
from releases.asked_rows import Request, answer_rows, plain
from releases.closure import OWN, closure, imports, moved
from releases.frames import labels, rows_of
from releases.linking import link_tree
from releases.model_folder import model_folder
from releases.registry import Registry
from releases.requirements import DISTRIBUTIONS, NEVER, late_needs, requirements
from releases.runtime import Runtime
from releases.signature import columns_of, input_columns
from tests.support.small_bundle import make_small_bundle, picture_of


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The tiny shop's bundle, its digest and its model's folder."""
    folder = tmp_path_factory.mktemp("model")
    digest = make_small_bundle(folder / "bundle")
    return folder / "bundle", digest, model_folder(folder / "bundle", digest, models=folder / "models")


@pytest.fixture(scope="module")
def runtime(shop):
    return Runtime.open(shop[0])


def test_a_model_holds_the_bundle_without_its_bytes(shop):
    bundle, digest, model = shop
    for path in (path for path in bundle.rglob("*") if path.is_file()):
        assert (model / "bundle" / path.relative_to(bundle)).stat().st_ino == path.stat().st_ino
    assert Runtime.open(model / "bundle", digest=digest).name == "shop"
    assert model_folder(bundle, digest, models=model.parent.parent) == model
    assert not [path for path in model.rglob("*") if path.suffix in {".pkl", ".pickle", ".pt", ".bin"}]


def test_the_same_bundle_gives_the_same_model(shop, tmp_path):
    bundle, digest, model = shop
    again = model_folder(bundle, digest, models=tmp_path)
    for path in (path for path in model.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        assert (again / path.relative_to(model)).read_bytes() == path.read_bytes(), path


def test_where_files_cannot_be_linked_they_are_copied(shop, tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError("no links from here to there")

    monkeypatch.setattr(os, "link", refuse)
    link_tree(shop[0], tmp_path / "copy")
    assert (tmp_path / "copy" / "card.md").read_bytes() == (shop[0] / "card.md").read_bytes()


def test_the_code_knows_no_package_of_ours_but_its_own(shop):
    (package,) = (shop[2] / "code").iterdir()
    assert package.name == f"polyloom_{closure().digest[:12]}"
    for path in package.rglob("*.py"):
        for name, _ in imports(path):
            assert name.partition(".")[0] not in OWN, (path, name)
    assert {path.name for path in package.iterdir() if path.is_dir()} == {
        "polyloom",
        "heads",
        "modalities",
        "retrieval",
        "releases",
    }


def test_the_code_answers_where_only_it_is_there(shop):
    """Another process, without this checkout on its path and without any package that only some releases need."""
    (package,) = (shop[2] / "code").iterdir()
    program = (
        "import sys, pathlib\n"
        f"from {package.name}.releases.runtime import Runtime\n"
        f"runtime = Runtime.open(pathlib.Path({str(shop[2] / 'bundle')!r}))\n"
        "print(runtime.predict([{'title': 'Red mug'}])[0].answers['category'].label)\n"
        "print(runtime.search(text='green lamp', k=1)[0].id)\n"
        f"print(sorted({{name.split('.')[0] for name in sys.modules}} & {{*{OWN}, 'torch', 'mlflow'}}))\n"
    )
    quiet = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={**quiet, "PYTHONPATH": str(shop[2] / "code")},
    )
    assert done.stdout.split("\n")[:3] == ["mug", "p04", "[]"], done.stderr


def test_imports_are_moved_wherever_they_stand_and_nothing_else_is():
    source = (
        "from heads.onnx import OnnxHead\n\ndef late():\n    from retrieval.live import open_index\n"
        "    import polyloom.errors as errors\nheads = 'from heads.onnx import'\nfrom headstrong import x\n"
    )
    assert moved(source, into="own") == (
        "from own.heads.onnx import OnnxHead\n\ndef late():\n    from own.retrieval.live import open_index\n"
        "    import own.polyloom.errors as errors\nheads = 'from heads.onnx import'\nfrom headstrong import x\n"
    )
    ast.parse(moved(source, into="own"))


def test_what_answers_needs_neither_training_nor_the_flows():
    found = closure()
    assert {name.partition(".")[0] for name in found.modules} == {
        "polyloom",
        "heads",
        "modalities",
        "retrieval",
        "releases",
    }
    assert not (found.eager | found.late) & {"torch", "transformers", "timm", "prefect"}


def test_every_package_that_is_imported_late_is_known_to_some_release_or_to_none(shop, tmp_path):
    everything = tmp_path / "bundle"
    facts = read_json(shop[0] / "application.json")
    facts |= {"recommend": {"seen": "leave_out"}, "index": {**facts["index"], "keyword": True}}
    write_json(everything / "application.json", facts)
    write_json(everything / "encoders" / "text" / "encoder.json", {"runtime": "openvino_bf16"})
    (everything / "recommender" / "ranking").mkdir(parents=True)
    assert closure().late == late_needs(everything, facts) | NEVER


def test_a_release_asks_for_what_it_needs_in_the_versions_it_was_made_with(shop):
    names = {line.partition("==")[0] for line in requirements(shop[0])}
    assert {"numpy", "onnxruntime", "faiss-cpu", "pillow", "mlflow-skinny", "pandas"} <= names
    assert not names & {"bm25s", "PyStemmer", "safetensors", "openvino", "torch", "implicit", "PIL"}
    assert (shop[2] / "requirements.txt").read_text().splitlines() == requirements(shop[0])
    assert all(line.partition("==")[2] for line in requirements(shop[0]))
    assert set(DISTRIBUTIONS) <= closure().eager | closure().late


def test_the_signature_names_the_scenarios_columns_and_what_search_reads(shop):
    assert input_columns(shop[0]) == {
        "question": "string",
        "like": "string",
        "title": "string",
        "title_zh": "string",
        "picture": "binary",
    }
    declared = read_json(shop[2] / "MLmodel")["signature"]
    assert all(not column["required"] for column in json.loads(declared["inputs"]))
    assert [column["name"] for column in json.loads(declared["outputs"])] == [
        "category", "category_probability", "answer",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "columns"),
    [
        ({"kind": "number", "columns": ["price"]}, {"price": "double"}),
        ({"kind": "category", "values": {"colour": ["red"]}}, {"colour": "string"}),
        ({"kind": "words", "columns": ["tokens"]}, {"tokens": "any"}),
        ({"kind": "marked", "columns": ["text"], "ranges": ["a", "b"]}, {"text": "string", "a": "any", "b": "any"}),
    ],
)
def test_each_kind_of_preparation_has_columns(settings, columns):
    assert columns_of(settings) == columns


def test_rows_are_answered_as_json(runtime):
    (found,) = answer_rows(runtime, [{"title": "Red mug"}], Request(top=2))
    assert found["answers"]["category"]["label"] == "mug"
    assert len(found["answers"]["category"]["probabilities"]) == 2
    assert found["missing"] == ["image"]
    wishes = Request(do="search", k=2, where="price < 50")
    (by_words, by_picture, by_item) = answer_rows(
        runtime, [{"question": "green lamp"}, {"picture": picture_of("p04")}, {"like": "p06"}], wishes
    )
    assert by_words["hits"][0]["id"] == by_picture["hits"][0]["id"] == "p04"
    assert "p06" not in [hit["id"] for hit in by_item["hits"]]
    json.dumps([by_words, by_picture, by_item], allow_nan=False)


def test_what_cannot_be_asked_is_refused_with_what_can(runtime):
    with pytest.raises(RequestError, match=r"do: 'serach' is nothing that a release does. Did you mean 'search'"):
        answer_rows(runtime, [{}], Request(do="serach"))
    with pytest.raises(RequestError, match=r"Row 1 asks nothing: give its question a text"):
        answer_rows(runtime, [{"question": " "}], Request(do="ask"))
    rows = [{"history": []}, {"history": "p01"}]
    with pytest.raises(RequestError, match=r"Row 2: history is 'p01'; give a list of item ids"):
        answer_rows(_Recommends(), rows, Request(do="recommend"))


class _Recommends:
    """A release that recommends nothing to everyone."""

    def recommend(self, history, *, k, where):
        return []


def test_a_release_without_tasks_predicts_nothing():
    class NoTasks:
        name, heads = "search_only", {}

    with pytest.raises(RequestError, match=r"'search_only' has no task, so it predicts nothing"):
        answer_rows(NoTasks(), [{"title": "x"}], Request())


def test_what_json_cannot_say_is_nothing():
    assert plain({"a": float("inf"), "b": [float("nan"), 1]}) == {"a": None, "b": [None, 1]}


def test_a_frames_gaps_are_gaps_and_its_numbers_plain():
    frame = pd.DataFrame({"a": [1.5, None], "b": ["x", None], "c": [["p1"], None], "d": [3, 4]})
    assert rows_of(frame) == [{"a": 1.5, "b": "x", "c": ["p1"], "d": 3}, {"a": None, "b": None, "c": None, "d": 4}]
    assert labels({"answers": {"price": {"label": "3 ± 1", "value": 3.0, "probability": 0.9}}}) == {
        "price": 3.0,
        "price_probability": 0.9,
    }


def test_registering_makes_the_model_and_names_it_as_the_source(shop, mlflow_uri, tmp_path):
    bundle, digest, _ = shop
    registry = Registry(mlflow_uri, tmp_path / "ledger")
    version = registry.register("shop", bundle, digest, None, {})
    assert registry.client.get_model_version("shop", version).source == (tmp_path / "models" / "shop" / digest).as_uri()
    assert registry.resolve("shop", version).path == bundle
    assert (tmp_path / "models" / "shop" / digest / "MLmodel").is_file()


def test_a_server_whose_artifacts_lie_here_gets_links(shop, mlflow_uri, tmp_path):
    from releases.model_upload import give_to_run

    registry = Registry(mlflow_uri, tmp_path / "ledger")
    experiment = registry.client.create_experiment("shop", artifact_location=(tmp_path / "artifacts").as_uri())
    (tmp_path / "artifacts").mkdir()
    run = registry.client.create_run(experiment)
    for _ in range(2):
        address = give_to_run(registry.client, run.info.run_id, shop[2])
    assert address == f"{run.info.artifact_uri}/model"
    (card,) = (tmp_path / "artifacts").glob("*/artifacts/model/bundle/card.md")
    assert card.stat().st_ino == (shop[0] / "card.md").stat().st_ino
