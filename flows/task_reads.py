"""What tasks of each kind read of their modalities: fused embeddings, tokens, feature maps or pairs."""

from typing import Literal

from flows.modality_spec import Image
from flows.scenario_columns import task_inputs
from flows.spec import Scenario

Reads = Literal["fused", "tokens", "maps", "pair"]
READS: dict[str, Reads] = {
    "classification": "fused",
    "regression": "fused",
    "token_classification": "tokens",
    "alignment": "pair",
    "relation": "tokens",
    "span": "tokens",
    "detection": "maps",
}


def modalities_read_whole(scenario: Scenario) -> frozenset[str]:
    """The modalities whose tokens or feature maps a task reads, not only their pooled embedding."""
    return frozenset(
        name
        for task, settings in scenario.tasks.items()
        if READS[settings.kind] in {"tokens", "maps"}
        for name in task_inputs(scenario, task)
    )


def gives_maps(scenario: Scenario, name: str) -> bool:
    """Whether a modality's feature maps are read."""
    return isinstance(scenario.modalities[name], Image) and name in modalities_read_whole(scenario)
