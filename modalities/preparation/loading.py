"""The one place that knows every preparation by its kind."""

from pathlib import Path

from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.characters import CharacterPreparation
from modalities.preparation.entailment import EntailmentPreparation
from modalities.preparation.marked import MarkedPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.pair import PairPreparation
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.protocol import Preparation
from modalities.preparation.text import TextPreparation
from modalities.preparation.words import WordPreparation
from polyloom.durable import read_json
from polyloom.errors import IntegrityError

AnyPreparation = (
    TextPreparation
    | WordPreparation
    | PairPreparation
    | MarkedPreparation
    | EntailmentPreparation
    | PicturePreparation
    | NumberPreparation
    | CategoryPreparation
    | CharacterPreparation
)
KINDS: dict[str, type[AnyPreparation]] = {
    kind.kind: kind
    for kind in (
        TextPreparation,
        WordPreparation,
        PairPreparation,
        MarkedPreparation,
        EntailmentPreparation,
        PicturePreparation,
        NumberPreparation,
        CategoryPreparation,
        CharacterPreparation,
    )
}


def load_preparation(folder: Path) -> Preparation:
    """Read a preparation that its `save` wrote. Raises IntegrityError for an unknown kind."""
    kind = read_json(folder / "preparation.json")["kind"]
    if kind not in KINDS:
        raise IntegrityError(f"{folder}: preparation of kind {kind!r} is not known here; known are {sorted(KINDS)}")
    return KINDS[kind].load(folder)
