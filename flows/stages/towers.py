"""The two-tower model of a recommender: fitted by what users took and by what items are, kept as vectors of items.

The tower of users is a mean with a linear layer, so that what is served is what was fitted, to rounding.
"""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import torch

from polyloom.progress import SILENT, Progress
from retrieval.recommending.interactions import Interactions
from retrieval.recommending.vectors import Vectors
from training.device import Placement
from training.histories import Events
from training.ranking import RankingFitting

DIM, LONGEST, BATCH, EPOCHS = 64, 50, 512, 8
# Three fits of a recommender stay within minutes however many events there are: of more, the newest are asked about.
MOST_PAIRS = 100_000
# A linear tower of hundreds of directions costs more than all else, and those beyond these hold next to nothing.
WIDE, ROUNDS = 128, 3


def fit_towers(
    events: Interactions,
    own: sp.csr_matrix,
    content: np.ndarray,
    *,
    seed: int,
    epochs: int = EPOCHS,
    progress: Progress = SILENT,
) -> Vectors:
    """Towers over events whose histories [users, items] are `own`, and what items are, `content` [items, wide].

    An item that nobody took is placed by its vectors alone. Without events nothing speaks for any item.
    """
    if not len(events):
        nothing = np.zeros((len(events.items), DIM), np.float32)
        return Vectors(nothing, nothing, unit=True)
    pairs, weights = first_times(events, own)
    fitting = RankingFitting(
        events=pairs,
        held_out=None,
        content=content,
        users=len(events.users),
        placement=Placement(torch.device("cpu"), "fp32"),
        seed=seed,
        dim=DIM,
        layer="linear",
        weights=weights,
        longest=LONGEST,
        epochs=epochs,
        batch_size=BATCH,
        progress=progress,
    )
    pooled, offered = fitting.run().model.served()
    return Vectors(pooled, offered, unit=True)


def narrowed(fields: Mapping[str, np.ndarray], *, seed: int, wide: int = WIDE) -> np.ndarray:
    """All fields [items, dim] side by side, in the directions in which items differ most, float32 [items, wide].

    Source: Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 2011, algorithm 4.4.
    """
    beside = np.hstack(list(fields.values())).astype(np.float32)
    if beside.shape[1] <= wide or not len(beside):
        return beside
    basis = np.random.default_rng(seed).standard_normal((beside.shape[1], wide)).astype(np.float32)
    for _ in range(ROUNDS):
        basis = np.linalg.qr(beside.T @ (beside @ basis))[0]
    return np.asarray(beside @ basis, np.float32)


def first_times(events: Interactions, own: sp.csr_matrix) -> tuple[Events, np.ndarray]:
    """Each item that a user took once, when it was taken first, and how much it counts in the user's history.

    A second look at an item would teach to offer what was just seen, which is left out of what is offered.
    """
    order = np.argsort(events.times, kind="stable")
    users, items = events.user_numbers[order], events.item_numbers[order]
    _, first = np.unique(users.astype(np.int64) * len(events.items) + items, return_index=True)
    first = np.sort(first)[-MOST_PAIRS:]
    pairs = Events(users=users[first].astype(np.int64), items=items[first].astype(np.int64))
    return pairs, np.asarray(own[pairs.users, pairs.items], np.float64).ravel()
