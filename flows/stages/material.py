"""What the fits of a run are made of: inputs and targets, read once, and a model with its optimiser for each fit."""

import copy
import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from flows.attack_assembly import attack_place, build_adversary, trained_and_attacked
from flows.average_assembly import build_combination, build_mean
from flows.compress_assembly import build_pruning, pruned_modality
from flows.consistency_assembly import build_consistency
from flows.decoder_assembly import build_decoder
from flows.mix_assembly import build_mixing
from flows.modality_spec import Image, Text
from flows.scenario_columns import table_of, task_inputs
from flows.stages.beginnings import begin_prototypes, solve_alignments
from flows.stages.encoders import embed_values, open_encoder
from flows.stages.fit_rows import FitRows
from flows.stages.fitted import load_encoder, load_tasks
from flows.stages.job import Job
from flows.stages.pretrained import starting_encoder
from flows.stages.teach import distillation
from flows.stages.wordings import embedded_wordings, variants_of, wordings
from flows.strategies import FitPlan, attach_strategy, is_live, strategy_of
from flows.task_assembly import build_task
from flows.task_spec import Detection
from heads.decoder import rows_of
from polyloom.progress import Progress

if TYPE_CHECKING:
    from torch.nn import Linear

    from training.adversarial import Adversary
    from training.course import Epoch
    from training.device import Placement
    from training.distillation import Distillation
    from training.fitting import Fitting
    from training.further_loss import FurtherLoss
    from training.inputs import ModalityInput
    from training.model import ApplicationModel
    from training.pruning import Pruning
    from training.strategies.tuning import Tuning
    from training.targets import Target
    from training.team import Team

CHECKPOINTS = "checkpoints"
EPOCHS = "epochs"


@dataclass(frozen=True)
class Ready:
    """A fit that may begin, and what it trains of each live encoder."""

    fitting: "Fitting"
    tunings: dict[str, "Tuning"]

    @property
    def placed(self) -> dict[str, str]:
        """Where and how exactly it computes."""
        return told(self.fitting.placement)

    @property
    def trained_parameters(self) -> int:
        """How many numbers it trains, those of the heads included."""
        groups = self.fitting.optimizer.param_groups
        return sum(parameter.numel() for group in groups for parameter in group["params"])


