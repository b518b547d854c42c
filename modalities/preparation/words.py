"""Words to token ids by the encoder's own tokenizer, with each word's first token."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from modalities.preparation.letters import letter_numbers
from modalities.preparation.protocol import Arrays, text_value
from modalities.preparation.word_split import placed_words
from polyloom.durable import read_json, write_json


class WordPreparation:
    """Lists of words, or texts that are split into words, to the arrays of a batch, all int64.

    `input_ids` and `attention_mask` [batch, tokens]; `places` [batch, words], the token where each word starts, -1 for
    padding, for a word that the tokenizer drops and for words beyond `max_tokens`: these stay without a label;
    `characters` [batch, words, letters], see `letter_numbers`, where `letters` is above 0.
    """

    kind = "words"

    def __init__(
        self, *, tokenizer: Tokenizer, columns: Sequence[str], max_tokens: int, padding_id: int, letters: int = 0
    ) -> None:
        self.columns = tuple(columns)
        self.max_tokens = max_tokens
        self.padding_id = padding_id
        self.letters = letters
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_tokens)

    def value(self, row: Mapping[str, object]) -> list[str] | str | None:
        """The row's list of words; else its text, which `__call__` splits."""
        first = row.get(self.columns[0]) if len(self.columns) == 1 else None
        if isinstance(first, (list, tuple, np.ndarray)):
            return [str(word) for word in first] or None
        return text_value(row, self.columns)

    def __call__(self, values: Sequence[object]) -> Arrays:
        """The arrays of a batch."""
        rows = [words_of(value) for value in values]
        encodings = self._encoded(rows)
        tokens = max((len(encoding.ids) for encoding in encodings), default=0)
        # At least one: no graph has to think of sentences without words.
        words = max([1, *map(len, rows)])
        ids = np.full((len(rows), tokens), self.padding_id, dtype=np.int64)
        mask = np.zeros((len(rows), tokens), dtype=np.int64)
        places = np.full((len(rows), words), -1, dtype=np.int64)
        for line, encoding in enumerate(encodings):
            ids[line, : len(encoding.ids)] = encoding.ids
            mask[line, : len(encoding.ids)] = 1
            known, first = first_tokens(encoding)
            places[line, known] = first
        arrays = {"input_ids": ids, "attention_mask": mask, "places": places}
        if self.letters:
            arrays["characters"] = self._characters(rows, words)
        return arrays

    def lengths(self, values: Sequence[object]) -> np.ndarray:
        """Number of tokens of each value after truncation, int64 [len(values)]."""
        return np.array([len(encoding.ids) for encoding in self._encoded([words_of(value) for value in values])])

    def unlabelled(self, values: Sequence[object]) -> np.ndarray:
        """How many words of each value get no label, int64 [len(values)]: those beyond `max_tokens`, mostly."""
        rows = [words_of(value) for value in values]
        labelled = [len(first_tokens(encoding)[0]) for encoding in self._encoded(rows)]
        return np.array([len(words) for words in rows], dtype=np.int64) - np.array(labelled, dtype=np.int64)

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        self._tokenizer.save(str(folder / "tokenizer.json"))
        settings = {"columns": list(self.columns), "max_tokens": self.max_tokens, "padding_id": self.padding_id}
        write_json(folder / "preparation.json", {"kind": self.kind, **settings, "letters": self.letters})

    @classmethod
    def load(cls, folder: Path) -> "WordPreparation":
        """Read what `save` wrote."""
        settings = read_json(folder / "preparation.json")
        return cls(
            tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")),
            columns=settings["columns"],
            max_tokens=settings["max_tokens"],
            padding_id=settings["padding_id"],
            letters=settings["letters"],
        )

    def _encoded(self, rows: list[list[str]]) -> list[Encoding]:
        # Not encode_batch_fast: it leaves out which word a token comes from.
        return list(self._tokenizer.encode_batch(rows, is_pretokenized=True)) if rows else []

    def _characters(self, rows: list[list[str]], words: int) -> np.ndarray:
        characters = np.zeros((len(rows), words, self.letters), dtype=np.int64)
        for line, row in enumerate(rows):
            characters[line, : len(row)] = letter_numbers(row, letters=self.letters)
        return characters


def words_of(value: object) -> list[str]:
    """The words of a list of words or of a text."""
    return [word.text for word in placed_words(value)[1]]


def first_tokens(encoding: Encoding) -> tuple[np.ndarray, np.ndarray]:
    """The words that have a token, ascending, and the first token of each."""
    words = np.array([-1 if word is None else word for word in encoding.word_ids], dtype=np.int64)
    found, first = np.unique(words, return_index=True)
    return found[found >= 0], first[found >= 0]
