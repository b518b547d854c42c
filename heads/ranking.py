"""Ranking: a two-tower model, users and items in one space, so that a user's nearest items are what to show.

Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations" (2019).
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

Pooling = Literal["mean", "attention"]
NOTHING = -1


class ItemTower(nn.Module):
    """Items by number to vectors [.., dim]: what an item is made of, plus an embedding of its own.

    `content` [items, content_dim] is fixed. An item that training never saw has its content alone, so `known` bool
    [items] says whose own embedding counts. While training, a share of the known items is treated alike (Volkovs et
    al., "DropoutNet", 2017), so that content alone learns to do.
    """

    content: Tensor
    known: Tensor

    def __init__(
        self, *, content: np.ndarray, known: np.ndarray, dim: int, hidden: int = 0, own_dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.register_buffer("content", torch.tensor(content, dtype=torch.float32), persistent=False)
        self.register_buffer("known", torch.tensor(known, dtype=torch.bool), persistent=False)
        self.own = nn.Embedding(len(content), dim)
        nn.init.normal_(self.own.weight, std=dim**-0.5)
        self.own_dropout = own_dropout
        wide = content.shape[1]
        self.of_content = (
            nn.Sequential(nn.Linear(wide, hidden), nn.GELU(), nn.Linear(hidden, dim))
            if hidden
            else nn.Linear(wide, dim)
        )

    def forward(self, items: Tensor) -> Tensor:
        """Vectors [.., dim] of item numbers [..]."""
        counts = self.known[items].float()
        if self.training and self.own_dropout:
            counts = counts * (torch.rand(items.shape, device=items.device) >= self.own_dropout).float()
        vectors: Tensor = self.of_content(self.content[items]) + counts.unsqueeze(-1) * self.own(items)
        return vectors


class UserTower(nn.Module):
    """A history of item vectors [batch, length, dim] to a user's vector [batch, dim].

    `mean` averages them; `attention` weighs each by a learned question and by how long ago it was.
    """

    def __init__(self, *, dim: int, pooling: Pooling = "mean", longest: int = 50, dropout: float = 0.1) -> None:
        super().__init__()
        self.pooling = pooling
        self.question = nn.Linear(dim, 1)
        self.age = nn.Embedding(longest, 1)
        nn.init.zeros_(self.age.weight)
        self.dropout = nn.Dropout(dropout)
        self.layer = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.nobody = nn.Parameter(torch.zeros(dim))

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Users' vectors; `present` is bool [batch, length], the newest item first. Nobody's history has its own."""
        if self.pooling == "attention":
            ages = torch.arange(vectors.shape[1], device=vectors.device)
            asked = self.question(vectors).squeeze(-1) + self.age(ages).squeeze(-1)
            weights = asked.masked_fill(~present, -1e9).softmax(dim=1) * present
        else:
            weights = present / present.sum(dim=1, keepdim=True).clamp(min=1)
        pooled = (weights.unsqueeze(-1) * vectors).sum(dim=1)
        pooled = torch.where(present.any(dim=1, keepdim=True), pooled, self.nobody)
        vector: Tensor = pooled + self.layer(self.dropout(pooled))
        return vector


class TwoTower(nn.Module):
    """Histories and items to unit vectors, scored by their cosine over a temperature."""

    def __init__(self, *, items: ItemTower, users: UserTower, temperature: float = 0.07) -> None:
        super().__init__()
        self.items = items
        self.users = users
        self.temperature = temperature

    def forward(self, history: Tensor, items: Tensor) -> dict[str, Tensor]:
        """`users` [batch, dim] and `items` [batch, dim]; `history` [batch, length] is item numbers, -1 for none."""
        present = history != NOTHING
        users = self.users(self.items(history.clamp(min=0)), present)
        return {"users": functional.normalize(users, dim=1), "items": functional.normalize(self.items(items), dim=1)}

    def loss(self, outputs: dict[str, Tensor], *, items: Tensor, seen: Tensor, log_shares: Tensor | None) -> Tensor:
        """Softmax over the batch's items, corrected for how often each is drawn.

        `items` [batch] are the right ones, `seen` [batch, length] what each user is known to have (-1 for none):
        neither is a negative of its user. `log_shares` [items] is the logarithm of each item's share of the training
        events; without it the popular, drawn most often, are pushed down most (Yi et al. 2019, equation 3).
        """
        logits = outputs["users"] @ outputs["items"].T / self.temperature
        if log_shares is not None:
            logits = logits - log_shares[items].unsqueeze(0)
        own = among(seen, items) | (items.unsqueeze(1) == items)
        own.fill_diagonal_(fill_value=False)
        target = torch.arange(len(items), device=logits.device)
        return functional.cross_entropy(logits.masked_fill(own, -torch.inf), target)


def among(seen: Tensor, items: Tensor) -> Tensor:
    """Which items [batch] each row of `seen` [batch, length] holds, bool [batch, batch]."""
    ordered = seen.sort(dim=1).values
    asked = items.expand(len(seen), -1).contiguous()
    places = torch.searchsorted(ordered, asked).clamp(max=seen.shape[1] - 1)
    return ordered.gather(1, places) == asked


def log_shares(items: np.ndarray, *, count: int) -> np.ndarray:
    """The logarithm of each item's share of events, float32 [count]; an item without one counts as half an event."""
    events = np.maximum(np.bincount(items, minlength=count).astype(np.float64), 0.5)
    return np.asarray(np.log(events / events.sum()), dtype=np.float32)
