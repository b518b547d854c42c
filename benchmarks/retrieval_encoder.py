"""MiniLM as a run of polyloom has it: prepared, exported, and its vectors of texts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from flows.stages.job import Job
    from flows.stages.variant import Variant
    from modalities.encoders.onnx import OnnxEncoder

TEXT = "text"
# As long as sentence-transformers reads.
MAX_TOKENS = 256
SCENARIO: dict[str, Any] = {
    "name": "retrieval",
    "title": "Texts that are searched",
    "data": {
        "texts": {
            "kind": "table",
            "path": "texts.jsonl",
            "key": "id",
            "text": ["text"],
            "columns": {"set": "category"},
        },
    },
    "modalities": {
        TEXT: {
            "kind": "text",
            "model": "sentence-transformers/all-MiniLM-L6-v2",
            "weights": "packaged",
            "max_tokens": MAX_TOKENS,
        },
    },
    "tasks": {"set": {"kind": "classification", "target": "set"}},
    "gate": {"metric": "set.accuracy"},
}


def prepared_job(folder: Path, texts: Sequence[str]) -> "Job":
    """A run over texts as far as their preparation; nothing is fitted, for the encoder stays as it came."""
    from flows.scenario_file import load_scenario
    from flows.stages.ingest import ingest
    from flows.stages.job import Job
    from flows.stages.prepare import prepare
    from polyloom.progress import SILENT

    folder.mkdir(parents=True)
    rows = [
        {"id": str(number), "text": text, "set": "odd" if number % 2 else "even"} for number, text in enumerate(texts)
    ]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    path = folder / "retrieval.yaml"
    path.write_text(yaml.safe_dump(SCENARIO, sort_keys=False), encoding="utf-8")
    snapshot = str(ingest(load_scenario(str(path)), progress=SILENT).folder)
    job = Job.load({"scenario": str(path), "overrides": [], "snapshot": snapshot, "fingerprint": "retrieval-quality"})
    prepare(job, progress=SILENT)
    return job


def graph_encoder(job: "Job", variant: "Variant | None" = None) -> "OnnxEncoder":
    """The exported graph, or a variant of it, on the CPU."""
    from flows.stages.encoders import encoder_digest, made_graph
    from flows.stages.variant import PLAIN
    from modalities.encoders.onnx import OnnxEncoder
    from polyloom.progress import SILENT

    folder = made_graph(job, TEXT, variant or PLAIN, progress=SILENT)
    return OnnxEncoder(folder, digest=encoder_digest(job, TEXT, variant))


def unit_vectors(job: "Job", texts: Sequence[str], *, variant: "Variant | None" = None) -> np.ndarray:
    """Unit vectors [texts, dim], zeros for a blank text; each different text is embedded once."""
    return at_length_one(embedded(job, texts, encoder=graph_encoder(job, variant)))


def embedded(job: "Job", texts: Sequence[str], *, encoder: "OnnxEncoder") -> np.ndarray:
    """Vectors [texts, dim] as a run makes and keeps them: tokenised, those of like length together."""
    from flows.stages.encoders import embed_values
    from flows.stages.job import modality_values
    from polyloom.progress import SILENT

    preparation = job.preparations[TEXT]
    given = modality_values(preparation, [{"text": text} for text in texts])
    return embed_values(given, preparation=preparation, encoder=encoder, name=TEXT, progress=SILENT).vectors


def at_length_one(vectors: np.ndarray) -> np.ndarray:
    """Vectors [rows, dim] scaled to length 1; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1.0, lengths))


def peer() -> "SentenceTransformer":
    """The same weights in sentence-transformers, which the package that carries them brings along."""
    from sentence_transformers import SentenceTransformer

    from modalities.weights import packaged_folder

    return SentenceTransformer(str(packaged_folder(SCENARIO["modalities"][TEXT]["model"])), device="cpu")
