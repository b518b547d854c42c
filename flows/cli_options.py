"""Arguments and options that many commands have."""

import click

SCENARIO = click.argument("scenario")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there.")
