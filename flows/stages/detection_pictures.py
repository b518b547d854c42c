"""The pictures of a run's detectors."""

from pathlib import Path

from flows.box_pictures import found_boxes, precision_recall
from flows.scenario_columns import task_inputs
from flows.stages.job import Job
from heads.box_decoding import DetectionDecoder, true_boxes
from heads.decoder import Outputs, Truth, rows_of


def draw_detection(
    job: Job, folder: Path, task: str, outputs: Outputs, truth: Truth, *, decoder: DetectionDecoder
) -> None:
    """Precision and recall over the test rows, and some of their pictures with boxes."""
    title = f"{job.scenario.title}: {task}"
    score = decoder.scorers["map_50"](*decoder.comparable(outputs, truth))
    note = f"{int(truth['known'].sum()):,} pictures, mAP at an overlap of 0.5: {score:.3f}"
    path = folder / f"{task}_precision_recall.png"
    precision_recall(path, curves=decoder.curves(outputs, truth), title=title, note=note)
    preparation = job.preparations[task_inputs(job.scenario, task)[0]]
    pictures = [preparation.value(job.task_rows[row]) for row in job.split("test", task=task)]
    seen = [place for place, value in enumerate(pictures) if value is not None and truth["known"][place]]
    found_boxes(
        folder / f"{task}_found.png",
        pictures=[pictures[place] for place in seen],
        found=decoder.shown(rows_of(outputs, seen)),
        true=true_boxes(rows_of(truth, seen)),
        labels=decoder.labels,
        title=title,
    )
