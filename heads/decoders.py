"""The one place that knows every decoder by its kind."""

from collections.abc import Mapping
from typing import Any

from heads.alignment_decoding import AlignmentDecoder
from heads.box_decoding import DetectionDecoder
from heads.cost_decoding import CostDecoder
from heads.decoder import Decoder
from heads.decoding import ClassificationDecoder
from heads.number_decoding import RegressionDecoder
from heads.relation_decoding import RelationDecoder
from heads.span_decoding import SpanDecoder
from heads.token_decoding import TokenClassificationDecoder
from polyloom.errors import IntegrityError

KINDS: dict[str, type[Any]] = {
    "classification": ClassificationDecoder,
    "regression": RegressionDecoder,
    "token_classification": TokenClassificationDecoder,
    "alignment": AlignmentDecoder,
    "relation": RelationDecoder,
    "span": SpanDecoder,
    "detection": DetectionDecoder,
}


def load_decoder(value: Mapping[str, Any]) -> Decoder:
    """Read what a decoder's `to_json` gave. Raises IntegrityError for a kind that is not known here."""
    kind = value.get("kind")
    if kind not in KINDS:
        raise IntegrityError(
            f"a decoder of kind {kind!r} is not known here; known are {sorted(KINDS)}. "
            "It was made by another version of polyloom: run the scenario again."
        )
    chosen: type[Any] = CostDecoder if "costs" in value else KINDS[str(kind)]
    decoder: Decoder = chosen.from_json(value)
    return decoder


def metrics_of(kind: str) -> tuple[str, ...]:
    """The metrics that a gate may name for a kind of task; the first one is the usual one."""
    return tuple(KINDS[kind].scorers)
