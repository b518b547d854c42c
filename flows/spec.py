"""The scenario: one application as frozen models, read from a YAML file.

Only what is written here may stand in a scenario; anything else is refused with its path in the file.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
ColumnKind = Literal["number", "category", "labels", "text", "time"]
Split = Literal["train", "validation", "test"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of a scenario: immutable, and nothing unknown is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rows(Section):
    """What every source of rows can say."""

    path: str | dict[Split, str]
    text: tuple[str, ...] = ()
    image: str | None = None
    columns: dict[str, ColumnKind] = {}
    required: tuple[str, ...] = ()
    split: str | None = None
    sample: dict[Split, Positive] = {}

    def column_names(self) -> set[str]:
        """Every column that the scenario declares for these rows."""
        return {*self.text, *self.columns, *([self.image] if self.image else [])}

    def text_columns(self) -> tuple[str, ...]:
        """The columns that a text modality reads."""
        return self.text


class Table(Rows):
    """A table in one file (or one per split): CSV, TSV, JSONL or Parquet."""

    kind: Literal["table"] = "table"
    key: str | None = None
    encoding: str = "utf-8"
    separator: str | None = None
    user: str | None = None
    item: str | None = None
    time: str | None = None
    weight: dict[str, float] = {}
    event: str | None = None

    def column_names(self) -> set[str]:
        """Every column that the scenario declares for these rows."""
        single = (self.key, self.user, self.item, self.time, self.event, self.split)
        return super().column_names() | {name for name in single if name}


class Pictures(Rows):
    """A folder of pictures, one folder a class; gives the columns `image` and `label`."""

    kind: Literal["pictures"]
    image: str | None = "image"
    columns: dict[str, ColumnKind] = {"label": "category"}


Data = Annotated[Table | Pictures, Field(discriminator="kind")]


class Image(Section):
    """A picture encoder: any timm model."""

    kind: Literal["image"]
    model: str
    weights: str = "hub"
    size: Annotated[int, Field(ge=16, le=1024)] | None = None
    train: Literal["frozen", "full"] | None = None
    augment: Literal["none", "flip", "crop_flip"] = "none"


class Text(Section):
    """A text encoder: any BERT-type model of transformers."""

    kind: Literal["text"]
    model: str
    weights: str = "hub"
    max_tokens: Annotated[int, Field(ge=4, le=512)] = 128
    pooling: Literal["mean", "cls"] = "mean"
    columns: tuple[str, ...] = ()
    train: Literal["frozen", "full"] | None = None


class Characters(Section):
    """Hashed character n-grams: needs no weights, knows every script; good beside a text encoder."""

    kind: Literal["characters"]
    dim: Annotated[int, Field(ge=64, le=65536)] = 1024
    sizes: tuple[Positive, ...] = (1, 2, 3)
    columns: tuple[str, ...] = ()


class Number(Section):
    """Numbers, standardised by the training rows' mean and deviation."""

    kind: Literal["number"]
    columns: tuple[str, ...] = ()


class Category(Section):
    """Categories, one-hot over the values seen in training."""

    kind: Literal["category"]
    columns: tuple[str, ...] = ()


Modality = Annotated[Image | Text | Characters | Number | Category, Field(discriminator="kind")]


class Fusion(Section):
    """How the modalities of a task become one embedding."""

    kind: Literal["concat", "gated"] = "concat"
    modality_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    hidden: Annotated[int, Field(ge=0, le=4096)] = 0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1


class Classification(Section):
    """Binary or multiclass for a `category` column, multilabel for a `labels` column."""

    kind: Literal["classification"]
    target: str
    inputs: tuple[str, ...] = ()
    class_weights: Literal["none", "balanced"] = "none"
    loss_weight: Annotated[float, Field(gt=0)] = 1.0


class Recipe(Section):
    """How to fit."""

    strategy: Literal["frozen", "full"] = "frozen"
    epochs: Positive = 20
    patience: Annotated[int, Field(ge=0)] = 5
    seed: int = 7
    batch_size: Positive = 64
    accumulate: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    encoder_learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Share = 0.1
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 20.0


class Index(Section):
    """What can be found, and by which modalities."""

    rows: str
    embed: tuple[str, ...]
    weights: dict[str, Annotated[float, Field(gt=0)]] = {}
    show: tuple[str, ...] = ()
    group: str | None = None


class Gate(Section):
    """The test that a challenger must pass against the champion."""

    metric: str
    rule: Literal["not_worse", "better"] = "not_worse"
    margin: Annotated[float, Field(ge=0)] = 0.0
    minimum: float | None = None


class Quarantine(Section):
    """How many rows may be refused before the run stops."""

    max_share: Share = 0.05


class Splits(Section):
    """Shares of the rows that no source assigns to a split."""

    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    seed: int = 7


class Monitor(Section):
    """When the flow runs by itself."""

    schedule: str | None = None
    timezone: str = "UTC"


class Scenario(Section):
    """One application."""

    name: Name
    title: str
    description: str = ""
    data: dict[Name, Data]
    rows: str | None = None
    modalities: dict[Name, Modality]
    fusion: Fusion = Fusion()
    tasks: dict[Name, Classification]
    recipe: Recipe = Recipe()
    splits: Splits = Splits()
    index: Index | None = None
    gate: Gate
    quarantine: Quarantine = Quarantine()
    monitor: Monitor = Monitor()
