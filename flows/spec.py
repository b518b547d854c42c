"""The scenario: one application as frozen models, read from a YAML file.

Only what is written here may stand in a scenario; anything else is refused with its path in the file.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from flows.recipe import Recipe
from training.strategies.settings import Strategy

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
ColumnKind = Literal["number", "category", "labels", "tokens", "text", "time", "boxes"]
Split = Literal["train", "validation", "test"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Cost = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1)]
# A plain number stays a number; anything else is read as a time.
Bound = Annotated[float, Field(strict=True, allow_inf_nan=False)] | datetime


class Section(BaseModel):
    """A part of a scenario: immutable, and nothing unknown is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Checks(Section):
    """What a column allows: a range, a pattern that the whole value matches, a list, no value twice, another's key.

    The pattern is read by RE2: its time grows only with the text, so it knows no look-around and no backreferences.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    minimum: Bound | None = Field(default=None, alias="min")
    maximum: Bound | None = Field(default=None, alias="max")
    pattern: str | None = None
    allowed: Annotated[tuple[str | bool | float, ...], Field(min_length=1)] | None = None
    unique: bool = False
    references: str | None = Field(default=None, alias="in")


class Clean(Section):
    """How text is made uniform before it is kept."""

    normalise: Literal["NFC", "NFKC", "NFD", "NFKD"] | None = "NFC"
    control: Literal["strip", "keep", "refuse"] = "strip"
    max_characters: Positive = 100_000


class Personal(Section):
    """Personal data that is masked in text columns before anything is stored."""

    mask: tuple[Literal["mail", "phone", "card", "identity"], ...] = ()


class Rows(Section):
    """What every source of rows can say."""

    text: tuple[str, ...] = ()
    image: str | None = None
    columns: dict[str, ColumnKind] = {}
    required: tuple[str, ...] = ()
    split: str | None = None
    sample: dict[Split, Positive] = {}
    checks: dict[str, Checks] = {}
    order: tuple[str, ...] = ()
    same_length: tuple[str, ...] = ()
    clean: Clean = Clean()
    group: str | None = None
    time_split: str | None = None
    personal: Personal = Personal()

    def column_names(self) -> set[str]:
        """Every column that the scenario declares for these rows."""
        single = (self.image, self.split, self.group, self.time_split)
        return {*self.text, *self.columns, *(name for name in single if name)}

    def text_columns(self) -> tuple[str, ...]:
        """The columns that a text modality reads."""
        return self.text


class Files(Rows):
    """Rows that lie in a file, a folder, an archive or at a URL, or one for each split."""

    path: str | dict[Split, str]


class Records(Rows):
    """Rows that may have a key, and may be events: who, what, when."""

    key: str | None = None
    user: str | None = None
    item: str | None = None
    time: str | None = None
    weight: dict[str, float] = {}
    event: str | None = None

    def column_names(self) -> set[str]:
        """Every column that the scenario declares for these rows."""
        single = (self.key, self.user, self.item, self.time, self.event)
        return super().column_names() | {name for name in single if name}


class Table(Records, Files):
    """A table: CSV, TSV, JSON, JSONL, Parquet, Arrow or Excel; in one file or several, in an archive or remote.

    `names` are the columns of a CSV or TSV file whose first line is a row already; `image_folder` is where the
    pictures are that the column `image` names, from the table's own folder on.
    """

    kind: Literal["table"] = "table"
    encoding: str = "utf-8"
    separator: str | None = None
    names: tuple[str, ...] = ()
    image_folder: str | None = None


class Pictures(Files):
    """A folder of pictures, one folder a class; gives the columns `image` and `label`."""

    kind: Literal["pictures"]
    image: str | None = "image"
    columns: dict[str, ColumnKind] = {"label": "category"}


class Sql(Records):
    """A table or a query of a database. `${NAME}` in `url` is taken from the environment: passwords stay out."""

    kind: Literal["sql"]
    url: str
    query: str | None = None
    table: str | None = None


class Conll(Files):
    """Sentences of one token a line, blank lines between; `fields` names what stands in a line, in order.

    The column `document` is there too: the number of the document that a sentence belongs to.
    """

    kind: Literal["conll"]
    fields: Annotated[tuple[str, ...], Field(min_length=1)] = ("tokens", "tags")
    columns: dict[str, ColumnKind] = {"tokens": "tokens", "tags": "tokens"}
    encoding: str = "utf-8"
    separator: str | None = None
    comment: str | None = None


class Semeval(Files):
    """Sentences with two marked stretches and their relation, in the blocks of SemEval-2010 task 8.

    Gives the columns `id`, `sentence`, `relation` and `comment`.
    """

    kind: Literal["semeval"]
    text: tuple[str, ...] = ("sentence",)
    columns: dict[str, ColumnKind] = {"relation": "category"}
    encoding: str = "utf-8"


class Squad(Files):
    """Questions with contexts and answers in SQuAD's JSON.

    Gives `id`, `title`, `paragraph`, `question`, `context`, `answers` (a list; empty without an answer) and
    `answer_start`.
    """

    kind: Literal["squad"]
    text: tuple[str, ...] = ("question", "context")
    columns: dict[str, ColumnKind] = {"answers": "labels", "answer_start": "number"}
    encoding: str = "utf-8"


class Idx(Files):
    """Pictures and labels in the two files of MNIST and its kin; gives the columns `image` and `label`."""

    kind: Literal["idx"]
    labels: str | dict[Split, str] | None = None
    image: str | None = "image"
    columns: dict[str, ColumnKind] = {"label": "category"}


class Boxes(Files):
    """Pictures with labelled boxes as COCO, Pascal VOC or YOLO write them; gives the columns `image` and `boxes`."""

    kind: Literal["boxes"]
    layout: Literal["coco", "voc", "yolo"]
    images: str | None = None
    classes: str | None = None
    image: str | None = "image"
    columns: dict[str, ColumnKind] = {"boxes": "boxes"}


class SavedDataset(Records, Files):
    """A folder that Hugging Face's `save_to_disk` wrote."""

    kind: Literal["hf"]


