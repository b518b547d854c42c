"""Other wordings of a text's training rows: written once, and embedded where its encoder is frozen."""

from typing import TYPE_CHECKING

import numpy as np

from flows.modality_spec import Text
from flows.stages.encoders import embed_values, open_encoder
from flows.stages.job import Job, ModalityValues
from flows.variants_assembly import build_rewriter, rewriter_digest
from flows.variants_spec import Variants
from polyloom.home import home
from polyloom.progress import Progress
from training.embedding import EmbedReport, text_hash

if TYPE_CHECKING:
    from training.wordings import Wordings


def variants_of(job: Job, name: str) -> Variants | None:
    """What a modality says of other wordings."""
    modality = job.scenario.modalities[name]
    return modality.variants if isinstance(modality, Text) else None


def wordings(job: Job, name: str, given: Variants, *, progress: Progress) -> list[list[object | None]]:
    """Every task row's text, copy by copy: a training row's wordings, another row's own text."""
    from training.wordings import WordingCache, by_copy, wordings_of

    values = job.task_values(name)
    rows = [int(row) for row in job.split("train") if values.values[row] is not None]
    seed = job.scenario.recipe.seed
    written = wordings_of(
        [str(values.values[row]) for row in rows],
        [str(values.hashes[row]) for row in rows],
        rewriter=lambda: build_rewriter(given, seed=seed),
        cache=WordingCache(home() / "cache" / "wordings" / rewriter_digest(given, seed=seed)),
        name=f"write {name} otherwise",
        progress=progress,
    )
    every: list[Wordings | None] = [None] * len(values.values)
    for row, found in zip(rows, written, strict=True):
        every[row] = found
    return by_copy(every, values.values)


def embedded_wordings(job: Job, name: str, given: Variants, *, progress: Progress) -> EmbedReport:
    """The wordings through the frozen encoder, each text once, ever; `vectors` are [copies, rows, dim]."""
    encoder, preparation = open_encoder(job, name, progress=progress), job.preparations[name]
    reports = [
        embed_values(
            ModalityValues(copy, [None if text is None else text_hash(str(text)) for text in copy]),
            preparation=preparation,
            encoder=encoder,
            name=name,
            progress=progress,
        )
        for copy in wordings(job, name, given, progress=progress)
    ]
    return EmbedReport(
        vectors=np.stack([report.vectors for report in reports]),
        embedded=sum(report.embedded for report in reports),
        reused=sum(report.reused for report in reports),
    )