class Material:
    """A run's inputs and targets; fits of several strategies share them."""

    def __init__(
        self, job: Job, *, progress: Progress, team: "Team | None" = None, placement: "Placement | None" = None
    ) -> None:
        from training.device import place
        from training.team import ALONE

        self.job = job
        self.progress = progress
        self.team = team or ALONE
        self.placement = placement or place(job.scenario.recipe.precision)
        self.rows = FitRows.of(job)
        self.targets = {task: target(job, task) for task in job.scenario.tasks}
        self._inputs: dict[tuple[str, bool], ModalityInput] = {}

    def over(self, rows: FitRows) -> Self:
        """The same inputs for fits over other rows, whose tasks know the labels of these."""
        other = copy.copy(self)
        other.rows = rows
        other.targets = {task: target(self.job, task, training=rows.known) for task in self.targets}
        return other

    @functools.cached_property
    def distillation(self) -> "Distillation | None":
        """What the teacher says, where the recipe names one."""
        return distillation(self.job, self.targets, progress=self.progress)

    @property
    def watch(self) -> tuple[str, str]:
        """The task and the metric that decide."""
        task, _, metric = self.job.scenario.gate.metric.partition(".")
        return task, metric

    def placement_of(self, plan: FitPlan) -> "Placement":
        """Where and how exactly a fit computes; heads over finished vectors gain nothing from shorter numbers."""
        scenario = self.job.scenario
        live = any(is_live(scenario, name, plan) for name in scenario.modalities)
        if live or scenario.recipe.precision != "auto":
            return self.placement
        return replace(self.placement, precision="fp32")

    def inputs(self, plan: FitPlan) -> dict[str, "ModalityInput"]:
        """Every modality as a fit reads it: finished vectors, or raw values where its encoder is live."""
        found = {}
        for name in self.job.scenario.modalities:
            live = is_live(self.job.scenario, name, plan)
            if (name, live) not in self._inputs:
                self._inputs[name, live] = modality_input(
                    self.job, name, self.targets, live=live, progress=self.progress
                )
            found[name] = self._inputs[name, live]
        return found

    def ready(
        self,
        plan: FitPlan,
        *,
        folder: Path,
        on_epoch: Callable[["Epoch"], None] | None = None,
        start: Path | None = None,
        further_loss: "Callable[[ApplicationModel], FurtherLoss] | None" = None,
    ) -> Ready:
        """A fit with its checkpoints under `folder`, from the weights that the fit in the folder `start` left.

        `further_loss` makes one for the model as it begins.
        """
        from training.fitting import Fitting
        from training.parameters import task_groups

        recipe, inputs = self.job.scenario.recipe, self.inputs(plan)
        model, tunings = self.model(plan, inputs, start=start)
        adversary = self.adversary(plan, model)
        self._economise(model, plain=adversary is None)
        groups = [
            group
            for tuning in tunings.values()
            for group in tuning.parameter_groups(
                learning_rate=plan.encoder_rate(tuning.strategy), weight_decay=recipe.weight_decay
            )
        ]
        fitting = Fitting(
            model=model,
            inputs=inputs,
            targets=self.targets,
            train_rows=self.rows.train,
            validation_rows=self.rows.validation,
            watch=self.watch,
            folder=folder / CHECKPOINTS,
            placement=self.placement_of(plan),
            epochs=plan.epochs,
            patience=plan.patience,
            seed=plan.seed,
            batch_size=plan.batch_size,
            accumulate=recipe.accumulate,
            warmup=recipe.warmup,
            sets=self.job.sets,
            sampling=recipe.sampling,
            groups=[*groups, *task_groups(model, plan.learning_rate, recipe.weight_decay)],
            tunings=list(tunings.values()),
            mixing=build_mixing(self.job.scenario, plan),
            adversary=adversary,
            consistency=build_consistency(self.job.scenario, self.targets),
            mean=build_mean(self.job.scenario, plan),
            combination=build_combination(self.job.scenario, plan, folder=folder / EPOCHS, start=start),
            further_loss=further_loss(model) if further_loss else None,
            distillation=self.distillation,
            pruning=self.pruning(plan, model),
            team=self.team,
            checkpoint_seconds=recipe.checkpoint_seconds,
            progress=self.progress,
            on_epoch=on_epoch,
        )
        return Ready(fitting=fitting, tunings=tunings)

    def adversary(self, plan: FitPlan, model: "ApplicationModel") -> "Adversary | None":
        """What attacks the fit's inputs, where the recipe asks for it and the fit trains their encoder."""
        scenario, given = self.job.scenario, self.job.scenario.recipe.adversarial
        if given is None or not given.epsilon:
            return None
        name = trained_and_attacked(scenario, given)
        if strategy_of(scenario, name, plan) == "frozen":
            return None
        place = attack_place(name, preparation=self.job.preparations[name], encoder=model.encoders[name])
        return build_adversary(given, place)

    def pruning(self, plan: FitPlan, model: "ApplicationModel") -> "Pruning | None":
        """What takes an encoder's weights away, where the recipe asks for it."""
        name = pruned_modality(self.job.scenario)
        return None if name is None else build_pruning(self.job.scenario, plan, model.encoders[name])

    def hints(self, dims: Mapping[str, int], live: Collection[str]) -> dict[str, "Linear"]:
        """Maps from live encoders' embeddings to the teacher's, where the recipe asks for such hints."""
        from training.distillation import hint_map

        taught = {} if self.distillation is None else self.distillation.embeddings
        return {name: hint_map(dims[name], taught[name].values.shape[1]) for name in taught if name in live}

    def _economise(self, model: "ApplicationModel", *, plain: bool) -> None:
        """Make live encoders cheaper: activations computed again instead of kept, compiled forward passes.

        An encoder that is attacked changes from pass to pass, so it is not compiled.
        """
        from modalities.encoders.recomputing import recompute_activations
        from training.compiling import compile_encoder, compiles

        recipe = self.job.scenario.recipe
        compiled = plain and compiles(wanted=recipe.compile, device=self.placement.device)
        for name, encoder in model.encoders.items():
            if recipe.gradient_checkpointing:
                recompute_activations(encoder, name=name)
            if compiled:
                compile_encoder(encoder)

    def model(
        self, plan: FitPlan, inputs: dict[str, "ModalityInput"], *, start: Path | None
    ) -> tuple["ApplicationModel", dict[str, "Tuning"]]:
        """The model, the same under the same seed, and the tuning of each live encoder."""
        import torch

        from training.model import ApplicationModel

        job = self.job
        tunings = {}
        for name in inputs:
            if is_live(job.scenario, name, plan):
                encoder = starting_encoder(job, name)
                if start is not None:
                    load_encoder(encoder, start, name)
                strategy = strategy_of(job.scenario, name, plan)
                tunings[name] = attach_strategy(job.scenario, name, encoder, strategy=strategy)
        encoders = {name: tuning.encoder for name, tuning in tunings.items()}
        dims = {name: width(given, encoders.get(name)) for name, given in inputs.items()}
        torch.manual_seed(plan.seed)
        tasks = {
            task: build_task(
                job.scenario,
                task,
                decoder=goal.decoder,
                dims=dims,
                training=rows_of(goal.truth, job.of_task(self.rows.train, task)),
            )
            for task, goal in self.targets.items()
        }
        learned = [task for task, goal in self.targets.items() if goal.loss_weight == "learned"]
        hints = self.hints(dims, encoders)
        model = ApplicationModel(encoders=encoders, tasks=tasks, learned_weights=learned, hints=hints)
        if start is None:
            begin_prototypes(job, model, inputs, self.targets, progress=self.progress)
            solve_alignments(job, model, inputs)
        else:
            load_tasks(model, start, {task: goal.decoder for task, goal in self.targets.items()})
        return model, tunings


