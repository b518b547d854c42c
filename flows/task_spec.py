"""The sections `tasks` and `fusion`: what is predicted, from what."""

from typing import Annotated, Literal

from pydantic import Field

from flows.spec_section import Section

Shrinkage = Annotated[float, Field(gt=0.0, le=1e6)]

Cost = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


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


class Conformal(Section):
    """A set of labels beside each answer, in which the right one is in 1 - `alpha` of all rows.

    `per_class` promises it of each label; `penalty` and `free_labels` are of raps.
    """

    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    per_class: bool = False
    score: Literal["lac", "aps", "raps"] = "lac"
    penalty: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.01
    free_labels: Annotated[int, Field(ge=0)] = 5


class OutOfScope(Section):
    """Whether a row looks like those in training; at most `share` of the validation rows are taken for strangers.

    Labels of `unknown` are not learned; their rows show how well strangers are found.
    """

    score: Literal["combined", "probability", "energy", "max_logit", "entropy", "distance"] = "combined"
    share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    unknown: tuple[str, ...] = ()


class ZeroShot(Section):
    """Classes told by texts: `descriptions` of labels, one or several each, else the label's name in the `template`.

    `weight` is the share that the texts have where prototypes begin between them and the training rows' means.
    """

    descriptions: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    template: str = "{label}"
    weight: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5


class Classification(FusedTask):
    """Binary or multiclass for a `category` column, multilabel for a `labels` column.

    `class_weights: balanced` weighs a label by the inverse of its rows, `effective` by their worth under `beta`.
    `loss: focal` lets rows that are answered rightly count less, the more so the higher `gamma` is.
    `costs` says what a mistake costs, by true and then by answered label (others cost `other_cost`), or as a matrix
    over the sorted labels. `hierarchy` gives each label its parents, from the most general one on.

    `head: prototypes` answers by nearness to one vector a label, which begins at its training rows' mean. With
    `zero_shot` the text's nearness to the labels' own texts decides and nothing is fitted; prototypes begin between.
    """

    kind: Literal["classification"]
    head: Literal["linear", "prototypes"] = "linear"
    zero_shot: ZeroShot | None = None
    class_weights: Literal["none", "balanced", "effective"] = "none"
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    gamma: Annotated[float, Field(gt=0, le=10)] = 2.0
    costs: dict[str, dict[str, Cost]] | tuple[tuple[Cost, ...], ...] = {}
    other_cost: Cost = 1.0
    cost_weight: Annotated[float, Field(ge=0)] = 1.0
    hierarchy: dict[str, str | tuple[str, ...]] = {}
    hierarchy_loss: Literal["hxe", "soft_labels", "none"] = "hxe"
    hierarchy_strength: Annotated[float, Field(ge=0)] | None = None
    answering: Literal["probable", "cheapest"] | None = None
    calibration: Literal["temperature", "platt", "isotonic"] = "temperature"
    conformal: Conformal | None = None
    out_of_scope: OutOfScope | None = None


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

    `inputs` are the two, what asks first before what is found. A row may hold a list of texts for one picture. The
    projections are learned step by step (`contrastive`), or solved over frozen encoders (`canonical`), where
    `shrinkage` holds each side's covariance back, as a multiple of its mean variance.
    """

    kind: Literal["alignment"]
    target: Literal[""] = ""
    method: Literal["contrastive", "canonical"] = "contrastive"
    shrinkage: tuple[Shrinkage, Shrinkage] = (1.0, 1.0)
    dim: Annotated[int, Field(ge=8, le=4096)] = 256
    hidden: Annotated[int, Field(ge=0, le=8192)] = 0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    temperature: Annotated[float, Field(ge=0.01, le=1.0)] = 0.07


class Relation(Task):
    """Which relation two marked stretches of a text have, from a `category` column; reads a text of form `marked`."""

    kind: Literal["relation"]
    class_weights: Literal["none", "balanced", "effective"] = "none"
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999
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
