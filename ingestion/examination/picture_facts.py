"""What a table's pictures are like, and which show nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from ingestion.examination.examined_table import ExaminedTable
from ingestion.examination.findings import MAX_EXAMPLES, Finding
from ingestion.examination.pictures import Look

BLACK = 8.0


def picture_findings(
    table: ExaminedTable, looks: Sequence[Look], contents: np.ndarray, *, looked: str
) -> Iterator[Finding]:
    """Facts about the pictures, and those that are nearly of one colour. `contents` is each row's look, or -1."""
    if not looks:
        return
    widths, heights = np.array([look.width for look in looks]), np.array([look.height for look in looks])
    modes = Counter(look.mode for look in looks)
    yield Finding(
        code="pictures",
        severity="info",
        table=table.name,
        column=table.picture,
        message=f"{len(looks):,} different pictures{looked}, from {widths.min()} x {heights.min()} to {widths.max()} x "
        f"{heights.max()} pixels, in the middle {int(np.median(widths))} x {int(np.median(heights))}; "
        f"modes {', '.join(f'{mode} {count:,}' for mode, count in modes.most_common())}.",
        rows=int((contents >= 0).sum()),
        figures={"pictures": len(looks), **{f"mode_{mode}": count for mode, count in sorted(modes.items())}},
    )
    blank = [number for number, look in enumerate(looks) if look.is_blank]
    if blank:
        rows = np.flatnonzero(np.isin(contents, blank))
        black = sum(float(looks[number].grey.mean()) < BLACK for number in blank)
        yield Finding(
            code="blank_picture",
            severity="warning",
            table=table.name,
            column=table.picture,
            message=f"{len(rows):,} rows have a picture of nearly one colour ({black:,} of {len(blank):,} pictures are "
            "black). Replace them in the source, or remove the rows.",
            rows=len(rows),
            examples=tuple(table.example(int(row)) for row in rows[:MAX_EXAMPLES]),
            figures={"pictures": len(blank), "black": black},
        )
