"""A question beside each of several passages, to token ids for a cross-encoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from modalities.preparation.protocol import Arrays
from polyloom.durable import read_json, write_json


class PassagePreparation:
    """`input_ids`, `attention_mask`, `token_type_ids` [passages, tokens], int64, padded to the longest pair.

    Of a pair that is too long the longer text is cut.
    """

    def __init__(self, *, tokenizer: Tokenizer, max_tokens: int, padding_id: int) -> None:
        self.max_tokens = max_tokens
        self.padding_id = padding_id
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_tokens, strategy="longest_first")

    def __call__(self, question: str, passages: Sequence[str]) -> Arrays:
        """Arrays of one question with a batch of passages."""
        encodings = self._tokenizer.encode_batch([(question, passage) for passage in passages])
        width = max((len(encoding.ids) for encoding in encodings), default=0)
        ids = np.full((len(encodings), width), self.padding_id, dtype=np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for line, encoding in enumerate(encodings):
            length = len(encoding.ids)
            ids[line, :length], mask[line, :length], types[line, :length] = encoding.ids, 1, encoding.type_ids
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        self._tokenizer.save(str(folder / "tokenizer.json"))
        write_json(folder / "preparation.json", {"max_tokens": self.max_tokens, "padding_id": self.padding_id})

    @classmethod
    def load(cls, folder: Path) -> "PassagePreparation":
        """Read what `save` wrote."""
        settings = read_json(folder / "preparation.json")
        return cls(tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")), **settings)
