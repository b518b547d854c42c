"""Token classification: a tag for each word, from the encoder's tokens and the word's own letters."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


class TokenClassificationHead(nn.Module):
    """Token embeddings [batch, tokens, dim] to `logits` [batch, words, tags] and `labelled` [batch, words].

    A word is what its first token says (Devlin et al. 2019). With `letters`, the number of different letters, a small
    convolution over the word's letters joins in (Ma and Hovy 2016): an uncased encoder knows no capitals. With
    `hidden`, a bidirectional LSTM over the words reads both (Lample et al. 2016), so that a word's letters tell about
    its neighbours too.
    """

    reads: ClassVar[Literal["tokens"]] = "tokens"

    def __init__(
        self,
        *,
        dim: int,
        tags: int,
        letters: int = 0,
        hidden: int = 0,
        dropout: float = 0.1,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.dropout = nn.Dropout(dropout)
        self.spelling = Spelling(letters=letters, dropout=dropout) if letters else None
        width = dim + (Spelling.DIM if letters else 0)
        self.neighbours = Neighbours(dim=width, hidden=hidden) if hidden else None
        self.linear = nn.Linear(2 * hidden if hidden else width, tags)

    def forward(self, tokens: Tensor, side: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`side`: `places` int64 [batch, words], -1 where there is no token; `characters` [batch, words, letters]."""
        places = side["places"]
        labelled = places >= 0
        index = places.clamp(min=0).unsqueeze(-1).expand(-1, -1, tokens.shape[-1])
        words = self.dropout(tokens.gather(1, index))
        if self.spelling is not None:
            words = torch.cat([words, self.spelling(side["characters"])], dim=-1)
        if self.neighbours is not None:
            words = self.dropout(self.neighbours(words, labelled))
        return {"logits": self.linear(words), "labelled": labelled.to(tokens.dtype)}

    def loss(self, outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> Tensor:
        """Mean cross-entropy over words that have a score and a known tag; `tags` int64 [batch, any width]."""
        logits = outputs["logits"]
        tags = functional.pad(truth["tags"], (0, logits.shape[1] - truth["tags"].shape[1]), value=-1)
        known = (tags >= 0) & (outputs["labelled"] > 0)
        if not known.any():
            return logits.sum() * 0.0
        return functional.cross_entropy(logits[known], tags[known], label_smoothing=self.label_smoothing)


class Spelling(nn.Module):
    """Letters [batch, words, letters] to an embedding [batch, words, DIM]: the strongest answer of each filter."""

    EMBEDDING, DIM, WIDTH = 32, 128, 3

    def __init__(self, *, letters: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(letters, self.EMBEDDING, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.convolution = nn.Conv1d(self.EMBEDDING, self.DIM, self.WIDTH, padding=self.WIDTH - 1)

    def forward(self, characters: Tensor) -> Tensor:
        """Embeddings of words."""
        batch, words, letters = characters.shape
        # Rows without the modality stand here as -1.
        known = characters.clamp(min=0).reshape(batch * words, letters)
        if self.training:
            spelled = known[:, 0] > 0
            # All that is behind the longest word says the same as its first column, which is kept.
            width = 1 + int((known > 0).sum(dim=1).amax())
            found = known.new_zeros((batch * words, self.DIM), dtype=self.convolution.weight.dtype)
            found[spelled] = self._spelled(known[spelled, :width]).to(found.dtype)
        else:
            found = self._spelled(known)
        return found.reshape(batch, words, self.DIM)

    def _spelled(self, known: Tensor) -> Tensor:
        """Letters [words, letters] to embeddings [words, DIM]."""
        embedded = self.dropout(self.embedding(known))
        found: Tensor = self.convolution(embedded.transpose(1, 2)).max(dim=2).values
        return functional.relu(found)


class Neighbours(nn.Module):
    """Words [batch, words, dim] to [batch, words, 2 x hidden], each read with those before and after it.

    Padding follows the words, so the reading from the right is that of the reversed words, and no padding is ever read.
    """

    def __init__(self, *, dim: int, hidden: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(dim, hidden, batch_first=True)
        self.backwards = nn.LSTM(dim, hidden, batch_first=True)

    def forward(self, words: Tensor, labelled: Tensor) -> Tensor:
        """`labelled` bool [batch, words] is False for padding."""
        count = words.shape[1]
        place = torch.arange(count, device=words.device).expand(len(words), -1)
        last = torch.where(labelled, place, place.new_zeros(())).amax(dim=1, keepdim=True)
        mirrored = torch.where(place <= last, last - place, place).unsqueeze(-1)
        right, _ = self.backwards(words.gather(1, mirrored.expand(-1, -1, words.shape[-1])))
        left, _ = self.forwards(words)
        return torch.cat([left, right.gather(1, mirrored.expand(-1, -1, right.shape[-1]))], dim=-1)
