"""The predictions that were kept last, out of files that grow, end in the midst of a line and vanish."""

import pytest

from releases.serving import recent_predictions as module
from releases.serving.prediction_files import DayFiles
from releases.serving.recent_predictions import recent
from releases.serving.served_batch import Member, ServedBatch


def batch(number, *, scenario="shop", members=1):
    return ServedBatch(
        scenario=scenario,
        release="d" * 64,
        action="predict",
        rows=[{"text": f"row {number}"}] * members,
        answers=[{}] * members,
        members=[
            Member(prediction=f"20261128-{number:08}{place:08}", request="r", place=place, rows=1)
            for place in range(members)
        ],
        at=1_795_800_000.0 + number,
    )


def test_the_newest_come_first_of_whatever_process_and_scenario(tmp_path):
    DayFiles(tmp_path, process="one").write([batch(1), batch(3, members=2)])
    DayFiles(tmp_path, process="two").write([batch(2, scenario="support"), batch(4)])
    found = recent(tmp_path, count=10)
    assert [int(one.prediction[9:17]) for one in found] == [4, 3, 3, 2, 1]
    assert [one.scenario for one in found] == ["shop", "shop", "shop", "support", "shop"]
    assert [one.together for one in found] == [1, 2, 2, 1, 1]
    assert recent(tmp_path, count=2) == found[:2]


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    DayFiles(tmp_path, process="one").write([batch(1), batch(2)])
    (path,) = tmp_path.glob("*/*/*.jsonl")
    path.write_bytes(path.read_bytes() + b'{"scenario": "sho')
    assert [int(one.prediction[9:17]) for one in recent(tmp_path, count=10)] == [2, 1]


def test_of_a_long_file_only_the_end_is_read(tmp_path, monkeypatch):
    DayFiles(tmp_path, process="one").write([batch(number) for number in range(50)])
    whole = recent(tmp_path, count=50)
    assert len(whole) == 50
    monkeypatch.setattr(module, "TAIL_BYTES", 1000)
    end = recent(tmp_path, count=50)
    assert 0 < len(end) < 10
    assert end == whole[: len(end)]


@pytest.mark.parametrize("count", [1, 10])
def test_where_nothing_is_kept_there_is_nothing(tmp_path, count):
    assert recent(tmp_path / "none", count=count) == []
