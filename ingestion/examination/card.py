"""The data card: one HTML file that shows what is in a snapshot and what was found about it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.examination.charts import Bar, Column, bars_of, column_of
from ingestion.examination.examined_table import ExaminedTable, Readable, examined_table
from ingestion.examination.findings import SEVERITIES, Example, Finding
from ingestion.examination.labels import classes_of
from ingestion.examination.thumbnails import Thumbnails
from ingestion.personal import Personal
from ingestion.sources import SPLITS
from polyloom.durable import replace_file

TEMPLATE = "card.html.jinja"
SAMPLED_TEXTS = 20_000
REFUSED_EACH = 5
SHOWN_CHARACTERS = 240
PICTURES_SHOWN = 12
CLASSES_SHOWN = 25


class Balance(NamedTuple):
    """A target's classes, the most frequent first, with the rows of each split; `rest`: classes not shown."""

    column: str
    classes: Sequence[tuple[Bar, Mapping[str, int]]]
    splits: Sequence[str]
    rest: int


class TableCard(NamedTuple):
    """One table on the card."""

    name: str
    counts: Mapping[str, Any]
    splits: Sequence[Bar]
    columns: Sequence[Column]
    balances: Sequence[Balance]
    pictures: Sequence[str]


class Shown(NamedTuple):
    """An example on the card, with its picture inside."""

    example: Example
    picture: str


class FindingCard(NamedTuple):
    """A finding on the card; each group of rows belongs together."""

    finding: Finding
    groups: Sequence[Sequence[Shown]]


class Refused(NamedTuple):
    """Rows of one reason in quarantine, and some of them."""

    reason: str
    number: int
    rows: Sequence[Mapping[str, Any]]


def write_data_card(
    path: Path, *, snapshot: Readable, findings: Sequence[Finding], profile: Mapping[str, Any] | None, blobs: Path
) -> None:
    """Write the card in one step. It needs nothing outside itself, runs no script, and shows personal data masked.

    `profile` is anything else that is known of the data, as nested JSON values; it becomes a table.
    """
    thumbnails = Thumbnails(blobs)
    named = snapshot.manifest["tables"]
    # Pictures of findings come first: the number of thumbnails is bounded.
    found = {level: [_finding(one, thumbnails) for one in findings if one.severity == level] for level in SEVERITIES}
    page = _template().render(
        snapshot=snapshot,
        totals={name: sum(int(table[name]) for table in named.values()) for name in _COUNTS},
        tables=[_table(snapshot, name, findings, thumbnails) for name in named],
        findings=found,
        quarantine=_quarantine(snapshot.quarantine()),
        profile=list(_flat(profile or {})),
    )
    replace_file(path, page.encode("utf-8", errors="replace"))


_COUNTS = ("rows_in", "rows_kept", "rows_quarantined")


def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    place = FileSystemLoader(Path(__file__).parent)
    return Environment(
        loader=place, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template(TEMPLATE)


def _table(snapshot: Readable, name: str, findings: Sequence[Finding], thumbnails: Thumbnails) -> TableCard:
    counts = snapshot.manifest["tables"][name]
    splits = bars_of({split: counts["splits"][split] for split in SPLITS if split in counts["splits"]})
    if not counts["rows_kept"]:
        return TableCard(name, counts, splits, (), (), ())
    targets = {one.column: None for one in findings if one.table == name and one.code in {"classes", "uneven_classes"}}
    table = examined_table(snapshot, name, targets=[column for column in targets if column], sample=SAMPLED_TEXTS)
    return TableCard(
        name=name,
        counts=counts,
        splits=splits,
        columns=[column_of(table, column) for column in table.kinds],
        balances=list(_balances(table)),
        pictures=_some_pictures(table, thumbnails),
    )


def _balances(table: ExaminedTable) -> Iterator[Balance]:
    for target in table.targets:
        classes = classes_of(table, target)
        if classes is None:
            continue
        there = [split for position, split in enumerate(SPLITS) if (table.split == position).any()]
        counts = {
            split: np.bincount(
                classes.codes[(table.split == SPLITS.index(split)) & (classes.codes >= 0)], minlength=len(classes.names)
            )
            for split in there
        }
        whole = np.sum(list(counts.values()), axis=0)
        order = np.argsort(-whole, kind="stable")[:CLASSES_SHOWN]
        bars = [Bar(classes.names[code], int(whole[code]), whole[code] / whole.max()) for code in order]
        splits = [{split: int(counts[split][code]) for split in there} for code in order]
        yield Balance(target, list(zip(bars, splits, strict=True)), there, len(whole) - len(order))


def _some_pictures(table: ExaminedTable, thumbnails: Thumbnails) -> list[str]:
    if table.picture is None:
        return []
    names = pc.unique(pc.drop_null(table.rows[table.picture])).to_pylist()
    # A name is a hash already: the first ones in order are a random sample.
    addresses = [thumbnails.address(name) for name in sorted(names)[:PICTURES_SHOWN]]
    return [address for address in addresses if address]


def _finding(finding: Finding, thumbnails: Thumbnails) -> FindingCard:
    groups = [
        [Shown(example, thumbnails.address(example.picture)) for example in members]
        for _, members in groupby(finding.examples, key=lambda example: example.group)
    ]
    return FindingCard(finding, groups)


def _quarantine(rows: pa.Table) -> list[Refused]:
    counts = {one["values"]: one["counts"] for one in pc.value_counts(rows["reason"]).to_pylist()}
    return [
        Refused(reason, count, [_refused(row) for row in _first(rows, reason)])
        for reason, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def _first(rows: pa.Table, reason: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows.filter(pc.equal(rows["reason"], reason)).slice(0, REFUSED_EACH).to_pylist()
    return found


def _refused(row: Mapping[str, Any]) -> dict[str, Any]:
    hidden = Personal()
    texts = {name: hidden.mask_text(_cut(str(row[name] or ""))) for name in ("message", "content")}
    return {**row, **texts}


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _flat(profile: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in profile.items():
        whole = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{whole}.")
        else:
            yield whole, _cut(str(value))
