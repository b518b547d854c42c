"""Other wordings of a text: translated into another language and back, by two models.

Sennrich, Haddow and Birch, "Improving Neural Machine Translation Models with Monolingual Data" (2016); as augmentation
Xie et al., "Unsupervised Data Augmentation for Consistency Training" (2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from modalities.weights import local_path
from polyloom.errors import RequestError, WeightsError

BEAMS = 4
MAX_TOKENS = 256


@dataclass(frozen=True)
class Translator:
    """One direction: a model that writes, and its tokenizer."""

    model: Any
    tokenizer: Any

    def __call__(self, texts: Sequence[str], *, copies: int) -> list[list[str]]:
        """The `copies` best translations of each text, by beam search: nothing is drawn."""
        given = self.tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True, max_length=MAX_TOKENS)
        with torch.inference_mode():
            written = self.model.generate(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                num_beams=max(BEAMS, copies),
                num_return_sequences=copies,
                do_sample=False,
                max_new_tokens=min(MAX_TOKENS, 2 * int(given["input_ids"].shape[1]) + 8),
            )
        found = [text.strip() for text in self.tokenizer.batch_decode(written, skip_special_tokens=True)]
        return [found[start : start + copies] for start in range(0, len(found), copies)]


class BackTranslation:
    """Gives each text `copies` wordings; where nothing comes back the text itself stands."""

    def __init__(self, *, there: Translator, back: Translator, copies: int) -> None:
        self.copies = copies
        self._there = there
        self._back = back

    def __call__(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """The wordings of some texts."""
        away = [best for (best,) in self._there(texts, copies=1)]
        returned = self._back(away, copies=self.copies)
        return [tuple(one or text for one in found) for text, found in zip(texts, returned, strict=True)]


def load_translator(folder: str) -> Translator:
    """A translation model's folder, such as a MarianMT one.

    Raises WeightsError where there is none, RequestError where its tokenizer needs a package that is missing.
    """
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    # A bar for one large file says nothing.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    path = local_path(folder, model="back_translation")
    try:
        model = AutoModelForSeq2SeqLM.from_pretrained(
            path, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        cause = str(error).strip().partition("\n")[0]
        raise WeightsError(
            f"{str(path)!r} is no translation model ({cause[:200]}). Name a MarianMT folder with config.json, "
            "model.safetensors and its tokenizer."
        ) from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except ImportError as error:
        raise RequestError(
            f"the tokenizer of {str(path)!r} needs the package sentencepiece. "
            "Install the extra: pip install 'polyloom[translation]'."
        ) from error
    return Translator(model=model.eval(), tokenizer=tokenizer)
