"""Other wordings of a text: some of its words hidden, and filled in again by a masked language model.

Wu et al., "Conditional BERT Contextual Augmentation" (2019), without the label. Words are those of
`modalities.preparation.word_split`: of Chinese and Japanese each character.
"""

import re
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from modalities.preparation.word_split import UNSPACED, Word, split_words
from modalities.slips import seeded
from modalities.text_models import model_folder
from modalities.weights import mismatch
from polyloom.errors import WeightsError

CANDIDATES = 10
CHARACTER = re.compile(f"[{UNSPACED}]")


class MaskedWords:
    """Gives each text `copies` wordings with this share of its words filled in anew, at least one.

    What is filled in is drawn from the model's ten most probable other words, by their probabilities; a character is
    replaced by a character, a word of letters by one. A text's wordings follow from the text and the seed alone.
    """

    def __init__(
        self, *, model: Any, tokenizer: Any, copies: int, share: float, seed: int, max_tokens: int = 128
    ) -> None:
        self.copies = copies
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._share = share
        self._seed = seed
        self._max_tokens = max_tokens
        self._written = written_words(tokenizer)

    def __call__(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """The wordings of some texts; one without a word to hide stays as it is."""
        drawn = [seeded(text, self._seed) for text in texts]
        hidden = [
            [self._chosen(text, random) for _ in range(self.copies)] for text, random in zip(texts, drawn, strict=True)
        ]
        flat = [(text, words) for text, copies in zip(texts, hidden, strict=True) for words in copies]
        found = self._guesses([self._masked(text, words) for text, words in flat])
        generators = [random for random in drawn for _ in range(self.copies)]
        filled = [
            self._filled(text, words, guesses, random)
            for (text, words), guesses, random in zip(flat, found, generators, strict=True)
        ]
        return [tuple(filled[start : start + self.copies]) for start in range(0, len(filled), self.copies)]

    def _chosen(self, text: str, random: np.random.Generator) -> list[Word]:
        """The words that are hidden, in order; marks and numbers never are."""
        words = [word for word in split_words(text) if word.text.isalpha()]
        if not words:
            return []
        count = max(1, round(self._share * len(words)))
        return [words[place] for place in sorted(random.choice(len(words), size=count, replace=False))]

    def _masked(self, text: str, words: Sequence[Word]) -> str:
        return replaced(text, words, [self._tokenizer.mask_token] * len(words))

    def _guesses(self, texts: Sequence[str]) -> list[Tensor]:
        """Each text's logits at its masks [masks, vocabulary]; masks beyond the longest text have none."""
        given = self._tokenizer(
            list(texts), return_tensors="pt", padding=True, truncation=True, max_length=self._max_tokens
        )
        with torch.inference_mode():
            logits = self._model(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).logits
        masks = given["input_ids"] == self._tokenizer.mask_token_id
        return [one[mask] for one, mask in zip(logits.float(), masks, strict=True)]

    def _filled(self, text: str, words: Sequence[Word], guesses: Tensor, random: np.random.Generator) -> str:
        drawn = [self._drawn(word, logits, random) for word, logits in zip(words, guesses, strict=False)]
        return replaced(text, words[: len(drawn)], drawn)

    def _drawn(self, word: Word, logits: Tensor, random: np.random.Generator) -> str:
        """Another word in the place of one; the word itself where the vocabulary has no other of its kind."""
        of_kind = self._written["character" if CHARACTER.match(word.text) else "word"]
        allowed = [number for number, text in of_kind.items() if text.lower() != word.text.lower()]
        if not allowed:
            return word.text
        numbers = torch.tensor(allowed)
        best = logits[numbers].topk(min(CANDIDATES, len(allowed)))
        shares = torch.softmax(best.values.double(), dim=0).numpy()
        return of_kind[allowed[int(best.indices[random.choice(len(shares), p=shares)])]]


def load_masked_words(*, model: str, weights: str, copies: int, share: float, seed: int) -> MaskedWords:
    """A masked language model's folder, read. Raises WeightsError where it has no head to fill words in."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer
    from transformers.utils import logging

    # A bar for one large file says nothing.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = model_folder(model=model, weights=weights)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    try:
        loaded, found = AutoModelForMaskedLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        cause = str(error).strip().partition("\n")[0]
        raise WeightsError(
            f"{str(folder)!r} is no masked language model ({cause[:200]}). Name a folder with one, such as a BERT's."
        ) from error
    missing = sorted(found["missing_keys"])
    if missing:
        told = mismatch(str(folder), missing=missing, wrong=[])
        raise WeightsError(f"{told} Without its head a model fills in nothing: name a masked language model.")
    if tokenizer.mask_token is None:
        raise WeightsError(f"the tokenizer of {str(folder)!r} has no mask token. Name a masked language model.")
    return MaskedWords(model=loaded, tokenizer=tokenizer, copies=copies, share=share, seed=seed)


def written_words(tokenizer: Any) -> dict[str, dict[int, str]]:
    """Tokens that are whole words or whole characters, as they are written, by number."""
    special = set(tokenizer.all_special_ids)
    found: dict[str, dict[int, str]] = {"word": {}, "character": {}}
    vocabulary = cast("dict[str, int]", tokenizer.get_vocab())
    for token, number in sorted(vocabulary.items(), key=lambda pair: pair[1]):
        if number in special or token.startswith("##"):
            continue
        text = str(tokenizer.decode([number])).strip()
        if len(text) == 1 and CHARACTER.match(text):
            found["character"][number] = text
        elif len(text) > 1 and text.isalpha() and not CHARACTER.search(text):
            found["word"][number] = text
    return found


def replaced(text: str, words: Sequence[Word], others: Sequence[str]) -> str:
    """A text with other words in the places of some of its own, which are in order."""
    pieces, end = [], 0
    for word, other in zip(words, others, strict=True):
        pieces += [text[end : word.start], other]
        end = word.end
    return "".join([*pieces, text[end:]])
