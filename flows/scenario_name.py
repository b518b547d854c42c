"""A scenario's name, from what a person gave on the command line."""

from polyloom.errors import RequestError, ScenarioError


def scenario_name(given: str) -> str:
    """A scenario's name, also where its file was given."""
    if not given.endswith((".yaml", ".yml")):
        return given
    # Only a file needs all that reads scenarios.
    from flows.scenario_file import find_scenario, read_yaml

    try:
        return str(read_yaml(find_scenario(given)).get("name", given))
    except ScenarioError as error:
        raise RequestError(f"{error} Give a scenario's name, or its file.") from error
