"""Exploring with a real release, by the command line: lists, feedback, and what the log says."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows import events
from flows.explore_spec import ExploreRule
from flows.exploring import exploring_of, exposures_folder
from flows.scenario_file import load_scenario
from polyloom.errors import RequestError, ScenarioError
from releases.exploring import popularity_of
from releases.recommending import FOLDER
from releases.runtime import Runtime
from retrieval.exploring.rules import RULES
from tests.support.command_line import in_process_of_its_own, inside
from tests.support.live_wishes import release_wishes
from tests.support.mlflow_store import template


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A state folder with the champion of `wishes`."""
    folder = tmp_path_factory.mktemp("exploring")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        yield folder, release_wishes(folder, store=template(tmp_path_factory))
        events.events_of.cache_clear()


@pytest.fixture
def polyloom(made, monkeypatch):
    """Run a command over that state, whose exposures are as they were left."""
    home = made[0] / "home"
    monkeypatch.setenv("POLYLOOM_HOME", str(home))
    return lambda *words: inside(*words, environment={"POLYLOOM_HOME": str(home)})


@pytest.fixture
def runtime(made, polyloom):
    return Runtime.open(made[1].path, blobs=None)


def test_before_anything_is_shown_the_next_step_is_named(polyloom, tmp_path):
    told = polyloom("exposures", "wishes")
    assert (told.code, told.out) == (
        0,
        "Nothing was explored yet. Next: polyloom recommend wishes --user ID --explore\n",
    )
    facts = polyloom("exposures", "wishes", "--json", "--picture", tmp_path / "none.png").json
    assert facts["next"].endswith("--explore")
    assert (facts["explored"]["shown"], facts["policies"]) == (0, [])
    assert not (tmp_path / "none.png").exists()
    assert not exposures_folder("wishes").exists()


def test_a_list_explores_feedback_comes_back_and_the_log_tells(polyloom, tmp_path):
    plain = polyloom("recommend", "wishes", "--user", "u0", "-k", "4", "--json").json
    found = polyloom("recommend", "wishes", "--user", "u0", "-k", "4", "--explore", "--json").json
    assert [hit["id"] for hit in found["items"][:3]] == [hit["id"] for hit in plain["items"][:3]]
    assert ["propensity" in hit for hit in found["items"]] == [False, False, False, True]
    drawn = found["items"][3]["exposure"]
    bought = polyloom("feedback", "wishes", drawn, "--event", "buy", "--json").json
    assert bought == {"exposure": drawn, "reward": 5.0, "before": None, "counted": True}
    assert "brought 5, as was known already" in polyloom("feedback", "wishes", drawn, "--reward", "5").said
    assert "brought 0, instead of 5." in polyloom("feedback", "wishes", drawn, "--reward", "0").said
    assert polyloom("feedback", "wishes", found["items"][0]["exposure"], "--reward", "1").code == 0
    facts = polyloom("exposures", "wishes", "--json").json
    assert facts["explored"] == {"shown": 1, "rewarded": 1, "taken": 0, "reward": 0.0, "click_rate": 0.0}
    assert facts["others"]["click_rate"] == pytest.approx(1 / 3)
    assert {one["policy"] for one in facts["policies"]} == {
        "as shown",
        "recommender's best",
        "bandit's best",
        "uniform",
    }
    said = polyloom("exposures", "wishes", "--picture", tmp_path / "policies.png").said
    assert "too few exposures to tell" in said
    assert (tmp_path / "policies.png").read_bytes().startswith(b"\x89PNG")


def test_enough_exposures_give_estimates_with_intervals(polyloom, runtime, tmp_path):
    explore = exploring_of(runtime)
    for number in range(300):
        shown = explore.recommend([], user=f"u{number % 60}", k=2, where="label <> 'x'")[-1]
        explore.feedback(shown.exposure, reward=float(shown.item.id < "w3"))
    told = polyloom("exposures", "wishes", "--picture", tmp_path / "policies.png")
    assert "uniform" in told.said
    assert (tmp_path / "policies.png").stat().st_size > 5_000
    for one in polyloom("exposures", "wishes", "--json").json["policies"]:
        assert one["value"] is None or one["low"] <= one["value"] <= one["high"]
    assert next(one for one in polyloom("exposures", "wishes", "--json").json["policies"])["value"] is not None


