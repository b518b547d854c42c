"""What made a model smaller, as the command line and the model card show it."""

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]


def compress_lines(found: Report) -> list[str]:
    """A line for the teacher, one for what was pruned, one a variant; none where nothing was made smaller."""
    smaller = smaller_lines(teacher=found.get("teacher"), pruned=found.get("pruned"))
    variants = [
        f"{'*' if row['released'] == 'yes' else ' '} {row['modality']}, {row['variant']}: {row['rows/s']} rows/s, "
        f"{row['p50 ms']} ms a row, {row['MB']} MB{changed(row)}"
        for row in variant_rows(found.get("variants"))
    ]
    return [f"smaller   {line}" for line in [*smaller, *variants]]


def changed(row: Report) -> str:
    """A variant's change of the metric, and why it is not released."""
    told = f", {row['change']}" if row["change"] else ""
    return told + (f"; not released: {row['released'].removeprefix('no: ')}" if row["released"][:2] == "no" else "")


def smaller_lines(*, teacher: Report | None, pruned: Report | None) -> list[str]:
    """A sentence on the teacher, and one on what was pruned."""
    lines = []
    if teacher:
        lines.append(f"It learned from the release {teacher['teacher'][:12]}, over {teacher['rows']:,} training rows.")
    if pruned and pruned["kind"] == "magnitude":
        lines.append(
            f"Of the weights of {pruned['modality']!r}, {pruned['zeros']:.1%} are zero, which makes no graph faster."
        )
    elif pruned:
        gone = " and ".join(f"{count:,} {kind}" for kind, count in pruned["gone"].items())
        left = f"{pruned['weights_left']:,} of {pruned['weights']:,}"
        lines.append(f"{gone} were taken out of {pruned['modality']!r}; {left} weights are left.")
    return lines


def variant_rows(found: Report | None) -> list[dict[str, str]]:
    """Every variant of every encoder as flat facts."""
    return [
        {
            "modality": name,
            "variant": variant,
            "released": released(one, taken=variant == given["name"]),
            "change": "; ".join(change(task, moved) for task, moved in one.get("metrics", {}).items()),
            "parity": f"{one['parity']:.1e}",
            "MB": f"{one['bytes'] / 1e6:.1f}",
            "p50 ms": f"{one['p50_milliseconds']:.2f}",
            "p95 ms": f"{one['p95_milliseconds']:.2f}",
            "rows/s": f"{one['rows_per_second']:.0f}",
        }
        for name, given in (found or {}).items()
        if isinstance(given, Mapping)
        for variant, one in given["variants"].items()
    ]


def released(one: Report, *, taken: bool) -> str:
    """Whether a variant is the release's, and why it is not."""
    return "yes" if taken else f"no: {one['refused']}" if one.get("refused") else ""


def change(task: str, moved: Report) -> str:
    """A metric's change with its interval."""
    by = moved["change"]
    return f"{task}.{moved['metric']} {by['value']:+.4f} ({by['low']:+.4f} to {by['high']:+.4f})"
