"""What must hold for the section `index`."""

from collections.abc import Iterator

from flows.scenario_columns import task_inputs
from flows.source_checks import unknown
from flows.spec import Index, Scenario
from releases.reranker import RERANK
from retrieval.words import KEYWORD


def index_problems(scenario: Scenario) -> Iterator[str]:
    """An index over rows, modalities or columns that are not there."""
    index = scenario.index
    if index is None:
        return
    if index.rows not in scenario.data:
        yield unknown("index.rows", index.rows, scenario.data)
        return
    columns = scenario.data[index.rows].column_names()
    group = [index.group] if index.group else []
    rankings = [*index.embed, *index.align, *([KEYWORD] if index.keyword else [])]
    read_again = [RERANK] if index.rerank else []
    for place, given, known in (
        ("index.embed", index.embed, scenario.modalities),
        ("index.align", index.align, [name for name, task in scenario.tasks.items() if task.kind == "alignment"]),
        ("index.weights", index.weights, rankings),
        ("index.show", index.show, columns),
        ("index.group", group, columns),
    ):
        yield from (unknown(place, name, known) for name in given if name not in known)
    yield from query_problems(scenario)
    yield from milvus_problems(index)
    if index.rerank and not scenario.data[index.rows].text:
        yield f"index.rerank: data.{index.rows} names no text to be read. Add `text: [COLUMN]` to it."
    if index.keyword and not scenario.data[index.rows].text:
        yield f"index.keyword: data.{index.rows} names no text to take words from. Add `text: [COLUMN]` to it."
    if not rankings:
        yield "index.embed: empty, so nothing could be found. Name a modality, or add `keyword: true`."
    for name in {one for one in rankings if [*rankings, *read_again].count(one) > 1}:
        yield (
            f"index.embed: {name!r} would name two rankings: modalities, alignments and {KEYWORD!r}, the ranking by "
            "words, need names of their own. Call one of them otherwise."
        )
    for task, side in index.align.items():
        if task in scenario.tasks and side not in (inputs := task_inputs(scenario, task)) and len(inputs) == 2:
            yield unknown(f"index.align.{task}", side, inputs)


def milvus_problems(index: Index) -> Iterator[str]:
    """What an index in Milvus cannot do, and addresses that lead nowhere."""
    if index.milvus is None:
        return
    if not index.milvus.endswith(".db") and not index.milvus.startswith(("http://", "https://")):
        yield f"index.milvus: {index.milvus!r} is no address. Write http://host:port, or a path that ends in .db."
    if index.keyword:
        yield "index.milvus: nothing is searched by words there. Drop `keyword: true`, or `milvus`."
    if index.kind == "ivf_pq" and index.milvus.endswith(".db"):
        yield "index.kind: the edition of Milvus inside the process has no ivf_pq. Write ivf_sq8, or name a server."
    if index.memory_mib is not None:
        yield "index.memory_mib: it is for vectors on this machine, and `milvus` puts them elsewhere. Drop one."


def query_problems(scenario: Scenario) -> Iterator[str]:
    """Questions that cannot be asked of the index."""
    index = scenario.index
    if index is None or index.queries is None:
        return
    if not index.keyword:
        yield "index.queries: they tell how much words count, and the index has none. Add `keyword: true`."
    if index.queries.rows not in scenario.data:
        yield unknown("index.queries.rows", index.queries.rows, scenario.data)
        return
    columns = scenario.data[index.queries.rows].column_names()
    for place, name in (("text", index.queries.text), ("item", index.queries.item)):
        if name not in columns:
            yield unknown(f"index.queries.{place}", name, columns)
