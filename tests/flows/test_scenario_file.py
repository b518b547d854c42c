"""What a scenario file can get wrong: each message names the path in the file and what to write instead."""

import re

import pytest

from flows.scenario_file import find_scenario, load_scenario
from flows.templates import write_scenario
from flows.validation import check_before_work
from polyloom.errors import ScenarioError


@pytest.fixture
def scenario(tmp_path):
    """The scenario that `polyloom init` writes."""
    return write_scenario("demo", folder=tmp_path)


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


MISTAKES = {
    "misspelt key": ("  epochs:", "  epohcs:", "recipe.epohcs: unknown key. Did you mean 'epochs'? Allowed here: acc"),
    "misspelt key of a modality": (
        "words: {kind: characters}",
        "text: {kind: text, model: m, max_token: 3}",
        "modalities.text.max_token: unknown key. Did you mean 'max_tokens'? Allowed here: augment, columns, form",
    ),
    "misspelt section": ("\nmodalities:", "\nmodalites:", "modalites: unknown key. Did you mean 'modalities'?"),
    "missing section": ("gate: {", "# {", "gate: missing. Write for example `gate: {metric: colour.accuracy}`."),
    "missing key": (
        "{kind: classification, target: tone}",
        "{kind: classification}",
        "tasks.tone.target: missing; this section needs kind, target.",
    ),
    "empty section": (
        "quarantine: {max_share: 0.05}",
        "quarantine:",
        ("quarantine: nothing stands here, and that is not a mapping of keys to values. Allowed keys: max_share."),
    ),
    "misspelt kind": (
        "kind: characters",
        "kind: charcters",
        (
            "modalities.words: kind 'charcters' is not known. Did you mean 'characters'? "
            "Allowed: image, text, characters, number, category."
        ),
    ),
    "no kind": ("{kind: characters}", "{dim: 64}", "modalities.words: the key `kind` is missing"),
    "modality without keys": ("{kind: characters}", "characters", "modalities.words: 'characters' is not a mapping"),
    "misspelt kind of fusion": (
        "kind: concat",
        "kind: gatd",
        ("fusion.kind: 'gatd' is not known. Did you mean 'gated'? Allowed: concat, gated, cross_attention."),
    ),
    "misspelt kind of column": (
        "tone: category,",
        "tone: categry,",
        "data.reviews.columns.tone: 'categry' is not known. Did you mean 'category'?",
    ),
    "word for a number": ("epochs: 20", "epochs: three", "recipe.epochs: 'three' is not a whole number."),
    "fraction for a number": ("epochs: 20", "epochs: 2.5", "recipe.epochs: 2.5 is not a whole number."),
    "too small": ("epochs: 20", "epochs: 0", "recipe.epochs: 0 is too small; at least 1 is allowed."),
    "too large": ("max_share: 0.05", "max_share: 5", "quarantine.max_share: 5 is too large; at most 1.0 is allowed."),
    "number for a text": (
        "title: Tone of short reviews",
        "title: 7",
        "title: 7 is not text; put it in quotes if it is meant as text.",
    ),
    "text for a list": ("text: [text]", "text: text", "data.reviews.text: 'text' is not a list; write [a, b]."),
    "number for a path": (
        "path: demo.csv",
        "path: 7",
        "data.reviews.path: 7 is no path. Give one path, or one a split: {train: a.csv",
    ),
    "unknown split": ("path: demo.csv", "path: {trian: a.csv}", "data.reviews.path: {'trian': 'a.csv'} is no path."),
    "bad name": ("name: demo ", "name: De mo ", "name: 'De mo' is not a name: small letters, digits and '_'"),
    "bad name of a source": ("  reviews:", "  Reviews-1:", "data.Reviews-1: 'Reviews-1' is not a name: small letters"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_named_by_its_path_with_what_is_allowed(scenario, mistake):
    old, new, message = MISTAKES[mistake]
    change(scenario, old, new)
    with pytest.raises(ScenarioError, match=f"^demo.yaml: {re.escape(message)}"):
        load_scenario(str(scenario))


def test_all_mistakes_are_listed_at_once(scenario):
    change(scenario, "epochs: 20", "epochs: three")
    change(scenario, "kind: concat", "kind: gatd")
    change(scenario, "patience:", "patence:")
    with pytest.raises(ScenarioError) as raised:
        load_scenario(str(scenario))
    first, *lines = str(raised.value).splitlines()
    assert first == "demo.yaml has 3 mistakes:"
    assert [line.split(":")[0].strip() for line in lines] == ["fusion.kind", "recipe.epochs", "recipe.patence"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: demo\nfusion: {kind: concat\ntasks: 1\n", "demo.yaml, line 3, column 6: not valid YAML: expected ','"),
        (b"recipe:\n\tepochs: 3\n", "demo.yaml, line 2, column 1: not valid YAML: found character"),
        (b"name: demo\nname: other\n", "demo.yaml, line 2, column 1: not valid YAML: the key 'name' is here twice"),
        ("name: demo\ntitle: Töne\n".encode("latin-1"), "demo.yaml, line 2: byte 19 is not UTF-8"),
        (b"", "demo.yaml: a scenario is a mapping of sections, this is empty. 'polyloom init NAME'"),
        (b"- a\n- b\n", "demo.yaml: a scenario is a mapping of sections, this is list"),
        (b"title: !!python/object:os.system x\n", "demo.yaml, line 1, column 8: not valid YAML: could not determine"),
    ],
)
def test_what_is_not_yaml_is_named_by_its_line(scenario, content, message):
    scenario.write_bytes(content)
    with pytest.raises(ScenarioError, match=f"^{re.escape(message)}"):
        load_scenario(str(scenario))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("recipe.epochs", "--set 'recipe.epochs': give a path and a value, such as --set recipe.epochs=3."),
        ("=3", "--set '=3': give a path and a value"),
        ("recipe.=3", "--set 'recipe.=3': give a path and a value"),
        ("name.first=3", "--set 'name.first=3': 'name' is 'demo' in the file, so it can have no 'first'."),
        ("title=[a", "--set 'title=[a': '[a' is not valid YAML. Quote it"),
        ("recipe.epohcs=3", "demo.yaml: recipe.epohcs: unknown key. Did you mean 'epochs'?"),
        ("recipe.epochs=many", "demo.yaml: recipe.epochs: 'many' is not a whole number."),
    ],
)
def test_a_wrong_override_is_refused(scenario, override, message):
    with pytest.raises(ScenarioError, match=f"^{re.escape(message)}"):
        load_scenario(str(scenario), overrides=[override])


