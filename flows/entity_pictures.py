"""Pictures of a token classification: which types were taken for which, and how sure the entities were; PNG files."""

from pathlib import Path

from flows.pictures import confusion_matrix, reliability_diagram
from heads.decoder import Outputs, Truth
from heads.metrics import expected_calibration_error
from heads.token_decoding import NONE, TokenClassificationDecoder


def entity_pictures(
    folder: Path, task: str, outputs: Outputs, truth: Truth, *, decoder: TokenClassificationDecoder, title: str
) -> None:
    """Draw `<task>_confusion.png`, where `none` is what was missed or invented, and `<task>_reliability.png`."""
    true, predicted = decoder.confusions(outputs, truth)
    if len(true):
        labels = (*decoder.types, NONE)
        confusion_matrix(folder / f"{task}_confusion.png", truth=true, predicted=predicted, labels=labels, title=title)
    confidence, right = decoder.certainty(outputs, truth)
    if len(confidence):
        error = expected_calibration_error(confidence, right)
        reliability_diagram(
            folder / f"{task}_reliability.png", probabilities=confidence, correct=right, ece=error, title=title
        )
