"""The one table from the scenario to components: what is declared here, built with flat arguments there."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows.modality_spec import Category, Characters, Image, Modality, Number, Text
from flows.rule_assembly import table_rules
from flows.scenario_columns import columns_over_tables, modality_columns, step_columns, table_of, task_inputs
from flows.source_spec import (
    Boxes,
    Conll,
    Data,
    Documents,
    Feedback,
    Idx,
    Records,
    Semeval,
    Split,
    Sql,
    Squad,
    Table,
    WatchedFolder,
)
from flows.spec import DataScenario, Scenario
from flows.task_reads import modalities_read_whole
from flows.zero_shot import hypotheses_of
from ingestion.cleaning import Cleaning
from ingestion.feedback import OPTION, TARGETS
from ingestion.feedback_places import feedback_folder
from ingestion.rules import Rules
from ingestion.sources import UNSPLIT, TableSource, resolve_paths
from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.characters import CharacterPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.protocol import Preparation
from polyloom.errors import RequestError

SCRATCH_LAYERS = 4
# How documents are found and cut.
CUT_OPTIONS = ("pattern", "characters", "overlap")

if TYPE_CHECKING:
    from torch import nn


def table_sources(scenario: DataScenario, *, beside: Path) -> list[TableSource]:
    """What ingestion is to read; paths are looked up beside the scenario file, then among the data sets."""
    return [
        with_feedback(
            table_source(name, data, beside=beside, needed=needed(scenario, name), rules=table_rules(scenario, name)),
            scenario,
        )
        for name, data in scenario.data.items()
    ]


def with_feedback(source: TableSource, scenario: DataScenario) -> TableSource:
    """The source with what came back from serving, where the table asks for it; elsewhere as it is."""
    data = scenario.data[source.name]
    kind = data.of if isinstance(data, Feedback) else data.feedback if isinstance(data, Table) else None
    if kind is None:
        return source
    log = feedback_folder(scenario.name) / kind
    return replace(source, options={**source.options, OPTION: str(log), TARGETS: targets(scenario, source.name)})


def table_source(name: str, data: Data, *, beside: Path, needed: Sequence[str], rules: Rules | None) -> TableSource:
    """One source; what a task needs must be there."""
    records = data if isinstance(data, Records) else Records()
    encoded = data if isinstance(data, Table | Conll | Semeval | Squad | WatchedFolder) else None
    return TableSource(
        name=name,
        kind=data.kind,
        paths=source_paths(name, data, beside=beside),
        key=records.key,
        text=data.text,
        image=data.image,
        columns=data.columns,
        required=tuple(dict.fromkeys([*data.required, *needed])),
        user=records.user,
        item=records.item,
        time=records.time,
        weight=records.event,
        encoding=encoded.encoding if encoded else "utf-8",
        separator=data.separator if isinstance(data, Table | Conll | WatchedFolder) else None,
        split=data.split,
        sample={str(split): rows for split, rows in data.sample.items()},
        rules=rules,
        cleaning=Cleaning(
            normalise=data.clean.normalise,
            control=data.clean.control,
            max_characters=data.clean.max_characters,
        ),
        group=data.group,
        time_split=data.time_split,
        mask=data.personal.mask,
        options=source_options(name, data, beside=beside),
    )


def source_paths(name: str, data: Data, *, beside: Path) -> dict[str, Path]:
    """Where a source's files are, by split; a database and what came back have none and stand beside the scenario.

    Raises RequestError that names the source.
    """
    if isinstance(data, Sql | Feedback):
        return {UNSPLIT: beside.absolute()}
    return located(f"data.{name}.path", data.path, beside=beside)


def located(place: str, given: str | Mapping[Split, str], *, beside: Path) -> dict[str, Path]:
    """Absolute paths by split. Raises RequestError that names the place in the scenario."""
    paths = given if isinstance(given, str) else {str(split): path for split, path in given.items()}
    try:
        return resolve_paths(paths, beside=beside)
    except RequestError as error:
        raise RequestError(f"{place}: {str(error).removeprefix('path: ')}") from error


def source_options(name: str, data: Data, *, beside: Path) -> dict[str, object]:
    """What a kind of source needs beyond its path, all of it plain JSON. Raises RequestError that names the source."""
    if isinstance(data, Sql):
        return {"url": with_environment(f"data.{name}.url", data.url), "query": data.query, "table": data.table}
    if isinstance(data, Conll):
        return {"fields": list(data.fields), "comment": data.comment}
    if isinstance(data, Idx):
        labels = located(f"data.{name}.labels", data.labels, beside=beside) if data.labels else {}
        return {"labels": {split: str(path) for split, path in labels.items()}}
    if isinstance(data, Boxes):
        return box_options(name, data, beside=beside)
    plain = {Table: ("names", "image_folder"), WatchedFolder: ("pattern",), Documents: CUT_OPTIONS}
    given = {word: getattr(data, word) for word in plain.get(type(data), ())}
    # An overlap of 0 is one; no names and no folder are none.
    told = {word: list(value) if isinstance(value, tuple) else value for word, value in given.items()}
    return {word: value for word, value in told.items() if value not in ([], None)}


def box_options(name: str, data: Boxes, *, beside: Path) -> dict[str, object]:
    """What reading boxes needs beyond their path: the layout, and where pictures and class names are."""
    given = {"images": data.images, "classes": data.classes}
    found = {
        word: str(located(f"data.{name}.{word}", path, beside=beside)[UNSPLIT]) for word, path in given.items() if path
    }
    return {"layout": data.layout, "images": None, "classes": None, **found}


def with_environment(place: str, text: str) -> str:
    """A text in which each `${NAME}` is replaced. Raises RequestError for a variable that is not set."""
    for variable in re.findall(r"\$\{(\w+)\}", text):
        if variable not in os.environ:
            raise RequestError(f"{place}: the environment variable {variable} is not set. Set it, then try again.")
        text = text.replace(f"${{{variable}}}", os.environ[variable])
    return text


def targets(scenario: DataScenario, table: str) -> list[str]:
    """The columns of a table that tasks predict."""
    if not isinstance(scenario, Scenario):
        return []
    return list(
        dict.fromkeys(
            task.target for name, task in scenario.tasks.items() if task.target and table_of(scenario, name) == table
        )
    )


def needed(scenario: DataScenario, table: str) -> list[str]:
    """The columns without which a row of a table is of no use: what tasks predict, and what they read alone and whole.

    A task over fused embeddings can do without a modality; one over tokens or feature maps has nothing else to read.
    """
    if not isinstance(scenario, Scenario):
        return []
    read = [
        (scenario.modalities[name], modality_columns(scenario.modalities[name], name, scenario.data[table]))
        for task in scenario.tasks
        if table_of(scenario, task) == table
        for name in task_inputs(scenario, task)
        if name in modalities_read_whole(scenario)
    ]
    # Of several columns one may be enough, but not of a question and its context.
    alone = [columns for modality, columns in read if len(columns) == 1 or is_pair(modality)]
    whole = [column for columns in alone for column in columns]
    return list(dict.fromkeys([*targets(scenario, table), *whole, *step_columns(scenario, table)]))


def is_pair(modality: Modality) -> bool:
    """Whether a modality reads two texts that belong together."""
    return isinstance(modality, Text) and modality.form == "pair"


def rare_labels(scenario: DataScenario) -> dict[str, list[str]]:
    """Columns in which a class of a single row can be neither learned nor judged."""
    if not isinstance(scenario, Scenario):
        return {}
    classes = {
        table: [column for column in targets(scenario, table) if scenario.data[table].columns[column] == "category"]
        for table in dict.fromkeys(table_of(scenario, task) for task in scenario.tasks)
    }
    return {table: columns for table, columns in classes.items() if columns}


def build_preparation(scenario: Scenario, name: str, *, training: Sequence[Mapping[str, object]]) -> Preparation:
    """A modality's preparation; statistics are taken from the training rows alone."""
    modality, columns = scenario.modalities[name], columns_over_tables(scenario, name)
    if isinstance(modality, Number):
        return NumberPreparation.fit(training, columns=columns)
    if isinstance(modality, Category):
        return CategoryPreparation.fit(training, columns=columns)
    if isinstance(modality, Characters):
        return CharacterPreparation.fit(training, columns=columns, dim=modality.dim, sizes=modality.sizes)
    if isinstance(modality, Image):
        from modalities.encoders.picture import picture_preparation

        return picture_preparation(
            model=modality.model,
            column=columns[0],
            size=modality.size,
            weights=modality.weights,
            whole=modality.crop_mode == "squash" or name in modalities_read_whole(scenario),
        )
    return text_preparation(modality, columns=columns, hypotheses=hypotheses_of(scenario, name))


