"""How each model of a recommender is fitted: by what users took, by what items are, or by both."""

from collections.abc import Callable, Mapping

import scipy.sparse as sp

from flows.stages.towers import fit_towers, narrowed
from flows.use_spec import Recommend
from polyloom.progress import Progress
from retrieval.items import Items
from retrieval.recommending.content import make_content
from retrieval.recommending.ease import fit_ease
from retrieval.recommending.factors import fit_factors
from retrieval.recommending.interactions import Interactions
from retrieval.recommending.model import Model
from retrieval.recommending.neighbours import fit_neighbours
from retrieval.recommending.popularity import fit_popularity

Fit = Callable[[Interactions, sp.csr_matrix], Model]
BEHAVIOUR: Mapping[str, Fit] = {
    "popularity": lambda _, own: fit_popularity(own),
    "ease": lambda _, own: fit_ease(own),
    "neighbours": lambda _, own: fit_neighbours(own),
    "factors": lambda _, own: fit_factors(own),
}


def fits_of(items: Items, settings: Recommend, *, seed: int, progress: Progress) -> dict[str, Fit]:
    """How each model of the scenario is fitted; those that go by what items are only where the index has vectors."""
    fits: dict[str, Fit] = dict(BEHAVIOUR)
    if items.vectors:
        content = make_content(items.vectors)
        fits["content"] = lambda _given, _own: content
    if items.vectors and "towers" in settings.models:
        narrow = narrowed(content.fields, seed=seed)
        fits["towers"] = lambda given, own: fit_towers(given, own, narrow, seed=seed, progress=progress)
    return {name: fits[name] for name in settings.models if name in fits}
