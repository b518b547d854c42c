"""Findings about columns that say nothing: always the same value, or hardly ever one."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.examination.examined_table import ExaminedTable
from ingestion.examination.findings import Finding

NEARLY_ALL = 0.9
FEWEST_ROWS = 2


def column_findings(table: ExaminedTable) -> Iterator[Finding]:
    """Constant columns, and columns that are nearly always missing."""
    whole = table.rows.num_rows
    for name, kind in table.kinds.items():
        texts = kind == "text"
        values = table.texts[name] if texts else table.rows[name]
        looked = len(values)
        missing = values.null_count
        if looked and missing / looked >= NEARLY_ALL:
            yield Finding(
                code="mostly_missing",
                severity="warning",
                table=table.name,
                column=name,
                message=f"{name!r} is missing in {missing:,} of {looked:,} rows. "
                "Fill it in the source, or leave it out.",
                rows=missing,
                figures={"share": missing / looked},
            )
        elif whole >= FEWEST_ROWS and not pa.types.is_nested(values.type) and pc.count_distinct(values).as_py() == 1:
            yield Finding(
                code="constant_column",
                severity="warning",
                table=table.name,
                column=name,
                message=f"{name!r} has the same value in every row{table.of_sample() if texts else ''}, so "
                "nothing can be learned from it. Leave it out.",
                rows=looked - missing,
            )
