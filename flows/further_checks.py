"""What can be wrong once every name in a scenario leads somewhere: costs, sets, pairs, detectors, pretraining."""

from collections.abc import Iterator

from flows.detection_checks import detection_problems
from flows.label_checks import label_problems
from flows.modality_spec import Image, Pretrain, Text
from flows.scenario_columns import contrastive_tasks, modality_columns, table_of, task_inputs
from flows.source_checks import unknown
from flows.source_spec import Rows
from flows.spec import Scenario
from flows.strategies import is_trained
from flows.task_spec import Alignment, Classification

OF_TEXT, OF_PICTURES = {"mask", "unit", "label_names"}, {"mask", "patch", "noise"}
OF_CONTRAST, OF_GUESSING = {"task", "temperature", "label_names"}, {"rows", "mask", "unit", "patch", "noise"}


def further_problems(scenario: Scenario) -> list[str]:
    """One sentence for each; empty when the scenario holds together."""
    found = [*pretrain_problems(scenario), *detection_problems(scenario)]
    for name, task in scenario.tasks.items():
        if isinstance(task, Classification):
            rows = scenario.data[table_of(scenario, name)]
            found += [*cost_problems(name, task, rows), *confidence_problems(name, task, rows)]
            found += label_problems(scenario, name, task)
        elif isinstance(task, Alignment):
            found += [*pair_problems(scenario, name), *solved_problems(scenario, name, task)]
    return found


def confidence_problems(name: str, task: Classification, rows: Rows) -> Iterator[str]:
    """What needs one label a row, asked of several."""
    if rows.columns.get(task.target) != "labels":
        return
    if task.conformal is not None and task.conformal.score != "lac":
        yield (
            f"tasks.{name}.conformal.score: {task.conformal.score!r} ranks labels of which one is right, but "
            f"{task.target!r} has several a row. Write `score: lac`."
        )
    if task.out_of_scope is not None:
        yield (
            f"tasks.{name}.out_of_scope: {task.target!r} is declared as labels, and a row without any is no stranger. "
            "Drop it, or declare the column as category."
        )


def cost_problems(name: str, task: Classification, rows: Rows) -> Iterator[str]:
    """Costs or a tree of labels for a task that has several labels a row, or that weighs its classes otherwise."""
    if task.class_weights == "effective" and rows.columns.get(task.target) == "labels":
        yield (
            f"tasks.{name}.class_weights: 'effective' counts rows of one label each; {task.target!r} holds lists of "
            "labels. Write `class_weights: balanced`."
        )
    if not (task.costs or task.hierarchy):
        return
    if rows.columns.get(task.target) == "labels":
        yield f"tasks.{name}: costs and hierarchy are for one label a row; {task.target!r} holds lists of labels."
    if task.hierarchy and task.hierarchy_loss != "none" and task.class_weights != "none":
        told = f"tasks.{name}.class_weights: {task.class_weights!r}"
        yield f"{told} has no part in hierarchy_loss {task.hierarchy_loss!r}. Drop one."


def pair_problems(scenario: Scenario, name: str) -> Iterator[str]:
    """A task over pairs that does not read exactly two modalities."""
    read = task_inputs(scenario, name)
    if len(set(read)) != 2:
        yield (
            f"tasks.{name}.inputs: an alignment brings two modalities together, here are {len(set(read))} "
            f"({', '.join(read) or 'none'}). Name two of {', '.join(scenario.modalities)}."
        )


def solved_problems(scenario: Scenario, name: str, task: Alignment) -> Iterator[str]:
    """A closed form over encoders that change, or of more than a linear map."""
    if task.method == "contrastive":
        return
    if task.hidden:
        yield f"tasks.{name}.hidden: the canonical projections are linear. Drop it, or write `method: contrastive`."
    trained = [
        given for given in task_inputs(scenario, name) if given in scenario.modalities and is_trained(scenario, given)
    ]
    if trained:
        yield (
            f"tasks.{name}.method: 'canonical' is solved once, over encoders that stay as they are; "
            f"{', '.join(trained)} would be trained. Write `train: frozen` there, or `method: contrastive`."
        )


def pretrain_problems(scenario: Scenario) -> Iterator[str]:
    """Modalities and tables that are not there, and settings that mean nothing to a modality."""
    for name, settings in scenario.pretrain.items():
        modality = scenario.modalities.get(name)
        if modality is None:
            yield unknown(f"pretrain.{name}", name, scenario.modalities)
            continue
        if not isinstance(modality, Image | Text):
            yield f"pretrain.{name}: a modality of kind {modality.kind} has no encoder; image and text have one."
            continue
        yield from wrong_settings(name, settings, modality)
        yield from contrast_problems(scenario, name, settings)
        for table in settings.rows:
            if table not in scenario.data:
                yield unknown(f"pretrain.{name}.rows", table, scenario.data)
            elif not set(modality_columns(modality, name, scenario.data[table])) & scenario.data[table].column_names():
                yield f"pretrain.{name}.rows: data.{table} has no column that the modality reads."


def contrast_problems(scenario: Scenario, name: str, settings: Pretrain) -> Iterator[str]:
    """Contrastive learning without a task whose labels it can learn from, or keys that are of the other kinds."""
    contrastive = settings.kind == "contrastive"
    for key in sorted(settings.model_fields_set & (OF_GUESSING if contrastive else OF_CONTRAST)):
        told = "contrastive learning" if contrastive else "any kind but contrastive"
        yield f"pretrain.{name}.{key}: means nothing to {told}. Leave it out."
    if not contrastive:
        return
    fitting = contrastive_tasks(scenario, name)
    if settings.task is None and len(fitting) != 1:
        yield (
            f"pretrain.{name}.task: missing; {len(fitting)} tasks of kind classification read {name!r} and have one "
            f"label a row ({', '.join(fitting) or 'none'}). Name the one to learn from."
        )
    elif settings.task is not None and settings.task not in fitting:
        yield (
            f"pretrain.{name}.task: {settings.task!r} is no classification that reads {name!r} and has one label a "
            f"row. Allowed: {', '.join(fitting) or 'none'}."
        )


def wrong_settings(name: str, settings: Pretrain, modality: Image | Text) -> Iterator[str]:
    """A kind of pretraining, or a key, that belongs to the other modality."""
    of_text = isinstance(modality, Text)
    kinds = ("masked_language", "contrastive") if of_text else ("masked_picture", "denoising", "contrastive")
    if settings.kind is not None and settings.kind not in kinds:
        yield f"pretrain.{name}.kind: {settings.kind!r} is not for {modality.kind}. Allowed: {', '.join(kinds)}."
    for key in sorted(settings.model_fields_set & ((OF_PICTURES - OF_TEXT) if of_text else (OF_TEXT - OF_PICTURES))):
        yield f"pretrain.{name}.{key}: means nothing to a modality of kind {modality.kind}. Leave it out."
    if isinstance(modality, Text) and modality.form != "text":
        yield f"pretrain.{name}: whole texts are read, but modalities.{name}.form is {modality.form!r}."
