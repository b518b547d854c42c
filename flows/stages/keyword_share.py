"""How much words count beside vectors, learned from questions whose answers are known."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from flows.stages.encoders import AnyEncoder, embed_values
from flows.stages.job import Job, modality_values
from polyloom.progress import Progress
from retrieval.hybrid import judged
from retrieval.joining import USUAL_SHARE, learn_share
from retrieval.live import open_index

# As many candidates of each ranking as a search joins.
DEPTH = 100


def keyword_share(
    job: Job, index: Path, encoders: dict[str, AnyEncoder], digests: dict[str, str], *, progress: Progress
) -> dict[str, Any]:
    """The share of keyword scores in one ranking with cosines, and why; the usual one where nothing tells.

    Questions of the test split are left out, where there are splits: what they are worth is to be measured by them.
    """
    settings = job.scenario.index
    worded = worded_modality(job)
    if settings is None or settings.queries is None or not settings.keyword or worded is None:
        return {"share": USUAL_SHARE, "why": "no questions to learn from"}
    asked = settings.queries
    relevant: dict[str, set[str]] = defaultdict(set)
    for row in job.rows(asked.rows):
        text, item = row.get(asked.text), row.get(asked.item)
        if row.get("_split") != "test" and isinstance(text, str) and item is not None:
            relevant[text].add(str(item))
    column = job.preparations[worded].columns[0]  # type: ignore[attr-defined]
    values = modality_values(job.preparations[worded], [{column: text} for text in relevant])
    vectors = embed_values(
        values, preparation=job.preparations[worded], encoder=encoders[worded], name=worded, progress=progress
    ).vectors
    snapshot = open_index(index, encoders=digests, trusted=True)
    known = [
        judged(snapshot, worded, query=vectors[place], words=text, relevant=items, depth=DEPTH)
        for place, (text, items) in enumerate(relevant.items())
    ]
    learned = learn_share(known, usual=USUAL_SHARE)
    progress.log(learned.why)
    return {"share": learned.share, "why": learned.why, "queries": learned.queries}


def worded_modality(job: Job) -> str | None:
    """The modality of the index whose cosines are joined with keyword scores: the first that reads text as such."""
    embed = job.scenario.index.embed if job.scenario.index else ()
    return next((name for name in embed if job.preparations[name].kind == "text"), None)
