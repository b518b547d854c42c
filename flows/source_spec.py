"""The section `data`: sources of rows, what they can say of their columns, and what rows must hold."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from flows.spec_section import Positive, Section

ColumnKind = Literal["number", "category", "labels", "tokens", "text", "time", "boxes"]
Split = Literal["train", "validation", "test"]
# A plain number stays a number; anything else is read as a time.
Bound = Annotated[float, Field(strict=True, allow_inf_nan=False)] | datetime


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
    pictures are that the column `image` names, from the table's own folder on. `feedback` adds the rows that came back
    from serving: predictions that were corrected, to learn from, or what users clicked.
    """

    kind: Literal["table"] = "table"
    encoding: str = "utf-8"
    separator: str | None = None
    names: tuple[str, ...] = ()
    image_folder: str | None = None
    feedback: Literal["corrections", "clicks"] | None = None


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


class Documents(Records, Files):
    """Documents below a folder, in an archive or one file, cut into passages: PDF, HTML, Markdown and plain text.

    Gives `passage`, `document`, `title`, `heading`, `text`, `start`, `end` and `page`, a row for each passage of at
    most so many `characters`; of these, `overlap` may begin the next one too.
    """

    kind: Literal["documents"]
    key: str | None = "passage"
    text: tuple[str, ...] = ("text",)
    columns: dict[str, ColumnKind] = {
        "document": "category",
        "title": "text",
        "heading": "text",
        "start": "number",
        "end": "number",
        "page": "number",
    }
    pattern: str = "**/*"
    characters: Annotated[int, Field(ge=20)] = 1200
    overlap: Annotated[int, Field(ge=0)] = 200


class EventLog(Records, Files):
    """An append-only log of events in sealed segments."""

    kind: Literal["log"]


class Feedback(Records):
    """What came back from serving, as a table of its own, which is empty while nothing did."""

    kind: Literal["feedback"]
    of: Literal["corrections", "clicks"]


Data = Annotated[
    Table
    | Pictures
    | Sql
    | Conll
    | Semeval
    | Squad
    | Idx
    | Boxes
    | SavedDataset
    | WatchedFolder
    | EventLog
    | Documents
    | Feedback,
    Field(discriminator="kind"),
]
