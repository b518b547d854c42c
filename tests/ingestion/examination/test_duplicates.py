"""Repeats, leaks and conflicts: toy tables with answers that can be counted by hand."""

from ingestion.splits import SPLIT_NAMES
from tests.ingestion.examination.toys import alarms, chinese, scene, sentences, splits, toy

TEXT = {"text": "text", "label": "category"}
PICTURE = {"picture": "image", "label": "category"}


def ab(rows: int) -> list[str]:
    return ["ab"[row // 5 % 2] for row in range(rows)]


def test_clean_texts_raise_no_alarm(found) -> None:
    for texts in (sentences(400), chinese(400)):
        assert alarms(found(toy(kinds=TEXT, split=splits(400), text=texts, label=ab(400)), "label")) == []


def test_a_repeated_text_is_counted(found) -> None:
    texts = sentences(200)
    texts[1] = texts[2] = texts[5] = texts[0]
    texts[10] = texts[11]
    finding = found(toy(kinds=TEXT, split=splits(200), text=texts, label=["a"] * 200))["repeated_text"]
    assert (finding.rows, finding.figures["groups"], finding.severity) == (4, 2, "warning")
    assert [(row.key, row.group) for row in finding.examples] == [("k0", 1), ("k1", 1), ("k10", 2), ("k11", 2)]
    assert finding.examples[0].source == "items.csv"
    assert finding.examples[0].row == 2


def test_a_text_in_train_and_test_is_a_leak(found) -> None:
    texts = sentences(200)
    texts[4], texts[9], texts[13] = texts[0], texts[1], texts[2]
    result = found(toy(kinds=TEXT, split=splits(200), text=texts, label=ab(200)), "label")
    leak = result["leaked_text"]
    assert (leak.severity, leak.rows) == ("serious", 3)
    assert leak.figures == {"validation_share": 1 / 40, "test_share": 2 / 40}
    assert {(row.key, row.split) for row in leak.examples} >= {("k0", "train"), ("k4", "test")}
    assert "1 of 40 validation rows and 2 of 40 test rows have the very text" in leak.message
    assert "near_leaked_text" not in result


def test_a_text_nearly_in_train_and_test_is_a_leak(found) -> None:
    for texts in (sentences(200), chinese(200)):
        texts[4] = texts[0][:-2]
        result = found(toy(kinds=TEXT, split=splits(200), text=texts, label=ab(200)), "label")
        leak = result["near_leaked_text"]
        assert (leak.severity, leak.rows, [row.key for row in leak.examples]) == ("serious", 1, ["k0", "k4"])
        assert "leaked_text" not in result


def test_validation_and_test_leak_into_each_other(found) -> None:
    texts = sentences(200)
    texts[4] = texts[3]
    assert found(toy(kinds=TEXT, split=splits(200), text=texts, label=ab(200)))["leaked_text"].figures == {
        "test_share": 1 / 40
    }


def test_one_text_with_two_labels_is_a_conflict(found) -> None:
    texts, labels = sentences(200), ab(200)
    texts[1] = texts[0]
    texts[6] = texts[5][:-2]
    labels[0], labels[1], labels[5], labels[6] = "a", "b", "a", "b"
    result = found(toy(kinds=TEXT, split=splits(200), text=texts, label=labels), "label")
    exact, near = result["label_conflict_text"], result["near_label_conflict_text"]
    assert (exact.rows, exact.severity, [row.label for row in exact.examples]) == (2, "serious", ["a", "b"])
    assert (near.rows, near.severity, [row.key for row in near.examples]) == (2, "warning", ["k5", "k6"])


def test_a_repeated_text_with_one_label_is_no_conflict(found) -> None:
    texts = sentences(200)
    texts[1] = texts[0]
    assert "label_conflict_text" not in found(toy(kinds=TEXT, split=splits(200), text=texts, label=ab(200)), "label")


def test_rows_without_text_repeat_nothing(found) -> None:
    texts = [*sentences(100), *[None] * 100]
    assert "repeated_text" not in found(toy(kinds=TEXT, split=splits(200), text=texts, label=ab(200)))


def test_exact_repeats_are_found_outside_the_sample_too(found) -> None:
    texts = sentences(400)
    texts[200:] = texts[:200]
    finding = found(toy(kinds=TEXT, split=["train"] * 400, text=texts, label=ab(400)), max_texts=100)
    assert finding["repeated_text"].rows == 200
    assert "in a sample of" in finding["texts"].message


def test_examples_hide_personal_data(found) -> None:
    texts = sentences(100)
    texts[0] = texts[1] = f"{texts[0]} call 13812345678"
    finding = found(toy(kinds=TEXT, split=splits(100), text=texts, label=ab(100)))
    assert finding["personal_data"].rows == 2
    assert all("138" not in row.shown for one in finding.values() for row in one.examples)
    assert finding["personal_data"].examples[0].shown.endswith("call [phone]")
    assert "personal: {mask: [phone]}" in finding["personal_data"].message


def test_clean_pictures_raise_no_alarm(found, pictures) -> None:
    names = [pictures.put(scene(seed)) for seed in range(120)]
    snapshot = toy(kinds=PICTURE, split=splits(120), picture=names, label=ab(120))
    assert alarms(found(snapshot, "label", blobs=pictures.blobs)) == []


def test_a_resized_recompressed_picture_is_a_near_duplicate(found, pictures) -> None:
    names = [pictures.put(scene(seed)) for seed in range(100)]
    labels = ab(100)
    names[4] = pictures.put(scene(0).resize((61, 61)), "JPEG", quality=60)
    names[1] = pictures.put(scene(2).point(lambda value: value * 0.8), "JPEG", quality=90)
    names[9] = names[5]
    labels[1], labels[2] = "a", "b"
    result = found(toy(kinds=PICTURE, split=splits(100), picture=names, label=labels), "label", blobs=pictures.blobs)
    assert [row.key for row in result["near_leaked_picture"].examples] == ["k0", "k4"]
    assert [row.key for row in result["near_picture"].examples] == ["k1", "k2"]
    assert [row.key for row in result["leaked_picture"].examples] == ["k5", "k9"]
    assert [row.key for row in result["near_label_conflict_picture"].examples] == ["k1", "k2"]
    assert result["near_leaked_picture"].examples[0].picture == names[0]


def test_all_splits_are_known() -> None:
    assert set(splits(5)) <= set(SPLIT_NAMES.values())
