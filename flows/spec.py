"""The scenario: one application as frozen models, read from a YAML file.

Only what is written here, and in the `*_spec` modules of its larger sections, may stand in a scenario; anything else is
refused with its path in the file.
"""

from typing import Annotated, Literal

from pydantic import Field

from flows.compress_spec import Export
from flows.explain_spec import Explain
from flows.gate_spec import Gate
from flows.modality_spec import Modality, Pretrain
from flows.recipe import Recipe
from flows.source_spec import Data
from flows.spec_section import Name, Positive, Section, Share
from flows.task_spec import AnyTask, Fusion
from flows.techniques_spec import Techniques
from flows.tune_spec import Tune
from flows.use_spec import Answer, Recommend


class Queries(Section):
    """Questions whose answers are known: a table, its column of questions, and that of the answering items' keys."""

    rows: str
    text: str
    item: str


class Rerank(Section):
    """A given cross-encoder that reads the first `candidates` hits together with the question, and orders them anew."""

    model: str
    weights: str = "hub"
    max_tokens: Annotated[int, Field(ge=16, le=8192)] = 256
    candidates: Annotated[int, Field(ge=2, le=1000)] = 50


class Index(Section):
    """What can be found, and by which modalities; with `keyword` also by the words that items' texts hold.

    `align` names alignment tasks, each with the modality of the items: `{match: image}` finds pictures by words.
    `weights` are what each ranking counts: a modality's, an alignment's, and that of `keyword`. Without `kind` the size
    decides and how many MiB, `memory_mib`, the vectors of one modality may take in memory. A share of the queries,
    `watch`, is asked again exactly where an index may overlook something; when fewer than `recall` of the ten nearest
    were found, the next indexing rebuilds it. `queries` say how much words are to count beside vectors. `milvus` is the
    address of a Milvus that holds the items instead of this machine: http://host:port, or a path that ends in .db.
    """

    rows: str
    embed: tuple[str, ...]
    align: dict[str, str] = {}
    keyword: bool = False
    queries: Queries | None = None
    rerank: Rerank | None = None
    kind: Literal["flat", "ivf_flat", "ivf_sq8", "ivf_pq", "hnsw"] | None = None
    memory_mib: Positive | None = None
    milvus: str | None = None
    watch: Share = 0.01
    recall: Share = 0.9
    weights: dict[str, Annotated[float, Field(gt=0)]] = {}
    show: tuple[str, ...] = ()
    group: str | None = None


class Attacked(Section):
    """An attack on the fitted model that knows its weights; see `recipe.adversarial` for what the keys mean."""

    kind: Literal["fgm", "fgsm", "pgd"] = "pgd"
    epsilon: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    steps: Annotated[int, Field(ge=1)] = 10
    step_size: Annotated[float, Field(gt=0)] | None = None
    modality: str | None = None


class Robustness(Section):
    """Under what the gate's metric is measured beside the test rows as they are; nothing unless it is asked for.

    `typos` is the share of words with one slip of the keyboard, `noise` the deviation of noise on pixels in units of
    0..1, `blur` the radius in pixels. `rows` is how many test rows are asked at most, drawn by the recipe's seed.
    """

    attack: Attacked | None = None
    typos: Share = 0.0
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    blur: Annotated[float, Field(ge=0, le=64)] = 0.0
    rows: Annotated[int, Field(ge=1)] = 1000


class Quarantine(Section):
    """How many rows may be refused before the run stops."""

    max_share: Share = 0.05


class Splits(Section):
    """Shares of the rows that no source assigns to a split."""

    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    seed: int = 7


class Notify(Section):
    """Who is told when a release is promoted, refused, rolled back or waits: an https address, or `${NAME}`.

    `${NAME}` is taken from the environment: an address that lets whoever knows it post stays out of the file.
    """

    webhook: str


class Monitor(Section):
    """When the flow runs by itself, and who is told what became of it."""

    schedule: str | None = None
    timezone: str = "UTC"
    notify: Notify | None = None


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
    export: Export = Export()
    index: Index | None = None
    recommend: Recommend | None = None
    answer: Answer | None = None
    tune: Tune | None = None
    techniques: Techniques = Techniques()
    gate: Gate
    robustness: Robustness = Robustness()
    explain: Explain | None = None