def modality_input(
    job: Job, name: str, targets: Mapping[str, "Target"], *, live: bool, progress: Progress
) -> "ModalityInput":
    """A modality as the fitting loop reads it; where a detector reads it, its boxes move with the pictures."""
    from training.boxed_pictures import boxed_source
    from training.inputs import AnyText, ModalityInput, TextSource, live_source

    given = job.task_values(name)
    preparation, variants = job.preparations[name], variants_of(job, name)
    if not live:
        encoder = open_encoder(job, name, progress=progress)
        report = embed_values(given, preparation=preparation, encoder=encoder, name=name, progress=progress)
        others = embedded_wordings(job, name, variants, progress=progress).vectors if variants else None
        return ModalityInput(present=given.present, vectors=report.vectors, variants=others)
    modality = job.scenario.modalities[name]
    augmentation = modality.augment if isinstance(modality, Image) else "none"
    if isinstance(modality, Text) and isinstance(preparation, AnyText) and (variants or modality.augment != "none"):
        texts = TextSource(
            preparation=preparation,
            values=given.values,
            augmentation=modality.augment,
            variants=wordings(job, name, variants, progress=progress) if variants else (),
        )
        return ModalityInput(present=given.present, source=texts)
    for task, settings in job.scenario.tasks.items():
        if isinstance(settings, Detection) and name in task_inputs(job.scenario, task):
            truth = targets[task].truth
            boxed = boxed_source(preparation=preparation, values=given.values, truth=truth, augmentation=augmentation)
            return ModalityInput(present=given.present, source=boxed)
    erase = modality.erase if isinstance(modality, Image) else 0.0
    source = live_source(preparation=preparation, values=given.values, augmentation=augmentation, erase=erase)
    return ModalityInput(present=given.present, source=source)


def target(job: Job, task: str, *, training: np.ndarray | None = None) -> "Target":
    """A task's decoder, from the training rows or those given, and the truth of all rows."""
    from training.targets import Target

    settings = job.scenario.tasks[task]
    values = job.targets(task)
    known = job.split("train", task=task) if training is None else job.of_task(training, task)
    decoder = build_decoder(
        job.scenario,
        task,
        column_kind=job.scenario.data[table_of(job.scenario, task)].columns.get(settings.target, ""),
        training=[values[row] for row in known],
    )
    return Target(truth=decoder.encode(values), decoder=decoder, loss_weight=settings.loss_weight, set=job.set_of(task))


def width(given: "ModalityInput", encoder: Any) -> int:
    """Length of a modality's embedding."""
    return int(encoder.dim) if given.vectors is None else int(np.shape(given.vectors)[1])


def told(placement: "Placement") -> dict[str, str]:
    """A placement as it is reported."""
    return {"device": str(placement.device), "precision": placement.precision}