def text_preparation(modality: Text, *, columns: Sequence[str], hypotheses: Sequence[str]) -> Preparation:
    """A text's preparation, by its form."""
    from modalities.preparation.entailment import EntailmentPreparation
    from modalities.preparation.marked import MarkedPreparation
    from modalities.preparation.pair import PairPreparation
    from modalities.preparation.text import TextPreparation
    from modalities.preparation.words import WordPreparation
    from modalities.text_models import load_tokenizer

    tokenizer, padding_id = load_tokenizer(model=text_model(modality), weights=modality.weights)
    if modality.form == "words":
        return WordPreparation(
            tokenizer=tokenizer,
            columns=columns,
            max_tokens=modality.max_tokens,
            padding_id=padding_id,
            letters=modality.letters,
        )
    if modality.form == "pair":
        return PairPreparation(
            tokenizer=tokenizer,
            columns=columns,
            max_tokens=modality.max_tokens,
            padding_id=padding_id,
            overlap=modality.overlap,
        )
    if modality.form == "marked":
        return MarkedPreparation(
            tokenizer=tokenizer,
            columns=columns,
            max_tokens=modality.max_tokens,
            padding_id=padding_id,
            markers=modality.markers,
            ranges=modality.ranges,
        )
    if modality.form == "entailment":
        return EntailmentPreparation(
            tokenizer=tokenizer,
            columns=columns,
            max_tokens=modality.max_tokens,
            padding_id=padding_id,
            hypotheses=hypotheses,
        )
    return TextPreparation(tokenizer=tokenizer, columns=columns, max_tokens=modality.max_tokens, padding_id=padding_id)


