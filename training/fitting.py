"""The fitting loop: one for frozen and for live encoders, resumable at any step to the same result."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from heads.decoding import ClassificationDecoder
from heads.metrics import SCORERS
from polyloom.errors import DataError
from polyloom.progress import SILENT, Bar, Progress
from training.batches import epoch_batches, ordered_batches
from training.checkpoint import load_checkpoint, save_checkpoint
from training.device import Placement
from training.inputs import ModalityInput, row_costs
from training.model import ApplicationModel, Batch, make_batch
from training.schedule import rate_factor

SCORING_BATCH = 4


@dataclass(frozen=True)
class Target:
    """One task's truth over all rows, its decoder, and its share of the loss."""

    truth: np.ndarray
    decoder: ClassificationDecoder
    loss_weight: float = 1.0


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; `metric` is the watched one on the validation rows, higher is better."""

    epoch: int
    train_loss: float
    validation_loss: float
    metric: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """The course of a fit; the model holds the best epoch's weights."""

    history: tuple[Epoch, ...]
    best_epoch: int
    best_metric: float
    stopped_early: bool
    resumed_at_step: int


@dataclass
class Position:
    """Where a fit stands; all of it goes into each checkpoint."""

    epoch: int = 0
    group: int = 0
    step: int = 0
    loss_sum: float = 0.0
    loss_rows: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = -1
    best_metric: float = -1.0
    best_loss: float = float("inf")


