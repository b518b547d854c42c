"""The scenarios of the training benchmark are scenarios as they are now."""

import pytest
import yaml

from benchmarks.training_recipes import RECIPES, scenario
from benchmarks.training_rows import SPLITS, Case
from flows.scenario_file import load_scenario

CASES = {
    "texts": {"kind": "classification", "label": "tone", "texts": ("sentence",), "metric": "macro_f1"},
    "entities": {
        "kind": "token_classification",
        "label": "tags",
        "texts": ("tokens",),
        "metric": "entity_f1",
        "max_tokens": 64,
    },
    "pictures": {"kind": "classification", "label": "kind", "picture": "image", "metric": "accuracy"},
    "both": {
        "kind": "classification",
        "label": "noun",
        "texts": ("color", "size"),
        "picture": "image",
        "metric": "accuracy",
    },
}


@pytest.mark.parametrize("strategy", RECIPES)
@pytest.mark.parametrize("name", CASES)
def test_a_case_is_a_valid_scenario_with_its_epochs_and_weights(name, strategy, tmp_path):
    case = Case(name=name, epochs=3, **CASES[name])
    for split in SPLITS:
        (tmp_path / f"{split}.jsonl").write_text("")
    settings = {"strategy": strategy, "epochs": 3, "seed": 5, "picture_weights": str(tmp_path / "w.safetensors")}
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(scenario(case, tmp_path, settings)))
    found = load_scenario(str(path)).scenario
    assert (found.recipe.strategy, found.recipe.seed) == (strategy, 5)
    assert (found.recipe.epochs == 3) is (strategy == "full")
    assert set(found.modalities) == {*(["text"] if case.texts else []), *(["image"] if case.picture else [])}
    assert found.gate.metric == f"target.{case.metric.removeprefix('entity_')}"