def text_model(modality: Text) -> str:
    """The model's name, or the folder of one that starts from nothing over a given vocabulary."""
    if modality.vocabulary is None:
        return modality.model
    from modalities.scratch_text import scratch_folder

    layers = modality.layers or SCRATCH_LAYERS
    return str(scratch_folder(vocabulary=modality.vocabulary, layers=layers, width=modality.width))


def kept_layers(modality: Text) -> int | None:
    """How many of a model's layers are kept; None for all, and where the model is made with so many."""
    return None if modality.vocabulary is not None else modality.layers


def build_encoder(modality: Modality, *, seed: int, maps: bool = False, hypotheses: int = 1) -> "nn.Module":
    """A modality's encoder with its weights; from scratch, always the same under a seed.

    With `maps`, a picture's encoder gives its feature maps too; the weights are the same. So they are whatever number
    of `hypotheses` a text of form entailment is held against.
    """
    import torch

    torch.manual_seed(seed)
    if isinstance(modality, Image):
        if maps:
            from modalities.encoders.picture_maps import build_picture_maps_encoder

            return build_picture_maps_encoder(model=modality.model, weights=modality.weights)
        from modalities.encoders.picture import build_picture_encoder

        return build_picture_encoder(model=modality.model, weights=modality.weights)
    if isinstance(modality, Text) and modality.form == "entailment":
        from modalities.encoders.entailment import build_entailment_encoder

        return build_entailment_encoder(model=modality.model, weights=modality.weights, hypotheses=hypotheses)
    if isinstance(modality, Text):
        from modalities.encoders.text import build_text_encoder

        window = modality.max_tokens if modality.form == "pair" else None
        return build_text_encoder(
            model=text_model(modality),
            weights=modality.weights,
            pooling=modality.pooling,
            window=window,
            layers=kept_layers(modality),
        )
    raise RequestError(f"a modality of kind {modality.kind!r} has no encoder; image and text have one.")


def has_encoder(modality: Modality) -> bool:
    """Whether a graph stands between a modality's preparation and its embedding."""
    return isinstance(modality, Image | Text)
