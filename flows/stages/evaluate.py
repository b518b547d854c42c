"""Calibration on the validation rows, figures on the test rows: both from the graphs that will be released."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flows.stages.detection_pictures import draw_detection
from flows.stages.encoders import embed_values, open_encoder
from flows.stages.explain import REPORT, explanations_of, wants_explanations
from flows.stages.job import Job, modality_values
from flows.stages.robustness import robustness_of, wants_robustness
from flows.stages.worth import worth_of_modalities
from heads.box_decoding import DetectionDecoder
from heads.decoder import Decoder, Outputs, Truth, rows_of
from heads.decoding import ClassificationDecoder
from heads.metrics import expected_calibration_error
from heads.number_decoding import RegressionDecoder
from heads.onnx import OnnxHead
from heads.relation_decoding import RelationDecoder
from heads.span_decoding import SpanDecoder
from heads.token_decoding import TokenClassificationDecoder
from modalities.encoders.onnx import open_session
from polyloom.durable import publish_folder, write_json
from polyloom.progress import Progress
from releases.card import COVERAGE_BY_LABEL

DIGITS = 6


def evaluate(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Fit each task's calibration and thresholds and measure it; draws the pictures. Reports figures by task."""
    done = job.finished("evaluate")
    if done is not None:
        return done
    figures: dict[str, dict[str, Any]] = {}
    decoders, explanations = {}, {}
    embedded: Counter[str] = Counter()
    with publish_folder(job.folder / "evaluation") as draft:
        for task in job.scenario.tasks:
            validation, test = (job.split(name, task=task) for name in ("validation", "test"))
            rows = np.concatenate([validation, test])
            head = open_head(job, task)
            asked = head_outputs(job, head, rows, progress=progress)
            outputs = asked.outputs
            embedded.update(asked.embedded)
            targets = job.targets(task)
            truth = head.decoder.encode([targets[row] for row in rows])
            held_out, tested = slice(0, len(validation)), slice(len(validation), None)
            decoder = learned(job, task, head, progress=progress)
            decoder = decoder.calibrate(rows_of(outputs, held_out), rows_of(truth, held_out))
            found, known = rows_of(outputs, tested), rows_of(truth, tested)
            figures[task] = {**rounded(decoder.measure(found, known)), "rows": len(test)}
            if isinstance(decoder, ClassificationDecoder) and decoder.conformal is not None:
                figures[task][COVERAGE_BY_LABEL] = rounded(decoder.coverage_by_label(found, known))
            draw(draft, task, found, known, decoder=decoder, scenario=job.scenario.title)
            if head.reads == "fused":
                figures[task]["modalities"] = worth_of_modalities(
                    job,
                    task,
                    head,
                    decoder=decoder,
                    truth=known,
                    embeddings=rows_of(asked.embeddings, tested),
                    present=rows_of(asked.present, tested),
                    folder=draft,
                )
            if wants_robustness(job, task):
                figures[task]["robustness"] = robustness_of(job, task, decoder=decoder, rows=test, progress=progress)
            if wants_explanations(job, task):
                explanations[task] = explanations_of(
                    job,
                    task,
                    head=head,
                    decoder=decoder,
                    rows=test,
                    outputs=found,
                    truth=known,
                    folder=draft,
                    progress=progress,
                )
            if isinstance(decoder, DetectionDecoder):
                draw_detection(job, draft, task, found, known, decoder=decoder)
            decoders[task] = decoder.to_json()
        draw_history(job, draft)
        if explanations:
            write_json(draft / REPORT, explanations)
        write_json(draft / "decoders.json", decoders)
    return job.finish("evaluate", {"metrics": figures, "embedded": dict(embedded)})


def learned(job: Job, task: str, head: OnnxHead, *, progress: Progress) -> Decoder:
    """The head's decoder, which has seen the training rows where it must know how these look."""
    decoder = head.decoder
    if not isinstance(decoder, ClassificationDecoder) or decoder.scope is None or not decoder.scope.reads_fused:
        return decoder
    rows, targets = job.split("train", task=task), job.targets(task)
    outputs = head_outputs(job, head, rows, progress=progress).outputs
    return decoder.learn_scope(outputs, decoder.encode([targets[row] for row in rows]))


class Asked(NamedTuple):
    """A head's outputs, how many rows each encoder had to embed, and the embeddings of a head that reads no more."""

    outputs: dict[str, np.ndarray]
    embedded: dict[str, int]
    embeddings: dict[str, np.ndarray]
    present: dict[str, np.ndarray]