def test_overrides_reach_sections_that_the_file_leaves_out(scenario):
    loaded = load_scenario(
        str(scenario), overrides=["recipe.epochs=3", "splits.test=0.3", "index=null", "title='a: b'", "recipe.seed=1"]
    )
    assert (loaded.scenario.recipe.epochs, loaded.scenario.recipe.seed) == (3, 1)
    assert loaded.scenario.splits.test == 0.3
    assert loaded.scenario.index is None
    assert loaded.scenario.title == "a: b"
    assert loaded.path == scenario


def test_an_unknown_scenario_names_the_nearest(tmp_path, monkeypatch):
    with pytest.raises(ScenarioError, match=r"'shopp' is neither a file nor a scenario. Did you mean 'shop'\?"):
        find_scenario("shopp")
    with pytest.raises(ScenarioError, match=r"nothing.yaml: no such file. Known are .*shop.*'polyloom init NAME'"):
        find_scenario("nothing.yaml")
    monkeypatch.chdir(tmp_path)
    assert find_scenario("support").name == "support.yaml"


@pytest.mark.parametrize(
    ("modality", "message"),
    [
        (
            "{kind: image, model: resnet81, weights: scratch}",
            (
                "modalities.words.model: 'resnet81' is not a timm model. Did you mean 'resnet18'? "
                "'polyloom doctor --models resnet' lists them."
            ),
        ),
        (
            "{kind: text, model: bert-base, weights: packaged}",
            (
                "modalities.words.weights: weights 'packaged': no known package carries 'bert-base'; packaged are ["
                "'sentence-transformers/all-MiniLM-L6-v2']. Name a model folder, or 'hub' to download it once."
            ),
        ),
        (
            "{kind: text, model: mine, weights: ./mine}",
            (
                "modalities.words.weights: weights './mine' of 'mine': no such file or folder, and it is none of "
                "'hub', 'packaged', 'scratch' or a path."
            ),
        ),
    ],
)
def test_models_and_weights_that_cannot_be_had_are_found_before_any_work(scenario, modality, message):
    change(scenario, "words: {kind: characters}", f"words: {modality}")
    change(scenario, "text: [text] ", "text: [text]\n    image: photo #")
    loaded = load_scenario(str(scenario))
    with pytest.raises(ScenarioError, match=re.escape(message)):
        check_before_work(loaded)


def test_a_missing_file_is_found_before_any_work(scenario):
    scenario.with_suffix(".csv").unlink()
    with pytest.raises(
        ScenarioError, match=r"^demo.yaml: data.reviews.path: there is no 'demo.csv' in .*Check the path"
    ):
        check_before_work(load_scenario(str(scenario)))
