"""From a text's section `variants` to what writes its training rows otherwise, and what its wordings depend on."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.variants_spec import BackTranslation, Masked, Variants
from modalities.text_models import model_folder
from modalities.weights import local_path
from polyloom.durable import file_digest, json_digest

if TYPE_CHECKING:
    from training.wordings import Rewriter


def build_rewriter(given: Variants, *, seed: int) -> "Rewriter":
    """What writes texts otherwise; its models are read."""
    if isinstance(given, Masked):
        from modalities.masked_words import load_masked_words

        return load_masked_words(
            model=given.model, weights=given.weights, copies=given.copies, share=given.share, seed=seed
        )
    if isinstance(given, BackTranslation):
        from modalities.translation import BackTranslation as Translated
        from modalities.translation import load_translator

        return Translated(there=load_translator(given.there), back=load_translator(given.back), copies=given.copies)
    from training.changed_words import ChangedWords

    return ChangedWords(kind=given.change, copies=given.copies, seed=seed)


def rewriter_digest(given: Variants, *, seed: int) -> str:
    """What wordings depend on beside their texts: settings, seed and the models' files."""
    digests = [file_digest(path) for folder in folders(given) for path in sorted(folder.glob("*.*")) if path.is_file()]
    return json_digest({"settings": given.model_dump(mode="json"), "seed": seed, "files": digests})


def folders(given: Variants) -> Sequence[Path]:
    """The folders of the models that write."""
    if isinstance(given, Masked):
        return [model_folder(model=given.model, weights=given.weights)]
    if isinstance(given, BackTranslation):
        return [local_path(path, model="back_translation") for path in (given.there, given.back)]
    return []
