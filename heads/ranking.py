"""Ranking: a two-tower model, users and items in one space, so that a user's nearest items are what to show.

Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations" (2019).
"""

from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from polyloom.errors import RequestError

Pooling = Literal["mean", "attention"]
Layer = Literal["deep", "linear"]
NOTHING = -1


class Served(NamedTuple):
    """Towers as vectors of items [items, dim].

    The mean of `pooled` over a history, at length one, is the user's vector; its products with `offered` are the
    model's cosines.
    """

    pooled: np.ndarray
    offered: np.ndarray


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

    `mean` averages them, by weights where such are given; `attention` weighs each by a learned question and by how long
    ago it was. The `linear` layer makes of the mean what it would make of each item, so that nothing but vectors of
    items is needed to serve it.
    """

    def __init__(
        self, *, dim: int, pooling: Pooling = "mean", longest: int = 50, dropout: float = 0.1, layer: Layer = "deep"
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.layer_kind = layer
        self.question = nn.Linear(dim, 1)
        self.age = nn.Embedding(longest, 1)
        nn.init.zeros_(self.age.weight)
        self.dropout = nn.Dropout(dropout)
        deep = (nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.layer = nn.Linear(dim, dim) if layer == "linear" else nn.Sequential(*deep)
        self.nobody = nn.Parameter(torch.zeros(dim))

    def forward(self, known: Tensor, places: Tensor, present: Tensor, weights: Tensor | None = None) -> Tensor:
        """Users' vectors, of rows `places` [batch, length] of `known` [.., dim], the newest item first.

        `present` is bool [batch, length], `weights` [batch, length] count in the mean. Nobody's history has its own.
        """
        if self.pooling == "attention":
            vectors = known[places]
            ages = torch.arange(vectors.shape[1], device=vectors.device)
            asked = self.question(vectors).squeeze(-1) + self.age(ages).squeeze(-1)
            shares = asked.masked_fill(~present, -1e9).softmax(dim=1) * present
            pooled = (shares.unsqueeze(-1) * vectors).sum(dim=1)
        else:
            counts = present.float() if weights is None else weights * present
            shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=torch.finfo(counts.dtype).tiny)
            pooled = functional.embedding_bag(places, known, per_sample_weights=shares, mode="sum")
        pooled = torch.where(present.any(dim=1, keepdim=True), pooled, self.nobody)
        return self.moved(pooled)

    def moved(self, pooled: Tensor) -> Tensor:
        """What was pooled [.., dim], to where it is compared with items."""
        vector: Tensor = pooled + self.layer(self.dropout(pooled))
        return vector


class TwoTower(nn.Module):
    """Histories and items to unit vectors, scored by their cosine over a temperature."""

    def __init__(self, *, items: ItemTower, users: UserTower, temperature: float = 0.07) -> None:
        super().__init__()
        self.items = items
        self.users = users
        self.temperature = temperature

    def forward(self, history: Tensor, items: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """`users` [batch, dim] and `items` [batch, dim]; `history` [batch, length] is item numbers, -1 for none.

        `weights` [batch, length] say how much each counts in a mean.
        """
        # Each item goes through its tower once, however many histories it stands in.
        asked = torch.cat([history.clamp(min=0).flatten(), items])
        numbers, places = torch.unique(asked, return_inverse=True)
        vectors = self.items(numbers)
        users = self.users(vectors, places[: history.numel()].view(history.shape), history != NOTHING, weights)
        offered = vectors[places[history.numel() :]]
        return {"users": functional.normalize(users, dim=1), "items": functional.normalize(offered, dim=1)}

    def served(self) -> Served:
        """The same model as vectors. Raises: RequestError where the users' tower is more than a mean of its items."""
        if self.users.pooling != "mean" or self.users.layer_kind != "linear":
            raise RequestError(
                f"Towers with pooling {self.users.pooling!r} and the layer {self.users.layer_kind!r} are no mean of "
                "vectors. Fit with pooling='mean' and layer='linear' to serve them so."
            )
        self.eval()
        with torch.inference_mode():
            vectors = self.items(torch.arange(len(self.items.content), device=self.items.content.device))
            pooled, offered = self.users.moved(vectors), functional.normalize(vectors, dim=1)
        return Served(pooled.cpu().numpy(), offered.cpu().numpy())

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
    numbers, columns = torch.unique(items, return_inverse=True)
    # Whatever is none of the items, such as -1, falls into a column of its own behind them.
    places = items.new_full((int(max(seen.max(), numbers[-1])) + 2,), len(numbers))
    places[numbers] = torch.arange(len(numbers), device=items.device)
    held = torch.zeros((len(seen), len(numbers) + 1), dtype=torch.bool, device=items.device)
    held.scatter_(1, places[seen], value=True)
    return held[:, columns]


def log_shares(items: np.ndarray, *, count: int) -> np.ndarray:
    """The logarithm of each item's share of events, float32 [count]; an item without one counts as half an event."""
    events = np.maximum(np.bincount(items, minlength=count).astype(np.float64), 0.5)
    return np.asarray(np.log(events / events.sum()), dtype=np.float32)
