"""From a scenario's section `fusion`, or a task's own, to the module that makes one embedding of several."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.spec import Scenario
from flows.task_spec import FusedTask, Fusion

if TYPE_CHECKING:
    from modalities.cross_attention import CrossAttentionFusion
    from modalities.fusion import ConcatFusion, GatedFusion

# What makes a finished vector about as large as a normalised embedding: hashed characters have length 1.
SCALES = {"number": 1.0, "category": 1.0, "characters": 8.0}


def build_fusion(
    scenario: Scenario, task: str, dims: Mapping[str, int]
) -> "ConcatFusion | GatedFusion | CrossAttentionFusion":
    """The fusion of one task's inputs."""
    from modalities.cross_attention import CrossAttentionFusion
    from modalities.fusion import ConcatFusion, GatedFusion

    settings = fusion_of(scenario, task)
    scales = {name: SCALES[scenario.modalities[name].kind] for name in dims if scenario.modalities[name].kind in SCALES}
    if settings.kind == "cross_attention":
        return CrossAttentionFusion(
            dims=dims,
            modality_dropout=settings.modality_dropout,
            hidden=settings.hidden,
            dropout=settings.dropout,
            scales=scales,
            heads=settings.attention_heads,
            blocks=settings.blocks,
        )
    kind: type[ConcatFusion | GatedFusion] = ConcatFusion if settings.kind == "concat" else GatedFusion
    return kind(
        dims=dims,
        modality_dropout=settings.modality_dropout,
        hidden=settings.hidden,
        dropout=settings.dropout,
        scales=scales,
    )


def fusion_of(scenario: Scenario, task: str) -> Fusion:
    """How a task's modalities become one embedding: as it says itself, else as the scenario does."""
    settings = scenario.tasks[task]
    return (settings.fusion if isinstance(settings, FusedTask) else None) or scenario.fusion
