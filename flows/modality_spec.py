"""The sections `modalities` and `pretrain`: what is read of a row, by which encoder."""

from typing import Annotated, Literal

from pydantic import Field

from flows.spec_section import Positive, Section, Share
from flows.variants_spec import Variants
from training.strategies.settings import Strategy


class Image(Section):
    """A picture encoder: any timm model.

    `crop_mode` says what becomes of a picture that is not square: `center` cuts its sides away, `squash` squeezes it.
    In training `augment` changes pictures, and `erase` is the share of them that lose a rectangle.
    """

    kind: Literal["image"]
    model: str
    weights: str = "hub"
    size: Annotated[int, Field(ge=16, le=1024)] | None = None
    crop_mode: Literal["center", "squash"] = "center"
    train: Strategy | None = None
    augment: Literal["none", "flip", "crop_flip", "scene", "randaugment", "trivialaugment", "augmix"] = "none"
    erase: Share = 0.0


class Text(Section):
    """A text encoder: any BERT-type model of transformers.

    `form` is how it is read: `text`; `words`, each with its first token and up to `letters` of its letters; `pair`, a
    question and its context, two columns in this order, long contexts in windows that share `overlap` tokens;
    `marked`, a text with two stretches marked, by tags in it or by the four number columns that `ranges` names, for
    which `markers` are put into the text; `entailment`, a text beside what `zero_shot` says of each label, by a `model`
    of natural language inference.

    `augment` changes a text (`form: text`) in training: `delete` leaves out a tenth of the words, `swap` exchanges as
    many, `delete_swap` does both. `variants` are other wordings, made before the fit, of which one is drawn each time.

    `layers` keeps so many of the model's layers, evenly spaced: a smaller student, for `recipe.distill`.

    With `weights: scratch`, `vocabulary` is a file of tokens for a model of `layers` (4) and `width` that knows
    nothing.
    """

    kind: Literal["text"]
    model: str
    weights: str = "hub"
    form: Literal["text", "words", "pair", "marked", "entailment"] = "text"
    letters: Annotated[int, Field(ge=0, le=64)] = 0
    overlap: Annotated[int, Field(ge=0)] | None = None
    markers: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)] = ("$", "#")
    ranges: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    max_tokens: Annotated[int, Field(ge=4, le=512)] = 128
    pooling: Literal["mean", "cls"] = "mean"
    columns: tuple[str, ...] = ()
    train: Strategy | None = None
    augment: Literal["none", "delete", "swap", "delete_swap"] = "none"
    variants: Variants | None = None
    vocabulary: str | None = None
    layers: Annotated[int, Field(ge=1, le=24)] | None = None
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
    """What an encoder learns before the fit: from rows without labels, or with `contrastive` from few labelled ones.

    A text encoder guesses hidden tokens, words or spans of words (`masked_language`); a picture encoder paints hidden
    patches (`masked_picture`) or the picture under noise (`denoising`). `rows` are the tables whose training rows are
    read, by default those of the tasks. `mask` is the share that is hidden: 0.15 of a text, 0.6 of a picture.

    `contrastive` brings the training rows of one label of a `task` together, where there is one classification this
    one. `label_names` puts each label's name, in words, among a text's rows; `patience` stops after so many epochs in
    which the validation rows' loss has not fallen, and takes the best epoch (0: all epochs, and the last).
    """

    kind: Literal["masked_language", "masked_picture", "denoising", "contrastive"] | None = None
    rows: tuple[str, ...] = ()
    epochs: Positive | None = None
    batch_size: Annotated[int, Field(ge=2)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    mask: Annotated[float, Field(gt=0, lt=1)] | None = None
    unit: Literal["token", "word", "span"] | None = None
    patch: Positive | None = None
    noise: Annotated[float, Field(gt=0)] | None = None
    task: str | None = None
    temperature: Annotated[float, Field(ge=0.01, le=1.0)] | None = None
    label_names: bool = False
    patience: Annotated[int, Field(ge=0)] = 0
