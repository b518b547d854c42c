"""Findings about one text column of several that splits share: questions whose answers lie on both sides."""

from collections.abc import Iterator

import numpy as np

from ingestion.examination.examined_table import ExaminedTable
from ingestion.examination.findings import MAX_EXAMPLES, Finding
from ingestion.examination.labels import encoded

MANY = 0.1


def shared_value_findings(table: ExaminedTable) -> Iterator[Finding]:
    """Text columns of which many rows outside `train` have a value that `train` has too, the whole text apart."""
    if len(table.texts) < 2:
        return
    split = table.split[table.sampled]
    for column, values in table.texts.items():
        codes = encoded(values).codes
        outside = (split > 0) & (codes >= 0)
        shared = outside & np.isin(codes, codes[(split == 0) & (codes >= 0)])
        share = shared.sum() / max(1, outside.sum())
        if share < MANY:
            continue
        yield Finding(
            code="shared_value",
            severity="warning",
            table=table.name,
            column=column,
            message=f"{share:.0%} of the rows outside train have a {column!r} that a row in train has too"
            f"{table.of_sample()}. If rows of one {column!r} belong together, split by it: group: {column}.",
            rows=int(shared.sum()),
            examples=tuple(table.example(int(table.sampled[place])) for place in np.flatnonzero(shared)[:MAX_EXAMPLES]),
            figures={"share": float(share)},
        )
