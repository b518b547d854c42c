"""Balance, constant columns, target leakage, drift: toy tables with known answers, and clean ones."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.examination.balance import evenness
from ingestion.examination.drift import chance_bound, stability_index
from ingestion.examination.examine import examine
from ingestion.examination.judgement import interval
from ingestion.examination.target_leakage import shared_information
from ingestion.examination.text_facts import script_shares
from polyloom.errors import RequestError
from tests.ingestion.examination.toys import alarms, chinese, sentences, splits, toy

ROWS = 1_000
DRAW = np.random.default_rng(11)
NOISE = DRAW.normal(size=ROWS)
COLOURS = DRAW.choice(["red", "green", "blue"], ROWS).tolist()
LABELS = DRAW.choice(["a", "b", "c"], ROWS).tolist()
KINDS = {"price": "number", "colour": "category", "label": "category"}


def table(**changed):
    columns = {"price": NOISE, "colour": COLOURS, "label": LABELS} | changed
    return toy(kinds=KINDS, split=splits(ROWS), **columns)


def test_a_clean_table_raises_no_alarm(found) -> None:
    result = found(table(), "label")
    assert alarms(result) == []
    assert result["classes"].figures["classes"] == 3


def test_lists_of_words_and_of_tags_raise_no_alarm(found) -> None:
    kinds = {"words": "tokens", "tags": "tokens"}
    words = [[colour, str(place)] for place, colour in enumerate(COLOURS)]
    result = found(toy(kinds=kinds, split=splits(ROWS), words=words, tags=[["O", "O"]] * ROWS), "tags")
    assert alarms(result) == []


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_random_table_raises_an_alarm(tmp_path_factory, seed: int) -> None:
    draw = np.random.default_rng(seed)
    snapshot = table(
        price=draw.normal(size=ROWS), colour=draw.choice(["red", "green"], ROWS), label=draw.choice(list("abc"), ROWS)
    )
    findings = examine(snapshot, targets={"items": ["label"]}, blobs=tmp_path_factory.getbasetemp())
    assert [finding.code for finding in findings if finding.severity != "info"] == []


def test_evenness_by_hand() -> None:
    assert evenness(np.array([10, 10, 10])) == pytest.approx(1.0)
    assert evenness(np.array([30, 0, 0])) == 0.0


def test_uneven_and_rare_classes(found) -> None:
    labels = ["common"] * ROWS
    labels[10:14] = ["rare"] * 4
    result = found(table(label=labels), "label")
    assert result["uneven_classes"].figures["rarest"] == 4
    assert "from 4 rows ('rare') to 996 ('common')" in result["uneven_classes"].message
    assert result["few_examples"].rows == 4


def test_a_class_that_training_never_sees_is_serious(found) -> None:
    labels = list(LABELS)
    for row, split in enumerate(splits(ROWS)):
        if split == "test" and row % 10 == 4:
            labels[row] = "new"
    unseen = found(table(label=labels), "label")["class_missing"]
    assert unseen.severity == "serious"
    assert "1 classes of 'label' have no row in train ('new'): they can never be predicted" in unseen.message


def test_constant_and_missing_columns(found) -> None:
    result = found(table(colour=["red"] * ROWS, price=[1.0, *[None] * (ROWS - 1)]))
    assert result["constant_column"].column == "colour"
    assert (result["mostly_missing"].column, result["mostly_missing"].rows) == ("price", ROWS - 1)


@pytest.mark.parametrize("column", ["price", "colour"])
def test_a_column_that_gives_the_target_away(found, column: str) -> None:
    given_away = {"a": 1.0, "b": 2.0, "c": 3.0} if column == "price" else {"a": "x", "b": "y", "c": "z"}
    result = found(table(**{column: [given_away[label] for label in LABELS]}), "label")
    assert (result["target_leak"].column, result["target_leak"].severity) == (column, "serious")
    assert result["target_leak"].figures["accuracy"] == 1.0
    assert result["target_leak"].figures["information"] == pytest.approx(1.0)


def test_a_number_in_ranges_gives_the_target_away(found) -> None:
    order = np.array([ord(label) for label in LABELS]) * 10.0
    assert found(table(price=order + DRAW.uniform(0, 5, ROWS)), "label")["target_leak"].column == "price"


def test_a_missing_value_gives_the_target_away(found) -> None:
    labels = ["a" if row % 3 else "b" for row in range(ROWS)]
    price = [NOISE[row] if label == "a" else None for row, label in enumerate(labels)]
    assert found(table(price=price, label=labels), "label")["target_leak"].column == "price"


def test_a_key_gives_nothing_away(found) -> None:
    assert "target_leak" not in found(table(colour=[f"id {row}" for row in range(ROWS)]), "label")


def test_a_good_but_honest_column_is_no_leak(found) -> None:
    mostly = [label if row % 7 else "a" for row, label in enumerate(LABELS)]
    assert "target_leak" not in found(table(colour=mostly), "label")


def test_the_interval_by_hand() -> None:
    low, high = interval(50, 100)
    assert (round(low, 3), round(high, 3)) == (0.404, 0.596)
    assert interval(0, 0) == (0.0, 1.0)


def test_shared_information_by_hand() -> None:
    codes = np.array([0, 0, 1, 1])
    assert shared_information(codes, codes) == pytest.approx(1.0)
    assert shared_information(codes, np.array([0, 1, 0, 1])) == pytest.approx(0.0)


@pytest.mark.parametrize(("names", "make"), [(("card lost", "pin_code"), sentences), (("体育新闻", "财经"), chinese)])
def test_a_text_that_names_its_label(found, names, make) -> None:
    labels = [names[row % 2] for row in range(300)]
    texts = [f"{text} {label.replace('_', ' ')}!" for text, label in zip(make(300), labels, strict=True)]
    kinds = {"text": "text", "label": "category"}
    leaking = found(toy(kinds=kinds, split=splits(300), text=texts, label=labels), "label")
    assert leaking["label_in_text"].rows == 300
    assert "label_in_text" not in found(toy(kinds=kinds, split=splits(300), text=make(300), label=labels), "label")


def test_the_stability_index_by_hand() -> None:
    assert stability_index(np.array([50, 50]), np.array([50, 50])) == 0.0
    assert stability_index(np.array([10_000, 0]), np.array([0, 10_000])) > 10
    assert chance_bound(2, 100, 100) == pytest.approx((1 + 4 * 2**0.5) * 0.02)


def test_a_shifted_column_has_drifted(found) -> None:
    price = NOISE + np.array([3.0 if split == "test" else 0.0 for split in splits(ROWS)])
    result = found(table(price=price))
    assert (result["split_drift"].column, result["split_drift"].severity) == ("price", "warning")
    assert result["split_drift"].figures["index"] > result["split_drift"].figures["bound"]


def test_a_split_by_time_is_told_not_blamed(found) -> None:
    order = {"train": 0, "validation": 1, "test": 2}
    days = [
        datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=400 * order[split], hours=row)
        for row, split in enumerate(splits(ROWS))
    ]
    result = found(toy(kinds={"at": "time"}, split=splits(ROWS), at=days))
    assert alarms(result) == []
    assert "right for a split by time" in next(one for one in result.values() if one.code == "split_drift").message


def test_script_shares_by_hand() -> None:
    assert script_shares(["ab", "银行", "1!"]) == {"latin": 0.5, "han": 0.5, "other": 0.0}
    assert script_shares([""]) == {"latin": 0.0, "han": 0.0, "other": 0.0}


def test_facts_and_empty_texts(found) -> None:
    texts = ["abc", "银行卡", None, "abcdefg", "x" * 9, "z", None, None, "q", "r"] * 30
    finding = found(toy(kinds={"text": "text"}, split=splits(300), text=texts))["empty_texts"]
    assert finding.figures["empty"] == 90
    assert "1 to 9 characters" in finding.message


def test_a_question_whose_answers_lie_on_both_sides(found) -> None:
    titles = [title for title in sentences(40) for _ in range(5)]
    kinds = {"title": "text", "reply": "text"}
    finding = found(toy(kinds=kinds, split=splits(200), title=titles, reply=sentences(200, seed=1)))["shared_value"]
    assert (finding.column, finding.rows, finding.figures["share"]) == ("title", 80, 1.0)
    assert "group: title" in finding.message
    free = found(toy(kinds=kinds, split=splits(200), title=sentences(200), reply=sentences(200, seed=1)))
    assert "shared_value" not in free


def test_a_regression_target_is_examined_too(found) -> None:
    result = found(toy(kinds={"x": "number", "y": "number"}, split=splits(ROWS), x=NOISE * 2 + 1, y=NOISE), "y")
    assert result["target_leak"].column == "x"
    assert "classes" not in result


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            {"item": ["label"]},
            r"targets: the snapshot has no table 'item'. Tables there: items. Did you mean 'items'\?",
        ),
        ({"items": ["lable"]}, r"targets.items: no column 'lable'. Columns there: price.* Did you mean 'label'\?"),
    ],
)
def test_an_unknown_target_is_refused(tmp_path, targets, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        examine(table(), targets=targets, blobs=tmp_path)


def test_nothing_at_all_is_no_error(found) -> None:
    assert found(toy(kinds=KINDS, split=[], price=[], colour=[], label=[])) == {}
