"""Smaller and faster variants of exported encoders: each is measured, and released only if it is equal and faster."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from flows.assembly import has_encoder
from flows.compress_spec import Export
from flows.scenario_columns import task_inputs
from flows.stages.encoders import AnyEncoder, batches_of, embed_values, made_graph, open_encoder, split_values
from flows.stages.evaluate import open_head
from flows.stages.job import Job, modality_values
from flows.stages.variant import PLAIN, STAGE, Variant
from flows.stages.worth import metric_of, plain
from heads.bootstrap import paired_difference
from modalities.encoders.onnx import open_graph
from modalities.encoders.openvino_graph import computes_in_bf16
from polyloom.durable import read_json
from polyloom.progress import SILENT, Progress

TIMED_ROWS, TIMED_SINGLES = 128, 32


def choose_variants(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Make the variants that `export` asks for and choose one an encoder; says of each what it costs and gives."""
    done = job.finished(STAGE)
    if done is not None:
        return done
    asked = variants_asked(job.scenario.export)
    names = [name for name, modality in job.scenario.modalities.items() if has_encoder(modality) and asked]
    return job.finish(STAGE, {name: chosen(job, name, asked, progress=progress) for name in names})


def variants_asked(given: Export) -> list[Variant]:
    """The variants to try beside the plain graph.

    OpenVINO does not run ONNX Runtime's dynamic int8, and bf16 is for graphs in full precision, where it is faster.
    """
    kinds = {"auto": ("dynamic", "static"), None: ()}.get(given.int8, (given.int8,))
    halved = ("openvino_bf16",) if given.runtime == "auto" and computes_in_bf16() else ()
    runtimes = ("onnxruntime", "openvino", *halved) if given.runtime == "auto" else (given.runtime,)
    every = [Variant(kind, runtime) for kind in (None, *kinds) for runtime in runtimes]
    impossible = {("dynamic", "openvino"), ("dynamic", "openvino_bf16"), ("static", "openvino_bf16")}
    return [one for one in every if one != PLAIN and (one.int8, one.runtime) not in impossible]


def chosen(job: Job, name: str, asked: list[Variant], *, progress: Progress) -> dict[str, Any]:
    """The fastest variant of those that may be released, or the plain graph; and every variant's figures."""
    folders = {one.name: made_graph(job, name, one, progress=progress) for one in (PLAIN, *asked)}
    figures = measured(job, name, folders)
    for one in asked:
        found = figures[one.name]
        found["metrics"] = changes(job, name, one, progress=progress)
        found["refused"] = refusal(found, figures[PLAIN.name], margin=job.scenario.export.margin)
        told = f"not released: {found['refused']}" if found["refused"] else "may be released"
        progress.log(
            f"modalities.{name}: {one.name} gives {found['rows_per_second']:.0f} rows/s against "
            f"{figures[PLAIN.name]['rows_per_second']:.0f}, {told}"
        )
    able = [one for one in asked if not figures[one.name]["refused"]]
    best = max(able, key=lambda one: figures[one.name]["rows_per_second"], default=PLAIN)
    return {"chosen": vars(best), "name": best.name, "variants": figures}


def measured(job: Job, name: str, folders: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Size, parity and speed on this machine, by variant."""
    from training.graph_speed import speeds

    values, preparation = split_values(job, name, "validation")[:TIMED_ROWS], job.preparations[name]
    facts = {one: read_json(folder / "encoder.json") for one, folder in folders.items()}
    found = speeds(
        {
            one: open_graph(folder / "model.onnx", runtime=facts[one].get("runtime", "onnxruntime"))
            for one, folder in folders.items()
        },
        batches=batches_of(values, preparation=preparation),
        singles=[preparation([value]) for value in values[:TIMED_SINGLES]],
    )
    return {
        one: plain(
            {
                "bytes": (folder / "model.onnx").stat().st_size,
                "parity": float(facts[one]["parity"]),
                **asdict(found[one]),
            }
        )
        for one, folder in folders.items()
    }


def changes(job: Job, name: str, variant: Variant, *, progress: Progress) -> dict[str, Any]:
    """For each task that reads the modality its metric on the validation rows, and the change to the plain graph."""
    return {
        task: change(job, task, name, variant, progress=progress)
        for task in job.scenario.tasks
        if name in task_inputs(job.scenario, task)
    }


def change(job: Job, task: str, name: str, variant: Variant, *, progress: Progress) -> dict[str, Any]:
    """One task's metric, and how it changes with the variant, as an interval over the validation rows."""
    rows = job.split("validation", task=task)
    before = answers(job, task, rows, {name: open_encoder(job, name, progress=progress, variant=PLAIN)})
    after = answers(job, task, rows, {name: open_encoder(job, name, progress=progress, variant=variant)})
    decoder, targets = open_head(job, task).decoder, job.targets(task)
    truth = decoder.encode([targets[row] for row in rows])
    metric = metric_of(job, task, decoder)
    known, predicted = decoder.comparable(after, truth)
    found = paired_difference(
        scorer=decoder.scorers[metric],
        truth=known,
        predicted=predicted,
        against=decoder.comparable(before, truth)[1],
        seed=job.scenario.recipe.seed,
        confidence=job.scenario.export.confidence,
    )
    value = float(decoder.scorers[metric](known, predicted))
    return dict(plain({"metric": metric, "value": value, "rows": len(rows), "change": asdict(found)}))


def answers(job: Job, task: str, numbers: np.ndarray, given: Mapping[str, AnyEncoder]) -> dict[str, np.ndarray]:
    """What a task's head says of some rows when these encoders stand in the place of their modalities'."""
    head, rows = open_head(job, task), [job.task_rows[number] for number in numbers]
    values = {name: modality_values(job.preparations[name], rows) for name in head.inputs}
    encoders = {name: given.get(name) or open_encoder(job, name, progress=SILENT, variant=PLAIN) for name in values}
    if not head.pooled:
        (name,) = head.inputs
        return head.over_values(values[name].values, preparation=job.preparations[name], encoder=encoders[name])
    embeddings = {
        name: embed_values(
            values[name], preparation=job.preparations[name], encoder=encoders[name], name=name, progress=SILENT
        ).vectors
        for name in head.inputs
    }
    return head(embeddings, {name: values[name].present for name in head.inputs})


def refusal(found: Mapping[str, Any], against: Mapping[str, Any], *, margin: float) -> str:
    """Why a variant is not released; empty where it may be."""
    for key, unit, better in (("rows_per_second", "rows/s", 1), ("p50_milliseconds", "ms a row", -1)):
        if (found[key] - against[key]) * better <= 0:
            return f"it is not faster ({found[key]:.3g} against {against[key]:.3g} {unit})"
    for task, one in found["metrics"].items():
        moved = one["change"]
        span = f"{moved['value']:+.4f}, from {moved['low']:+.4f} to {moved['high']:+.4f}"
        if moved["high"] < 0:
            return f"{task}.{one['metric']} is significantly worse ({span})"
        if moved["value"] < -margin:
            return f"{task}.{one['metric']} is worse by more than {margin:g} ({span})"
    return ""
