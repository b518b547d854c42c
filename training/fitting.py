"""The fitting loop: one for frozen and for live encoders, resumable at any step to the same result."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from heads.decoder import rows_of
from polyloom.progress import SILENT, Bar, Progress
from training.adversarial import Adversary
from training.averaging import Mean, RunningAverage
from training.batches import Sampling, mixed_batches, ordered_batches
from training.checkpoint import load_average, load_checkpoint, save_checkpoint
from training.combining import Combination, Combined, Judged, copied
from training.consistency import Consistency
from training.course import Epoch, FitResult, Position
from training.device import Placement
from training.distillation import Distillation
from training.further_loss import FurtherLoss
from training.inputs import ModalityInput, row_costs
from training.mixing import Mixing
from training.model import ApplicationModel, Batch, make_batch
from training.norm_statistics import renew_statistics
from training.parameters import ParameterGroup, parameter_groups
from training.pruning import Pruning
from training.remembering import with_remembered
from training.schedule import rate_factor
from training.scoring import Scored, score_in_parts
from training.stepping import FINE, Stepping
from training.strategies.tuning import Tuning
from training.targets import Target
from training.team import ALONE, Team

SCORING_BATCH = 4
# What batch norms see again after averaging: enough for steady means, little beside an epoch.
RENEWING_BATCHES = 64
JUDGED_ROWS, JUDGED_BATCH = 512, 32


class Fitting:
    """Fits a model to its targets. `watch` is the task and the metric for early stopping and the best epoch.

    `sets` says for each row which data set it belongs to, where there are several; `sampling` how these are mixed.
    `groups` are the optimiser's parameter groups, where not everything is trained in the usual way; `tunings` say
    which of the encoders' parameters are trained in which epoch. `mixing` mixes rows, `adversary` attacks inputs,
    `consistency` holds two answers to the same rows together. Epochs are judged, and kept, by the running `mean` of
    their weights where there is one; a `combination` makes the model of several states at the end. `further_loss` is
    added in training. `distillation` is a teacher to learn from, `pruning` takes weights away; with it the best epoch
    is one after that.
    `team` are the processes that fit together: each has the same model, rows and folder, and rank 0 writes the
    checkpoints.
    """

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
        sets: np.ndarray | None = None,
        sampling: Sampling = "proportional",
        groups: Sequence[ParameterGroup] | None = None,
        tunings: Sequence[Tuning] = (),
        mixing: Mixing | None = None,
        adversary: Adversary | None = None,
        consistency: Consistency | None = None,
        mean: Mean | None = None,
        combination: Combination | None = None,
        further_loss: FurtherLoss | None = None,
        distillation: Distillation | None = None,
        pruning: Pruning | None = None,
        checkpoint_seconds: float = 20.0,
        team: Team = ALONE,
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
        self.sets = sets
        self.sampling = sampling
        self.tunings = tuple(tunings)
        self.mixing = mixing
        self.adversary = adversary
        self.consistency = consistency
        self.combination = combination
        self.further_loss = further_loss
        self.distillation = distillation
        self.pruning = pruning
        self.checkpoint_seconds = checkpoint_seconds
        self.team = team
        self.progress = progress
        self.on_epoch = on_epoch
        self.costs = row_costs(inputs)
        usual = parameter_groups(model, learning_rate, encoder_learning_rate, weight_decay)
        self.optimizer = torch.optim.AdamW(list(groups or usual), lr=learning_rate, fused=True)
        self.average = None if mean is None else RunningAverage(mean=mean, model=model, optimizer=self.optimizer)
        self.scaler = placement.scaler()
        self.stepping = Stepping(
            model=model,
            optimizer=self.optimizer,
            scaler=self.scaler,
            loss_of=self._losses_of,
            team=team,
            log=progress.log,
        )
        self.position = Position()
        self.best: dict[str, Tensor] = {}
        self._saved_at = time.monotonic()

    def run(self) -> FitResult:
        """Fit to the end, from the newest checkpoint where there is one."""
        if self.combination is not None:
            self.combination.begin(self.model)
        resumed = self._resume()
        here = self.position
        self.inputs = with_remembered(
            self.inputs,
            dict(self.model.encoders.items()),
            tunings=self.tunings,
            rows=np.union1d(self.train_rows, self.validation_rows),
            batch_size=self.batch_size,
            placement=self.placement,
            progress=self.progress,
        )
        with self.progress.stage("fit", total=self.epochs * len(self.train_rows), unit="rows") as bar:
            bar.advance(here.epoch * len(self.train_rows) + here.loss_rows)
            while here.epoch < self.epochs and not self._exhausted():
                self._epoch(bar)
        ended = self._combined()
        if self.team.leads:
            self.model.load_state_dict(ended.judged.weights)
        self.model.eval()
        return FitResult(
            history=tuple(Epoch(**entry) for entry in here.history),
            best_epoch=here.best_epoch,
            best_metric=ended.judged.metric,
            stopped_early=here.epoch < self.epochs,
            resumed_at_step=resumed,
            averaged=ended.told,
        )

    def _resume(self) -> int:
        found = load_checkpoint(self.folder, model=self.model, optimizer=self.optimizer, scaler=self.scaler)
        if found is None:
            return 0
        position, self.best = found
        self.position = Position(**position)
        self.stepping.cut = self.position.cut
        if self.average is not None:
            self.average.load(load_average(self.folder), count=self.position.averaged)
        self.progress.log(f"fit goes on at epoch {self.position.epoch + 1}, step {self.position.step}")
        return self.position.step

    def _exhausted(self) -> bool:
        here = self.position
        return bool(self.patience) and here.best_epoch >= 0 and here.epoch - 1 - here.best_epoch >= self.patience

    def epoch_groups(self, epoch: int) -> list[list[np.ndarray]]:
        """The epoch's optimiser steps, each the row numbers of its batches."""
        batches = mixed_batches(
            self._by_set(self.train_rows),
            sampling=self.sampling,
            batch_size=self.batch_size,
            seed=self.seed,
            epoch=epoch,
            costs=self.costs,
        )
        return [batches[start : start + self.accumulate] for start in range(0, len(batches), self.accumulate)]

    def _epoch(self, bar: Bar) -> None:
        here = self.position
        groups = self.epoch_groups(here.epoch)
        total = self.epochs * len(groups)
        for tuning in self.tunings:
            tuning.begin_epoch(here.epoch)
        self.model.train()
        if self.pruning is not None:
            self._prune()
        for group in groups[here.group :]:
            started = time.monotonic()
            self.step(group, total=total)
            here.group += 1
            here.seconds += time.monotonic() - started
            bar.advance(sum(len(batch) for batch in group))
            if time.monotonic() - self._saved_at >= self.checkpoint_seconds:
                self._checkpoint()
        self._end_epoch(bar)

    def step(self, group: list[np.ndarray], *, total: int) -> None:
        """One optimiser step over a group of batches; each row of the group counts alike."""
        here = self.position
        factor = rate_factor(here.step, total=total, warmup=self.warmup)
        if self.average is not None:
            factor = max(factor, self.average.mean.held_rate(here.epoch))
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = parameters["initial_lr"] * factor
        made = self.stepping.step(group, epoch=here.epoch, step=here.step, seeds=(self.seed, here.epoch, here.group))
        if self.pruning is not None:
            self.pruning.hold()
        here.loss_sum += made.loss * made.rows
        here.loss_rows += made.rows
        here.cut = self.stepping.cut
        here.step += 1
        if self.average is not None:
            self.average.after_step()
            here.averaged = self.average.count

    def _prune(self) -> None:
        """Take weights away at an epoch's begin; in the middle of one, take up what has gone."""
        pruning, here = self.pruning, self.position
        if pruning is not None and here.group == 0:
            torch.manual_seed(self.seed + here.epoch)
            pruning.prune(here.epoch, losses=self._judging_losses)
            self.optimizer.zero_grad(set_to_none=True)
        elif pruning is not None:
            pruning.take_up()

    def _judging_losses(self) -> Iterator[Tensor]:
        """Losses of some training rows, the same at every call, by which weights are judged."""
        order = np.random.default_rng(self.seed).permutation(self.train_rows)[:JUDGED_ROWS]
        rows = [order] if self.sets is None else [order[self.sets[order] == number] for number in np.unique(self.sets)]
        for batch in (part for own in rows if len(own) for part in np.array_split(own, -(-len(own) // JUDGED_BATCH))):
            yield from self._losses_of(batch, np.random.default_rng(self.seed))

    def _losses_of(self, rows: np.ndarray, random: np.random.Generator) -> Iterator[Tensor]:
        """The mean loss of some rows, which `random` may alter; of attacked inputs in several parts."""
        batch = make_batch(self.inputs, rows, device=self.placement.device, tasks=self._tasks_of(rows), random=random)
        if self.mixing is not None:
            batch = self.mixing.mixed(batch, random=random)

        def loss_of(outputs: Mapping[str, Mapping[str, Tensor]]) -> Tensor:
            own = self._loss(outputs, batch)
            return own if self.further_loss is None else own + self.further_loss(outputs, batch.rows)

        if self.consistency is not None:
            yield self.consistency.loss(self.model, batch, loss_of, autocast=self.placement.autocast)
        elif self.adversary is None:
            with self.placement.autocast():
                outputs = self.model(batch)
            yield loss_of(outputs)
        else:
            yield from self.adversary.losses(
                self.model, batch, loss_of, random=random, scale=self.scaler.scale, autocast=self.placement.autocast
            )

    def _loss(self, outputs: Mapping[str, Mapping[str, Tensor]], batch: Batch) -> Tensor:
        """The loss of a batch's outputs; of mixed rows by their own truth and by their partners'."""
        if batch.mixture is None:
            return self._loss_against(outputs, batch.rows)
        own, others = (self._loss_against(outputs, rows) for rows in (batch.rows, batch.rows[batch.mixture.partner]))
        return batch.mixture.share * own + (1.0 - batch.mixture.share) * others

    def _loss_against(self, outputs: Mapping[str, Mapping[str, Tensor]], rows: np.ndarray) -> Tensor:
        losses = {}
        for name, given in outputs.items():
            truth = self.targets[name].tensors(rows, device=self.placement.device)
            full = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in given.items()}
            losses[name] = self.model.tasks[name].head.loss(full, truth)  # type: ignore[operator,union-attr]
            if self.distillation is not None:
                losses[name] = self.distillation.blended(name, losses[name], full, rows)
        given_weights = {
            name: float(target.loss_weight) for name, target in self.targets.items() if target.loss_weight != "learned"
        }
        balanced: Tensor = self.model.balance(losses, given_weights)
        return balanced if self.distillation is None else balanced + self.distillation.hint(outputs, rows)

    def _tasks_of(self, rows: np.ndarray) -> tuple[str, ...]:
        """The tasks that a batch's rows have a truth for; a batch is of one data set."""
        if self.sets is None:
            return tuple(self.targets)
        number = int(self.sets[rows[0]])
        return tuple(name for name, target in self.targets.items() if target.set == number)

    def _by_set(self, rows: np.ndarray) -> list[np.ndarray]:
        """Rows by data set; sets without a row are left out."""
        if self.sets is None:
            return [rows]
        return [rows[self.sets[rows] == number] for number in np.unique(self.sets[rows])]

    def _end_epoch(self, bar: Bar) -> None:
        here = self.position
        started = time.monotonic()
        if self.combination is not None:
            self.combination.after_epoch(self.model, here.epoch, leads=self.team.leads)
        with self._averaged():
            outputs, loss = self.score(self.validation_rows)
            metric = self._watched(outputs)
            settled = self.pruning is None or self.pruning.settled(here.epoch)
            if settled and (metric, -loss) > (here.best_metric, -here.best_loss):
                here.best_epoch, here.best_metric, here.best_loss = here.epoch, metric, loss
                if self.team.leads or self.combination is not None:
                    self.best = copied(self.model)
        epoch = Epoch(
            epoch=here.epoch + 1,
            train_loss=here.loss_sum / max(here.loss_rows, 1),
            validation_loss=loss,
            metric=metric,
            learning_rate=float(self.optimizer.param_groups[-1]["lr"]),
            seconds=here.seconds + time.monotonic() - started,
        )
        here.history.append(vars(epoch))
        here.epoch, here.group, here.loss_sum, here.loss_rows, here.seconds = here.epoch + 1, 0, 0.0, 0, 0.0
        bar.say(
            f"epoch {epoch.epoch}: loss {epoch.train_loss:.3f} / {loss:.3f}, {'.'.join(self.watch)} {epoch.metric:.4f}"
        )
        if self.on_epoch is not None:
            self.on_epoch(epoch)
        if time.monotonic() - self._saved_at >= self.checkpoint_seconds / 4:
            self._checkpoint()

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Within the block the model is the one that is kept of this epoch: under a mean, the mean so far."""
        if self.average is not None:
            self.average.after_epoch(self.position.epoch)
        if self.average is None or not self.average.weights:
            yield
            return
        with self.average.in_place():
            self._renew_statistics()
            yield

    def _renew_statistics(self) -> None:
        """Batch norms see training rows as they are; a batch in which one has a single row, or none, is left out."""
        live = [given.present for given in self.inputs.values() if given.source is not None]
        batches = [rows for group in self.epoch_groups(0) for rows in group if all(one[rows].sum() > 1 for one in live)]
        renew_statistics(self.model, batches[:RENEWING_BATCHES], self._passed)

    def _passed(self, rows: np.ndarray) -> None:
        batch = make_batch(self.inputs, rows, device=self.placement.device, tasks=self._tasks_of(rows))
        with self.placement.autocast():
            self.model(batch)

    def _combined(self) -> Combined:
        """What the model is to be in the end: the best epoch's weights, or what a combination makes of several."""
        here = self.position
        best = Judged(self.best, here.best_metric, here.best_loss)
        if self.combination is None:
            return Combined(best, {})
        # What rank 0 wrote is read by all: none goes on before it is there.
        self.team.worst(FINE)
        metrics = [(epoch["metric"], epoch["validation_loss"]) for epoch in here.history]
        return self.combination.combined(best, metrics, self._judged)

    def _judged(self, weights: Mapping[str, Tensor]) -> Judged:
        self.model.load_state_dict(weights)
        self._renew_statistics()
        outputs, loss = self.score(self.validation_rows)
        return Judged(copied(self.model), self._watched(outputs), loss)

    def _watched(self, outputs: Mapping[str, Mapping[str, np.ndarray]]) -> float:
        """The watched metric on the validation rows of the task's data set; lowest of all where it is no number."""
        task, metric = self.watch
        value = self.targets[task].decoder.scorers[metric](*self.watched(outputs))
        return value if np.isfinite(value) else float("-inf")

    def watched(self, outputs: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """The watched task's truth and prediction, comparable, from the outputs of all validation rows."""
        task, rows = self.watch[0], self.validation_rows
        target = self.targets[task]
        known = slice(None) if self.sets is None else np.flatnonzero(self.sets[rows] == target.set)
        return target.decoder.comparable(rows_of(outputs[task], known), rows_of(rows_of(target.truth, rows), known))

    def score(self, rows: np.ndarray) -> tuple[dict[str, dict[str, np.ndarray]], float]:
        """The named outputs of every task in the order of `rows`, and the mean loss; a team shares the work."""
        self.model.eval()
        places = np.arange(len(rows))
        costs = None if self.costs is None else self.costs[rows]
        parts = [
            part
            for places_of_set in ([places] if self.sets is None else self._places_by_set(rows))
            for part in ordered_batches(places_of_set, batch_size=SCORING_BATCH * self.batch_size, costs=costs)
        ]
        return score_in_parts(parts, lambda part: self._scored(rows, part), rows=len(rows), team=self.team)

    def _scored(self, rows: np.ndarray, places: np.ndarray) -> Scored:
        given = rows[places]
        batch = make_batch(self.inputs, given, device=self.placement.device, tasks=self._tasks_of(given))
        with torch.inference_mode():
            with self.placement.autocast():
                outputs = self.model(batch)
            loss = float(self._loss(outputs, batch))
        named = {task: {name: on_cpu(tensor) for name, tensor in one.items()} for task, one in outputs.items()}
        return Scored(places, named, loss * len(places))

    def _places_by_set(self, rows: np.ndarray) -> list[np.ndarray]:
        sets = np.asarray(self.sets)[rows]
        return [np.flatnonzero(sets == number) for number in np.unique(sets)]

    def _checkpoint(self) -> None:
        self._saved_at = time.monotonic()
        if not self.team.leads:
            return
        save_checkpoint(
            self.folder,
            # An epoch's end is a state of its own, after the checkpoint of its last step.
            number=self.position.step + self.position.epoch,
            model=self.model,
            optimizer=self.optimizer,
            scaler=self.scaler,
            best=self.best,
            average=None if self.average is None else self.average.weights,
            position=vars(self.position),
        )


def on_cpu(tensor: Tensor) -> np.ndarray:
    """A tensor as numpy; halves as float32, which numpy can reckon with."""
    moved = tensor.detach().cpu()
    return np.asarray((moved.float() if moved.is_floating_point() else moved).numpy())
