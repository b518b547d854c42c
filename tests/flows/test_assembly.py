"""The one table from the scenario to components."""

import re

import pytest

from flows.assembly import (
    build_encoder,
    build_preparation,
    has_encoder,
    rare_labels,
    table_sources,
    targets,
)
from flows.fusion_assembly import build_fusion
from flows.scenario_columns import task_inputs
from flows.scenario_file import load_scenario
from flows.spec import Scenario
from flows.strategies import fit_plans, is_live
from flows.task_spec import Fusion
from polyloom.errors import RequestError
from tests.support.toys import write_toys


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Every kind of modality and of task."""
    return load_scenario(str(write_toys(tmp_path_factory.mktemp("toys") / "toys")))


@pytest.fixture(scope="module")
def rows(loaded):
    return [
        {"title": f"a {colour} kite", "price": price, "material": "tin", "picture": None}
        for colour, price in (("red", 1.0), ("blue", 3.0))
    ]


def test_a_source_carries_what_the_scenario_declares(loaded):
    (source,) = table_sources(loaded.scenario, beside=loaded.path.parent)
    assert source.paths == {"": loaded.path.parent / "toys.jsonl"}
    assert (source.key, source.text, source.image) == ("id", ("title",), "picture")
    assert source.columns["tags"] == "labels"
    # What a task predicts must be there.
    assert source.required == ("colour", "cheap", "tags")


def test_targets_belong_to_the_rows_that_the_tasks_learn_from(loaded):
    assert targets(loaded.scenario, "toys") == ["colour", "cheap", "tags"]
    assert targets(loaded.scenario, "other") == []
    assert rare_labels(loaded.scenario) == {"toys": ["colour", "cheap"]}


def test_a_missing_file_names_its_source(loaded):
    data = {"toys": loaded.scenario.data["toys"].model_copy(update={"path": {"train": "no.csv"}})}
    with pytest.raises(RequestError, match=re.escape("data.toys.path: there is no 'no.csv'")):
        table_sources(loaded.scenario.model_copy(update={"data": data}), beside=loaded.path.parent)


def test_every_kind_of_modality_has_its_preparation(loaded, rows):
    scenario = loaded.scenario
    built = {name: build_preparation(scenario, name, training=rows) for name in scenario.modalities}
    assert {name: preparation.kind for name, preparation in built.items()} == {
        "image": "image",
        "text": "text",
        "chars": "characters",
        "price": "number",
        "material": "category",
    }
    assert built["price"]([[2.0]])["vector"].tolist() == [[0.0, 0.0]]
    assert built["image"].column == "picture"
    assert built["image"].value({"picture": None}) is None


def test_encoders_come_the_same_from_the_same_seed(loaded):
    modality = loaded.scenario.modalities["image"]
    first, second, other = (build_encoder(modality, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(first[name].equal(second[name]) for name in first)
    assert not all(first[name].equal(other[name]) for name in first)
    assert build_encoder(loaded.scenario.modalities["text"], seed=3).dim == 32


def test_only_pictures_and_text_have_encoders(loaded):
    scenario = loaded.scenario
    with_encoder = {name for name, modality in scenario.modalities.items() if has_encoder(modality)}
    assert with_encoder == {"image", "text"}
    with pytest.raises(RequestError, match=r"a modality of kind 'number' has no encoder; image and text have one."):
        build_encoder(scenario.modalities["price"], seed=3)


def test_a_modality_says_itself_whether_it_is_trained_else_the_recipe(loaded):
    scenario = loaded.scenario
    assert live(scenario) == ["image"]
    assert live(Scenario.model_validate({**scenario.model_dump(), "recipe": {"strategy": "full"}})) == ["image", "text"]


def live(scenario):
    (plan,) = fit_plans(scenario)
    return [name for name in scenario.modalities if is_live(scenario, name, plan)]


def test_tasks_read_what_they_name_else_all(loaded):
    assert task_inputs(loaded.scenario, "cheap") == ("price", "material", "chars")
    tasks = {"colour": loaded.scenario.tasks["colour"].model_copy(update={"inputs": ()})}
    assert task_inputs(loaded.scenario.model_copy(update={"tasks": tasks}), "colour") == tuple(
        loaded.scenario.modalities
    )


def with_fusion(scenario, **settings):
    return scenario.model_copy(update={"fusion": scenario.fusion.model_copy(update=settings)})


def test_the_fusion_is_the_one_that_the_scenario_names(loaded):
    dims = {"image": 4, "price": 2}
    kinds = {"gated": "GatedFusion", "concat": "ConcatFusion", "cross_attention": "CrossAttentionFusion"}
    for kind, name in kinds.items():
        fusion = build_fusion(with_fusion(loaded.scenario, kind=kind), "colour", dims)
        assert type(fusion).__name__ == name
    deep = with_fusion(loaded.scenario, kind="cross_attention", hidden=24, attention_heads=8, blocks=3)
    fusion = build_fusion(deep, "colour", dims)
    assert (fusion.dim, len(fusion.blocks), fusion.blocks[0].heads) == (24, 3, 8)
    assert type(fusion.entrances["price"].norm).__name__ == "Scaled"


def test_a_task_may_have_a_fusion_of_its_own(loaded):
    own = loaded.scenario.tasks["colour"].model_copy(update={"fusion": Fusion(kind="concat", hidden=7)})
    scenario = loaded.scenario.model_copy(update={"tasks": {**loaded.scenario.tasks, "colour": own}})
    assert build_fusion(scenario, "colour", {"image": 4}).dim == 7
    assert type(build_fusion(scenario, "cheap", {"price": 2})).__name__ == "GatedFusion"