def test_a_table_names_what_was_drawn_and_what_to_do_next(polyloom):
    told = polyloom("recommend", "wishes", "--user", "u1", "-k", "3", "--explore")
    assert "drawn with" in told.said
    assert "explored 1 of them. What came back: polyloom feedback" in told.said


def test_lines_of_a_file_explore_too(polyloom, tmp_path):
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"user": "u0"}\n{"items": ["w3"]}\n', encoding="utf-8")
    told = polyloom("recommend", "wishes", "--input", asked, "-k", "2", "--explore", "--json")
    assert all("propensity" in json.loads(line)["items"][-1] for line in told.out.splitlines())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["feedback", "wishes", "gone", "--reward", "1"], "There is no exposure 'gone' in"),
        (["feedback", "wishes", "0-00000000", "--reward", "1"], "There is no exposure '0-00000000' in"),
        (["feedback", "nobody", "0-00000000", "--reward", "1"], "There is no exposure"),
        (["feedback", "wishes", "gone"], "What came back is one thing: give a reward, such as 1 or 0, or an event"),
        (["feedback", "wishes", "gone", "--reward", "1", "--event", "buy"], "What came back is one thing"),
        (["feedback", "wishes", "gone", "--event", "by"], "'by' is no event that the scenario weighs; they are buy."),
        (["feedback", "wishes", "gone", "--reward", "nan"], "The reward is nan; it must be a finite number"),
        (["feedback", "wishes", "gone", "--reward", "much"], "'much' is not a valid float"),
        (["feedback", "../wishes", "gone", "--reward", "1"], "'../wishes' is no scenario's name"),
        (["exposures", "no/where"], "'no/where' is no scenario's name"),
        (["recommend", "wishes", "--user", "u0", "-k", "0", "--explore"], "-k is 0; ask for at least 1 item"),
    ],
)
def test_a_wrong_request_ends_with_2_and_a_message(polyloom, words, message):
    ended = polyloom(*words)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.said
    assert "Traceback" not in ended.err


def test_a_release_that_does_not_explore_says_so(runtime, monkeypatch):
    monkeypatch.setitem(runtime.facts["recommend"], "explore", None)
    with pytest.raises(RequestError, match=r"'wishes' does not explore\. Add `explore"):
        exploring_of(runtime)


def test_what_is_popular_comes_out_of_the_release(runtime):
    found = popularity_of(runtime.folder / FOLDER)
    assert len(found) == 90
    assert max(found.values()) > min(found.values()) == 0.0


def test_the_scenario_names_the_rules_that_there_are():
    assert set(ExploreRule.__args__) == set(RULES)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("recommend.explore.rule=linucb", "recommend.explore.rule"),
        ("recommend.explore.slots=0", "recommend.explore.slots"),
        ("recommend.explore.pool=1", "recommend.explore.pool"),
        ("recommend.explore.share=0", "recommend.explore.share"),
        ("recommend.explore.polo=4", "recommend.explore.polo: unknown key. Did you mean 'pool'"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(made, override, message):
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(made[0] / "wishes.yaml"), overrides=[override])
    assert message in str(caught.value)


@pytest.mark.slow
def test_feedback_of_several_processes_is_all_kept(polyloom, runtime, made, tmp_path):
    shown = [exploring_of(runtime).recommend([], k=1)[0].exposure for _ in range(6)]
    home = {"POLYLOOM_HOME": str(made[0] / "home")}

    def send(exposure):
        return in_process_of_its_own(
            "feedback", "wishes", exposure, "--reward", "2", "--json", environment=home, folder=tmp_path
        )

    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(send, [*shown, *shown]))
    assert [one.code for one in ended] == [0] * 12
    assert sum(one.json["counted"] for one in ended) == 6
    rewards = exploring_of(runtime).log.rewards()
    assert {rewards[one] for one in shown} == {2.0}
