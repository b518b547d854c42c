"""Which techniques are compared: the usual ones that the scenario allows, and its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from flows.scenario_file import LoadedScenario, load_scenario
from flows.techniques.usual import Technique, usual_techniques
from flows.techniques_spec import Techniques
from flows.validation import check_before_work
from polyloom.errors import PolyloomError, RequestError, ScenarioError, suggestion

# The rows are the same for all, so no technique may change them.
FIXED = ("data", "splits", "rows", "quarantine", "gate", "techniques")
OWN = "the scenario's own"


@dataclass(frozen=True)
class Choice:
    """What is compared, and what is not, with the reason."""

    techniques: tuple[Technique, ...]
    skipped: Mapping[str, str]


def chosen_techniques(loaded: LoadedScenario, overrides: Sequence[str], section: Techniques) -> Choice:
    """The techniques that make a valid scenario with `overrides`.

    Raises ScenarioError where one of the scenario's own changes the data or is no valid scenario, and RequestError for
    a name that is not known.
    """
    check_paths(section)
    own = {name: Technique(name, OWN, given) for name, given in section.tried.items()}
    known = {technique.name: technique for technique in usual_techniques(loaded.scenario)} | own
    for name in section.only:
        if name not in known:
            raise RequestError(
                f"techniques: there is no {name!r} here.{suggestion(name, known)} There are {', '.join(known)}."
            )
    wanted = [known[name] for name in section.only or known]
    problems = {technique.name: problem(loaded, overrides, technique) for technique in wanted}
    for name in own:
        if problems.get(name):
            raise ScenarioError(f"techniques.tried.{name}: {problems[name]}")
    return Choice(
        techniques=tuple(technique for technique in wanted if not problems[technique.name]),
        skipped={name: said for name, said in problems.items() if said},
    )


def check_paths(section: Techniques) -> None:
    """No technique changes the rows. Raises ScenarioError."""
    for name, given in section.tried.items():
        for path in given:
            if path.partition(".")[0] in FIXED:
                raise ScenarioError(
                    f"techniques.tried.{name}: {path} would change what is compared; a technique may change "
                    f"modalities, pretrain, fusion, tasks and recipe. What holds for all stands in techniques.baseline."
                )


def problem(loaded: LoadedScenario, overrides: Sequence[str], technique: Technique) -> str:
    """Why a technique is not for this scenario; empty where it is."""
    try:
        changed = load_scenario(str(loaded.path), overrides=[*overrides, *overrides_of(technique.settings)])
        check_before_work(changed)
    except PolyloomError as error:
        return str(error)
    return ""


def overrides_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings as `--set` takes them, in the order of their paths."""
    return tuple(f"{path}={in_one_line(settings[path])}" for path in sorted(settings))


def in_one_line(value: Any) -> str:
    """A value as YAML, on one line."""
    written = yaml.safe_dump(value, width=10**6, default_flow_style=True, allow_unicode=True)
    return written.removesuffix("\n").removesuffix("\n...").strip()


def baseline_overrides(given: str, overrides: Sequence[str]) -> tuple[str, ...]:
    """What holds for every fit: the section's `baseline`, and over it what the command line says."""
    section = load_scenario(given, overrides=overrides).scenario.techniques
    return (*overrides_of(section.baseline), *overrides)


def limited(loaded: LoadedScenario, limits: Mapping[str, Any]) -> Techniques:
    """The section with what the command line says instead."""
    section = loaded.scenario.techniques
    known = {name: value for name, value in limits.items() if name in Techniques.model_fields}
    return section.model_copy(update=known)
