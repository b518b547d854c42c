"""How long a fit's graphs take for a row beside the baseline's: they take turns, whatever else the machine does."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from flows.assembly import has_encoder
from flows.stages.encoders import made_graph, split_values
from flows.stages.job import Job
from flows.stages.variant import variant_of
from modalities.encoders.onnx import OnnxEncoder
from modalities.preparation.protocol import Arrays
from polyloom.durable import publish_folder, read_json, write_json
from polyloom.progress import SILENT

GRAPHS, ROWS = "graphs.json", 16
ROUNDS = 5
Prepared = Mapping[str, Sequence[Arrays]]


def keep_reference(job: Job, folder: Path) -> None:
    """Note the baseline's graphs, and some rows prepared for them, for later fits to be timed beside."""
    with publish_folder(folder) as draft:
        write_json(draft / GRAPHS, {name: str(graph) for name, graph in graph_folders(job).items()})
        for name, singles in prepared(job).items():
            for number, arrays in enumerate(singles):
                np.savez(draft / f"{name}.{number}.npz", **arrays)  # type: ignore[arg-type]


def pace(job: Job, reference: Path) -> float | None:
    """A fit's milliseconds for a row as a share of the baseline's; None without graphs, or if those are gone."""
    if not reference.is_dir():
        return None
    kept: dict[str, str] = read_json(reference / GRAPHS)
    if not kept or not all((Path(folder) / "encoder.json").is_file() for folder in kept.values()):
        return None
    theirs = {name: OnnxEncoder(Path(folder), digest="") for name, folder in kept.items()}
    ours = {name: OnnxEncoder(folder, digest="") for name, folder in graph_folders(job).items()}
    their_rows = {name: [dict(np.load(path)) for path in sorted(reference.glob(f"{name}.*.npz"))] for name in kept}
    our_rows = prepared(job)
    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(ROUNDS + 1):
        for place in range(ROWS):
            for side, encoders, rows in (("theirs", theirs, their_rows), ("ours", ours, our_rows)):
                one = seconds(encoders, rows, place)
                if number:
                    taken[side].append(one)
    return float(np.median(taken["ours"]) / np.median(taken["theirs"]))


def seconds(encoders: Mapping[str, OnnxEncoder], rows: Prepared, place: int) -> float:
    """How long the encoders take for one row."""
    started = time.perf_counter()
    for name, encoder in encoders.items():
        if rows[name]:
            encoder(rows[name][place % len(rows[name])])
    return time.perf_counter() - started


def prepared(job: Job) -> dict[str, list[Arrays]]:
    """Some validation rows, each prepared alone for its encoder."""
    return {
        name: [job.preparations[name]([value]) for value in split_values(job, name, "validation")[:ROWS]]
        for name in graph_folders(job)
    }


def graph_folders(job: Job) -> dict[str, Path]:
    """The graphs that a release of this fit would hold, by modality."""
    return {
        name: made_graph(job, name, variant_of(job, name), progress=SILENT)
        for name, given in job.scenario.modalities.items()
        if has_encoder(given)
    }
