"""Zero-shot by a model of natural language inference: each text is held against what is said of each label."""

import numpy as np
import pytest
import yaml

from flows.scenario_file import load_scenario
from flows.stages.encoders import open_encoder
from flows.stages.prepare import prepare
from modalities.encoders.entailment import build_entailment_encoder, entailment_place
from modalities.preparation.entailment import EntailmentPreparation
from modalities.preparation.loading import load_preparation
from modalities.text_models import load_tokenizer
from polyloom.errors import DataError, RequestError, ScenarioError, WeightsError
from polyloom.progress import SILENT
from releases.explaining import explain
from releases.runtime import Runtime
from tests.flows.test_zero_shot import write_wishes
from tests.support.stage_runs import fitted, job_for, packaged
from tests.support.tiny_models import write_bert, write_inference

SAID = {"red_shoe": "the red shoe", "lost_card": ["my lost card", "card lost"], "退款": "退款"}
FLAT = ("the red shoe", "my lost card", "card lost", "退款")


def write_entailment(folder, *, said=SAID, model=None, modality=None, **changes):
    """The wishes, told apart by a tiny model of inference; returns the scenario's path."""
    path = write_wishes(folder, task={"zero_shot": {"descriptions": said}}, **changes)
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    place = str(model or write_inference(folder / "inference"))
    scenario["modalities"]["text"] = {
        "kind": "text",
        "model": place,
        "weights": place,
        "form": "entailment",
        "max_tokens": 24,
        **(modality or {}),
    }
    path.write_text(yaml.safe_dump(scenario, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def expected_odds(folder, text, hypothesis):
    """What transformers itself says of one pair."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    pair = AutoTokenizer.from_pretrained(folder)(text, hypothesis, return_token_type_ids=True, return_tensors="pt")
    with torch.inference_mode():
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        (logits,) = model(**pair).logits
    return float(logits[2] - torch.logsumexp(logits[:2], dim=0))


def test_each_pair_is_judged_as_by_the_model_itself(tmp_path):
    job = job_for(write_entailment(tmp_path))
    prepare(job, progress=SILENT)
    encoder = open_encoder(job, "text", progress=SILENT)
    texts = ["red shoe", "my lost card ? the the the a", "退款 吗"]
    odds = encoder(job.preparations["text"](texts))
    expected = [[expected_odds(tmp_path / "inference", text, told) for told in FLAT] for text in texts]
    np.testing.assert_allclose(odds, expected, atol=1e-4)
    assert encoder.dim == len(FLAT)


def test_the_label_whose_hypotheses_are_entailed_most_wins_through_a_release(tmp_path):
    job = job_for(write_entailment(tmp_path))
    runtime = Runtime.open(packaged(job))
    texts = ["red shoe the", "my lost card", "退款 吗"]
    answers = [answer.answers["label"].label for answer in runtime.predict([{"text": text} for text in texts], top=3)]
    owners = ["red_shoe", "lost_card", "lost_card", "退款"]
    for text, answer in zip(texts, answers, strict=True):
        odds = np.array([expected_odds(tmp_path / "inference", text, told) for told in FLAT])
        # The two hypotheses of one label speak with one voice, as long as another's.
        own = {label: odds[[owner == label for owner in owners]] for label in SAID}
        assert answer == max(own, key=lambda label: own[label].sum() / np.sqrt(len(own[label])))


def test_an_answer_is_explained_by_leaving_words_out(tmp_path):
    runtime = Runtime.open(packaged(job_for(write_entailment(tmp_path))))
    found = explain(runtime, {"text": "my lost card"})["label"]
    assert [word.text for word in found.evidence[0].words] == ["my", "lost", "card"]


def test_other_hypotheses_are_another_encoder_of_the_same_weights(tmp_path):
    first = job_for(write_entailment(tmp_path))
    changed = job_for(write_entailment(tmp_path, said={**SAID, "退款": "退款 吗"}, model=tmp_path / "inference"))
    for job in (first, changed):
        prepare(job, progress=SILENT)
    one, other = (open_encoder(job, "text", progress=SILENT) for job in (first, changed))
    assert one.digest != other.digest


def preparation(folder, *, hypotheses=FLAT, max_tokens=24):
    """The preparation over the tiny tokenizer."""
    tokenizer, padding = load_tokenizer(model=str(folder), weights=str(folder))
    return EntailmentPreparation(
        tokenizer=tokenizer, columns=["text"], max_tokens=max_tokens, padding_id=padding, hypotheses=hypotheses
    )


def test_the_text_is_cut_and_never_the_hypothesis(tmp_path):
    given = preparation(write_inference(tmp_path / "inference"), max_tokens=16)
    arrays = given(["card " * 40, "a"])
    assert arrays["input_ids"].shape == (2, 16, 4)
    assert arrays["attention_mask"].sum(axis=1).max() == 16
    lengths = [len(text.split()) if text.isascii() else 2 for text in FLAT]
    assert arrays["token_type_ids"].sum(axis=1).tolist() == [[length + 1 for length in lengths]] * 2
    assert given.lengths(["card " * 40, "a"]).tolist() == [16, 7]


def test_a_saved_preparation_reads_the_same(tmp_path):
    given = preparation(write_inference(tmp_path / "inference"))
    (tmp_path / "saved").mkdir()
    given.save(tmp_path / "saved")
    loaded = load_preparation(tmp_path / "saved")
    for name, array in given(["red shoe", "a"]).items():
        np.testing.assert_array_equal(loaded(["red shoe", "a"])[name], array)
    assert loaded([])["input_ids"].shape == (0, 0, 4)


def test_hypotheses_that_leave_the_text_no_room_are_refused(tmp_path):
    folder = write_inference(tmp_path / "inference")
    with pytest.raises(RequestError, match="takes 43 of 24 tokens"):
        preparation(folder, hypotheses=["card " * 40])
    with pytest.raises(RequestError, match="here is none"):
        preparation(folder, hypotheses=[])


def test_a_label_of_the_data_without_a_description_is_named(tmp_path):
    job = job_for(write_entailment(tmp_path, said={"red_shoe": "the red shoe", "lost_card": "card lost"}))
    with pytest.raises(DataError, match="nothing is said of '退款', 1 of 3 labels"):
        fitted(job)


def test_models_that_judge_no_pairs_are_refused(tmp_path):
    moods = write_inference(tmp_path / "moods", answers=("bad", "good"))
    with pytest.raises(RequestError, match="its answers are bad, good"):
        build_entailment_encoder(model=str(moods), weights=str(moods), hypotheses=2)
    bare = write_bert(tmp_path / "bare")
    with pytest.raises(RequestError, match="no model of natural language inference"):
        build_entailment_encoder(model=str(bare), weights=str(bare), hypotheses=2)


def test_an_untrained_classifier_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = write_inference(tmp_path / "inference")
    path = folder / "model.safetensors"
    encoder = {name: value for name, value in load_file(path).items() if "classifier" not in name}
    save_file(encoder, path, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="classifier"):
        build_entailment_encoder(model=str(folder), weights=str(folder), hypotheses=2)


def test_two_answers_are_enough():
    assert entailment_place("model", {0: "ENTAILMENT", 1: "not_entailment"}) == 0


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"modality": {"train": "full"}}, "read as it came, but the fit trains it"),
        ({"modality": {"layers": 1}}, "modalities.text.layers: a model of inference"),
        ({"said": {}}, "Write `zero_shot: {descriptions"),
        ({"modality": {"augment": "swap"}}, "form 'entailment' could not follow"),
        ({"index": {"rows": "wishes", "embed": ["text"], "show": ["text"]}}, "which no words can be searched by"),
        ({"robustness": {"attack": {"kind": "pgd", "epsilon": 0.1}}}, "attacks a text encoder"),
    ],
)
def test_what_a_model_of_inference_cannot_do_is_refused(tmp_path, changes, wrong):
    with pytest.raises(ScenarioError, match=wrong):
        load_scenario(str(write_entailment(tmp_path, **changes)), overrides=[])
