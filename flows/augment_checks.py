"""What must hold between augmentation and the encoders that it is for."""

from collections.abc import Iterator

from flows.modality_spec import Image, Text
from flows.spec import Scenario
from flows.strategies import fit_plans, is_live


def augment_problems(scenario: Scenario) -> Iterator[str]:
    """Augmentation that no fit would see, and wordings that a truth could not follow."""
    for name, modality in scenario.modalities.items():
        if not isinstance(modality, Image | Text):
            continue
        if isinstance(modality, Text) and modality.variants is not None and modality.form != "text":
            yield (
                f"modalities.{name}.variants: other words, which the truth of a text of form {modality.form!r} could "
                "not follow. Leave them out, or write `form: text`."
            )
        erases = isinstance(modality, Image) and modality.erase > 0
        if modality.augment == "none" and not erases:
            continue
        pretrained = isinstance(modality, Image) and name in scenario.pretrain
        if pretrained or any(is_live(scenario, name, plan) for plan in fit_plans(scenario)):
            continue
        instead = "" if isinstance(modality, Image) else "`variants: {kind: words}`, whose copies are embedded too, or "
        yield (
            f"modalities.{name}.{'erase' if modality.augment == 'none' else 'augment'}: the encoder of {name!r} is "
            f"frozen, and its vectors are computed once. Write {instead}`train: full`, or leave it out."
        )
