"""What the command line shows of runs, releases, predictions and hits."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from flows.compress_report import compress_lines
from flows.console import summary_table
from flows.continual_report import step_lines
from flows.ensemble_report import member_lines
from flows.ladder_report import ladder_lines
from flows.scenario_file import read_yaml, shipped_scenarios
from flows.unchanged import champion_version
from heads.answers import Answer, Part
from heads.explanation import Explanation
from polyloom.home import home
from releases.found import Hit
from releases.runtime import Prediction

CELL_CHARACTERS = 60
MEASURES = (
    "accuracy",
    "macro_f1",
    "r2",
    "mae",
    "map_50",
    "map_50_95",
    "f1",
    "precision",
    "recall",
    "ece",
    "coverage",
    "set_size",
    "unknown_auroc",
    "rows",
)


def show_run(result: dict[str, Any]) -> None:
    """The summary at the end of a run."""
    release, snapshot = result["release"], result["snapshot"]
    rows = [
        {"task": task, **{name: figures.get(name) for name in MEASURES}} for task, figures in result["metrics"].items()
    ]
    measured = [name for name in MEASURES if any(row[name] is not None for row in rows)]
    summary_table(rows, title=f"{result['scenario']}: {result['status']}", columns=["task", *measured])
    fitted = result.get("strategy", {})
    for line in (
        *ladder_lines(fitted.get("auto")),
        *step_lines(fitted.get("continual")),
        *member_lines(fitted.get("ensemble")),
    ):
        click.echo(line)
    for line in compress_lines(result):
        click.echo(line)
    for line in missing_lines(result["metrics"]):
        click.echo(f"without   {line}")
    for line in harmed_lines(result["metrics"]):
        click.echo(f"under     {line}")
    click.echo(f"gate      {result['gate']['reason']}")
    click.echo(
        f"release   {release['name']}/{release['version']} is {release['alias']}, digest {release['digest'][:12]}"
    )
    refused = f", {snapshot['rows_quarantined']:,} in quarantine" if snapshot["rows_quarantined"] else ""
    click.echo(f"data      {snapshot['rows_in']:,} rows in, {snapshot['rows_kept']:,} kept{refused}")
    for table, report in snapshot["tables"].items():
        for reason, count in report["reasons"].items():
            click.echo(f"          {table}: {count:,} x {reason}")
    if result["index"]:
        words = ["words"] if result["index"].get("keyword") else []
        searchable = ", ".join([*result["index"]["modalities"], *words])
        click.echo(f"index     {result['index']['rows']:,} items, found by {searchable}")
    for line in use_lines(result):
        click.echo(line)
    click.echo(f"mlflow    run {result['mlflow_run_id']}")
    click.echo(f"next      {next_step(result)}")


def use_lines(result: dict[str, Any]) -> list[str]:
    """What the index is for: how well it recommends, and when it answers."""
    lines = []
    if found := result.get("recommend"):
        told = f"recommends {found['items']:,} items by {found['events']:,} events of {found['users']:,} users"
        if found["tested_users"]:
            told += (
                f"; nDCG@10 {found['ndcg_at_10']:.3f} over each user's latest, "
                f"{found['popularity_ndcg_at_10']:.3f} by popularity alone"
            )
        lines.append(told)
        if order := found.get("rank"):
            lines.append(f"learned order of what is recommended: {order['verdict']}")
    if found := result.get("answer"):
        share = f"answers {found['answered_share']:.0%} of {found['questions']:,} questions: "
        lines.append(f"{share if found['threshold'] is not None else 'answers nothing: '}{found['reason']}")
    return lines


def missing_lines(metrics: dict[str, dict[str, Any]]) -> list[str]:
    """For each task that reads several modalities, its metric with all of them and without each."""
    lines = []
    for task, figures in metrics.items():
        worth = {name: one for name, one in figures.get("modalities", {}).items() if one["removed"] is not None}
        if worth:
            first = next(iter(worth.values()))
            told = ", ".join(f"{name} {shown_number(one['removed']['value'])}" for name, one in worth.items())
            lines.append(f"{told}: {task}.{first['metric']}, {shown_number(first['intact'])} with all")
    return lines


def harmed_lines(metrics: dict[str, dict[str, Any]]) -> list[str]:
    """For the task that was measured so, its metric as it is and under attack, typos, noise and blur."""
    lines = []
    for task, figures in metrics.items():
        found = figures.get("robustness", {})
        harms = {name: one for name, one in found.items() if isinstance(one, dict)}
        if harms:
            told = ", ".join(f"{name} {shown_number(one['value'])}" for name, one in harms.items())
            lines.append(f"{told}: {task}.{found['metric']}, {shown_number(found['intact'])} as it is")
    return lines


def shown_number(value: float | None) -> str:
    """A figure to three places."""
    return "unknown" if value is None else f"{value:.3f}"


def next_step(result: dict[str, Any]) -> str:
    """What a person would do now."""
    name = result["scenario"]
    version = result["release"]["version"]
    if result["status"] == "waiting":
        return (
            f"a person decides until {result['approval']['until']}: "
            f"polyloom approve {name} {version} --by NAME --why TEXT    polyloom refuse {name} {version} ..."
        )
    if result["release"]["alias"] != "champion":
        return f"the champion stays. To take this one all the same: polyloom promote {name} {version}"
    if result["index"]:
        uses = [f"polyloom ask {name} '...'"] if result.get("answer") else []
        uses += [f"polyloom recommend {name} --user ID"] if result.get("recommend") else []
        return "    ".join(
            [f"polyloom search {name} --text '...'", *uses, f"polyloom predict {name} --text '...'", "polyloom ui"]
        )
    return f"polyloom predict {name} --help    polyloom ui"


def list_scenarios() -> list[dict[str, Any]]:
    """Shipped scenarios and any other that has a champion."""
    known = {
        name: {"name": name, "title": read_yaml(path).get("title", ""), "path": str(path)}
        for name, path in shipped_scenarios().items()
    }
    for ledger in sorted((home() / "ledger").glob("*.jsonl")):
        known.setdefault(ledger.stem, {"name": ledger.stem, "title": "", "path": ""})
    return [{**facts, "champion": champion_version(name) or "-"} for name, facts in sorted(known.items())]


def shown_prediction(prediction: Prediction, explanations: Mapping[str, Explanation] | None = None) -> dict[str, Any]:
    """A prediction as JSON, with `explanations` by task where these were asked for."""
    answers = {task: asdict(answer) for task, answer in prediction.answers.items()}
    told = {} if explanations is None else {"explanations": {task: one.to_json() for task, one in explanations.items()}}
    return {"answers": answers, "missing": list(prediction.missing), **told}


def prediction_rows(predictions: list[Prediction]) -> list[dict[str, Any]]:
    """A line for each row and task."""
    return [
        {
            "row": number,
            "task": task,
            "answer": "; ".join(map(shown_part, answer.parts)) or answer.label,
            "probability": f"{answer.probability:.3f}",
            "next": ", ".join(f"{label} {value:.2f}" for label, value in list(answer.probabilities.items())[1:4]),
            **confidence_cells(answer),
        }
        for number, prediction in enumerate(predictions, start=1)
        for task, answer in prediction.answers.items()
    ]


def prediction_columns(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """The columns of these lines; set and scope only where a task gives them."""
    given = {name for row in rows for name in row}
    return ["row", "task", "answer", "probability", "next", *(name for name in ("set", "scope") if name in given)]


def confidence_cells(answer: Answer) -> dict[str, str]:
    """The set of labels and the scope of an answer, where its task asks for them."""
    cells = {}
    if answer.label_set is not None:
        cells["set"] = ", ".join(answer.label_set) or "none"
    if answer.in_scope is not None:
        cells["scope"] = "in" if answer.in_scope else "OUT"
    return cells


def shown_part(part: Part) -> str:
    """A piece of an answer in a few words: what it is, where it stands, how sure it is."""
    return f"{part.label}: {part.text or part.box} {part.probability:.2f}"


def shown_hit(hit: Hit) -> dict[str, Any]:
    """A hit as JSON."""
    return vars(hit)


def hit_rows(hits: list[Hit]) -> list[dict[str, Any]]:
    """A line for each hit: id, why, and the columns that the scenario shows."""
    return [
        {
            "id": hit.id,
            "found by": ", ".join(f"{name} #{rank}" for name, rank in hit.ranks.items()),
            **{name: shortened(value) for name, value in hit.row.items()},
        }
        for hit in hits
    ]


def shortened(value: object) -> object:
    """Long text cut for a table's cell."""
    if isinstance(value, str) and len(value) > CELL_CHARACTERS:
        return value[: CELL_CHARACTERS - 1] + "…"
    return value
