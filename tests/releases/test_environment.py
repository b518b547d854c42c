"""What a release asks of the environment that serves it."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from polyloom.durable import read_json, write_json
from releases.environment import closure, installed, requirements_of, serving_needs, write_environment
from releases.recommending import FOLDER, RANKING
from tests.support.small_bundle import make_small_bundle


@pytest.mark.parametrize(
    ("index", "more"),
    [
        (None, set()),
        ({}, set()),
        ({"keyword": False, "milvus": None}, {"faiss-cpu", "sqlglot"}),
        ({"keyword": True, "milvus": "http://x"}, {"faiss-cpu", "sqlglot", "bm25s", "pystemmer", "pymilvus"}),
    ],
)
def test_an_index_asks_for_more(tmp_path, index, more):
    plain = set(serving_needs(tmp_path, {"index": None}))
    assert set(serving_needs(tmp_path, {"index": index})) == plain | more
    assert plain.isdisjoint({"torch", "transformers", "mlflow", "prefect", "faiss-cpu"})


def test_a_graph_for_openvino_asks_for_it(tmp_path):
    (tmp_path / "encoders" / "text").mkdir(parents=True)
    write_json(tmp_path / "encoders" / "text" / "encoder.json", {"dim": 4, "runtime": "openvino"})
    assert "openvino" in serving_needs(tmp_path, {"index": None})


def test_a_recommender_asks_for_what_holds_its_arrays(tmp_path):
    assert "safetensors" in serving_needs(tmp_path, {"index": {}, "recommend": {"models": ["ease"]}})


def test_a_learned_order_asks_for_more(tmp_path):
    (tmp_path / FOLDER / RANKING).mkdir(parents=True)
    assert "lightgbm" in serving_needs(tmp_path, {"index": {}})


def test_versions_are_exact_and_the_same_each_time(tmp_path):
    own = write_environment(tmp_path, {"index": {"keyword": True}})
    assert own["numpy"] == importlib.metadata.version("numpy")
    lines = (tmp_path / "requirements.txt").read_text().splitlines()
    record = read_json(tmp_path / "environment.json")
    assert lines[0].startswith("# What serving this release needs")
    assert lines[1:] == sorted(lines[1:])
    assert {line.partition("==")[0] for line in lines[1:]} == {*record["serving"], *record["needed by these"]}
    assert record["python"] == ".".join(map(str, sys.version_info[:3]))
    assert str(Path.cwd()) not in (tmp_path / "environment.json").read_text()
    before = (tmp_path / "requirements.txt").read_bytes(), (tmp_path / "environment.json").read_bytes()
    write_environment(tmp_path, {"index": {"keyword": True}})
    assert ((tmp_path / "requirements.txt").read_bytes(), (tmp_path / "environment.json").read_bytes()) == before


def test_what_is_not_installed_has_no_version():
    assert installed("no-such-distribution") is None
    assert requirements_of("no-such-distribution") == []
    assert closure(["No_Such.Distribution"]) == {"no-such-distribution"}


OPEN = """
import sys
from pathlib import Path
allowed = set(sys.argv[2].split(","))
barred = {"torch", "transformers", "timm", "mlflow", "prefect", "streamlit", "sklearn", "matplotlib"}
class Bar:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in barred:
            raise ImportError(f"{name} is not in this environment")
sys.meta_path.insert(0, Bar())
from releases.runtime import Runtime
runtime = Runtime.open(Path(sys.argv[1]))
runtime.search(text="red mug", k=2, where="price < 100")
runtime.predict([runtime.row(text="a red mug")])
import importlib.metadata
known = importlib.metadata.packages_distributions()
own = {"polyloom", "ingestion", "modalities", "heads", "training", "retrieval", "releases"}
loaded = {name.partition(".")[0] for name in sys.modules} - own
print(*sorted({one.lower() for name in loaded for one in known.get(name, []) if one.lower() in allowed}))
"""


def test_a_release_is_opened_with_what_it_asks_for(tmp_path):
    make_small_bundle(tmp_path / "bundle")
    own = write_environment(tmp_path, read_json(tmp_path / "bundle" / "application.json"))
    command = [sys.executable, "-c", OPEN, str(tmp_path / "bundle"), ",".join(own)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # This one searches no words, and has no spans to decode.
    assert set(done.stdout.split()) == set(own) - {"bm25s", "pystemmer", "scipy"}
