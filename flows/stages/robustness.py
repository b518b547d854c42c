"""The gate's metric on the test rows under attack, with typos, noise and blur, beside that of the rows as they are."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.attack_assembly import attack_place, build_attack, measured_and_attacked
from flows.modality_spec import Image, Text
from flows.scenario_columns import task_inputs
from flows.spec import Robustness
from flows.stages.encoders import embed_values, loaded_encoder, open_encoder
from flows.stages.job import Job
from flows.stages.worth import metric_of, plain
from flows.task_assembly import build_released_task
from heads.decoder import Decoder, rows_of
from heads.robustness import RESAMPLES, compared
from modalities.picture_damage import blurred, with_noise
from modalities.preparation.pictures import PicturePreparation
from modalities.slips import with_typos
from polyloom.durable import read_json
from polyloom.progress import Progress

if TYPE_CHECKING:
    from training.inputs import ModalityInput
    from training.model import ApplicationModel
    from training.robustness import Asked

BATCH_ROWS = 64
ATTACK, TYPOS, NOISE, BLUR = "attack", "typos", "noise", "blur"
Inputs = dict[str, "ModalityInput"]
Damage = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def wants_robustness(job: Job, task: str) -> bool:
    """Whether the scenario asks what changed inputs do to this task: only of the gate's."""
    asked = job.scenario.robustness
    anything = bool(asked.attack or asked.typos or asked.noise or asked.blur)
    return anything and job.scenario.gate.metric.partition(".")[0] == task


def robustness_of(job: Job, task: str, *, decoder: Decoder, rows: np.ndarray, progress: Progress) -> dict[str, Any]:
    """The metric intact and after each harm, with the 95% interval of its change (paired bootstrap over the rows).

    Computed in torch, from the fitted weights: an attack needs gradients, which the released graphs do not have.
    `rows` are the test rows, of which at most `robustness.rows` are asked.
    """
    from training.robustness import outputs_under

    chosen = drawn(rows, most=job.scenario.robustness.rows, seed=job.scenario.recipe.seed)
    asked, inputs = asked_of(job, task, chosen, progress=progress)
    metric = metric_of(job, task, decoder)
    truth = rows_of(asked.target.truth, chosen)
    known, intact = decoder.comparable(outputs_under(asked, inputs), truth)
    figures: dict[str, Any] = {
        "metric": metric,
        "rows": len(chosen),
        "intact": float(decoder.scorers[metric](known, intact)),
    }
    conditions = dict(harmed_outputs(job, task, asked, inputs))
    with progress.stage(f"robustness of {task}", total=len(conditions), unit="harms") as bar:
        for name, answer in conditions.items():
            after = decoder.comparable(answer(), truth)[1]
            harmed = compared(
                known, intact, after, scorer=decoder.scorers[metric], seed=asked.seed, resamples=RESAMPLES
            )
            figures[name] = vars(harmed)
            bar.advance()
    return {name: plain(value) for name, value in figures.items()}


