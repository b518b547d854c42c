"""The section `variants` of a text: other wordings of its training rows, made once before the fit."""

from typing import Annotated, Literal

from pydantic import Field

from flows.spec_section import Section

Copies = Annotated[int, Field(ge=1, le=32)]


class Words(Section):
    """A tenth of the words left out, exchanged, or both."""

    kind: Literal["words"]
    change: Literal["delete", "swap", "delete_swap"] = "delete_swap"
    copies: Copies = 4


class Masked(Section):
    """A share of the words filled in anew by a masked language model; `weights` are as those of a text."""

    kind: Literal["masked"]
    model: str
    weights: str = "hub"
    share: Annotated[float, Field(gt=0, le=1)] = 0.15
    copies: Copies = 4


class BackTranslation(Section):
    """Translated and back: `there` and `back` are folders of MarianMT models."""

    kind: Literal["back_translation"]
    there: str
    back: str
    copies: Copies = 1


Variants = Annotated[Words | Masked | BackTranslation, Field(discriminator="kind")]
