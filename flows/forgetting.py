"""`polyloom forget`: an item leaves snapshots, quarantine, pictures, caches, runs and journals; releases are listed."""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flows.assembly import table_sources
from flows.indexing.place import forget_in_indexes
from flows.indexing.uses import forget_in_uses
from flows.ingested import scenario_folder
from flows.modality_spec import Characters, Text
from flows.released_rows import released_pictures, releases_with
from flows.scenario_columns import modality_columns
from flows.scenario_file import LoadedData, load_data_scenario
from flows.spec import Scenario
from ingestion.barred import reference_columns
from ingestion.collection import remove_draft
from ingestion.forget import Forgot, Found, forget
from modalities.preparation.protocol import text_value
from polyloom.durable import locked, replace_file
from polyloom.errors import RequestError, ScenarioError
from polyloom.home import home
from polyloom.progress import Progress
from training.embedding import text_hash

Result = dict[str, Any]
REMOVED = "[forgotten]"
# A shorter text would be found inside words that have nothing to do with it.
SHORTEST_TEXT = 4


def forget_items(given: str, keys: Sequence[str], *, progress: Progress) -> Result:
    """Remove items by their keys, and say what left and which releases learned from them.

    Raises RequestError for a key that no row has.
    """
    loaded = find_data(given)
    name = loaded.scenario.name if loaded else given
    folder = scenario_folder(name)
    if not (folder / "current.json").is_file():
        raise RequestError(f"{name} was never ingested, so it holds nothing to forget. Next: polyloom ingest {name}")
    sources = table_sources(loaded.scenario, beside=loaded.path.parent) if loaded else []
    with ExitStack() as stack:
        for lock in (f"run-{name}", f"ingest-{name}", f"index-{name}"):
            said = functools.partial(progress.log, f"waiting: {name} is being run, ingested or indexed")
            stack.enter_context(locked(home() / "locks" / lock, waiting=said))
        cleaned: Result = {}

        def clean(found: Found) -> None:
            cleaned.update(clean_caches(name, found, keys, loaded))

        forgot = forget(
            folder,
            keys,
            blobs=home() / "blobs",
            references={source.name: reference_columns(source) for source in sources},
            pictures=released_pictures(but=keys, of=name),
            clean=clean,
            progress=progress,
        )
    releases = releases_with(name, keys, snapshots=forgot.held_by)
    return summary(name, forgot, cleaned, [asdict(release) for release in releases])


def find_data(given: str) -> LoadedData | None:
    """What a scenario's file says about its data; None where only the name of an ingested scenario was given."""
    try:
        return load_data_scenario(given)
    except ScenarioError:
        if given.endswith((".yaml", ".yml")) or not scenario_folder(given).is_dir():
            raise
        return None


def summary(name: str, forgot: Forgot, cleaned: Result, releases: list[Result]) -> Result:
    """What the command line and `--json` show."""
    return {
        "scenario": name,
        "status": "forgotten",
        "removed": {
            "rows": dict(forgot.rows),
            "quarantined": forgot.refused,
            "replayed": forgot.replayed,
            "pictures": forgot.pictures,
            **cleaned,
        },
        "snapshots": dict(forgot.snapshots),
        "sources": list(forgot.places),
        "releases": releases,
    }


def clean_caches(name: str, found: Found, keys: Sequence[str], loaded: LoadedData | None) -> Result:
    """Take the items out of the embedding caches, the scenario's unreleased runs, its journals and its data cards."""
    hashes = {*found.pictures, *map(text_hash, item_texts(found.rows, loaded))}
    return {
        "embeddings": remove_embeddings(home() / "cache" / "embeddings", hashes),
        "indexed": forget_in_indexes(name, keys),
        "uses": forget_in_uses(name, keys),
        "runs": remove_runs(home() / "runs" / name),
        "journal_lines": clean_journals(home() / "journal" / name, found.rows, keys),
        "cards": remove_cards(scenario_folder(name)),
    }


def item_texts(rows: Iterable[Mapping[str, Any]], loaded: LoadedData | None) -> set[str]:
    """The texts of rows as encoders are given them: each column alone, and joined as the modalities join them."""
    joined: set[tuple[str, ...]] = set()
    scenario = loaded.scenario if loaded else None
    if isinstance(scenario, Scenario):
        for name, modality in scenario.modalities.items():
            if isinstance(modality, Text | Characters):
                joined |= {modality_columns(modality, name, data) for data in scenario.data.values()}
    found = set()
    for row in rows:
        alone = {(column,) for column, value in row.items() if isinstance(value, str)}
        found |= {text_value(row, columns) for columns in joined | alone if columns}
    return {text for text in found if text}


def remove_embeddings(folder: Path, hashes: set[str]) -> int:
    """Take vectors out of every encoder's segments; returns how many."""
    removed = 0
    for path in sorted(folder.glob("*/*.parquet")):
        table = pq.read_table(path)
        kept = table.filter(pc.invert(pc.is_in(table["hash"], value_set=pa.array(sorted(hashes), pa.string()))))
        removed += table.num_rows - kept.num_rows
        if not kept.num_rows:
            path.unlink()
        elif kept.num_rows < table.num_rows:
            sink = pa.BufferOutputStream()
            pq.write_table(kept, sink, compression="zstd")
            replace_file(path, sink.getvalue().to_pybytes())
    return removed


def remove_runs(folder: Path) -> int:
    """Remove what runs have finished so far: it learned from the item; the results of ended runs stay."""
    going = [path for path in folder.glob("*") if path.is_dir() and path.name != "results"]
    for path in going:
        remove_draft(path)
    return len(going)


def remove_cards(folder: Path) -> int:
    """Remove the data cards, which show examples; the next new snapshot gets one again."""
    going = list(folder.glob("*.card.html"))
    for path in going:
        path.unlink()
    return len(going)


def clean_journals(folder: Path, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> int:
    """Take keys and texts out of the lines of journals; returns how many lines said one."""
    texts = {value for row in rows for name, value in row.items() if isinstance(value, str) and name != "_source"}
    said = sorted((text for text in texts if len(text) >= SHORTEST_TEXT), key=len, reverse=True)
    changed = 0
    for path in sorted(folder.glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        cleaned = [clean_line(line, said, keys) for line in lines]
        if cleaned != lines:
            changed += sum(before != after for before, after in zip(lines, cleaned, strict=True))
            replace_file(path, "".join(f"{line}\n" for line in cleaned).encode())
    return changed


def clean_line(line: str, texts: Sequence[str], keys: Sequence[str]) -> str:
    """A journal's line without the texts, and without the keys where they stand in quotes."""
    try:
        event = json.loads(line)
    except ValueError:
        return ""
    cleaned = _replaced(event, [*texts, *(f"'{key}'" for key in keys)])
    return line if cleaned == event else json.dumps(cleaned, ensure_ascii=False)


def _replaced(value: Any, words: Sequence[str]) -> Any:
    if isinstance(value, str):
        for word in words:
            value = value.replace(word, REMOVED)
        return value
    if isinstance(value, list):
        return [_replaced(inner, words) for inner in value]
    return {key: _replaced(inner, words) for key, inner in value.items()} if isinstance(value, dict) else value
