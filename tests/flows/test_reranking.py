"""Hits read once more by a cross-encoder: scores are the model's own, the first hits stand in their order."""

import numpy as np
import pytest

from flows.scenario_file import load_scenario
from modalities.encoders.cross_encoder import build_cross_encoder
from polyloom.errors import RequestError, ScenarioError
from releases.found import Wishes
from releases.reranker import Reranker
from releases.runtime import Runtime
from tests.flows.test_zero_shot import write_wishes
from tests.support.stage_runs import job_for, packaged
from tests.support.tiny_models import write_cross_encoder

INDEX = {"rows": "wishes", "embed": ["text"], "keyword": True, "show": ["text"]}


def rerank(model, **more):
    return {"model": str(model), "weights": str(model), "max_tokens": 16, "candidates": 6, **more}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A release with a tiny cross-encoder, and its folder."""
    folder = tmp_path_factory.mktemp("reranked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        model = write_cross_encoder(folder / "cross")
        index = {**INDEX, "rerank": rerank(model)}
        return packaged(job_for(write_wishes(folder, task={"head": "prototypes"}, index=index))), model


@pytest.fixture(scope="module")
def runtime(made):
    return Runtime.open(made[0])


def own_scores(model, question, passages, *, answers=1):
    """What transformers itself says of each pair, one by one."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer, classifier = (
        AutoTokenizer.from_pretrained(model),
        AutoModelForSequenceClassification.from_pretrained(model),
    )
    found = []
    for passage in passages:
        pair = tokenizer(
            question,
            passage,
            truncation="longest_first",
            max_length=16,
            return_token_type_ids=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            (logits,) = classifier.eval()(**pair).logits
        found.append(float(logits[0] if answers == 1 else logits[1] - logits[0]))
    return found


def test_scores_are_those_of_the_model(made):
    bundle, model = made
    passages = ["red shoe", "my lost card ? the the the a a a my my my the the the", "退款", "?"]
    scores = Reranker.open(bundle / "reranker")("lost card", passages)
    np.testing.assert_allclose(scores, own_scores(model, "lost card", passages), atol=1e-4)


def test_the_first_hits_stand_in_its_order_and_the_others_follow(made, runtime):
    _, model = made
    plain = runtime.find(Wishes(k=10, weights={"rerank": 0}), text="lost card").hits
    again = runtime.find(Wishes(k=10), text="lost card").hits
    first = plain[:6]
    scores = own_scores(model, "lost card", [hit.row["text"] for hit in first])
    order = np.argsort(-np.array(scores), kind="stable")
    assert [hit.row["text"] for hit in again[:6]] == [first[place].row["text"] for place in order]
    assert [hit.id for hit in again[6:]] == [hit.id for hit in plain[6:]]
    assert [hit.ranks.get("rerank") for hit in again] == [1, 2, 3, 4, 5, 6, None, None, None, None]
    assert all("rerank" not in hit.ranks for hit in plain)


def test_a_later_page_goes_on_in_the_same_order(runtime):
    whole = [hit.id for hit in runtime.find(Wishes(k=8), text="lost card").hits]
    pages = [hit.id for page in (1, 2) for hit in runtime.find(Wishes(k=4, page=page), text="lost card").hits]
    assert pages == whole


def test_without_words_there_is_nothing_to_read(runtime):
    key = runtime.search(text="lost card", k=1)[0].id
    assert all("rerank" not in hit.ranks for hit in runtime.search(like=key, k=3))


def test_two_answers_are_for_and_against(tmp_path):
    import torch

    model = write_cross_encoder(tmp_path / "two", answers=2)
    encoder = build_cross_encoder(model=str(model), weights=str(model)).eval()
    from modalities.preparation.passages import PassagePreparation
    from modalities.text_models import load_tokenizer

    tokenizer, padding_id = load_tokenizer(model=str(model), weights=str(model))
    arrays = PassagePreparation(tokenizer=tokenizer, max_tokens=16, padding_id=padding_id)("red", ["red shoe", "card"])
    with torch.inference_mode():
        scores = encoder(**{name: torch.from_numpy(arrays[name]) for name in encoder.reads})
    np.testing.assert_allclose(scores, own_scores(model, "red", ["red shoe", "card"], answers=2), atol=1e-4)


def test_a_model_with_more_answers_is_none(tmp_path):
    model = str(write_cross_encoder(tmp_path / "three", answers=3))
    with pytest.raises(RequestError, match="is no cross-encoder: it gives 3 answers"):
        build_cross_encoder(model=model, weights=model)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rerank": {"model": "x", "candidates": 1}}, "index.rerank.candidates: 1 is too small; at least 2"),
        ({"rerank": {"model": "x"}, "weights": {"rerank": 2.0}}, "index.weights: 'rerank' is not there"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, changes, message):
    path = write_wishes(tmp_path, index={**INDEX, **changes})
    with pytest.raises(ScenarioError, match=message):
        load_scenario(str(path))
