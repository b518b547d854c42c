"""What the command line says at the end of a run."""

from flows.report import missing_lines


def worth(intact, removed):
    return {
        "metric": "accuracy",
        "intact": intact,
        "removed": None if removed is None else {"value": removed, "change_low": -0.3, "change_high": -0.1},
    }


def test_one_line_says_what_is_left_without_each_modality():
    modalities = {"image": worth(0.9, 0.61), "text": worth(0.9, 0.7219)}
    metrics = {"kind": {"accuracy": 0.9, "modalities": modalities}, "tone": {"accuracy": 0.8}}
    assert missing_lines(metrics) == ["image 0.610, text 0.722: kind.accuracy, 0.900 with all"]


def test_nothing_is_said_of_a_task_that_reads_one_modality():
    assert missing_lines({"kind": {"modalities": {"text": worth(0.9, None)}}, "tone": {}}) == []
