"""Tokens of a frozen text encoder, computed once for all epochs of a fit instead of anew in each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from modalities.encoders.embeddings import Embeddings
from modalities.preparation.protocol import Arrays
from polyloom.progress import SILENT, Progress
from training.batches import ordered_batches
from training.device import Placement
from training.inputs import ModalityInput
from training.strategies.modes import set_mode
from training.strategies.tuning import Tuning
from training.token_memory import RememberedTokens

TOKENS_IN_MEMORY_BYTES = 1 << 30


def with_remembered(
    inputs: Mapping[str, ModalityInput],
    encoders: Mapping[str, nn.Module],
    *,
    tunings: Sequence[Tuning],
    rows: np.ndarray,
    batch_size: int,
    placement: Placement,
    progress: Progress = SILENT,
) -> dict[str, ModalityInput]:
    """The inputs, with what frozen text encoders give of `rows` beside the raw values, where it fits into memory.

    The same rows give the same numbers whenever this is called: batches are made by length, not as an epoch's.
    """
    frozen = {id(tuning.encoder) for tuning in tunings if not tuning.rates}
    return {
        name: replace(given, remembered=remembered(given, encoders[name], rows, batch_size, placement, progress))
        if name in encoders and id(encoders[name]) in frozen
        else given
        for name, given in inputs.items()
    }


def remembered(
    given: ModalityInput,
    encoder: nn.Module,
    rows: np.ndarray,
    batch_size: int,
    placement: Placement,
    progress: Progress,
) -> RememberedTokens | None:
    """The tokens of those rows that have the modality; None where there are none, or too many."""
    known = np.unique(rows[given.present[rows]])
    costs = None if given.source is None else given.source.lengths()
    if given.source is None or costs is None or not len(known):
        return None
    dim = int(encoder.dim)  # type: ignore[arg-type]
    if int(costs[known].sum()) * dim * np.dtype(np.float32).itemsize > TOKENS_IN_MEMORY_BYTES:
        return None
    set_mode(encoder, training=False)
    order, lengths, tokens, pooled = [], [], [], []
    with progress.stage("embed tokens", total=len(known), unit="rows") as bar:
        for part in ordered_batches(known, batch_size=batch_size, costs=costs):
            arrays = given.source.arrays(part, random=None)
            embeddings = encoded(encoder, arrays, placement)
            sizes = real_lengths(arrays["attention_mask"])
            order.append(part)
            lengths.append(sizes)
            every = cast("Tensor", embeddings.tokens).float().cpu().numpy()
            tokens.append(every[np.arange(every.shape[1]) < sizes[:, None]])
            pooled.append(embeddings.pooled.float().cpu().numpy())
            bar.advance(len(part))
    return RememberedTokens(
        rows=np.concatenate(order),
        lengths=np.concatenate(lengths),
        tokens=np.concatenate(tokens),
        pooled=np.concatenate(pooled),
    )


def encoded(encoder: nn.Module, arrays: Arrays, placement: Placement) -> Embeddings:
    """One batch through the encoder, as a fit computes it."""
    reads = cast("tuple[str, ...]", encoder.reads)
    with torch.inference_mode(), placement.autocast():
        embeddings: Embeddings = encoder(
            **{name: torch.from_numpy(arrays[name]).to(placement.device) for name in reads}
        )
    return embeddings


def real_lengths(mask: np.ndarray) -> np.ndarray:
    """How long each row of a mask [rows, tokens] is up to its last real token, int64 [rows]."""
    last: np.ndarray = mask.shape[1] - np.argmax(mask[:, ::-1] != 0, axis=1)
    return np.where(mask.any(axis=1), last, 0)
