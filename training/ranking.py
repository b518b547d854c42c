"""Fitting a two-tower model to events, and what it gives: the scores of all items for each user."""

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from heads.ranking import ItemTower, Layer, Pooling, TwoTower, UserTower, log_shares
from heads.retrieval_metrics import ndcg_at_k
from polyloom.errors import DataError, RequestError
from polyloom.progress import SILENT, Bar, Progress
from training.batches import epoch_batches
from training.device import Placement
from training.histories import NOTHING, Events, histories, newest_items, taken
from training.schedule import rate_factor

WARMUP = 0.1
K = 10


@dataclass(frozen=True)
class RankingFit:
    """A fitted model; each epoch's loss, and nDCG@10 of the held-out events, whose best epoch the model holds.

    Without held-out events it is the model of the last epoch.
    """

    model: TwoTower
    losses: tuple[float, ...]
    validation: tuple[float, ...]
    best_epoch: int
    seconds: float


@dataclass
class Course:
    """What the epochs gave so far."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


class RankingFitting:
    """Fits towers to events over items of `content` [items, content_dim] and `users` users.

    Each event is asked from what its user took before it; what the user takes anywhere in training is no negative.
    `weights` [events] say how much an event counts in a mean over a history.
    """

    def __init__(
        self,
        *,
        events: Events,
        held_out: Events | None,
        content: np.ndarray,
        users: int,
        placement: Placement,
        seed: int,
        dim: int = 64,
        hidden: int = 0,
        pooling: Pooling = "mean",
        layer: Layer = "deep",
        weights: np.ndarray | None = None,
        longest: int = 50,
        temperature: float = 0.1,
        own_dropout: float = 0.1,
        corrected: bool = True,
        epochs: int = 20,
        batch_size: int = 1024,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        progress: Progress = SILENT,
    ) -> None:
        if weights is not None and pooling != "mean":
            raise RequestError(f"Weights count in a mean, and the pooling is {pooling!r}. Leave one of the two out.")
        torch.manual_seed(seed)
        known = np.bincount(events.items, minlength=len(content)) > 0
        items = ItemTower(content=content, known=known, dim=dim, hidden=hidden, own_dropout=own_dropout)
        user = UserTower(dim=dim, pooling=pooling, longest=longest, layer=layer)
        model = TwoTower(items=items, users=user, temperature=temperature)
        self.model = model.to(placement.device)
        self.events = events
        self.held_out = held_out
        self.users = users
        self.longest = longest
        self.device = placement.device
        self.seed = seed
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.progress = progress
        self.before = self._tensor(histories(events, longest=longest))
        self.counts = None if weights is None else self._tensor(values_before(events, weights, longest=longest))
        self.ever = self._tensor(item_lists(events, users=users))
        self.shares = self._tensor(log_shares(events.items, count=len(content))) if corrected else None
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=learning_rate, weight_decay=weight_decay)
        self.course = Course()

    def run(self) -> RankingFit:
        """Fit all epochs and keep the best."""
        started, course = time.monotonic(), self.course
        with self.progress.stage("towers", total=self.epochs * len(self.events), unit="events") as bar:
            for epoch in range(self.epochs):
                self._epoch(epoch, bar)
        if course.best:
            self.model.load_state_dict(course.best)
        return RankingFit(
            model=self.model.eval(),
            losses=tuple(course.losses),
            validation=tuple(course.validation),
            best_epoch=int(np.argmax(course.validation)) if course.validation else self.epochs - 1,
            seconds=time.monotonic() - started,
        )

    def _epoch(self, epoch: int, bar: Bar) -> None:
        course, batches = self.course, self._batches(epoch)
        self.model.train()
        total = 0.0
        for rows in batches:
            total += self._step(rows, steps=self.epochs * len(batches)) * len(rows)
            bar.advance(len(rows))
        course.losses.append(total / len(self.events))
        note = f"epoch {epoch + 1}: loss {course.losses[-1]:.3f}"
        if self.held_out is not None:
            note += f", nDCG@{K} {self._validate(self.held_out, epoch):.4f}"
        bar.say(note)

    def _validate(self, held_out: Events, epoch: int) -> float:
        course = self.course
        scores = user_scores(self.model, newest_items(self.events, users=self.users, longest=self.longest))
        course.validation.append(ndcg_of(scores, self.events, held_out))
        if int(np.argmax(course.validation)) == epoch:
            course.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        return course.validation[-1]

    def _batches(self, epoch: int) -> list[np.ndarray]:
        return epoch_batches(np.arange(len(self.events)), batch_size=self.batch_size, seed=self.seed, epoch=epoch)

    def _step(self, rows: np.ndarray, *, steps: int) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * rate_factor(self.course.step, total=steps, warmup=WARMUP)
        items = self._tensor(self.events.items[rows])
        outputs = self.model(self.before[rows], items, None if self.counts is None else self.counts[rows])
        loss = self.model.loss(outputs, items=items, seen=self.ever[self.events.users[rows]], log_shares=self.shares)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise DataError(f"the loss is {value} at step {self.course.step}: lower the learning rate.")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.course.step += 1
        return value

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def user_scores(model: TwoTower, newest: np.ndarray) -> np.ndarray:
    """Cosines [users, items] of users, by what they took last [users, longest], with all items."""
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        given = model(torch.from_numpy(newest).to(device), torch.arange(len(model.items.content), device=device))
    return np.asarray((given["users"] @ given["items"].T).cpu().numpy())


def ndcg_of(scores: np.ndarray, events: Events, held_out: Events) -> float:
    """Mean nDCG@10 of the held-out items over their users, ranked among what these have not taken yet."""
    users, items = scores.shape
    relevant = taken(held_out, users=users, items=items)
    figures = ndcg_at_k(scores, relevant, k=K, excluded=taken(events, users=users, items=items) & ~relevant)
    return float(np.nanmean(figures))


def values_before(events: Events, values: np.ndarray, *, longest: int) -> np.ndarray:
    """A value of each event [events] for what its user took before, float32 [events, longest]; 0 where there is none.

    The largest of a row is 1: what counts is how they compare.
    """
    places = histories(Events(events.users, np.arange(len(events))), longest=longest)
    found = np.where(places == NOTHING, 0.0, values[np.maximum(places, 0)])
    highest = found.max(axis=1, keepdims=True)
    return np.asarray(found / np.where(highest > 0, highest, 1.0), np.float32)


def item_lists(events: Events, *, users: int) -> np.ndarray:
    """The distinct items of each user, int64 [users, most], -1 where there is no more."""
    pairs = np.unique(np.stack([events.users, events.items], axis=1), axis=0)
    counts = np.bincount(pairs[:, 0], minlength=users)
    lists = np.full((users, int(counts.max(initial=1))), NOTHING, dtype=np.int64)
    places = np.arange(len(pairs)) - np.repeat(np.cumsum(counts) - counts, counts)
    lists[pairs[:, 0], places] = pairs[:, 1]
    return lists
