"""One optimiser step: over a group of batches, in pieces that fit into memory, by one process or by a team."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from polyloom.errors import DataError
from training.memory import out_of_memory, pieces, release_memory
from training.team import Team

FINE, OUT_OF_MEMORY, NOT_FINITE = 0, 1, 2
LossOf = Callable[[np.ndarray, np.random.Generator], Tensor | Iterable[Tensor]]


@dataclass(frozen=True)
class Step:
    """The mean loss of a step's rows, and how many there were."""

    loss: float
    rows: int


class Stepping:
    """Makes steps. `loss_of(rows, random)` is the mean loss of some rows, whose raw values `random` may alter.

    It may also give several losses that sum up to it: each is passed backward before the next is asked for.
    A batch is cut into as many pieces as the team has processes, times `cut`, which doubles whenever a piece does not
    fit into memory. The gradient is that of the whole group whatever the pieces are: each counts by its rows. What is
    computed over a piece as a whole (a batch norm's statistics, a contrastive loss) sees the piece's rows only.
    Random numbers are seeded piece by piece, so that a step depends neither on the ones before nor on who makes it.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        loss_of: LossOf,
        team: Team,
        log: Callable[[str], None],
        cut: int = 1,
    ) -> None:
        self.cut = cut
        self._model = model
        self._optimizer = optimizer
        self._scaler = scaler
        self._loss_of = loss_of
        self._team = team
        self._log = log

    def step(self, group: Sequence[np.ndarray], *, epoch: int, step: int, seeds: Sequence[int]) -> Step:
        """One step over a group of batches; each row of the group counts alike. `epoch` and `step` are for messages.

        Raises DataError for a loss that is no finite number, or when a single row does not fit into memory.
        """
        state, loss = self._agreed(group, seeds)
        while state == OUT_OF_MEMORY:
            self._halve(group)
            state, loss = self._agreed(group, seeds)
        if state == NOT_FINITE:
            raise DataError(
                f"the loss is {loss if not np.isfinite(loss) else 'no number in another process'} at epoch "
                f"{epoch + 1}, step {step}: lower recipe.learning_rate or recipe.encoder_learning_rate, "
                "or look for extreme numbers in the data."
            )
        self._team.sum_gradients(list(self._model.parameters()))
        self._team.average_statistics(self._model)
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        return Step(loss=self._team.sum_numbers([loss])[0], rows=sum(map(len, group)))

    def _agreed(self, group: Sequence[np.ndarray], seeds: Sequence[int]) -> tuple[int, float]:
        """Gradients of this process's pieces; the state is the worst of the team's. After a bad one there are none."""
        state, loss = self._attempt(group, seeds)
        agreed = self._team.worst(state)
        if agreed != FINE:
            self._optimizer.zero_grad(set_to_none=True)
            release_memory()
        return agreed, loss

    def _attempt(self, group: Sequence[np.ndarray], seeds: Sequence[int]) -> tuple[int, float]:
        rows_in_group = sum(map(len, group))
        every = [
            (rows, (*seeds, number, place))
            for number, batch in enumerate(group)
            for place, rows in enumerate(pieces(batch, self.cut * self._team.size))
        ]
        losses: list[tuple[Tensor, float]] = []
        try:
            for rows, key in every[self._team.rank :: self._team.size]:
                random = np.random.default_rng(key)
                torch.manual_seed(int(random.integers(1 << 62)))
                share = len(rows) / rows_in_group
                given = self._loss_of(rows, random)
                for loss in (given,) if isinstance(given, Tensor) else given:
                    self._scaler.scale(loss * share).backward()
                    losses.append((loss.detach(), share))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            return OUT_OF_MEMORY, 0.0
        # Read at the end: a GPU would stand still while its answer is waited for.
        value = sum(float(loss) * share for loss, share in losses)
        return (FINE if np.isfinite(value) else NOT_FINITE), value

    def _halve(self, group: Sequence[np.ndarray]) -> None:
        processes, largest = self._team.size, max(map(len, group))
        before = -(-largest // (self.cut * processes))
        if before <= 1:
            raise DataError(
                "out of memory with a single row at a time: take a smaller model, a smaller size or max_tokens of its "
                "modality, or recipe.gradient_checkpointing: true."
            )
        self.cut *= 2
        after = -(-largest // (self.cut * processes))
        seen = sum(map(len, group))
        self._log(f"out of memory with {before} rows at a time: goes on with {after}; a step still sees {seen}.")