class WatchedFolder(Records, Files):
    """Every file below a folder that fits the pattern; new ones are read at the next run."""

    kind: Literal["folder"]
    pattern: str = "*"
    encoding: str = "utf-8"
    separator: str | None = None


class EventLog(Records, Files):
    """An append-only log of events in sealed segments."""

    kind: Literal["log"]


Data = Annotated[
    Table | Pictures | Sql | Conll | Semeval | Squad | Idx | Boxes | SavedDataset | WatchedFolder | EventLog,
    Field(discriminator="kind"),
]


class Image(Section):
    """A picture encoder: any timm model."""

    kind: Literal["image"]
    model: str
    weights: str = "hub"
    size: Annotated[int, Field(ge=16, le=1024)] | None = None
    train: Strategy | None = None
    augment: Literal["none", "flip", "crop_flip", "scene"] = "none"


class Text(Section):
    """A text encoder: any BERT-type model of transformers.

    `form` is how it is read: `text`; `words`, each with its first token and up to `letters` of its letters; `pair`, a
    question and its context, two columns in this order, long contexts in windows that share `overlap` tokens;
    `marked`, a text with two stretches marked, by tags in it or by the four number columns that `ranges` names, for
    which `markers` are put into the text.

    With `weights: scratch`, `vocabulary` is a file of tokens for a model of `layers` and `width` that knows nothing.
    """

    kind: Literal["text"]
    model: str
    weights: str = "hub"
    form: Literal["text", "words", "pair", "marked"] = "text"
    letters: Annotated[int, Field(ge=0, le=64)] = 0
    overlap: Annotated[int, Field(ge=0)] | None = None
    markers: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)] = ("$", "#")
    ranges: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    max_tokens: Annotated[int, Field(ge=4, le=512)] = 128
    pooling: Literal["mean", "cls"] = "mean"
    columns: tuple[str, ...] = ()
    train: Strategy | None = None
    vocabulary: str | None = None
    layers: Annotated[int, Field(ge=1, le=24)] = 4
    width: Annotated[int, Field(ge=16, le=1024)] = 256


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


class Pretrain(Section):
    """What an encoder learns before the fit, from rows without labels.

    A text encoder guesses hidden tokens, words or spans of words (`masked_language`); a picture encoder paints hidden
    patches (`masked_picture`) or the picture under noise (`denoising`). `rows` are the tables whose training rows are
    read, by default those of the tasks. `mask` is the share that is hidden: 0.15 of a text, 0.6 of a picture.
    """

    kind: Literal["masked_language", "masked_picture", "denoising"] | None = None
    rows: tuple[str, ...] = ()
    epochs: Positive = 5
    batch_size: Positive = 64
    learning_rate: Annotated[float, Field(gt=0)] = 5e-4
    mask: Annotated[float, Field(gt=0, lt=1)] | None = None
    unit: Literal["token", "word", "span"] | None = None
    patch: Positive | None = None
    noise: Annotated[float, Field(gt=0)] | None = None


class Fusion(Section):
    """How the modalities of a task become one embedding; `attention_heads` and `blocks` are of cross_attention."""

    kind: Literal["concat", "gated", "cross_attention"] = "concat"
    modality_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    hidden: Annotated[int, Field(ge=0, le=4096)] = 0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    attention_heads: Literal[1, 2, 4, 8, 16] = 4
    blocks: Annotated[int, Field(ge=1, le=12)] = 2


