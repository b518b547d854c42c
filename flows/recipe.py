"""The recipe of a scenario: how to fit, by which strategy."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flows.average_spec import Average
from flows.compress_spec import Distill, Prune
from flows.continual_spec import Continual
from flows.ensemble_spec import Ensemble
from training.strategies.settings import Strategy

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A part of a recipe: immutable, and nothing unknown is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Lora(Section):
    """Low-rank matrices beside each layer; `targets` are ends of layers' names, all layers where there are none."""

    rank: Positive = 8
    alpha: Rate = 16.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    targets: tuple[str, ...] = ()


class Ia3(Section):
    """Learned scales; `targets` are ends of layers' names."""

    targets: tuple[str, ...] = ()


class Tokens(Section):
    """Learned tokens before the real ones."""

    tokens: Positive = 16


class Adapters(Section):
    """Bottleneck adapters after the feed-forward of each block, with `houlsby` after attention too."""

    bottleneck: Positive = 64
    placement: Literal["houlsby", "pfeiffer"] = "pfeiffer"


class Rung(Section):
    """A rung of `auto`: a strategy, and what it does not share with the recipe."""

    strategy: Strategy
    epochs: Positive | None = None
    patience: Annotated[int, Field(ge=0)] | None = None
    batch_size: Positive | None = None
    learning_rate: Rate | None = None
    encoder_learning_rate: Rate | None = None


class Auto(Section):
    """The ladder of `auto`: it is climbed while the gain on the validation rows is significant.

    A gain counts when its whole interval at this confidence lies above `margin`.
    """

    rungs: Annotated[tuple[Rung, ...], Field(min_length=1)] = (Rung(strategy="frozen"), Rung(strategy="full"))
    margin: Annotated[float, Field(ge=0)] = 0.0
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95

    @field_validator("rungs", mode="before")
    @classmethod
    def named(cls, given: object) -> object:
        """A rung may be written as the name of its strategy alone."""
        if not isinstance(given, list | tuple):
            return given
        return tuple({"strategy": rung} if isinstance(rung, str) else rung for rung in given)


class Adversarial(Section):
    """Inputs of one modality moved to where the loss is highest; `weight` is their share of the loss.

    `fgm` and `freelb` move the token embeddings of a text, `fgsm` the pixels of a picture, `pgd` either. `epsilon` is
    the largest change: in L2 over a text's tokens, of a pixel in units of 0..1. At 0 training is plain. `modality` may
    be left out where there is one that it can be.
    """

    kind: Literal["fgm", "fgsm", "pgd", "freelb"]
    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    steps: Positive = 3
    step_size: Rate | None = None
    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    modality: str | None = None


class Mix(Section):
    """Rows of a batch mixed with each other, and their loss by as much; shares are drawn from a Beta(alpha, alpha).

    Pictures are mixed where tasks read one picture alone and its encoder is trained, else pooled embeddings; `cutmix`
    is for pictures.
    """

    kind: Literal["mixup", "cutmix"]
    alpha: Rate = 0.2


class Recipe(Section):
    """How to fit. What is None follows from the strategy."""

    strategy: Literal[Strategy, "auto"] = "frozen"
    epochs: Positive = 20
    patience: Annotated[int, Field(ge=0)] = 5
    seed: int = 7
    batch_size: Positive = 64
    accumulate: Positive = 1
    learning_rate: Rate = 1e-3
    encoder_learning_rate: Rate | None = None
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Share = 0.1
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    adversarial: Adversarial | None = None
    mix: Mix | None = None
    average: Average | None = None
    r_drop: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    continual: Continual | None = None
    ensemble: Ensemble | None = None
    distill: Distill | None = None
    prune: Prune | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    sampling: Literal["proportional", "equal"] | Annotated[float, Field(ge=1)] = "proportional"
    gradient_checkpointing: bool = False
    compile: bool | Literal["auto"] = "auto"
    processes: Positive | Literal["auto"] = "auto"
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 20.0
    blocks: Positive = 1
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None
    unfreeze_epochs: Annotated[int, Field(ge=0)] = 0
    lora: Lora = Lora()
    ia3: Ia3 = Ia3()
    prefix: Tokens = Tokens()
    prompt: Tokens = Tokens()
    adapter: Adapters = Adapters()
    auto: Auto = Auto()
    budget_minutes: Annotated[float, Field(gt=0)] | None = None
