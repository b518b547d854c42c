"""Text to token ids by the encoder's own tokenizer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from modalities.preparation.protocol import Arrays, text_value
from polyloom.durable import read_json, write_json

UNKNOWN = "[UNK]"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<pad>", "<unk>", "<mask>")


class TextPreparation:
    """`input_ids` and `attention_mask` [batch, tokens], int64, padded to the longest text of the batch."""

    kind = "text"

    def __init__(self, *, tokenizer: Tokenizer, columns: Sequence[str], max_tokens: int, padding_id: int) -> None:
        self.columns = tuple(columns)
        self.max_tokens = max_tokens
        self.padding_id = padding_id
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_tokens)

    def value(self, row: Mapping[str, object]) -> str | None:
        """The row's text columns, one a line."""
        return text_value(row, self.columns)

    def __call__(self, values: Sequence[object]) -> Arrays:
        """Token ids of a batch of texts."""
        encodings = self._tokenizer.encode_batch_fast([str(value) for value in values])
        width = max((len(encoding.ids) for encoding in encodings), default=0)
        ids = np.full((len(encodings), width), self.padding_id, dtype=np.int64)
        mask = np.zeros((len(encodings), width), dtype=np.int64)
        for line, encoding in enumerate(encodings):
            ids[line, : len(encoding.ids)] = encoding.ids
            mask[line, : len(encoding.ids)] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def lengths(self, values: Sequence[object]) -> np.ndarray:
        """Number of tokens of each text after truncation, int64 [len(values)]."""
        encodings = self._tokenizer.encode_batch_fast([str(value) for value in values])
        return np.array([len(encoding.ids) for encoding in encodings], dtype=np.int64)

    def pieces(self, values: Sequence[object]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Each text's token ids and the number of the word that each is a piece of, -1 for none; int64 [tokens]."""
        encodings = self._tokenizer.encode_batch([str(value) for value in values])
        return [
            (
                np.array(encoding.ids, dtype=np.int64),
                np.array([-1 if word is None else word for word in encoding.word_ids], dtype=np.int64),
            )
            for encoding in encodings
        ]

    def places(self, value: object) -> list[tuple[int, int]]:
        """Which characters of a text each token stands for, `end` exclusive; (0, 0) for a special one."""
        return [(int(start), int(end)) for start, end in self._tokenizer.encode(str(value)).offsets]

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def mask_id(self) -> int | None:
        """The id of the token that hides another, None where the vocabulary has none."""
        found = (self._tokenizer.token_to_id(name) for name in ("[MASK]", "<mask>"))
        return next((number for number in found if number is not None), None)

    @property
    def special_ids(self) -> tuple[int, ...]:
        """The ids of tokens that are no piece of a text."""
        added = [number for number, token in self._tokenizer.get_added_tokens_decoder().items() if token.special]
        named = [self._tokenizer.token_to_id(name) for name in SPECIAL]
        return tuple(sorted({*added, *(number for number in named if number is not None)}))

    def known_share(self, text: str) -> float:
        """Share of a text's tokens that the vocabulary knows, 0..1: how far the encoder can read it at all."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        unknown = self._tokenizer.token_to_id(UNKNOWN)
        known = [token != unknown for token in encoding.ids]
        return sum(known) / len(known) if known else 0.0

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        self._tokenizer.save(str(folder / "tokenizer.json"))
        settings = {"columns": list(self.columns), "max_tokens": self.max_tokens, "padding_id": self.padding_id}
        write_json(folder / "preparation.json", {"kind": self.kind, **settings})

    @classmethod
    def load(cls, folder: Path) -> "TextPreparation":
        """Read what `save` wrote."""
        settings = read_json(folder / "preparation.json")
        return cls(
            tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")),
            columns=settings["columns"],
            max_tokens=settings["max_tokens"],
            padding_id=settings["padding_id"],
        )
