"""The model card: what a release is, what it learned from, how good it is, what it must not be used for.

It says only what it is given; what is unknown is left out or called unknown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEADER = "---"
MODALITIES, ROBUSTNESS, COVERAGE_BY_LABEL = "modalities", "robustness", "coverage_by_label"
HARMS = ("removed", "shuffled", "noised")


@dataclass(frozen=True)
class CardTable:
    """A table about the fit: its rows as flat facts of the same names, and a note below."""

    title: str
    rows: Sequence[Mapping[str, Any]]
    note: str = ""


def model_card(
    *,
    scenario: str,
    title: str,
    snapshot: str,
    metrics: Mapping[str, Mapping[str, Any]],
    gate: Mapping[str, Any] | None,
    modalities: Mapping[str, Mapping[str, Any]],
    tasks: Mapping[str, Mapping[str, Any]],
    rows: Mapping[str, Mapping[str, Any]],
    intended_use: str,
    limits: Sequence[str],
    weights_origin: Mapping[str, Mapping[str, Any]],
    seconds: Mapping[str, float],
    digest: str | None = None,
    data_licence: str | None = None,
    code_version: str | None = None,
    ladder: Sequence[Mapping[str, Any]] = (),
    ladder_end: str = "",
    tables: Sequence[CardTable] = (),
    smaller: Sequence[str] = (),
    variants: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The card in Markdown.

    Args:
        metrics: task -> metric -> a number, or `{"value", "low", "high"}` where there is an interval; under the name
            `modalities` what each of them is worth, as `heads.robustness` gives it, with its `metric`; under
            `robustness` the `metric`, `rows`, its value `intact`, and figures like those after each harm; under
            `coverage_by_label` in how many of a label's rows it is in the set.
        gate: what the gate decided, as flat facts; None when no gate was asked.
        modalities: name -> flat facts, such as kind and model.
        tasks: name -> flat facts, such as kind, target and classes.
        rows: table -> `rows_in`, `rows_kept`, `rows_quarantined` and `reasons` (reason -> rows).
        weights_origin: modality -> flat facts, such as origin, sha256 and licence.
        seconds: stage -> seconds; without stages the card says nothing about time.
        digest: left out where the card is part of what the digest covers.
        ladder: the rungs of strategy `auto` in order, each as flat facts of the same names; and why it ended.
        tables: what else there is to say of the fit.
        smaller: a sentence on each thing that made the model smaller.
        variants: the variants of exported graphs that were measured, each as flat facts of the same names.
    """
    sections = [
        f"# {title}\n\n{intended_use}".rstrip(),
        _what(scenario=scenario, snapshot=snapshot, digest=digest, code_version=code_version),
        _data(rows, data_licence),
        _fitting(modalities=modalities, tasks=tasks, seconds=seconds),
        _ladder(ladder, ladder_end),
        *(_facts_table(table) for table in tables),
        _smaller(smaller, variants),
        _figures(metrics),
        _coverage(metrics),
        _worth(metrics),
        _robustness(metrics),
        _gate(gate),
        _limits(limits),
        _weights(weights_origin),
        _loading(scenario),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _what(*, scenario: str, snapshot: str, digest: str | None, code_version: str | None) -> str:
    facts = {"Scenario": scenario, "Digest": digest, "Data snapshot": snapshot, "Code": code_version}
    lines = [f"- **{name}:** `{value}`" for name, value in facts.items() if value]
    return "\n".join(["## What this is", "", "A polyloom release.", "", *lines])


def _data(rows: Mapping[str, Mapping[str, Any]], licence: str | None) -> str:
    counted = [
        [name, *(_count(table, key) for key in ("rows_in", "rows_kept", "rows_quarantined"))]
        for name, table in rows.items()
    ]
    reasons = [
        [name, reason, f"{count:,}"] for name, table in rows.items() for reason, count in _ranked(table.get("reasons"))
    ]
    parts = ["## Data", _table(["table", "rows in", "kept", "quarantined"], counted)]
    if reasons:
        parts += ["Rows in quarantine, by reason:", _table(["table", "reason", "rows"], reasons)]
    return "\n\n".join([*parts, f"Licence of the data: {licence or 'not stated'}."])


def _count(table: Mapping[str, Any], key: str) -> str:
    return f"{table[key]:,}" if key in table else "unknown"


def _ranked(reasons: Mapping[str, int] | None) -> list[tuple[str, int]]:
    return sorted((reasons or {}).items(), key=lambda pair: (-pair[1], pair[0]))


def _fitting(
    *, modalities: Mapping[str, Mapping[str, Any]], tasks: Mapping[str, Mapping[str, Any]], seconds: Mapping[str, float]
) -> str:
    parts = [
        "## How it was fitted",
        _table(["modality", "settings"], [[name, _facts(facts)] for name, facts in modalities.items()]),
        _table(["task", "settings"], [[name, _facts(facts)] for name, facts in tasks.items()]),
    ]
    if seconds:
        stages = ", ".join(f"{stage} {value:.1f} s" for stage, value in seconds.items())
        parts.append(f"Time: {stages}; {sum(seconds.values()):.1f} s together.")
    return "\n\n".join(part for part in parts if part)


def _ladder(rungs: Sequence[Mapping[str, Any]], end: str) -> str:
    if not rungs:
        return ""
    table = _table(list(rungs[0]), [[_text(value) for value in rung.values()] for rung in rungs])
    return f"### The ladder of strategies\n\n{table}\n\n{end}"


def _facts_table(given: CardTable) -> str:
    if not given.rows:
        return ""
    table = _table(list(given.rows[0]), [[_text(value) for value in row.values()] for row in given.rows])
    return f"### {given.title}\n\n{table}\n\n{given.note}".rstrip()


def _smaller(sentences: Sequence[str], variants: Sequence[Mapping[str, Any]]) -> str:
    if not sentences and not variants:
        return ""
    parts = ["### How it was made smaller", *sentences]
    if variants:
        parts += [
            "Speed was measured on the machine of the run, change on the validation rows.",
            _table(list(variants[0]), [[_text(value) for value in one.values()] for one in variants]),
        ]
    return "\n\n".join(parts)


def _figures(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [task, name, *_figure(value)]
        for task, figures in metrics.items()
        for name, value in figures.items()
        if name not in {MODALITIES, ROBUSTNESS, COVERAGE_BY_LABEL}
    ]
    if not rows:
        return "## Figures\n\nNothing was measured."
    has_interval = any(row[3] for row in rows)
    names = ["task", "metric", "value", *(["interval"] if has_interval else [])]
    return "## Figures\n\n" + _table(names, [row[: len(names)] for row in rows])


def _figure(value: Any) -> tuple[str, str]:
    """The value and its interval, each as text."""
    if not isinstance(value, Mapping):
        return _text(value), ""
    interval = f"{_text(value['low'])} to {_text(value['high'])}" if {"low", "high"} <= value.keys() else ""
    return _text(value["value"]), interval


def _coverage(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """In how many of its test rows each label is in the set, the least covered first."""
    rows = [
        [task, label, _text(share)]
        for task, figures in metrics.items()
        for label, share in sorted(figures.get(COVERAGE_BY_LABEL, {}).items(), key=lambda pair: (pair[1], pair[0]))
    ]
    return "## Sets of labels\n\n" + _table(["task", "label", "coverage"], rows) if rows else ""


def _worth(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """What each modality is worth to each task that reads several."""
    rows = [
        [task, name, one["metric"], _text(one["intact"]), *(_harm(one[harm]) for harm in HARMS), _text(one["rows"])]
        for task, figures in metrics.items()
        for name, one in _several(figures.get(MODALITIES, {})).items()
    ]
    if not rows:
        return ""
    return (
        "## What each modality is worth\n\n"
        + _table(["task", "modality", "metric", "with all", "without it", "another row's", "half noise", "rows"], rows)
        + "\n\nOn the test rows that have the modality and one more. In brackets: 95% interval of the change."
    )


def _robustness(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """What an attack, typos and damaged pictures do to a task."""
    rows = [
        [task, found["metric"], _text(found["intact"]), name, _harm(one), _text(found["rows"])]
        for task, figures in metrics.items()
        if (found := figures.get(ROBUSTNESS))
        for name, one in found.items()
        if isinstance(one, Mapping)
    ]
    if not rows:
        return ""
    return (
        "## Under attack, with typos, noise and blur\n\n"
        + _table(["task", "metric", "as it is", "under", "then", "rows"], rows)
        + "\n\nOn test rows, as the scenario's section `robustness` says. In brackets: 95% interval of the change."
    )


def _several(modalities: Mapping[str, Any]) -> Mapping[str, Any]:
    return modalities if len(modalities) > 1 else {}


def _harm(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "no answer"
    return f"{_text(figure['value'])} ({_text(figure['change_low'])} to {_text(figure['change_high'])})"


def _gate(gate: Mapping[str, Any] | None) -> str:
    if gate is None:
        return "## Gate\n\nThis release was not judged by a gate."
    return "## Gate\n\n" + _table(["fact", "value"], [[name, _text(value)] for name, value in gate.items()])


def _limits(limits: Sequence[str]) -> str:
    lines = [f"- {limit}" for limit in limits] or ["No limits were stated; that does not mean that there are none."]
    return "\n".join(["## What it should not be used for", "", *lines])


def _weights(origins: Mapping[str, Mapping[str, Any]]) -> str:
    if not origins:
        return "## Weights it started from\n\nNone: everything was learned from the data above."
    rows = [
        [name, _facts({**facts, "licence": None}), str(facts.get("licence") or "not stated")]
        for name, facts in origins.items()
    ]
    return "## Weights it started from\n\n" + _table(["modality", "origin", "licence"], rows)


def _loading(scenario: str) -> str:
    return (
        "## How to use it\n\n"
        f"```bash\npolyloom releases {scenario}\npolyloom predict {scenario} --input rows.jsonl --json\n```\n\n"
        "From Python, without torch; `bundle` is the folder that this card lies in:\n\n"
        "```python\nfrom releases.runtime import Runtime\n\n"
        "runtime = Runtime.open(bundle)\nanswers = runtime.predict(rows)\n```"
    )


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in facts.items() if value not in (None, "", [], ()))


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return _facts(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_text(part) for part in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, an empty string without rows."""
    if not rows:
        return ""
    lines = [names, [HEADER] * len(names), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