class Fitting:
    """Fits a model to its targets. `watch` is the task and the metric for early stopping and the best epoch."""

    def __init__(
        self,
        *,
        model: ApplicationModel,
        inputs: Mapping[str, ModalityInput],
        targets: Mapping[str, Target],
        train_rows: np.ndarray,
        validation_rows: np.ndarray,
        watch: tuple[str, str],
        folder: Path,
        placement: Placement,
        epochs: int,
        patience: int,
        seed: int,
        batch_size: int,
        accumulate: int = 1,
        learning_rate: float = 1e-3,
        encoder_learning_rate: float = 5e-5,
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        checkpoint_seconds: float = 20.0,
        progress: Progress = SILENT,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> None:
        self.model = model.to(placement.device)
        self.inputs = inputs
        self.targets = targets
        self.train_rows = train_rows
        self.validation_rows = validation_rows
        self.watch = watch
        self.folder = folder
        self.placement = placement
        self.epochs = epochs
        self.patience = patience
        self.seed = seed
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.warmup = warmup
        self.checkpoint_seconds = checkpoint_seconds
        self.progress = progress
        self.on_epoch = on_epoch
        self.costs = row_costs(inputs)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(model, learning_rate, encoder_learning_rate, weight_decay), lr=learning_rate
        )
        self.scaler = placement.scaler()
        self.position = Position()
        self.best: dict[str, Tensor] = {}
        self._saved_at = time.monotonic()

    def run(self) -> FitResult:
        """Fit to the end, from the newest checkpoint where there is one."""
        resumed = self._resume()
        here = self.position
        with self.progress.stage("fit", total=self.epochs * len(self.train_rows), unit="rows") as bar:
            bar.advance(here.epoch * len(self.train_rows) + here.loss_rows)
            while here.epoch < self.epochs and not self._exhausted():
                self._epoch(bar)
        self.model.load_state_dict(self.best)
        self.model.eval()
        return FitResult(
            history=tuple(Epoch(**entry) for entry in here.history),
            best_epoch=here.best_epoch,
            best_metric=here.best_metric,
            stopped_early=here.epoch < self.epochs,
            resumed_at_step=resumed,
        )

    def _resume(self) -> int:
        found = load_checkpoint(self.folder, model=self.model, optimizer=self.optimizer, scaler=self.scaler)
        if found is None:
            return 0
        position, self.best = found
        self.position = Position(**position)
        self.progress.log(f"fit goes on at epoch {self.position.epoch + 1}, step {self.position.step}")
        return self.position.step

    def _exhausted(self) -> bool:
        here = self.position
        return bool(self.patience) and here.best_epoch >= 0 and here.epoch - 1 - here.best_epoch >= self.patience

    def _epoch(self, bar: Bar) -> None:
        here = self.position
        batches = epoch_batches(
            self.train_rows, batch_size=self.batch_size, seed=self.seed, epoch=here.epoch, costs=self.costs
        )
        groups = [batches[start : start + self.accumulate] for start in range(0, len(batches), self.accumulate)]
        total = self.epochs * len(groups)
        self.model.train()
        for group in groups[here.group :]:
            started = time.monotonic()
            self._step(group, total=total)
            here.group += 1
            here.seconds += time.monotonic() - started
            bar.advance(sum(len(batch) for batch in group))
            if time.monotonic() - self._saved_at >= self.checkpoint_seconds:
                self._checkpoint()
        self._end_epoch(bar)

    def _step(self, group: list[np.ndarray], *, total: int) -> None:
        """One optimiser step over a group of batches; each row of the group counts alike."""
        here = self.position
        factor = rate_factor(here.step, total=total, warmup=self.warmup)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = parameters["initial_lr"] * factor
        rows_in_group = sum(len(rows) for rows in group)
        for number, rows in enumerate(group):
            random = np.random.default_rng([self.seed, here.epoch, here.group, number])
            batch = make_batch(self.inputs, rows, device=self.placement.device, random=random)
            with self.placement.autocast():
                loss = self._loss(self.model(batch), batch)
            value = float(loss.detach())
            if not np.isfinite(value):
                raise DataError(
                    f"the loss is {value} at epoch {here.epoch + 1}, step {here.step}: lower recipe.learning_rate "
                    "or recipe.encoder_learning_rate, or look for extreme numbers in the data."
                )
            self.scaler.scale(loss * (len(rows) / rows_in_group)).backward()  # type: ignore[no-untyped-call]
            here.loss_sum += value * len(rows)
            here.loss_rows += len(rows)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        here.step += 1

    def _loss(self, logits: Mapping[str, Tensor], batch: Batch) -> Tensor:
        losses = [
            target.loss_weight
            * self.model.tasks[name].head.loss(  # type: ignore[operator,union-attr]
                logits[name].float(), torch.from_numpy(target.truth[batch.rows]).to(logits[name].device)
            )
            for name, target in self.targets.items()
        ]
        return torch.stack(losses).sum()

    def _end_epoch(self, bar: Bar) -> None:
        here = self.position
        started = time.monotonic()
        logits, loss = self.score(self.validation_rows)
        task, metric = self.watch
        target = self.targets[task]
        predicted = target.decoder.decide(target.decoder.probabilities(logits[task]))
        epoch = Epoch(
            epoch=here.epoch + 1,
            train_loss=here.loss_sum / max(here.loss_rows, 1),
            validation_loss=loss,
            metric=SCORERS[metric](target.truth[self.validation_rows], predicted),
            learning_rate=float(self.optimizer.param_groups[-1]["lr"]),
            seconds=here.seconds + time.monotonic() - started,
        )
        here.history.append(vars(epoch))
        if (epoch.metric, -loss) > (here.best_metric, -here.best_loss):
            here.best_epoch, here.best_metric, here.best_loss = here.epoch, epoch.metric, loss
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
        here.epoch, here.group, here.loss_sum, here.loss_rows, here.seconds = here.epoch + 1, 0, 0.0, 0, 0.0
        bar.say(f"epoch {epoch.epoch}: loss {epoch.train_loss:.3f} / {loss:.3f}, {task}.{metric} {epoch.metric:.4f}")
        if self.on_epoch is not None:
            self.on_epoch(epoch)
        if time.monotonic() - self._saved_at >= self.checkpoint_seconds / 4:
            self._checkpoint()

    def score(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
        """Logits [rows, labels] of every task in the order of `rows`, and the mean loss."""
        self.model.eval()
        logits = {
            name: np.zeros((len(rows), len(target.decoder.labels)), np.float32) for name, target in self.targets.items()
        }
        places = np.arange(len(rows))
        costs = None if self.costs is None else self.costs[rows]
        loss_sum = 0.0
        for batch_places in ordered_batches(places, batch_size=SCORING_BATCH * self.batch_size, costs=costs):
            batch = make_batch(self.inputs, rows[batch_places], device=self.placement.device)
            with torch.inference_mode(), self.placement.autocast():
                outputs = self.model(batch)
                loss_sum += float(self._loss(outputs, batch)) * len(batch_places)
            for name, output in outputs.items():
                logits[name][batch_places] = output.float().cpu().numpy()
        return logits, loss_sum / max(len(rows), 1)

    def _checkpoint(self) -> None:
        save_checkpoint(
            self.folder,
            # An epoch's end is a state of its own, after the checkpoint of its last step.
            number=self.position.step + self.position.epoch,
            model=self.model,
            optimizer=self.optimizer,
            scaler=self.scaler,
            best=self.best,
            position=vars(self.position),
        )
        self._saved_at = time.monotonic()


def parameter_groups(
    model: ApplicationModel, learning_rate: float, encoder_learning_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """AdamW's groups: encoders and the rest, each with and without decay (norms, biases and embeddings have none)."""
    return [
        {"params": list(parameters), "lr": rate, "initial_lr": rate, "weight_decay": decay}
        for part, rate in ((model.encoders, encoder_learning_rate), (model.tasks, learning_rate))
        for decay, parameters in ((weight_decay, decayed(part)), (0.0, undecayed(part)))
    ]


def decayed(part: nn.Module) -> Iterable[nn.Parameter]:
    """Matrices and filters."""
    return (parameter for parameter in trained(part) if parameter.ndim > 1)


def undecayed(part: nn.Module) -> Iterable[nn.Parameter]:
    """Biases, norms, learned embeddings of a missing modality."""
    return (parameter for parameter in trained(part) if parameter.ndim <= 1)


def trained(part: nn.Module) -> Iterator[nn.Parameter]:
    """Parameters that want a gradient."""
    return (parameter for parameter in part.parameters() if parameter.requires_grad)
