"""An index that finds by words too: from the scenario's line to the hits of a release."""

import pytest

from flows.scenario_file import load_scenario
from polyloom.durable import read_json
from polyloom.errors import RequestError, ScenarioError
from releases.runtime import Runtime
from tests.flows.test_zero_shot import write_wishes
from tests.support.stage_runs import job_for, packaged
from ui.asking import search

INDEX = {"rows": "wishes", "embed": ["text"], "keyword": True, "show": ["text", "label"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A release over the wishes of three kinds, found by embeddings and by words, and what is said of its index."""
    folder = tmp_path_factory.mktemp("wishes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        job = job_for(write_wishes(folder, task={"head": "prototypes"}, index=INDEX))
        release = Runtime.open(packaged(job))
        return release, read_json(job.folder / "package.json")["index"]


@pytest.fixture
def release(made):
    return made[0]


def test_the_run_says_by_what_items_are_found(made):
    assert made[1]["keyword"] is True
    assert list(made[1]["modalities"]) == ["text"]


def test_hits_are_found_by_both_and_say_by_which_words(release):
    hits = release.search(text="the card that I lost", k=5)
    assert {hit.row["label"] for hit in hits} == {"lost_card"}
    assert set(hits[0].ranks) == {"text", "keyword"}
    assert set(hits[0].cosines) == {"text"}
    assert set(hits[0].terms) == {"card", "lost"}


def test_chinese_words_find_what_holds_them(release):
    hits = release.search(text="退款", k=5)
    assert all("退款" in hit.row["text"].replace(" ", "") for hit in hits)
    assert "退款" in hits[0].terms


def test_a_filter_holds_for_words_too(release):
    assert {hit.row["label"] for hit in release.search(text="lost", k=9, where="label = 'red_shoe'")} == {"red_shoe"}
    hits = release.search(text="lost", k=9, where="label = 'red_shoe'")
    assert all("keyword" not in hit.ranks for hit in hits)


def test_words_that_nobody_has_leave_the_embeddings(release):
    hits = release.search(text="hat", k=2)
    assert len(hits) == 2
    assert all(set(hit.ranks) == {"text"} and not hit.terms for hit in hits)
    # The encoder cannot read this one either.
    assert release.search(text="zebra", k=2) == []


def test_the_page_says_which_words(release):
    (found,) = search(release, text="lost card", k=1).found
    (why,) = [why for why in found.why if why.startswith("keyword: rank ")]
    assert set(why.partition(", ")[2].split(", ")) == {"lost", "card"}


def test_like_an_item_is_by_its_vectors(release):
    key = release.search(text="lost card", k=1)[0].id
    assert all(set(hit.ranks) == {"text"} for hit in release.search(like=key, k=3))


def test_nothing_to_search_for_is_refused(release):
    with pytest.raises(RequestError, match="give a text of at least one character"):
        release.search(text="  ")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ("index.weights={keyword: 2.0}", None),
        ("index.keyword=false index.weights={keyword: 2.0}", "index.weights"),
        ("index.weights={words: 2.0}", "index.weights"),
    ],
)
def test_weights_may_name_the_ranking_by_words(tmp_path, changes, wrong):
    path = str(write_wishes(tmp_path, index=INDEX))
    overrides = changes.replace(" index", "\nindex").split("\n")
    if wrong is None:
        load_scenario(path, overrides=overrides)
        return
    with pytest.raises(ScenarioError, match=wrong):
        load_scenario(path, overrides=overrides)


def test_the_page_marks_the_words_counts_what_was_found_and_turns(release):
    shown = search(release, text="lost card", k=1)
    (found,) = shown.found
    assert {found.title.text[start:end] for start, end in found.title.spans} == {"lost", "card"}
    assert "label" in shown.counts
    (other,) = search(release, text="lost card", k=1, page=2).found
    assert other.id != found.id
