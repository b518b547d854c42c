"""A text beside each of several hypotheses, to token ids for a model of natural language inference."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from modalities.preparation.protocol import Arrays, text_value
from polyloom.durable import read_json, write_json
from polyloom.errors import RequestError

ROOM = 8


class EntailmentPreparation:
    """`input_ids`, `attention_mask`, `token_type_ids` [batch, tokens, hypotheses], int64, padded to the longest pair.

    The text is the premise, and the only one that is cut: every hypothesis is read to its end.
    """

    kind = "entailment"

    def __init__(
        self,
        *,
        tokenizer: Tokenizer,
        columns: Sequence[str],
        max_tokens: int,
        padding_id: int,
        hypotheses: Sequence[str],
    ) -> None:
        self.columns = tuple(columns)
        self.max_tokens = max_tokens
        self.padding_id = padding_id
        self.hypotheses = tuple(hypotheses)
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._check()
        self._tokenizer.enable_truncation(max_length=max_tokens, strategy="only_first")

    def value(self, row: Mapping[str, object]) -> str | None:
        """The row's text columns, one a line."""
        return text_value(row, self.columns)

    def __call__(self, values: Sequence[object]) -> Arrays:
        """Arrays of a batch of texts, each beside all hypotheses."""
        encodings = self._pairs(values)
        count = len(self.hypotheses)
        width = max((len(encoding.ids) for encoding in encodings), default=0)
        ids = np.full((len(encodings), width), self.padding_id, dtype=np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for line, encoding in enumerate(encodings):
            length = len(encoding.ids)
            ids[line, :length], mask[line, :length], types[line, :length] = encoding.ids, 1, encoding.type_ids
        arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return {name: array.reshape(len(values), count, width).swapaxes(1, 2).copy() for name, array in arrays.items()}

    def lengths(self, values: Sequence[object]) -> np.ndarray:
        """Number of tokens of each text with its longest hypothesis, int64 [len(values)]."""
        lengths = np.array([len(encoding.ids) for encoding in self._pairs(values)], dtype=np.int64)
        longest: np.ndarray = lengths.reshape(len(values), len(self.hypotheses)).max(axis=1, initial=0)
        return longest

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        self._tokenizer.save(str(folder / "tokenizer.json"))
        names = ("columns", "max_tokens", "padding_id", "hypotheses")
        write_json(folder / "preparation.json", {"kind": self.kind, **{name: getattr(self, name) for name in names}})

    @classmethod
    def load(cls, folder: Path) -> "EntailmentPreparation":
        """Read what `save` wrote."""
        settings = read_json(folder / "preparation.json")
        del settings["kind"]
        return cls(tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")), **settings)

    def _pairs(self, values: Sequence[object]) -> list[Encoding]:
        """Each text with each hypothesis, the hypotheses of a text side by side."""
        return self._tokenizer.encode_batch([(str(value), told) for value in values for told in self.hypotheses])

    def _check(self) -> None:
        """Raises RequestError for no hypothesis, or one that leaves the text no room."""
        if not self.hypotheses:
            raise RequestError("hypotheses: a text is held against at least one, here is none.")
        self._tokenizer.no_truncation()
        longest = max(self._tokenizer.encode_batch([("", told) for told in self.hypotheses]), key=len)
        if len(longest) + ROOM > self.max_tokens:
            raise RequestError(
                f"max_tokens: a hypothesis takes {len(longest)} of {self.max_tokens} tokens, which leaves the text "
                f"less than {ROOM}. Write shorter descriptions, or a larger max_tokens."
            )
