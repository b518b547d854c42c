"""Encoders of a run: what identifies them, their exported graphs, and embeddings through these."""

import functools
import hashlib
import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from flows.assembly import build_encoder, has_encoder, kept_layers
from flows.modality_spec import Image, Text
from flows.stages.fitted import added_weights, encoder_files, encoder_strategy, load_encoder
from flows.stages.job import Job, ModalityValues
from flows.stages.pretrained import pretrained_weights, starting_encoder
from flows.stages.variant import PLAIN, Variant, calibration_values, variant_of
from flows.strategies import attach_strategy
from flows.task_reads import gives_maps
from flows.zero_shot import hypotheses_of
from modalities.encoders.onnx import OnnxEncoder, VectorEncoder
from modalities.preparation.protocol import Arrays, Preparation
from modalities.weights import PACKAGED
from polyloom.durable import file_digest, json_digest, publish_folder, read_json, write_json
from polyloom.home import home
from polyloom.progress import Progress
from training.embedding import EmbeddingCache, EmbedReport, embed

if TYPE_CHECKING:
    from torch import nn


# How many validation rows a variant is compared with the plain graph on.
COMPARED = 256


class AnyEncoder(Protocol):
    """An encoder with the digest of what its embeddings depend on."""

    digest: str
    dim: int
    batch_size: int

    def __call__(self, arrays: Arrays) -> np.ndarray:
        """The pooled embedding [batch, dim]."""

    def named(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """All embeddings by name."""


def encoder_digest(job: Job, name: str, variant: Variant | None = None) -> str:
    """What an encoder's embeddings depend on, as one hash: model, weights, pooling, variant and preparation.

    Column names are left out, so that scenarios share embeddings of the same values.
    """
    prepared = preparation_digest(job.folder / "preparation" / name)
    return json_digest({**graph_facts(job, name, variant), "preparation": prepared})


def graph_facts(job: Job, name: str, variant: Variant | None = None) -> dict[str, Any]:
    """What an encoder's graph depends on, whatever is prepared for it; of the chosen variant where none is given."""
    modality = job.scenario.modalities[name]
    if not isinstance(modality, Image | Text):
        return {"kind": modality.kind}
    chosen = variant or variant_of(job, name)
    plain = plain_facts(job, name, modality)
    return plain if chosen == PLAIN else {**plain, **chosen.facts(job, name)}


def plain_facts(job: Job, name: str, modality: Image | Text) -> dict[str, Any]:
    """What an encoder's graph in full precision depends on."""
    weights = fitted_digest(job, name) or starting_digest(job, name, modality)
    pooling = modality.pooling if isinstance(modality, Text) else None
    facts = {"kind": modality.kind, "model": modality.model, "weights": weights, "pooling": pooling}
    if not isinstance(modality, Text):
        return {**facts, "outputs": "all"} if gives_maps(job.scenario, name) else facts
    # Pairs are read in windows of a length that is fixed in the graph.
    window = {"window": modality.max_tokens} if modality.form == "pair" else {}
    if modality.form == "entailment":
        return {**facts, "form": modality.form, "hypotheses": len(hypotheses_of(job.scenario, name))}
    layers = kept_layers(modality)
    kept = {} if layers is None else {"layers": layers}
    # Graphs of before gave the pooled embedding alone.
    return {**facts, "outputs": "all", **window, **kept}


def graph_folder(job: Job, name: str, variant: Variant | None = None) -> Path:
    """Where an encoder's exported graph is kept: made once for all scenarios that use the encoder."""
    # A picture's size is fixed in the graph, a text's length is not.
    size = getattr(job.preparations[name], "size", None)
    return home() / "cache" / "graphs" / json_digest({**graph_facts(job, name, variant), "size": size})


def preparation_digest(folder: Path) -> str:
    """The preparation's settings and files, without the names of the columns that it reads."""
    settings = read_json(folder / "preparation.json")
    kept = {key: value for key, value in settings.items() if key not in {"column", "columns"}}
    files = {path.name: file_digest(path) for path in sorted(folder.iterdir()) if path.name != "preparation.json"}
    return json_digest({"settings": kept, "files": files})


def fitted_digest(job: Job, name: str) -> str:
    """SHA-256 over the weights that the fit left; empty where it left none, or has not ended."""
    digests = [file_digest(path) for path in encoder_files(job.folder, name)]
    return digests[0] if len(digests) == 1 else json_digest(digests) if digests else ""


def starting_digest(job: Job, name: str, modality: Image | Text) -> str:
    """What identifies weights that the fit leaves as they are."""
    pretrained = pretrained_weights(job, name)
    return weights_digest(modality, seed=job.scenario.recipe.seed) if pretrained is None else file_digest(pretrained)


def weights_digest(modality: Image | Text, *, seed: int) -> str:
    """What identifies weights that are used as they are."""
    if modality.weights == "packaged" and modality.model in PACKAGED:
        return PACKAGED[modality.model].sha256
    return state_digest(modality, seed=seed)


@functools.cache
def state_digest(modality: Image | Text, *, seed: int) -> str:
    """SHA-256 over an encoder's tensors."""
    content = hashlib.sha256()
    for name, tensor in build_encoder(modality, seed=seed).state_dict().items():
        content.update(name.encode())
        content.update(tensor.contiguous().numpy().tobytes())
    return content.hexdigest()


def open_encoder(job: Job, name: str, *, progress: Progress, variant: Variant | None = None) -> AnyEncoder:
    """The encoder as it will be released, or a given variant of it; its graph is exported once."""
    digest = encoder_digest(job, name, variant)
    if not has_encoder(job.scenario.modalities[name]):
        preparation: Any = job.preparations[name]
        return VectorEncoder(digest=digest, dim=preparation.dim)
    chosen = variant or variant_of(job, name)
    folder = made_graph(job, name, chosen, progress=progress)
    if chosen == PLAIN and importlib.util.find_spec("torch") and nvidia_driver():
        return on_device(job, name, digest=digest)
    return OnnxEncoder(folder, digest=digest)


def made_graph(job: Job, name: str, variant: Variant, *, progress: Progress) -> Path:
    """The folder of a variant's graph, which is made where nobody has yet."""
    folder = graph_folder(job, name, variant)
    if (folder / "encoder.json").is_file():
        return folder
    if variant == PLAIN:
        export(job, name, folder=folder, progress=progress)
    else:
        export_variant(job, name, variant, folder=folder, progress=progress)
    return folder


def nvidia_driver() -> bool:
    """Whether importing torch to look for a GPU is worth its seconds."""
    return Path("/proc/driver/nvidia/version").exists() or bool(shutil.which("nvidia-smi"))


def on_device(job: Job, name: str, *, digest: str) -> AnyEncoder:
    """The encoder in torch on the GPU, which embeds faster there than its graph on the CPU."""
    from modalities.encoders.device import DeviceEncoder
    from training.device import place

    return DeviceEncoder(loaded_encoder(job, name), digest=digest, device=place("fp32").device)


def loaded_encoder(job: Job, name: str) -> "nn.Module":
    """The encoder in torch: as the fit left it, as it was pretrained here, or as its weights came."""
    from safetensors.torch import load_file

    encoder = starting_encoder(job, name)
    load_encoder(encoder, job.folder, name)
    added = added_weights(job.folder, name)
    if added.is_file():
        from training.strategies.weights import load_added

        attach_strategy(job.scenario, name, encoder, strategy=encoder_strategy(job.folder, name))
        load_added(encoder, load_file(added))
    return encoder


def export(job: Job, name: str, *, folder: Path, progress: Progress) -> None:
    """Export an encoder, fitted or as it came, and compare it with torch."""
    from training.export import export_encoder

    with progress.stage(f"export {name}", total=None, unit="graphs") as bar, publish_folder(folder) as draft:
        encoder = loaded_encoder(job, name)
        difference = export_encoder(
            encoder,
            example=example(job, name),
            folder=draft,
            dim=int(encoder.dim),  # type: ignore[arg-type]
        )
        bar.say(f"differs from torch by {difference:.1e}")


def export_variant(job: Job, name: str, variant: Variant, *, folder: Path, progress: Progress) -> None:
    """Make a smaller graph out of the plain one, and compare the two on rows that it was not made by."""
    from training.quantisation import graph_difference, quantise

    plain = made_graph(job, name, PLAIN, progress=progress)
    with progress.stage(f"{variant.name}: {name}", total=None, unit="graphs") as bar, publish_folder(folder) as draft:
        if variant.int8 is None:
            shutil.copy(plain / "model.onnx", draft / "model.onnx")
        else:
            values = [value for value, _ in calibration_values(job, name)] if variant.int8 == "static" else []
            batches = batches_of(values, preparation=job.preparations[name])
            quantise(plain / "model.onnx", kind=variant.int8, calibration=batches, target=draft / "model.onnx")
        held_out = batches_of(split_values(job, name, "validation")[:COMPARED], preparation=job.preparations[name])
        difference = graph_difference(plain / "model.onnx", draft / "model.onnx", held_out, runtime=variant.runtime)
        facts = {**read_json(plain / "encoder.json"), **vars(variant), "parity": difference}
        write_json(draft / "encoder.json", facts)
        bar.say(f"1 - cosine to the plain graph is {difference:.1e}")


def batches_of(values: Sequence[object], *, preparation: Preparation) -> list[Arrays]:
    """Values prepared in batches, those of like length together."""
    lengths = getattr(preparation, "lengths", None)
    order = np.argsort(lengths(values), kind="stable") if lengths and values else np.arange(len(values))
    size = OnnxEncoder.batch_size
    return [
        preparation([values[place] for place in order[start : start + size]]) for start in range(0, len(order), size)
    ]


def split_values(job: Job, name: str, split: str) -> list[object]:
    """A modality's values in the task rows of a split, without the missing ones."""
    given = job.task_values(name).values
    return [given[row] for row in job.split(split) if given[row] is not None]


def example(job: Job, name: str) -> Arrays:
    """Two values of the data, as the graph's example input."""
    known = [value for value in job.task_values(name).values if value is not None]
    return job.preparations[name]((known * 2)[:2] if len(known) < 2 else known[:2])


def embed_values(
    given: ModalityValues, *, preparation: Preparation, encoder: AnyEncoder, name: str, progress: Progress
) -> EmbedReport:
    """Vectors of all rows, zeros where the modality is missing; computed once for each content and encoder."""
    places = np.flatnonzero(given.present)
    values = [given.values[place] for place in places]
    result = np.zeros((len(given.values), encoder.dim), dtype=np.float32)
    if isinstance(encoder, VectorEncoder):
        result[places] = preparation(values)["vector"] if len(places) else 0.0
        return EmbedReport(vectors=result, embedded=0, reused=0)
    report = embed(
        values,
        [str(given.hashes[place]) for place in places],
        prepare=preparation,
        encode=encoder,
        dim=encoder.dim,
        cache=EmbeddingCache(home() / "cache" / "embeddings" / encoder.digest),
        batch_size=encoder.batch_size,
        lengths=getattr(preparation, "lengths", None),
        name=f"embed {name}",
        progress=progress,
    )
    result[places] = report.vectors
    return EmbedReport(vectors=result, embedded=report.embedded, reused=report.reused)
