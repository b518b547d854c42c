"""Frozen encoders over all rows, before the fit: each content is embedded once, ever."""

from typing import Any

from flows.assembly import has_encoder, is_live
from flows.stages.encoders import embed_values, open_encoder
from flows.stages.job import Job
from polyloom.progress import Progress


def embed_frozen(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Fill the embedding cache for every encoder that is not trained; says how many rows were computed."""
    done = job.finished("embed")
    if done is not None:
        return {name: {**counts, "embedded": 0} for name, counts in done.items()}
    frozen = [
        name
        for name, modality in job.scenario.modalities.items()
        if has_encoder(modality) and not is_live(job.scenario, name)
    ]
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
    return {"embedded": sum(report.embedded for report in reports), "reused": sum(report.reused for report in reports)}
