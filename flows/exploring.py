"""Where a scenario's exposures lie, and the release that explores over them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.asking import resolve
from flows.scenario_name import scenario_name
from flows.spec_section import NAME_PATTERN
from polyloom.durable import read_json
from polyloom.errors import RequestError
from polyloom.home import home
from releases.exploring import Exploring, open_exploring
from releases.runtime import Runtime
from retrieval.exploring.exposure_log import ExposureLog


def exposures_folder(scenario: str) -> Path:
    """The folder of a scenario's log."""
    return home() / "exposures" / scenario


def exploring_of(runtime: Runtime) -> Exploring:
    """A release over its scenario's log. Raises: RequestError where it does not explore."""
    return open_exploring(runtime, exposures_folder(runtime.name))


def log_of(given: str) -> ExposureLog:
    """The log behind `SCENARIO[@ALIAS]`, which need not hold anything. Raises: RequestError for what is no name."""
    name = scenario_name(given.partition("@")[0])
    if not re.fullmatch(NAME_PATTERN, name):
        raise RequestError(f"{given!r} is no scenario's name. `polyloom scenarios` lists those that there are.")
    return ExposureLog(exposures_folder(name))


def event_columns(given: str) -> Mapping[str, Any]:
    """How the release behind `SCENARIO[@ALIAS]` weighs events; empty where it recommends nothing."""
    facts = read_json(resolve(given).path / "application.json")
    return dict((facts.get("recommend") or {}).get("columns") or {})
