"""The kinds of recommending models that there are, and how a stored one is opened as what it is."""

from pathlib import Path

from polyloom.errors import IntegrityError
from retrieval.recommending.content import Content
from retrieval.recommending.ease import Ease
from retrieval.recommending.factors import Factors
from retrieval.recommending.model import Model, stored_kind
from retrieval.recommending.neighbours import Neighbours
from retrieval.recommending.popularity import Popularity
from retrieval.recommending.vectors import Vectors

KINDS: dict[str, type[Model]] = {one.kind: one for one in (Popularity, Ease, Neighbours, Factors, Content, Vectors)}


def load_model(folder: Path) -> Model:
    """The model in a folder. Raises: IntegrityError where there is none, or one of a kind that there is not."""
    kind = stored_kind(folder)
    if kind not in KINDS:
        raise IntegrityError(f"{folder} holds a model of kind {kind!r}; there are {', '.join(KINDS)}. Fit it again.")
    return KINDS[kind].load(folder)
