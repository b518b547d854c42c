"""Reading a scenario: from a path or a shipped name, with overrides, every mistake named by its path in the file."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from flows.further_checks import further_problems
from flows.mistakes import explained
from flows.scenario_checks import data_problems, problems
from flows.spec import DataScenario, Scenario
from polyloom.errors import ScenarioError, suggestion

Model = TypeVar("Model", bound=DataScenario)


@dataclass(frozen=True)
class LoadedData:
    """The data of a valid scenario, and the file that it came from."""

    scenario: DataScenario
    path: Path


@dataclass(frozen=True)
class LoadedScenario(LoadedData):
    """A valid scenario and the file that it came from."""

    scenario: Scenario


def load_scenario(given: str, *, overrides: Sequence[str] = ()) -> LoadedScenario:
    """The scenario in a file, or the shipped one of that name; `overrides` are `recipe.epochs=3` and the like.

    Raises ScenarioError that lists every mistake, each with its path in the file.
    """
    path = find_scenario(given)
    return whole_scenario(path, with_overrides(read_yaml(path), overrides))


def load_data_scenario(given: str, *, overrides: Sequence[str] = ()) -> LoadedData:
    """As `load_scenario`, but a file that says nothing about models may also hold its data alone.

    Raises ScenarioError that lists every mistake, each with its path in the file.
    """
    path = find_scenario(given)
    raw = with_overrides(read_yaml(path), overrides)
    if raw.keys() & (Scenario.model_fields.keys() - DataScenario.model_fields.keys()):
        return whole_scenario(path, raw)
    scenario = validated(DataScenario, path, raw)
    refuse(path, data_problems(scenario))
    return LoadedData(scenario=scenario, path=path)


def whole_scenario(path: Path, raw: Mapping[str, Any]) -> LoadedScenario:
    """The scenario that a mapping describes. Raises ScenarioError."""
    scenario = validated(Scenario, path, raw)
    refuse(path, problems(scenario) or further_problems(scenario))
    return LoadedScenario(scenario=scenario, path=path)


def validated(model: type[Model], path: Path, raw: Mapping[str, Any]) -> Model:
    """A mapping as a model. Raises ScenarioError."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ScenarioError(report(path, explained(error))) from error


def find_scenario(given: str) -> Path:
    """The file at a path, else `NAME.yaml` in a folder of scenarios. Raises ScenarioError that lists what there is."""
    path = Path(given)
    if path.suffix in {".yaml", ".yml"} or path.exists():
        if path.is_file():
            return path.resolve()
        raise ScenarioError(f"{given}: no such file. {known_names()}'polyloom init NAME' writes a new scenario.")
    shipped = shipped_scenarios()
    if given in shipped:
        return shipped[given]
    raise ScenarioError(
        f"{given!r} is neither a file nor a scenario.{suggestion(given, shipped)} {known_names()}"
        "'polyloom init NAME' writes a new one."
    )


def shipped_scenarios() -> dict[str, Path]:
    """Scenarios by name: those in `scenarios/` here, then those that came with polyloom."""
    found = importlib.util.find_spec("flows")
    package = Path(next(iter(found.submodule_search_locations or ["."]))) if found else Path()
    folders = [package / "shipped_scenarios", package.parent / "scenarios", Path("scenarios")]
    return {path.stem: path.resolve() for folder in folders for path in sorted(folder.glob("*.yaml"))}


def known_names() -> str:
    """A sentence that names the shipped scenarios."""
    return f"Known are {', '.join(sorted(shipped_scenarios()))}. "


class UniqueKeys(yaml.SafeLoader):
    """YAML's safe subset, which also refuses a key that stands twice: the first would be dropped without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """A mapping whose keys all differ."""
        names = [key.value for key, _ in node.value]
        for place, (key, _) in enumerate(node.value):
            if key.value in names[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is here twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping. Raises ScenarioError with line and column."""
    try:
        raw = UniqueKeys(path.read_text(encoding="utf-8")).get_single_data()
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ScenarioError(
            f"{path.name}, line {line}: byte {error.start} is not UTF-8 ({error.reason}). Save the file as UTF-8."
        ) from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path.name}{yaml_mistake(error)}") from error
    if not isinstance(raw, dict):
        what = "empty" if raw is None else f"{type(raw).__name__} {str(raw)[:40]!r}"
        raise ScenarioError(
            f"{path.name}: a scenario is a mapping of sections, this is {what}. "
            "'polyloom init NAME' writes one to start from."
        )
    return raw


def yaml_mistake(error: yaml.YAMLError) -> str:
    """Line, column and what YAML stumbled over."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{place}: not valid YAML: {said}. Look at this line and the one before: quotes, brackets, indentation."


def with_overrides(raw: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The mapping with `a.b=value` set, values read as YAML. Raises ScenarioError for one without a path or a value."""
    for override in overrides:
        path, equals, value = override.partition("=")
        if not equals or not all(path.split(".")):
            raise ScenarioError(f"--set {override!r}: give a path and a value, such as --set recipe.epochs=3.")
        *parents, last = path.split(".")
        section = raw
        for parent in parents:
            if section.get(parent) is None:
                section[parent] = {}
            if not isinstance(section[parent], dict):
                raise ScenarioError(
                    f"--set {override!r}: {parent!r} is {section[parent]!r} in the file, so it can have no {last!r}."
                )
            section = section[parent]
        section[last] = override_value(override, value)
    return raw


def override_value(override: str, value: str) -> Any:
    """What stands after the `=`, read as YAML."""
    try:
        return UniqueKeys(value).get_single_data()
    except yaml.YAMLError as error:
        raise ScenarioError(
            f"--set {override!r}: {value!r} is not valid YAML. Quote it as in --set 'title=\"a: b\"'."
        ) from error


def report(path: Path, found: Sequence[str]) -> str:
    """All mistakes of a file in one message."""
    if len(found) == 1:
        return f"{path.name}: {found[0]}"
    return f"{path.name} has {len(found)} mistakes:\n" + "\n".join(f"  {line}" for line in found)


def refuse(path: Path, found: Sequence[str]) -> None:
    """Raises ScenarioError with all mistakes, if there are any."""
    if found:
        raise ScenarioError(report(path, found))
