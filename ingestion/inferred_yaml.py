"""An inferred source as a scenario file: runs as it stands, and says beside each guess what it rests on."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from ingestion.guesses import Guess

MAX_SHARE = 0.05


def scenario_text(
    name: str,
    data: Mapping[str, object],
    reasons: Mapping[str, str],
    *,
    guesses: Mapping[str, Guess],
    rows_read: int,
    complete: bool,
) -> str:
    """The YAML text; `data` is the section under `data.NAME`."""
    read = f"{'all' if complete else 'the first'} {rows_read:,} rows"
    lines = [
        f"# Proposed by `polyloom ingest --infer` for {_one_line(Path(str(data['path'])).name)}, from {read}.",
        "# Each guess says what it rests on. Correct what is wrong; commented lines are further ideas.",
        f"name: {name}",
        f"title: {_plain(name)}",
        "data:",
        f"  {name}:",
        *(f"    {line}" for line in _source_lines(data, reasons, guesses)),
        f"quarantine: {{max_share: {MAX_SHARE}}}",
    ]
    return "\n".join(lines) + "\n"


def _source_lines(
    data: Mapping[str, object], reasons: Mapping[str, str], guesses: Mapping[str, Guess]
) -> Iterator[str]:
    for word, value in data.items():
        if word == "checks":
            continue
        if word == "columns" and isinstance(value, Mapping):
            yield "columns:"
            yield from (_with(f"  {_plain(column)}: {kind}", reasons.get(column)) for column, kind in value.items())
        elif word == "text" and isinstance(value, list):
            yield "text:"
            yield from (_with(f"  - {_plain(column)}", reasons.get(column)) for column in value)
        else:
            why = reasons.get(str(value)) if word == "image" else reasons.get(word)
            yield _with(f"{word}: {_plain(value)}", why)
    yield from _check_lines(data, guesses)
    for column, guess in guesses.items():
        if guess.kind == "unknown":
            yield f"# left out: {_one_line(_plain(column))}: {_one_line(guess.reason)}"


def _check_lines(data: Mapping[str, object], guesses: Mapping[str, Guess]) -> Iterator[str]:
    checks = data.get("checks")
    active = dict(checks) if isinstance(checks, Mapping) else {}
    ranges = {
        column: {"min": guess.least, "max": guess.most}
        for column, guess in guesses.items()
        if guess.least is not None and column != data.get("key")
    }
    if active:
        yield "checks:"
    elif ranges:
        yield "# checks:"
    for column, check in active.items():
        yield _with(f"  {_plain(column)}: {_plain(check)}", "all values that were seen; others would be refused")
    for column, check in ranges.items():
        yield f"#   {_one_line(_plain(column))}: {_plain(check)}    the range that was seen"


def _with(line: str, reason: str | None) -> str:
    return f"{line}    # {_one_line(reason)}" if reason else line


def _plain(value: object) -> str:
    """A value on one line of YAML, in quotes wherever YAML could read it as something else."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_plain(key)}: {_plain(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) and yaml.safe_load(value) == value:
        return value
    return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=math.inf).rstrip("\n")


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