def drawn(rows: np.ndarray, *, most: int, seed: int) -> np.ndarray:
    """At most so many of the rows, in their order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, size=most, replace=False))


def harmed_outputs(
    job: Job, task: str, asked: "Asked", inputs: Inputs
) -> Iterator[tuple[str, Callable[[], dict[str, np.ndarray]]]]:
    """Each harm that is asked for, and what gives the outputs after it."""
    from training.robustness import outputs_under

    wanted = job.scenario.robustness
    if wanted.attack is not None:
        name = measured_and_attacked(job.scenario, task, wanted.attack)
        encoder = asked.model.encoders[name]
        place = attack_place(name, preparation=job.preparations[name], encoder=encoder)
        attack = build_attack(wanted.attack)
        yield ATTACK, lambda: outputs_under(asked, inputs, attack=attack, place=place)
    if wanted.typos:
        yield TYPOS, lambda: outputs_under(asked, mistyped(job, inputs))
    for key, damage in damages(wanted).items():
        yield key, partial(outputs_under, asked, damaged(job, inputs, damage))


def damages(wanted: Robustness) -> dict[str, Damage]:
    """What is done to pictures."""
    found: dict[str, Damage] = {}
    if wanted.noise:
        found[NOISE] = lambda pictures, random: with_noise(pictures, deviation=wanted.noise, random=random)
    if wanted.blur:
        found[BLUR] = lambda pictures, random: blurred(pictures, radius=wanted.blur)  # noqa: ARG005
    return found


def asked_of(job: Job, task: str, rows: np.ndarray, *, progress: Progress) -> tuple["Asked", Inputs]:
    """The fitted task in torch, and what it reads: texts and pictures as raw values, the rest as vectors."""
    from flows.stages.material import target
    from training.device import place
    from training.robustness import Asked

    inputs = {name: raw_or_vectors(job, name, progress=progress) for name in task_inputs(job.scenario, task)}
    asked = Asked(
        model=fitted_model(job, task, inputs),
        task=task,
        target=target(job, task),
        rows=rows,
        placement=place("fp32"),
        batch_size=BATCH_ROWS,
        seed=job.scenario.recipe.seed,
    )
    return asked, inputs


def raw_or_vectors(job: Job, name: str, *, progress: Progress) -> "ModalityInput":
    """A modality as the model in torch reads it."""
    from training.inputs import ModalityInput, live_source

    given, preparation = job.task_values(name), job.preparations[name]
    if isinstance(job.scenario.modalities[name], Image | Text):
        return ModalityInput(present=given.present, source=live_source(preparation=preparation, values=given.values))
    encoder = open_encoder(job, name, progress=progress)
    report = embed_values(given, preparation=preparation, encoder=encoder, name=name, progress=progress)
    return ModalityInput(present=given.present, vectors=report.vectors)


def fitted_model(job: Job, task: str, inputs: Mapping[str, "ModalityInput"]) -> "ApplicationModel":
    """Encoders and the task as the fit left them."""
    from safetensors.torch import load_file

    from flows.stages.material import width
    from heads.decoders import load_decoder
    from training.ensemble import members_in
    from training.model import ApplicationModel

    saved = job.folder / "fitted" / "tasks"
    encoders = {name: loaded_encoder(job, name) for name, given in inputs.items() if given.vectors is None}
    dims = {name: width(given, encoders.get(name)) for name, given in inputs.items()}
    decoder = load_decoder(read_json(saved / f"{task}.json"))
    weights = load_file(saved / f"{task}.safetensors")
    model = build_released_task(job.scenario, task, decoder=decoder, dims=dims, members=members_in(weights))
    model.load_state_dict(weights)
    return ApplicationModel(encoders=encoders, tasks={task: model})


def mistyped(job: Job, inputs: Inputs) -> Inputs:
    """The inputs with typos in every text; a row always has the same ones."""
    from training.inputs import live_source

    share, seed = job.scenario.robustness.typos, job.scenario.recipe.seed
    changed = dict(inputs)
    for name, given in inputs.items():
        modality = job.scenario.modalities[name]
        if isinstance(modality, Text) and modality.form == "text":
            values = [
                value if value is None else with_typos(str(value), share=share, random=seeded(seed, row))
                for row, value in enumerate(job.task_values(name).values)
            ]
            source = live_source(preparation=job.preparations[name], values=values)
            changed[name] = replace(given, source=source)
    return changed


def damaged(job: Job, inputs: Inputs, damage: Damage) -> Inputs:
    """The inputs with every picture damaged."""
    from training.robustness import DamagedPictures

    changed = dict(inputs)
    for name, given in inputs.items():
        preparation = job.preparations[name]
        if isinstance(preparation, PicturePreparation):
            values, seed = job.task_values(name).values, job.scenario.recipe.seed
            source = DamagedPictures(preparation=preparation, values=values, damage=damage, seed=seed)
            changed[name] = replace(given, source=source)
    return changed


def seeded(seed: int, row: int) -> np.random.Generator:
    """A row's own random numbers, whatever other rows are asked."""
    return np.random.default_rng([seed, row])
