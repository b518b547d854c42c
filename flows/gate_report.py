"""The gate's report: what was judged, by which rows, what was found, and what refused; Markdown, HTML and a picture."""

import base64
import html
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.gate_pictures import gate_intervals

MARKDOWN, PAGE, PICTURE = "gate.md", "gate.html", "gate.png"
ALT = "differences to the champion with their intervals"
Table = tuple[Sequence[str], list[list[str]]]
STYLE = (
    "body{font:16px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;color:#1f2933;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem}table{border-collapse:collapse;margin:1rem 0}td,th{text-align:left;padding:.3rem .8rem;"
    "border-bottom:1px solid #e4e7eb}th{color:#7b8794;font-weight:600}img{max-width:100%}"
    ".passed{color:#1f6f8b}.refused{color:#c8553d}"
)


def write_gate_report(
    folder: Path, verdict: Mapping[str, Any], *, title: str, challenger: str, champion: str | None
) -> list[Path]:
    """Write the report into a folder; gives its files. `challenger` and `champion` are versions."""
    folder.mkdir(parents=True, exist_ok=True)
    pictured = gate_intervals(folder / PICTURE, verdict=verdict, title=f"{title}: gate")
    head = f"{title}: version {challenger} {'passed' if verdict['passed'] else 'was refused'}"
    facts = fact_rows(verdict, challenger=challenger, champion=champion)
    tables = [
        ("Slices", slice_table(verdict)),
        ("Limits", limit_table(verdict)),
        ("Loaded elsewhere", load_rows(verdict)),
        ("Shadow traffic", shadow_rows(verdict)),
    ]
    tables = [("", (("what", "value"), facts)), *(one for one in tables if one[1][1])]
    markdown = [f"# {head}", verdict["reason"], *(markdown_table(name, table) for name, table in tables)]
    page = [
        f"<h1 class={'passed' if verdict['passed'] else 'refused'}>{html.escape(head)}</h1>",
        f"<p>{html.escape(verdict['reason'])}</p>",
        *([f'<img src="{inline(folder / PICTURE)}" alt="{ALT}">'] if pictured else []),
        *(html_table(name, table) for name, table in tables),
    ]
    if pictured:
        markdown.insert(2, f"![{ALT}]({PICTURE})")
    (folder / MARKDOWN).write_text("\n\n".join(markdown) + "\n", encoding="utf-8")
    document = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(head)}</title>'
        f"<style>{STYLE}</style><body>{''.join(page)}</body></html>\n"
    )
    (folder / PAGE).write_text(document, encoding="utf-8")
    return [folder / MARKDOWN, folder / PAGE, *([folder / PICTURE] if pictured else [])]


def inline(picture: Path) -> str:
    """A picture as an address that holds it, so that the page is whole wherever it is opened."""
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"


def fact_rows(verdict: Mapping[str, Any], *, challenger: str, champion: str | None) -> list[list[str]]:
    """What was judged, and by what."""
    rule = f"{verdict['rule'].replace('_', ' ')}, margin {verdict['margin']:g}"
    rows = [
        ["challenger", f"version {challenger}: {number(verdict['challenger_value'])}"],
        ["champion", "none" if champion is None else f"version {champion}: {number(verdict['champion_value'])}"],
        ["metric", verdict["metric"]],
        ["rule", rule if verdict["minimum"] is None else f"{rule}, at least {verdict['minimum']:g}"],
        ["rows", f"{verdict['rows']:,}, SHA-256 {verdict['rows_digest'] or 'unknown'}"],
    ]
    if verdict["difference"] is not None:
        rows.append(["difference", interval(verdict)])
    if verdict["mcnemar"] is not None:
        rows.append(["McNemar's test", f"p = {verdict['mcnemar']:.4g}"])
    return rows


def slice_table(verdict: Mapping[str, Any]) -> Table:
    """A line a slice, those that refuse first."""
    rows = [
        [
            f"{one['column']} = {one['value']}",
            f"{one['rows']:,}",
            number(one["challenger_value"]),
            number(one["champion_value"]),
            interval(one) if one["difference"] is not None else "",
            "passed" if one["passed"] else "refused",
            one["reason"],
        ]
        for one in verdict["slices"]
    ]
    return ("slice", "rows", "challenger", "champion", "difference", "", "why"), rows


def limit_table(verdict: Mapping[str, Any]) -> Table:
    """A line a limit."""
    rows = [
        [
            one["name"],
            number(one["value"]) + one["unit"],
            f"{one['allowed']:g}{one['unit']}",
            number(one["champion"]),
            "passed" if one["passed"] else "refused",
        ]
        for one in verdict["limits"]
    ]
    return ("limit", "found", "allowed", "champion", ""), rows


def load_rows(verdict: Mapping[str, Any]) -> Table:
    """How the release did in a process of its own."""
    found = verdict["load_test"] or {}
    return ("what", "value"), [[name.replace("_", " "), f"{value:g}"] for name, value in found.items()]


def shadow_rows(verdict: Mapping[str, Any]) -> Table:
    """What it says to the rows that the champion was asked for."""
    found = verdict["shadow"]
    if not found:
        return (), []
    first, last = (f"{datetime.fromtimestamp(found[name], UTC):%Y-%m-%d %H:%M}" for name in ("first", "last"))
    rows = [["rows asked of the champion", f"{found['rows']:,}, {first} to {last} (UTC)"]]
    rows.append(["cannot be answered", f"{found['failed']:,}{': ' if found['why'] else ''}{found['why']}"])
    for task, share in found["changed"].items():
        moved = found["moved"].get(task)
        kept = "" if moved is None else f"; the others' probability moves by {moved:.3f} in the mean"
        rows.append([f"answers changed, {task}", f"{share:.1%}{kept}"])
    return ("what", "value"), rows


def interval(figures: Mapping[str, Any]) -> str:
    """A difference with its interval."""
    return f"{figures['difference']:+.4f} ({figures['low']:+.4f} to {figures['high']:+.4f})"


def number(value: float | None) -> str:
    """A figure, or that there is none."""
    return "unknown" if value is None else f"{value:.4g}"


def markdown_table(name: str, table: Table) -> str:
    """A table in Markdown, under its name."""
    head, rows = table
    cells = [head, ["---"] * len(head), *rows]
    lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in cells]
    return "\n".join([*([f"## {name}", ""] if name else []), *lines])


def html_table(name: str, table: Table) -> str:
    """A table in HTML, under its name."""
    head, rows = table
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    named = f"<h2>{html.escape(name)}</h2>" if name else ""
    return f"{named}<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
