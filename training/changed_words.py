"""Texts with words left out or exchanged: EDA, Wei and Zou (2019)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from modalities.slips import seeded, with_swapped_words, without_words

TextAugmentation = Literal["none", "delete", "swap", "delete_swap"]
# Wei and Zou's own share of a text's words.
CHANGED_WORDS = 0.1


class ChangedWords:
    """Gives each text `copies` other wordings, which follow from the text and the seed."""

    def __init__(self, *, kind: TextAugmentation, copies: int, seed: int) -> None:
        self.copies = copies
        self._kind = kind
        self._seed = seed

    def __call__(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """The wordings of some texts."""
        return [self._wordings(text, random=seeded(text, self._seed)) for text in texts]

    def _wordings(self, text: str, *, random: np.random.Generator) -> tuple[str, ...]:
        return tuple(changed_text(text, kind=self._kind, random=random) for _ in range(self.copies))


def changed_text(text: str, *, kind: TextAugmentation, random: np.random.Generator) -> str:
    """A text with a tenth of its words left out or exchanged, at random."""
    if kind in {"delete", "delete_swap"}:
        text = without_words(text, share=CHANGED_WORDS, random=random)
    if kind in {"swap", "delete_swap"}:
        text = with_swapped_words(text, share=CHANGED_WORDS, random=random)
    return text
