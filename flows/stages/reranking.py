"""A given cross-encoder as a graph of the bundle, as it came: nothing here trains it."""

from pathlib import Path

from flows.stages.job import Job
from modalities.preparation.passages import PassagePreparation
from polyloom.progress import Progress
from releases.reranker import GRAPH

EXAMPLE = ["a passage that is long enough to be told from others", "short"]


def export_reranker(job: Job, folder: Path, *, progress: Progress) -> None:
    """Export the scenario's cross-encoder into `folder`, compared with torch; nothing where none is given."""
    settings = job.scenario.index and job.scenario.index.rerank
    if not settings:
        return
    from modalities.encoders.cross_encoder import build_cross_encoder
    from modalities.text_models import load_tokenizer
    from training.export import OneOutput, export_graph

    with progress.stage("export reranker", total=1, unit="graphs") as bar:
        tokenizer, padding_id = load_tokenizer(model=settings.model, weights=settings.weights)
        preparation = PassagePreparation(tokenizer=tokenizer, max_tokens=settings.max_tokens, padding_id=padding_id)
        encoder = build_cross_encoder(model=settings.model, weights=settings.weights)
        folder.mkdir(parents=True)
        arrays = preparation("a question", EXAMPLE)
        example = {name: arrays[name] for name in encoder.reads}
        export_graph(OneOutput(encoder), example=example, outputs=["score"], path=folder / GRAPH)
        preparation.save(folder)
        bar.advance(1)
