"""What can be wrong with a scenario's detectors."""

from collections.abc import Iterator

from flows.modality_spec import Image
from flows.scenario_columns import task_inputs
from flows.spec import Scenario
from flows.task_spec import Detection

# What moves the boxes along.
FOLLOWED = ("none", "flip", "scene")


def detection_problems(scenario: Scenario) -> Iterator[str]:
    """Detectors that do not look at one picture each, and augmentation that boxes would not follow."""
    detectors: dict[str, list[str]] = {}
    for name, task in scenario.tasks.items():
        if not isinstance(task, Detection):
            continue
        read = task_inputs(scenario, name)
        for given in read:
            detectors.setdefault(given, []).append(name)
        if len(read) != 1 or not isinstance(scenario.modalities.get(read[0]), Image):
            yield (
                f"tasks.{name}.inputs: a detector looks at one modality of kind image, not at "
                f"{', '.join(read) or 'nothing'}. Write `inputs: [NAME]` with the name of the picture's modality."
            )
    for name, modality in scenario.modalities.items():
        if isinstance(modality, Image):
            readers = [task for task in scenario.tasks if name in task_inputs(scenario, task)]
            yield from picture_problems(name, modality, detectors=detectors.get(name, []), readers=readers)


def picture_problems(name: str, modality: Image, *, detectors: list[str], readers: list[str]) -> Iterator[str]:
    """Two detectors that would move each other's boxes, and augmentation that does not fit those who read."""
    if len(detectors) > 1:
        yield (
            f"tasks.{detectors[1]}.inputs: {name!r} has the detector {detectors[0]!r} already. "
            "Add a second image modality."
        )
    if modality.augment not in FOLLOWED and detectors:
        yield (
            f"modalities.{name}.augment: boxes do not follow {modality.augment!r}. "
            "Under a detector use none, flip or scene."
        )
    if modality.erase and detectors:
        yield (
            f"modalities.{name}.erase: a rectangle would hide objects whose boxes stay. "
            "Under a detector leave it out; `augment: scene` cuts and moves the boxes along."
        )
    if modality.augment == "scene" and readers != detectors:
        yield (
            f"modalities.{name}.augment: 'scene' mixes pictures, so it is for pictures that only a detector reads. "
            "Use none, flip or crop_flip."
        )
