"""The index of a release: vectors of every item by modality and by alignment, their words, and their columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flows.scenario_columns import task_inputs
from flows.stages.encoders import AnyEncoder, embed_values
from flows.stages.job import Job
from flows.stages.keyword_share import keyword_share
from heads.onnx_sides import OnnxSide, side_graph
from modalities.encoders.onnx import open_session
from modalities.preparation.protocol import text_value
from polyloom.durable import file_digest, json_digest
from polyloom.progress import Progress
from retrieval.items import Field, Items
from retrieval.live import publish_index

# What of ingestion's own columns an index keeps: the key, the split, and by what it is seen that a row changed.
KEPT = ("_key", "_split", "_hash")


def build_index(job: Job, folder: Path, encoders: Mapping[str, AnyEncoder], *, progress: Progress) -> dict[str, Any]:
    """Publish the index over the scenario's rows in `folder`; gives its counts, nothing where none is asked for."""
    settings = job.scenario.index
    if settings is None:
        return {}
    table = job.snapshot.table(settings.rows)
    report: dict[str, Any] = {"rows": len(table), "modalities": {}}
    vectors: dict[str, np.ndarray] = {}
    for name in dict.fromkeys([*settings.embed, *settings.align.values()]):
        given = job.values(name, settings.rows)
        embedded = embed_values(
            given, preparation=job.preparations[name], encoder=encoders[name], name=name, progress=progress
        )
        vectors[name] = embedded.vectors
        counts = {"vectors": int(known(embedded.vectors).sum())}
        report["modalities"][name] = counts | {"embedded": embedded.embedded, "reused": embedded.reused}
    digests = {name: encoder.digest for name, encoder in encoders.items()}
    fields = {name: Field(digests[name], vectors[name].shape[1]) for name in settings.embed}
    own = {name: vectors[name] for name in settings.embed}
    for task, side in settings.align.items():
        own[task] = aligned(job, task, side, vectors[side])
        fields[task] = Field(alignment_digest(job, task, digests), own[task].shape[1])
    words = list(job.scenario.data[settings.rows].text) if settings.keyword else None
    if settings.keyword:
        report["keyword"] = True
    with progress.stage("index", total=len(table), unit="items") as bar:
        items = items_of(table, vectors=own, words=words)
        publish_index(folder, items, fields=fields, keyword=settings.keyword, kind=settings.kind, memory=memory(job))
        bar.advance(len(table))
    if settings.keyword:
        known_encoders = {name: field.encoder_digest for name, field in fields.items()}
        report["fusion"] = keyword_share(job, folder, dict(encoders), known_encoders, progress=progress)
    return report


def items_of(table: pa.Table, *, vectors: Mapping[str, np.ndarray], words: Sequence[str] | None) -> Items:
    """Rows of a snapshot's table as an index takes them; `words` are the columns that are searched by words."""
    internal = [name for name in table.column_names if name.startswith("_") and name not in KEPT]
    texts = None if words is None else [text_value(row, list(words)) or "" for row in table.select(words).to_pylist()]
    return Items(
        ids=table["_key"].to_pylist(),
        vectors=vectors,
        # A text without a letter embeds to nothing, and nothing can be near it.
        present={name: known(given) for name, given in vectors.items()},
        rows=table.drop_columns(internal).replace_schema_metadata(None),
        texts=texts,
    )


def known(vectors: np.ndarray) -> np.ndarray:
    """Which of the vectors are of something, bool [rows]."""
    return np.asarray(np.any(vectors != 0, axis=1))


def aligned(job: Job, task: str, side: str, embeddings: np.ndarray) -> np.ndarray:
    """Embeddings of one side of an alignment in the space that both sides share; zeros where nothing is."""
    project = OnnxSide(open_session(side_graph(job.folder / "heads" / task, task_inputs(job.scenario, task), side)))
    there = known(embeddings)
    found = np.zeros((len(embeddings), project.dim), np.float32)
    if there.any():
        found[there] = project(embeddings[there])
    return found


def alignment_digest(job: Job, task: str, digests: Mapping[str, str]) -> str:
    """What vectors in the space of an alignment depend on: both encoders and both projections."""
    inputs = task_inputs(job.scenario, task)
    graphs = [file_digest(side_graph(job.folder / "heads" / task, inputs, name)) for name in inputs]
    return json_digest({"encoders": [digests[name] for name in inputs], "sides": graphs})


def memory(job: Job) -> int | None:
    """How many bytes each field of the index may take."""
    settings = job.scenario.index
    return None if settings is None or settings.memory_mib is None else settings.memory_mib * 2**20
