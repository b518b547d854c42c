"""What must hold between modalities and the tables that they read."""

from collections.abc import Iterator

from flows.modality_spec import Category, Image, Number, Text
from flows.scenario_columns import AnyModality, columns_over_tables, modality_columns, read_tables
from flows.source_checks import unknown
from flows.source_spec import Rows
from flows.spec import Scenario


def modality_problems(scenario: Scenario) -> Iterator[str]:
    """Modalities that read columns which the rows do not have."""
    for table, names in read_tables(scenario).items():
        for name in names:
            yield from column_problems(name, scenario.modalities[name], table, scenario.data[table])
    for name, modality in scenario.modalities.items():
        if isinstance(modality, Text) and modality.letters and modality.form != "words":
            yield f"modalities.{name}.letters: only words have letters. Write `form: words`, or leave `letters` out."
        if isinstance(modality, Text) and modality.augment != "none" and modality.form != "text":
            yield (
                f"modalities.{name}.augment: {modality.augment!r} moves words, which the truth of a text of form "
                f"{modality.form!r} could not follow. Leave it out, or write `form: text`."
            )
    if scenario.index and scenario.index.rows not in scenario.data:
        return
    for name, modality in scenario.modalities.items():
        if isinstance(modality, Image) and len(set(columns_over_tables(scenario, name))) > 1:
            yield (
                f"modalities.{name}: its tables call their picture {', '.join(columns_over_tables(scenario, name))}; "
                "one modality reads one column, so name them alike, or add a second modality."
            )


def column_problems(name: str, modality: AnyModality, table: str, rows: Rows) -> Iterator[str]:
    """Columns that a modality cannot read from a table."""
    columns = modality_columns(modality, name, rows)
    if not columns:
        key = "image: COLUMN" if isinstance(modality, Image) else "text: [COLUMN]"
        yield f"modalities.{name}: data.{table} names no column for it to read. Add `{key}` to data.{table}."
    for column in columns:
        if column not in rows.column_names():
            yield unknown(f"modalities.{name}.columns", column, rows.column_names())
        elif isinstance(modality, Number | Category) and rows.columns.get(column) != modality.kind:
            yield (
                f"modalities.{name}.columns: {column!r} is not declared as {modality.kind}. "
                f"Write `{column}: {modality.kind}` under data.{table}.columns."
            )
        elif isinstance(modality, Text) and modality.form == "text" and rows.columns.get(column) == "tokens":
            yield (
                f"modalities.{name}.columns: {column!r} is declared as tokens, a list of words. "
                f"Write `form: words` under modalities.{name}."
            )
