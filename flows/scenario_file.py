"""Reading a scenario: from a path or a shipped name, with overrides, every mistake named by its path in the file."""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from flows.scenario_checks import problems
from flows.spec import Scenario
from polyloom.errors import ScenarioError, suggestion

KINDS = {"table", "pictures", "image", "text", "characters", "number", "category", "classification", "concat", "gated"}


@dataclass(frozen=True)
class LoadedScenario:
    """A valid scenario and the file that it came from."""

    scenario: Scenario
    path: Path


def load_scenario(given: str, *, overrides: Sequence[str] = ()) -> LoadedScenario:
    """The scenario in a file, or the shipped one of that name; `overrides` are `recipe.epochs=3` and the like.

    Raises ScenarioError that lists every mistake, each with its path in the file.
    """
    path = find_scenario(given)
    raw = with_overrides(read_yaml(path), overrides)
    try:
        scenario = Scenario.model_validate(raw)
    except ValidationError as error:
        raise ScenarioError(report(path, explained(error))) from error
    found = problems(scenario)
    if found:
        raise ScenarioError(report(path, found))
    return LoadedScenario(scenario=scenario, path=path)


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


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping. Raises ScenarioError with line and column."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ScenarioError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8."
        ) from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ScenarioError(
            f"{path}: a scenario is a mapping of sections, this is {type(raw).__name__}. See 'polyloom init'."
        )
    return raw


def with_overrides(raw: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The mapping with `a.b=value` set, values read as YAML. Raises ScenarioError for one without a path or a value."""
    for override in overrides:
        path, equals, value = override.partition("=")
        if not equals or not path:
            raise ScenarioError(f"--set {override!r}: give a path and a value, such as --set recipe.epochs=3.")
        *parents, last = path.split(".")
        section = raw
        for parent in parents:
            inner = section.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise ScenarioError(f"--set {override!r}: {parent!r} is {inner!r}, which has no {last!r} in it.")
            section = inner
        section[last] = yaml.safe_load(value)
    return raw


def report(path: Path, found: Sequence[str]) -> str:
    """All mistakes of a file in one message."""
    if len(found) == 1:
        return f"{path.name}: {found[0]}"
    return f"{path.name} has {len(found)} mistakes:\n" + "\n".join(f"  {line}" for line in found)


def explained(error: ValidationError) -> list[str]:
    """One sentence for each mistake that pydantic found."""
    return [explain(mistake) for mistake in error.errors()]


def explain(mistake: Mapping[str, Any]) -> str:
    """The path in the file, what came in, what is allowed."""
    place = [str(part) for part in mistake["loc"] if str(part) not in KINDS]
    where = ".".join(place) or "the file"
    if mistake["type"] == "extra_forbidden":
        known = allowed_keys(mistake["loc"])
        return f"{where}: unknown key.{suggestion(place[-1], known)} Allowed here: {', '.join(known)}."
    if mistake["type"] == "missing":
        return f"{where}: missing. {'Sections' if len(place) == 1 else 'Keys'} that must be there cannot be left out."
    if mistake["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        expected = str(mistake.get("ctx", {}).get("expected_tags", ""))
        given = mistake["input"].get("kind") if isinstance(mistake["input"], dict) else mistake["input"]
        near = suggestion(str(given), [word.strip("' ") for word in expected.split(",")])
        return f"{where}.kind: {given!r} is not known.{near} Allowed: {expected or 'see the guide'}."
    given = mistake["input"] if isinstance(mistake["input"], str | int | float | bool | None) else "this"
    near = suggestion(str(given), str(mistake.get("ctx", {}).get("expected", "")).replace("'", "").split(" or "))
    return f"{where}: {given!r}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}.{near}"


def allowed_keys(location: Sequence[object]) -> list[str]:
    """The keys that the section at a location takes."""
    model: type[BaseModel] = Scenario
    for part in location[:-1]:
        model = next((found for found in inner_models(model, str(part))), model)
    return sorted(model.model_fields)


def inner_models(model: type[BaseModel], part: str) -> Iterator[type[BaseModel]]:
    """Models that stand under a field, or whose `kind` is the part."""
    if part in model.model_fields:
        yield from list(models_in(model.model_fields[part].annotation))[:1]
        return
    for field in [*Scenario.model_fields.values(), *model.model_fields.values()]:
        for found in models_in(field.annotation):
            kind = found.model_fields.get("kind")
            if kind is not None and part in get_args(kind.annotation):
                yield found


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """All models named anywhere in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)
