"""A question and a context to token ids, with each context token's characters; long contexts in several windows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Encoding, Tokenizer

from modalities.preparation.protocol import Arrays
from polyloom.durable import read_json, write_json
from polyloom.errors import RequestError

MAX_QUESTION_TOKENS = 64
SPECIAL_TOKENS = 3
CONTEXT = 1


class Pair(NamedTuple):
    """What is asked, and the text in which the answer is looked for, exactly as given."""

    question: str
    context: str


class PairPreparation:
    """`input_ids`, `attention_mask`, `token_type_ids` [batch, tokens] and `offsets` [batch, tokens, 2], all int64.

    A row is `[CLS] question [SEP] context [SEP]`. A context that does not fit into `max_tokens` is read in windows that
    share `overlap` tokens, each with the question before it (Devlin et al., 2019, for SQuAD). The windows of a row
    follow each other on the token axis, each but the last exactly `max_tokens` long: so a row stays a row, and the
    encoder, which folds the axis (`TextEncoder.window`), is the only one to know. Training and serving read alike,
    whatever the length.

    `offsets` are the characters of the context that a token covers, the end exclusive; (-1, -1) at the first token of
    each window, which stands for "no answer"; (0, 0) at every other token.
    """

    kind = "pair"

    def __init__(
        self,
        *,
        tokenizer: Tokenizer,
        columns: Sequence[str],
        max_tokens: int,
        padding_id: int,
        overlap: int | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.max_tokens = max_tokens
        self.padding_id = padding_id
        self.max_question_tokens = min(MAX_QUESTION_TOKENS, max_tokens // 3)
        self._most_shared = max_tokens - self.max_question_tokens - SPECIAL_TOKENS - 1
        self.overlap = min(max_tokens // 3, self._most_shared) if overlap is None else overlap
        self._check()
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()

    def value(self, row: Mapping[str, object]) -> Pair | None:
        """The row's question and context; None where one of them is missing or blank."""
        given = [row.get(name) for name in self.columns]
        question, context = ("" if value is None else str(value) for value in given)
        return Pair(question, context) if question.strip() and context.strip() else None

    def __call__(self, values: Sequence[object]) -> Arrays:
        """Arrays of a batch of pairs."""
        rows = [joined(windows) for windows in self._windows(values)]
        width = max((len(row["input_ids"]) for row in rows), default=0)
        arrays = {
            "input_ids": np.full((len(rows), width), self.padding_id, dtype=np.int64),
            "attention_mask": np.zeros((len(rows), width), dtype=np.int64),
            "token_type_ids": np.zeros((len(rows), width), dtype=np.int64),
            "offsets": np.zeros((len(rows), width, 2), dtype=np.int64),
        }
        for line, row in enumerate(rows):
            for name, array in row.items():
                arrays[name][line, : len(array)] = array
        return arrays

    def lengths(self, values: Sequence[object]) -> np.ndarray:
        """Number of tokens of each pair over all its windows, int64 [len(values)]; 0 for one that is missing."""
        known = [place for place, value in enumerate(values) if value]
        lengths = np.zeros(len(values), dtype=np.int64)
        windows = self._windows([values[place] for place in known])
        lengths[known] = [sum(len(window.ids) for window in each) for each in windows]
        return lengths

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        self._tokenizer.no_truncation()
        self._tokenizer.save(str(folder / "tokenizer.json"))
        names = ("columns", "max_tokens", "padding_id", "overlap")
        write_json(folder / "preparation.json", {"kind": self.kind, **{name: getattr(self, name) for name in names}})

    @classmethod
    def load(cls, folder: Path) -> "PairPreparation":
        """Read what `save` wrote."""
        settings = read_json(folder / "preparation.json")
        del settings["kind"]
        return cls(tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")), **settings)

    def _windows(self, values: Sequence[object]) -> list[list[Encoding]]:
        """The windows of each pair."""
        pairs = [Pair(*value) for value in values]  # type: ignore[misc]  # a tuple of two texts, or a list from JSON
        questions = self._shortened([pair.question for pair in pairs])
        self._tokenizer.enable_truncation(self.max_tokens, stride=self.overlap, strategy="only_second")
        encodings = self._tokenizer.encode_batch(
            [(question, pair.context) for question, pair in zip(questions, pairs, strict=True)]
        )
        return [[encoding, *encoding.overflowing] for encoding in encodings]

    def _shortened(self, questions: Sequence[str]) -> list[str]:
        """The questions, each cut after its last token that has room."""
        self._tokenizer.no_truncation()
        limit = self.max_question_tokens
        encodings = self._tokenizer.encode_batch(questions, add_special_tokens=False)
        return [
            question[: encoding.offsets[limit - 1][1]] if len(encoding.ids) > limit else question
            for question, encoding in zip(questions, encodings, strict=True)
        ]

    def _check(self) -> None:
        if len(self.columns) != 2:
            raise RequestError(
                f"columns: a question and its context are two columns, in this order; here are {list(self.columns)}."
            )
        if not 0 <= self.overlap <= self._most_shared:
            raise RequestError(
                f"overlap: windows of {self.max_tokens} tokens can share 0 to {self._most_shared} of them, not "
                f"{self.overlap}. A third of max_tokens is usual."
            )


def joined(windows: Sequence[Encoding]) -> Arrays:
    """One pair's windows side by side; each but the last fills its place."""
    parts = [window_arrays(window) for window in windows]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def window_arrays(window: Encoding) -> Arrays:
    """The arrays of one window, without a batch axis."""
    of_context = np.array([sequence == CONTEXT for sequence in window.sequence_ids], dtype=bool)
    offsets = np.where(of_context[:, None], np.array(window.offsets, dtype=np.int64), 0)
    offsets[0] = -1
    return {
        "input_ids": np.array(window.ids, dtype=np.int64),
        "attention_mask": np.ones(len(window.ids), dtype=np.int64),
        "token_type_ids": np.array(window.type_ids, dtype=np.int64),
        "offsets": offsets,
    }
