"""Answers out of a release: what its index finds for a question, how sure that is, and from where on to answer.

The same code chooses the threshold when a release is made, and answers afterwards.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalities.preparation.protocol import text_value
from polyloom.durable import read_json
from polyloom.errors import RequestError
from releases.found import Hit, Wishes
from releases.generators import installed
from releases.reading import rarity, reader
from retrieval.answering.asking import Answered, Answering, Generate
from retrieval.answering.candidates import Candidate
from retrieval.answering.confidence import Confidence
from retrieval.answering.conversation import Conversation
from retrieval.answering.selective import Threshold
from retrieval.answering.templates import parse_template

if TYPE_CHECKING:
    from releases.runtime import Runtime

RECORD = "answering.json"
# The columns of a passage that say where it stands.
PLACE = {"source": "document", "start": "start", "end": "end", "page": "page"}
ALL_LABELS = 1_000_000


def ask(
    runtime: "Runtime",
    folder: Path,
    question: str,
    *,
    conversation: Conversation | None,
    k: int,
    generate: Generate | None,
) -> Answered:
    """An answer or a hand-over; the scenario's generator writes where no other is given, if it is installed here."""
    name, note = runtime.facts["answer"].get("generator"), None
    if generate is None and name:
        generate, note = installed(name)
    found = answering(runtime, folder, generate=generate).ask(question, conversation=conversation, k=k)
    if note is None or found.text is None:
        return found
    return replace(found, note=f"{found.note} {note}" if found.note else note)


def answering(runtime: "Runtime", folder: Path, *, generate: Generate | None = None) -> Answering:
    """What answers questions to a release that was made for it, by the promise that lies in the folder."""
    record = read_json(folder / RECORD)
    return Answering(
        retrieve=lambda question, count: candidates(runtime, question, count=count),
        read=reader(runtime),
        confidence=Confidence.from_json(record["confidence"]),
        threshold=Threshold.from_json(record["threshold"]),
        rarity=rarity(runtime),
        generate=generate,
    )


def candidates(
    runtime: "Runtime", question: str, *, count: int, learned: bool = False, but: Collection[str] = ()
) -> list[Candidate]:
    """What the index finds for a question, best first; with `learned` only training rows, and none of `but`.

    Where a task says which answer fits, they stand in the order of its probabilities, which then are their scores.

    An item without an answer, such as a question that is not for us, is found as others are, and leads to none.
    """
    try:
        hits = runtime.find(Wishes(k=count, grouped=False), text=question, learned=learned, but=but).hits
    except RequestError:
        # Nothing in the question is a word that the index or its encoders know.
        return []
    rows = runtime.searcher.snapshot.rows([hit.id for hit in hits])
    found = [candidate(hit, rows[hit.id], facts=runtime.facts) for hit in hits]
    task = runtime.facts["answer"]["task"]
    return found if task is None else by_probability(runtime, task, question, found)


def by_probability(runtime: "Runtime", task: str, question: str, found: list[Candidate]) -> list[Candidate]:
    """The candidates with the probability of the answer that each leads to as its score, best first."""
    (prediction,) = runtime.predict([runtime.row(text=question)], top=ALL_LABELS)
    likely = prediction.answers[task].probabilities
    scored = [replace(one, score=likely.get(one.leads_to, 0.0)) for one in found]
    return sorted(scored, key=lambda one: -one.score)


def candidate(hit: Hit, row: Mapping[str, Any], *, facts: Mapping[str, Any]) -> Candidate:
    """A hit as something that may answer, with its place in a document where it has one."""
    index = facts["index"]
    text = text_value(row, list(index["words"])) or ""
    group = row.get(index["group"]) if index["group"] else None
    place = {"source": index["rows"], "start": 0, "end": len(text), "page": None}
    if facts["answer"].get("places"):
        place |= {name: row[column] for name, column in PLACE.items() if row.get(column) is not None}
    return Candidate(
        id=hit.id,
        source=str(place["source"]),
        start=int(place["start"]),
        end=int(place["end"]),
        text=text,
        score=hit.score,
        cosine=max(hit.cosines.values(), default=0.0),
        keyword=sum(hit.terms.values()),
        page=None if place["page"] is None else int(place["page"]),
        answer=None if group is None else str(group),
        reply=reply(row, facts["answer"]),
    )


def reply(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str | None:
    """A row's prepared answer: a column, or a sentence with its columns filled in; None where it has none."""
    if settings.get("read"):
        return None
    if settings["template"]:
        return parse_template(settings["template"]).fill(row)
    value = row.get(settings["reply"])
    return str(value) if value else None
