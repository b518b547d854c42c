"""An answer as a span of a context: where it starts and where it ends."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

# Far below every logit, and still a number for every precision: no probability is left, no NaN comes of it.
IMPOSSIBLE = -1e4
NO_ANSWER = -1


class SpanHead(nn.Module):
    """Token embeddings [batch, tokens, dim] to `start` and `end` logits [batch, tokens].

    `side` has `offsets` [batch, tokens, 2] as `PairPreparation` gives them; they are handed on as `characters`, so that
    decoding needs nothing else. Logits are -10,000 at tokens that are neither the context's nor a window's first
    one. Devlin et al., "BERT" (2019), section 4.2 and 4.3.
    """

    reads: ClassVar[Literal["tokens"]] = "tokens"

    def __init__(self, *, dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(dim, 2)

    def forward(self, tokens: Tensor, side: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits, and the characters of each token."""
        offsets = side["offsets"]
        possible = is_context(offsets) | is_no_answer(offsets)
        logits = self.linear(self.dropout(tokens)).masked_fill(~possible.unsqueeze(2), IMPOSSIBLE)
        return {"start": logits[:, :, 0], "end": logits[:, :, 1], "characters": offsets}

    def loss(self, outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> Tensor:
        """Mean of the cross-entropies of start and end, Rajpurkar et al. (2016; without an answer: 2018).

        `truth` has `start` and `end` [batch], characters of the context with the end exclusive; 0 and 0 where there is
        no answer, -1 where it is not known. A row's windows share one softmax, and an answer that several of them hold
        may be found in any (Clark & Gardner, "Simple and Effective Multi-Paragraph Reading Comprehension", 2018).
        """
        right_start, right_end = right_tokens(outputs["characters"], truth["start"], truth["end"])
        known = right_start.any(1) & (truth["start"] >= 0)
        if not known.any():
            return (outputs["start"].sum() + outputs["end"].sum()) * 0.0
        losses = [
            marginal_cross_entropy(outputs[name][known], right[known])
            for name, right in (("start", right_start), ("end", right_end))
        ]
        return (losses[0] + losses[1]) / 2


def is_context(offsets: Tensor) -> Tensor:
    """Which tokens are the context's, bool [batch, tokens]."""
    return offsets[:, :, 1] > offsets[:, :, 0]


def is_no_answer(offsets: Tensor) -> Tensor:
    """Which tokens stand for "no answer", bool [batch, tokens]: the first of each window."""
    return offsets[:, :, 0] == NO_ANSWER


def right_tokens(offsets: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """The tokens at which a right answer starts and ends, bool [batch, tokens]; only in windows that hold both."""
    context = is_context(offsets)
    first, after = offsets[:, :, 0], offsets[:, :, 1]
    start, end = start.unsqueeze(1), end.unsqueeze(1)
    answered = end > start
    starts = context & answered & (first <= start) & (start < after)
    ends = context & answered & (first < end) & (end <= after)
    window = is_no_answer(offsets).long().cumsum(1)
    both = held(starts, window) & held(ends, window)
    none = is_no_answer(offsets) & ~answered
    return (starts & both) | none, (ends & both) | none


def held(found: Tensor, window: Tensor) -> Tensor:
    """For each token whether its window has a found one; `window` numbers the windows, both [batch, tokens]."""
    counts = torch.zeros(len(found), int(window.max()) + 1, dtype=torch.long, device=found.device)
    return counts.scatter_add(1, window, found.long()).gather(1, window) > 0


def marginal_cross_entropy(logits: Tensor, right: Tensor) -> Tensor:
    """Mean of -ln of the probability that is on right tokens; each row has one. Both are [batch, tokens]."""
    on_right = logits.masked_fill(~right, float("-inf")).logsumexp(1)
    return (logits.logsumexp(1) - on_right).mean()