class Task(Section):
    """What every task says: what it predicts from what, on which table's rows, and its share of the loss.

    A learned share follows the task's own uncertainty. `rows` is the table, where the tasks learn from several.
    """

    target: str
    inputs: tuple[str, ...] = ()
    rows: str | None = None
    loss_weight: Annotated[float, Field(gt=0)] | Literal["learned"] = 1.0


class FusedTask(Task):
    """A task over all its modalities together; `fusion` is its own, where it is not the scenario's."""

    fusion: Fusion | None = None


class Classification(FusedTask):
    """Binary or multiclass for a `category` column, multilabel for a `labels` column.

    `costs` says what a mistake costs, by true and then by answered label (others cost `other_cost`), or as a matrix
    over the sorted labels. `hierarchy` gives each label its parents, from the most general one on.
    """

    kind: Literal["classification"]
    class_weights: Literal["none", "balanced"] = "none"
    costs: dict[str, dict[str, Cost]] | tuple[tuple[Cost, ...], ...] = {}
    other_cost: Cost = 1.0
    cost_weight: Annotated[float, Field(ge=0)] = 1.0
    hierarchy: dict[str, str | tuple[str, ...]] = {}
    hierarchy_loss: Literal["hxe", "soft_labels", "none"] = "hxe"
    hierarchy_strength: Annotated[float, Field(ge=0)] | None = None
    answering: Literal["probable", "cheapest"] | None = None


class Regression(FusedTask):
    """A number from a `number` column, with an interval that holds it in nine of ten cases."""

    kind: Literal["regression"]
    loss: Literal["squared", "absolute", "huber"] = "squared"


class TokenClassification(Task):
    """Entities among words, from a `tokens` column with a tag a word; `scheme` is how they are learned.

    `hidden` is the size of each direction of a reader over the words, 0 for none.
    """

    kind: Literal["token_classification"]
    scheme: Literal["BIO", "BIOES"] = "BIO"
    hidden: Annotated[int, Field(ge=0, le=4096)] = 0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1


class Alignment(Task):
    """Two modalities in one space, so that words find pictures; the pairs are its rows, so there is no target.

    `inputs` are the two, what asks first before what is found. A row may hold a list of texts for one picture.
    """

    kind: Literal["alignment"]
    target: Literal[""] = ""
    dim: Annotated[int, Field(ge=8, le=4096)] = 256
    hidden: Annotated[int, Field(ge=0, le=8192)] = 0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    temperature: Annotated[float, Field(ge=0.01, le=1.0)] = 0.07


class Relation(Task):
    """Which relation two marked stretches of a text have, from a `category` column; reads a text of form `marked`."""

    kind: Literal["relation"]
    class_weights: Literal["none", "balanced"] = "none"
    hidden: Annotated[int, Field(ge=1, le=4096)] = 384
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1


class Span(Task):
    """Where a context answers a question, from a `labels` column of accepted answers; reads a text of form `pair`.

    An empty list means that the context has no answer. `start` is a number column: the first answer's first character
    in the context. Without it the first place where the answer stands is taken.
    """

    kind: Literal["span"]
    start: str | None = None
    max_answer_tokens: Annotated[int, Field(ge=1, le=512)] = 30
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1


class Detection(Task):
    """Objects and where they are, from a `boxes` column: a detector on the feature maps of one picture encoder.

    `shapes` is the number of anchor shapes for each feature map, fitted to the boxes, `width` its channels.
    """

    kind: Literal["detection"]
    architecture: Literal["ssd"] = "ssd"
    shapes: Annotated[int, Field(ge=1, le=12)] = 6
    width: Annotated[int, Field(ge=16, le=512, multiple_of=8)] = 96


AnyTask = Annotated[
    Classification | Regression | TokenClassification | Relation | Span | Alignment | Detection,
    Field(discriminator="kind"),
]


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


class DataScenario(Section):
    """What a scenario says about its data alone: enough to ingest it."""

    name: Name
    title: str
    description: str = ""
    data: dict[Name, Data]
    splits: Splits = Splits()
    quarantine: Quarantine = Quarantine()
    monitor: Monitor = Monitor()


class Scenario(DataScenario):
    """One application."""

    rows: str | None = None
    modalities: dict[Name, Modality]
    pretrain: dict[Name, Pretrain] = {}
    fusion: Fusion = Fusion()
    tasks: dict[Name, AnyTask]
    recipe: Recipe = Recipe()
    index: Index | None = None
    gate: Gate