def head_outputs(job: Job, head: OnnxHead, numbers: np.ndarray, *, progress: Progress) -> Asked:
    """What a task's graph says of some task rows."""
    if head.pooled:
        embeddings, present, embedded = embed_rows(job, numbers, head.inputs, progress=progress)
        return Asked(head(embeddings, present), embedded, embeddings, present)
    (name,) = head.inputs
    values = modality_values(job.preparations[name], [job.task_rows[number] for number in numbers]).values
    encoder = open_encoder(job, name, progress=progress)
    return Asked(head.over_values(values, preparation=job.preparations[name], encoder=encoder), {}, {}, {})


def embed_rows(
    job: Job, numbers: np.ndarray, names: Sequence[str], *, progress: Progress
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, int]]:
    """Pooled embeddings and presence of some task rows, and how many rows each encoder had to embed."""
    rows = [job.task_rows[number] for number in numbers]
    embeddings, present, embedded = {}, {}, {}
    for name in names:
        given = modality_values(job.preparations[name], rows)
        encoder = open_encoder(job, name, progress=progress)
        report = embed_values(given, preparation=job.preparations[name], encoder=encoder, name=name, progress=progress)
        embeddings[name], present[name], embedded[name] = report.vectors, given.present, report.embedded
    return embeddings, present, embedded


def open_head(job: Job, task: str) -> OnnxHead:
    """A task's exported graph."""
    folder = job.folder / "heads" / task
    return OnnxHead(folder, session=open_session(folder / "model.onnx"))


def rounded(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Figures as they are reported; one that is no number is None, for JSON has no word for it."""
    return {name: round(value, DIGITS) if np.isfinite(value) else None for name, value in figures.items()}


def draw(folder: Path, task: str, outputs: Outputs, truth: Truth, *, decoder: Decoder, scenario: str) -> None:
    """The task's pictures, where its kind has any."""
    if isinstance(decoder, RelationDecoder):
        draw(folder, task, outputs, truth, decoder=decoder.classes, scenario=scenario)
    elif isinstance(decoder, SpanDecoder | DetectionDecoder):
        draw_reliability(folder, task, *decoder.certainty(outputs, truth), title=f"{scenario}: {task}")
    elif isinstance(decoder, ClassificationDecoder):
        draw_classification(folder, task, outputs, truth, decoder=decoder, title=f"{scenario}: {task}")
    elif isinstance(decoder, RegressionDecoder):
        from flows.number_pictures import predicted_against_true

        known, predicted = decoder.comparable(outputs, truth)
        path = folder / f"{task}_predicted.png"
        predicted_against_true(path, truth=known, predicted=predicted, title=f"{scenario}: {task}")
    elif isinstance(decoder, TokenClassificationDecoder):
        from flows.entity_pictures import entity_pictures

        entity_pictures(folder, task, outputs, truth, decoder=decoder, title=f"{scenario}: {task}")


def draw_classification(
    folder: Path, task: str, outputs: Outputs, truth: Truth, *, decoder: ClassificationDecoder, title: str
) -> None:
    """The task's confusion matrix (not for multilabel) and its reliability diagram."""
    from flows.pictures import confusion_matrix

    draw_reliability(folder, task, *decoder.certainty(outputs, truth), title=title)
    labels, predicted = decoder.comparable(outputs, truth)
    known = labels >= 0
    if decoder.problem != "multilabel" and known.any():
        confusion_matrix(
            folder / f"{task}_confusion.png",
            truth=labels[known],
            predicted=predicted[known],
            labels=decoder.labels,
            title=title,
        )


def draw_reliability(folder: Path, task: str, confidence: np.ndarray, right: np.ndarray, *, title: str) -> None:
    """How often answers of a given probability are right; nothing where there are none."""
    from flows.pictures import reliability_diagram

    if len(confidence):
        error = expected_calibration_error(confidence, right)
        path = folder / f"{task}_reliability.png"
        reliability_diagram(path, probabilities=confidence, correct=right, ece=error, title=title)


def draw_history(job: Job, folder: Any) -> None:
    """The course of the fit, where there was one, and of its steps."""
    from flows.pictures import learning_curve

    fitted = job.finished("fit") or {"history": []}
    if fitted["history"]:
        learning_curve(folder / "learning_curve.png", history=fitted["history"], title=job.scenario.title)
    course = fitted.get("continual")
    if course:
        from flows.step_pictures import step_picture

        title = f"{job.scenario.title}: {course['kind']}"
        step_picture(folder / "steps.png", steps=course["steps"], metric=course["metric"], title=title)
