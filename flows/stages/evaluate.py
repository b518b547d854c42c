"""Calibration on the validation rows, figures on the test rows: both from the graphs that will be released."""

from dataclasses import replace
from typing import Any

import numpy as np

from flows.stages.encoders import embed_values, open_encoder
from flows.stages.job import Job, modality_values
from heads.calibration import fit_temperature, negative_log_likelihood
from heads.decoding import ClassificationDecoder
from heads.metrics import accuracy, expected_calibration_error, macro_f1, micro_f1
from heads.onnx import OnnxHead
from modalities.encoders.onnx import open_session
from polyloom.durable import publish_folder, write_json
from polyloom.progress import Progress

DIGITS = 6


def evaluate(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Fit each task's temperature and measure it; draws the pictures. Reports figures by task."""
    done = job.finished("evaluate")
    if done is not None:
        return done
    validation, test = job.split("validation"), job.split("test")
    rows = np.concatenate([validation, test])
    embeddings, present, embedded = embed_rows(job, rows, progress=progress)
    figures, decoders = {}, {}
    with publish_folder(job.folder / "evaluation") as draft:
        for task in job.scenario.tasks:
            head = open_head(job, task)
            logits = head(embeddings, present)
            targets = job.targets(task)
            truth = head.decoder.encode([targets[row] for row in rows])
            held_out = slice(0, len(validation))
            temperature = fit_temperature(logits[held_out], truth[held_out], kind=head.decoder.kind)
            decoder = replace(head.decoder, temperature=temperature)
            tested = slice(len(validation), None)
            figures[task] = measure(logits[tested], truth[tested], decoder=decoder)
            draw(draft, task, logits[tested], truth[tested], decoder=decoder, scenario=job.scenario.title)
            decoders[task] = decoder.to_json()
        draw_history(job, draft)
        write_json(draft / "decoders.json", decoders)
    return job.finish("evaluate", {"metrics": figures, "embedded": embedded})


def embed_rows(
    job: Job, numbers: np.ndarray, *, progress: Progress
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, int]]:
    """Embeddings and presence of some rows of the task table, and how many rows each encoder had to embed."""
    rows = [job.rows(job.task_table)[number] for number in numbers]
    embeddings, present, embedded = {}, {}, {}
    for name in job.scenario.modalities:
        given = modality_values(job.preparations[name], rows)
        encoder = open_encoder(job, name, progress=progress)
        report = embed_values(given, preparation=job.preparations[name], encoder=encoder, name=name, progress=progress)
        embeddings[name], present[name], embedded[name] = report.vectors, given.present, report.embedded
    return embeddings, present, embedded


def open_head(job: Job, task: str) -> OnnxHead:
    """A task's exported graph."""
    folder = job.folder / "heads" / task
    return OnnxHead(folder, session=open_session(folder / "model.onnx"))


def measure(logits: np.ndarray, truth: np.ndarray, *, decoder: ClassificationDecoder) -> dict[str, float]:
    """Test figures of one task; calibration error before and after the temperature."""
    probabilities = decoder.probabilities(logits)
    predicted = decoder.decide(probabilities)
    figures = {
        "accuracy": accuracy(truth, predicted),
        "macro_f1": macro_f1(truth, predicted),
        "micro_f1": micro_f1(truth, predicted),
        "ece": calibration_error(probabilities, truth, decoder=decoder),
        "ece_uncalibrated": calibration_error(
            replace(decoder, temperature=1.0).probabilities(logits), truth, decoder=decoder
        ),
        "temperature": decoder.temperature,
    }
    known = np.ones(len(truth), bool) if decoder.kind == "multilabel" else truth >= 0
    if known.any():
        scaled = logits[known].astype(np.float64) / decoder.temperature
        figures["nll"] = negative_log_likelihood(scaled, truth[known], kind=decoder.kind)
    return {**{name: round(value, DIGITS) for name, value in figures.items()}, "rows": len(truth)}


def calibration_error(probabilities: np.ndarray, truth: np.ndarray, *, decoder: ClassificationDecoder) -> float:
    """Expected calibration error of the answers; for multilabel, of every label's own yes or no."""
    confidence, right = certainty(probabilities, truth, decoder=decoder)
    return expected_calibration_error(confidence, right)


def certainty(
    probabilities: np.ndarray, truth: np.ndarray, *, decoder: ClassificationDecoder
) -> tuple[np.ndarray, np.ndarray]:
    """How sure each decision was, and whether it was right."""
    predicted = decoder.decide(probabilities)
    if decoder.kind == "multilabel":
        return np.maximum(probabilities, 1.0 - probabilities).ravel(), (predicted == truth).ravel()
    return probabilities.max(axis=1), predicted == truth


def draw(
    folder: Any, task: str, logits: np.ndarray, truth: np.ndarray, *, decoder: ClassificationDecoder, scenario: str
) -> None:
    """The task's confusion matrix (not for multilabel) and its reliability diagram."""
    from flows.pictures import confusion_matrix, reliability_diagram

    probabilities = decoder.probabilities(logits)
    confidence, right = certainty(probabilities, truth, decoder=decoder)
    error = expected_calibration_error(confidence, right)
    title = f"{scenario}: {task}"
    reliability_diagram(
        folder / f"{task}_reliability.png", probabilities=confidence, correct=right, ece=error, title=title
    )
    known = truth >= 0
    if decoder.kind != "multilabel" and known.any():
        confusion_matrix(
            folder / f"{task}_confusion.png",
            truth=truth[known],
            predicted=decoder.decide(probabilities)[known],
            labels=decoder.labels,
            title=title,
        )


def draw_history(job: Job, folder: Any) -> None:
    """The course of the fit."""
    from flows.pictures import learning_curve

    fitted = job.finished("fit") or {"history": []}
    learning_curve(folder / "learning_curve.png", history=fitted["history"], title=job.scenario.title)
