"""What a model without labels must guess: which tokens are hidden, and behind what; which patches. Without torch.

Devlin et al., "BERT" (2018): of the chosen tokens 80% become the mask, 10% another token, 10% stay as they are. Whole
words: Cui et al., "Pre-training with whole word masking for Chinese BERT" (2019). Spans of neighbouring words need no
word list, which Chinese has none of here: their lengths follow Cui et al., "MacBERT" (2020).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Unit = Literal["token", "word", "span"]
SPAN_SHARES = (0.4, 0.3, 0.2, 0.1)
NOT_ASKED = -100


@dataclass(frozen=True)
class Vocabulary:
    """What masking must know of a vocabulary: its size, the mask's id, and the ids that are no words."""

    size: int
    mask: int
    special: tuple[int, ...]


@dataclass(frozen=True)
class Masked:
    """`input_ids` [batch, tokens] with some hidden, and `wanted` [batch, tokens]: the hidden ids, -100 elsewhere."""

    input_ids: np.ndarray
    wanted: np.ndarray


def mask_tokens(
    input_ids: np.ndarray,
    *,
    words: np.ndarray,
    vocabulary: Vocabulary,
    share: float,
    unit: Unit,
    random: np.random.Generator,
) -> Masked:
    """Hide a share of each row's tokens, at least one where the row has any that is a word's.

    `words` [batch, tokens] numbers the word that a token is part of, from 0 on in each row, -1 for what is no word.
    """
    groups = np.where(np.isin(input_ids, vocabulary.special), -1, words)
    if unit == "token":
        groups = np.where(groups < 0, -1, np.arange(groups.shape[1]))
    elif unit == "span":
        groups = np.where(groups < 0, -1, spans(groups.shape, random=random)[np.arange(len(groups))[:, None], groups])
    chosen = chosen_places(groups, share=share, random=random)
    hidden = input_ids.copy()
    lot = random.random(input_ids.shape)
    hidden[chosen & (lot < 0.8)] = vocabulary.mask
    swapped = chosen & (lot >= 0.9)
    ordinary = np.setdiff1d(np.arange(vocabulary.size), vocabulary.special)
    hidden[swapped] = random.choice(ordinary, size=int(swapped.sum()))
    return Masked(input_ids=hidden, wanted=np.where(chosen, input_ids, NOT_ASKED))


def spans(shape: tuple[int, ...], *, random: np.random.Generator) -> np.ndarray:
    """Each row's words cut into spans of 1 to 4: the number of the span of each word, int64 [batch, words]."""
    lengths = random.choice(np.arange(1, len(SPAN_SHARES) + 1), size=shape, p=SPAN_SHARES)
    starts = np.cumsum(lengths, axis=1)
    row, place = np.nonzero(starts < shape[1])
    begins = np.zeros(shape, dtype=np.int64)
    begins[row, starts[row, place]] = 1
    return np.cumsum(begins, axis=1)


def chosen_places(groups: np.ndarray, *, share: float, random: np.random.Generator) -> np.ndarray:
    """Which tokens are hidden, bool [batch, tokens]: whole groups, drawn at random until a row's share is reached.

    `groups` [batch, tokens] numbers the group of each token, -1 for tokens that are never hidden.
    """
    batch, width = groups.shape
    if width == 0:
        return np.zeros((batch, 0), dtype=bool)
    rows = np.arange(batch)[:, None]
    lots = random.random((batch, int(groups.max(initial=0)) + 1))
    turns = np.where(groups < 0, np.inf, lots[rows, groups])
    order = np.argsort(turns, axis=1, kind="stable")
    sorted_turns = np.take_along_axis(turns, order, axis=1)
    first = np.ones((batch, width), dtype=bool)
    first[:, 1:] = sorted_turns[:, 1:] != sorted_turns[:, :-1]
    # Hidden before the group's own turn; a group starts as long as the share is not reached.
    before = np.maximum.accumulate(np.where(first, np.arange(width), 0), axis=1)
    budget = np.maximum(1, np.rint(share * (groups >= 0).sum(axis=1)))[:, None]
    chosen = np.zeros((batch, width), dtype=bool)
    chosen[rows, order] = (before < budget) & np.isfinite(sorted_turns)
    return chosen


def hidden_patches(*, batch: int, size: int, patch: int, share: float, random: np.random.Generator) -> np.ndarray:
    """Which pixels are hidden, bool [batch, size, size]: as many whole patches in each picture, at least one."""
    side = -(-size // patch)
    count = max(1, round(share * side**2))
    order = random.random((batch, side**2)).argsort(axis=1).argsort(axis=1)
    chosen = (order < count).reshape(batch, side, side)
    return chosen.repeat(patch, axis=1).repeat(patch, axis=2)[:, :size, :size]
