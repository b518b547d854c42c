from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.compression import FASTER, LIVE, STUDENT, Made, merged, scenario, summary
from benchmarks.compression_picture import draw, megabytes


def made(tmp_path: Path, *, right: float, size: int, name: str) -> Made:
    graph = tmp_path / f"{name}.onnx"
    graph.write_bytes(b"0" * size)
    return Made(right=(np.arange(1000) < right * 1000).astype(float), graph=graph)


def models(tmp_path: Path, *, student: float) -> list[dict[str, Made]]:
    return [
        {
            "teacher": made(tmp_path, right=0.9, size=4_000_000, name="teacher"),
            "plain student, int8": made(tmp_path, right=0.7, size=1_000_000, name="plain"),
            "distilled student, int8": made(tmp_path, right=student, size=1_000_000, name="distilled"),
        }
    ]


def test_the_goals_are_the_distilled_int8_students(tmp_path):
    rates = {"teacher": 100.0, "plain student, int8": 50.0, "distilled student, int8": 100.0 * FASTER}
    figures = {one.name.partition(",")[0]: one for one in summary(models(tmp_path, student=0.89), rates)}
    assert all(one.met for one in figures.values())
    slow = summary(models(tmp_path, student=0.89), {**rates, "distilled student, int8": 299.0})
    assert [one.met for one in slow] == [True] * 5 + [False]
    bad = summary(models(tmp_path, student=0.888), rates)
    assert [one.met for one in bad] == [True] * 4 + [False, True]
    assert bad[5].ratio == 3.0


def test_a_student_is_the_whole_recipe_with_fewer_layers():
    own = scenario(merged(STUDENT, {"recipe": {"distill": {"teacher": "there"}}}), seed=5, share=0.1)
    assert own["modalities"]["text"]["layers"] == 3
    assert own["modalities"]["text"]["model"].endswith("MiniLM-L6-v2")
    assert own["recipe"]["distill"] == {"teacher": "there"}
    assert own["recipe"]["strategy"] == "full"
    assert own["recipe"]["seed"] == 5
    assert own["data"]["queries"]["sample"] == {"train": 1000, "test": 308}
    assert "distill" not in LIVE["recipe"]


def test_the_picture_shows_size_and_speed(tmp_path):
    rates = {"teacher": 100.0, "plain student, int8": 250.0, "distilled student, int8": 300.0}
    figures = summary(models(tmp_path, student=0.89), rates)
    assert [megabytes(one) for one in figures if "speed" in one.name] == [4.0, 1.0, 1.0]
    draw(tmp_path / "curve.png", figures)
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.width > 1000
