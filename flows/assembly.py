"""The one table from the scenario to components: what is declared here, built with flat arguments there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.scenario_checks import modality_columns, task_rows
from flows.spec import Category, Characters, Data, Image, Modality, Number, Rows, Scenario, Table, Text
from ingestion.sources import TableSource, resolve_paths
from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.characters import CharacterPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.protocol import Preparation
from polyloom.errors import RequestError

if TYPE_CHECKING:
    from torch import nn

    from modalities.fusion import ConcatFusion, GatedFusion

# What makes a finished vector about as large as a normalised embedding: hashed characters have length 1.
SCALES = {"number": 1.0, "category": 1.0, "characters": 8.0}


def table_sources(scenario: Scenario, *, beside: Path) -> list[TableSource]:
    """What ingestion is to read; paths are looked up beside the scenario file, then among the data sets."""
    return [
        table_source(name, data, beside=beside, targets=targets(scenario, name)) for name, data in scenario.data.items()
    ]


def table_source(name: str, data: Data, *, beside: Path, targets: Sequence[str]) -> TableSource:
    """One source; what a task predicts must be there."""
    events = (
        {
            "key": data.key,
            "encoding": data.encoding,
            "separator": data.separator,
            "user": data.user,
            "item": data.item,
            "time": data.time,
            "weight": data.event,
        }
        if isinstance(data, Table)
        else {}
    )
    return TableSource(
        name=name,
        kind=data.kind,
        paths=source_paths(name, data, beside=beside),
        text=data.text,
        image=data.image,
        columns=data.columns,
        required=tuple(dict.fromkeys([*data.required, *targets])),
        split=data.split,
        sample=data.sample,  # type: ignore[arg-type]
        **events,  # type: ignore[arg-type]
    )


def source_paths(name: str, data: Data, *, beside: Path) -> dict[str, Path]:
    """Where a source's files are, by split. Raises RequestError that names the source."""
    given = data.path if isinstance(data.path, str) else {str(split): path for split, path in data.path.items()}
    try:
        return resolve_paths(given, beside=beside)
    except RequestError as error:
        raise RequestError(f"data.{name}.{error}") from error


def targets(scenario: Scenario, table: str) -> list[str]:
    """The columns of a table that tasks predict."""
    if table != task_rows(scenario):
        return []
    return list(dict.fromkeys(task.target for task in scenario.tasks.values()))


def rare_labels(scenario: Scenario) -> dict[str, list[str]]:
    """Columns in which a class of a single row can be neither learned nor judged."""
    table = task_rows(scenario)
    kinds = scenario.data[table].columns
    return {table: [column for column in targets(scenario, table) if kinds[column] == "category"]}


def build_preparation(
    name: str, modality: Modality, *, rows: Rows, training: Sequence[Mapping[str, object]]
) -> Preparation:
    """A modality's preparation; statistics are taken from the training rows alone."""
    columns = modality_columns(modality, name, rows)
    if isinstance(modality, Number):
        return NumberPreparation.fit(training, columns=columns)
    if isinstance(modality, Category):
        return CategoryPreparation.fit(training, columns=columns)
    if isinstance(modality, Characters):
        return CharacterPreparation.fit(training, columns=columns, dim=modality.dim, sizes=modality.sizes)
    if isinstance(modality, Image):
        from modalities.encoders.picture import picture_preparation

        return picture_preparation(
            model=modality.model, column=columns[0], size=modality.size, weights=modality.weights
        )
    from modalities.preparation.text import TextPreparation
    from modalities.text_models import load_tokenizer

    tokenizer, padding_id = load_tokenizer(model=modality.model, weights=modality.weights)
    return TextPreparation(tokenizer=tokenizer, columns=columns, max_tokens=modality.max_tokens, padding_id=padding_id)


def build_encoder(modality: Modality, *, seed: int) -> "nn.Module":
    """A modality's encoder with its weights; from scratch, always the same under a seed."""
    import torch

    torch.manual_seed(seed)
    if isinstance(modality, Image):
        from modalities.encoders.picture import build_picture_encoder

        return build_picture_encoder(model=modality.model, weights=modality.weights)
    if isinstance(modality, Text):
        from modalities.encoders.text import build_text_encoder

        return build_text_encoder(model=modality.model, weights=modality.weights, pooling=modality.pooling)
    raise RequestError(f"a modality of kind {modality.kind!r} has no encoder; image and text have one.")


def build_fusion(scenario: Scenario, dims: Mapping[str, int]) -> "ConcatFusion | GatedFusion":
    """The fusion of one task's inputs."""
    from modalities.fusion import ConcatFusion, GatedFusion

    kind: type[ConcatFusion | GatedFusion] = ConcatFusion if scenario.fusion.kind == "concat" else GatedFusion
    return kind(
        dims=dims,
        modality_dropout=scenario.fusion.modality_dropout,
        hidden=scenario.fusion.hidden,
        dropout=scenario.fusion.dropout,
        scales={
            name: SCALES[scenario.modalities[name].kind] for name in dims if not has_encoder(scenario.modalities[name])
        },
    )


def has_encoder(modality: Modality) -> bool:
    """Whether a graph stands between a modality's preparation and its embedding."""
    return isinstance(modality, Image | Text)


def is_live(scenario: Scenario, name: str) -> bool:
    """Whether a modality's encoder is trained; one that is not is embedded once."""
    modality = scenario.modalities[name]
    return isinstance(modality, Image | Text) and (modality.train or scenario.recipe.strategy) == "full"


def task_inputs(scenario: Scenario, task: str) -> tuple[str, ...]:
    """The modalities that a task reads: those it names, else all."""
    return scenario.tasks[task].inputs or tuple(scenario.modalities)
