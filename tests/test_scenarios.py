"""Every scenario that we ship: it loads, it holds together, and it runs on a few of its rows."""

import os
from pathlib import Path

import pytest

from flows import server
from flows.assembly import table_sources
from flows.scenario_file import load_scenario, shipped_scenarios
from flows.validation import deep_problems
from heads.decoders import metrics_of
from tests.support.command_line import inside, state
from tests.support.mlflow_store import copy_store, template

FOLDER = Path(__file__).resolve().parent.parent / "scenarios"
SHIPPED = sorted(path.stem for path in FOLDER.glob("*.yaml"))
# The encoder of banking77, which is exported once for all.
SAME_LENGTH = "modalities.text.max_tokens=128"
TINY_PICTURES = "modalities.image={kind: image, model: mobilenetv2_035, weights: scratch, size: 64}"
SMALL = {
    "shop": ["data.items.sample={train: 96, validation: 24, test: 24}", SAME_LENGTH],
    "handbook": ["data.questions.sample={train: 120, validation: 60, test: 60}", SAME_LENGTH],
    "support": ["data.questions.sample={train: 500, validation: 100, test: 100}", SAME_LENGTH],
    "banking77": ["data.queries.sample={train: 400, validation: 100, test: 100}"],
    "conll2003": ["data.sentences.sample={train: 300, validation: 60, test: 60}"],
    "semeval2010": ["data.sentences.sample={train: 120, validation: 30, test: 30}", "recipe.batch_size=16"],
    "xquad": ["data.questions.sample={train: 32, validation: 8, test: 8}", "modalities.pair.max_tokens=96"],
    "phrasebank": ["data.sentences.sample={train: 200, validation: 60, test: 60}", "recipe.epochs=1", SAME_LENGTH],
    "ikea": ["data.products.sample={train: 200, validation: 60, test: 60}", TINY_PICTURES, "recipe.epochs=4"],
    "flickr8k": ["data.photos.sample={train: 200, validation: 60, test: 60}", TINY_PICTURES, "recipe.epochs=4"],
    "vehicles": [
        "data.photos.sample={train: 32, validation: 12, test: 12}",
        "modalities.image={kind: image, model: mobilenetv2_035, weights: scratch, size: 96, augment: scene}",
    ],
    "fashion_mnist": ["data.clothes.sample={train: 200, validation: 50, test: 50}"],
}
# The folder of the data that each of these needs.
REAL = {
    "banking77": "banking77",
    "conll2003": "conll2003",
    "fashion_mnist": "fashion_mnist",
    "flickr8k": "flickr8k_1000",
    "ikea": "ikea_products",
    "phrasebank": "financial_phrasebank",
    "semeval2010": "semeval2010_task8",
    "vehicles": "vehicles_openimages",
    "xquad": "xquad",
}
DATA = os.environ.get("POLYLOOM_DATA")


def needs_data(name):
    """Skip a scenario over real data where there is none."""
    if name in REAL and not (DATA and (Path(DATA) / REAL[name]).is_dir()):
        pytest.skip(f"POLYLOOM_DATA names no folder that holds {REAL[name]}/")


def test_each_one_is_smoke_run():
    assert set(SMALL) == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_it_is_valid_and_is_found_by_its_name(name):
    loaded = load_scenario(name)
    assert loaded.scenario.name == name
    assert shipped_scenarios()[name].parent == FOLDER
    assert loaded.scenario.description
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# "), "says in its first line what it is for"


@pytest.mark.parametrize("name", SHIPPED)
def test_its_models_weights_and_data_are_there(name):
    needs_data(name)
    loaded = load_scenario(name)
    assert deep_problems(loaded) == []
    assert all(
        path.exists() for source in table_sources(loaded.scenario, beside=FOLDER) for path in source.paths.values()
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory, session_server):
    """One state folder for all of them, so that the text encoder is exported once."""
    home = tmp_path_factory.mktemp("shipped")
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    return state(home, server=session_server.url, mlflow=uri)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", SHIPPED)
def test_it_runs_on_a_few_rows(name, environment):
    needs_data(name)
    overrides = [word for one in ["recipe.epochs=1", *SMALL[name]] for word in ("--set", one)]
    with server.connected(environment["PREFECT_API_URL"]):
        ended = inside("run", name, *overrides, "--json", environment=environment)
    assert ended.code == 0, ended.err
    result = ended.json
    assert (result["scenario"], result["release"]["alias"]) == (name, "champion")
    assert set(result["metrics"]) == set(load_scenario(name).scenario.tasks)
    for task, figures in result["metrics"].items():
        usual = metrics_of(load_scenario(name).scenario.tasks[task].kind)[0]
        assert 0.0 <= figures[usual] <= 1.0
