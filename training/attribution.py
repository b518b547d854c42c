"""What one row's score rests on, by the gradients of the fitted model; captum computes them.

Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks" (2017): integrated gradients add up to the
difference between the score and that of a baseline. Gradient x input is taken as its length over the embedding, as
Atanasova et al., "A Diagnostic Study of Explainability Techniques for Text Classification" (2020) found best: it says
how much a token counts, not which way. Its signed sum named words no better than chance on validation rows.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from heads.explained_score import ExplainedScore
from modalities.preparation.text import TextPreparation
from training.fitting import on_cpu
from training.model import ApplicationModel, Batch

TokenMethod = Literal["integrated_gradients", "gradient_x_input"]
ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class ExplainedRow:
    """A row as a batch of one, under one task of a fitted model in evaluation mode, and the score that is explained."""

    model: ApplicationModel
    task: str
    batch: Batch
    score: ExplainedScore

    def with_array(self, name: str, key: str) -> Callable[[Tensor], Tensor]:
        """The scores [rows] as a function of one modality's array [rows, ...], all else as it is."""

        def scores(array: Tensor) -> Tensor:
            batch = repeated(self.batch, len(array))
            changed = {**batch.arrays, name: {**batch.arrays[name], key: array}}
            return score_of(self.score, self.model(replace(batch, arrays=changed))[self.task])

        return scores

    def with_vector(self, name: str) -> Callable[[Tensor], Tensor]:
        """The scores [rows] as a function of one modality's vector [rows, dim]."""

        def scores(vector: Tensor) -> Tensor:
            batch = repeated(self.batch, len(vector))
            changed = {**batch.vectors, name: vector}
            return score_of(self.score, self.model(replace(batch, vectors=changed))[self.task])

        return scores


def token_weights(
    row: ExplainedRow, name: str, *, preparation: TextPreparation, method: TokenMethod, steps: int
) -> np.ndarray:
    """Each token's weight [tokens]; by integrated gradients against a text of the same length that says nothing.

    That text has the mask in the place of each token but the special ones, padding where there is no mask.
    """
    from captum.attr import LayerGradientXActivation, LayerIntegratedGradients

    ids = row.batch.arrays[name]["input_ids"]
    layer = cast("Callable[[], nn.Module]", row.model.encoders[name].embedding_layer)()
    scores = row.with_array(name, "input_ids")
    if method == "gradient_x_input":
        found = LayerGradientXActivation(scores, layer).attribute(ids)
        return on_cpu(cast("Tensor", found).detach().norm(dim=2)[0])
    found = LayerIntegratedGradients(scores, layer).attribute(
        ids, baselines=silent(ids, preparation), n_steps=steps, internal_batch_size=ROWS_AT_ONCE
    )
    return on_cpu(cast("Tensor", found).sum(dim=2)[0])


def silent(ids: Tensor, preparation: TextPreparation) -> Tensor:
    """Token ids with the mask in the place of all that is said."""
    blank = preparation.padding_id if preparation.mask_id is None else preparation.mask_id
    special = torch.isin(ids, torch.tensor(preparation.special_ids, device=ids.device))
    return torch.where(special, ids, blank)


def pixel_weights(row: ExplainedRow, name: str, *, cells: int, steps: int) -> np.ndarray:
    """The weights of cells [cells, cells], sums over their pixels, against a picture of this one's mean colour."""
    from captum.attr import IntegratedGradients

    pixels = row.batch.arrays[name]["pixels"]
    mean = pixels.mean(dim=(2, 3), keepdim=True).expand_as(pixels)
    found = IntegratedGradients(row.with_array(name, "pixels")).attribute(
        pixels, baselines=mean, n_steps=steps, internal_batch_size=ROWS_AT_ONCE
    )
    each = found.sum(dim=1, keepdim=True)
    pooled = functional.adaptive_avg_pool2d(each, cells) * each.shape[2] * each.shape[3] / cells**2
    return on_cpu(pooled[0, 0])


def vector_weights(row: ExplainedRow, name: str, *, steps: int) -> np.ndarray:
    """The weight of each place of a modality's vector [dim], against zeros: means of numbers, no category."""
    from captum.attr import IntegratedGradients

    found = IntegratedGradients(row.with_vector(name)).attribute(row.batch.vectors[name], n_steps=steps)
    return on_cpu(found[0])


def repeated(batch: Batch, rows: int) -> Batch:
    """A batch of one row, so many times."""
    return replace(
        batch,
        rows=np.repeat(batch.rows, rows),
        vectors={name: many(vector, rows) for name, vector in batch.vectors.items()},
        arrays={name: {key: many(array, rows) for key, array in own.items()} for name, own in batch.arrays.items()},
        present={name: many(here, rows) for name, here in batch.present.items()},
    )


def many(tensor: Tensor, rows: int) -> Tensor:
    """A tensor of one row, so many times."""
    return tensor.expand(rows, *tensor.shape[1:])


def score_of(score: ExplainedScore, outputs: dict[str, Tensor]) -> Tensor:
    """The scores [rows], as `heads.explained_score` has them, with gradients."""
    if score.number is None:
        return outputs["values"] * score.scale + score.shift
    logits = outputs["logits"] * score.scale
    own = logits[:, score.number]
    others = torch.cat([logits[:, : score.number], logits[:, score.number + 1 :]], dim=1)
    return own if score.multilabel or not others.shape[1] else own - torch.logsumexp(others, dim=1)
