"""Frozen encoders over all rows, before the fit: each content is embedded once, ever."""

from typing import Any

from flows.assembly import has_encoder
from flows.stages.encoders import embed_values, open_encoder
from flows.stages.job import Job
from flows.stages.wordings import embedded_wordings, variants_of, wordings
from flows.strategies import fit_plans, is_live
from polyloom.progress import Progress


def embed_frozen(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Fill the embedding cache for every encoder that some fit leaves as it is; says how many rows were computed.

    Other wordings of texts are written here too, for encoders that are trained as well: before processes fit together.
    """
    done = job.finished("embed")
    if done is not None:
        return {name: {**counts, "embedded": 0} for name, counts in done.items()}
    plans = fit_plans(job.scenario)
    frozen = [
        name
        for name, modality in job.scenario.modalities.items()
        if has_encoder(modality) and not all(is_live(job.scenario, name, plan) for plan in plans)
    ]
    for name in job.scenario.modalities:
        variants = variants_of(job, name)
        if variants is not None:
            wordings(job, name, variants, progress=progress)
    return job.finish("embed", {name: embed_tables(job, name, progress=progress) for name in frozen})


def embed_tables(job: Job, name: str, *, progress: Progress) -> dict[str, int]:
    """Embed one modality of all tables."""
    encoder = open_encoder(job, name, progress=progress)
    reports = [
        embed_values(
            job.values(name, table),
            preparation=job.preparations[name],
            encoder=encoder,
            name=name,
            progress=progress,
        )
        for table in job.tables
    ]
    variants = variants_of(job, name)
    if variants is not None:
        reports.append(embedded_wordings(job, name, variants, progress=progress))
    return {"embedded": sum(report.embedded for report in reports), "reused": sum(report.reused for report in reports)}
