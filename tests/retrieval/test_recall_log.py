"""What an approximate index overlooks, as its log says."""

import pytest

from retrieval.recall_log import LEAST, Recall, RecallLog, recall_at_k


def test_recall_is_the_share_of_the_true_neighbours():
    assert recall_at_k(["a", "b", "x"], ["a", "b", "c", "d"]) == 0.5
    assert recall_at_k([], []) == 1.0


def test_the_last_queries_of_each_field_are_what_counts(tmp_path):
    log = RecallLog(tmp_path / "index" / "recall.jsonl")
    assert log.recent() == {}
    for recall in [0.0] * 5 + [1.0] * 4:
        log.add("text", recall, number=1)
    log.add("image", 0.25, number=1)
    assert log.recent(most=4) == {"text": Recall(1.0, 4), "image": Recall(0.25, 1)}
    assert log.recent()["text"].mean == pytest.approx(4 / 9)
    assert not log.recent()["text"].is_known
    assert Recall(1.0, LEAST).is_known


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    log = RecallLog(tmp_path / "recall.jsonl")
    log.add("text", 0.5, number=1)
    with log.path.open("ab") as stream:
        stream.write(b'{"at": 1, "field": "te')
    assert log.recent() == {"text": Recall(0.5, 1)}
    log.clear()
    assert log.recent() == {}
