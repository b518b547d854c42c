"""Text with two marked stretches to token ids, with the tokens at which the stretches begin and end."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from modalities.preparation.marked_text import MarkedText, parse_marked, with_tags
from modalities.preparation.protocol import Arrays
from polyloom.durable import read_json, write_json
from polyloom.errors import RequestError

MARKERS = ("$", "#")
PLACES = 4


class MarkedPreparation:
    """`input_ids` and `attention_mask` [batch, tokens] and `markers` [batch, 4], all int64.

    A value is a text with `<e1>…</e1>` and `<e2>…</e2>` in it; the tags become tokens that the vocabulary has, one kind
    for each stretch: `the $ lid $ of a # jar #` (Wu & He, "Enriching Pre-trained Language Model with Entity Information
    for Relation Classification", 2019). `markers` are the positions of the tokens before and after the first stretch,
    then of those around the second. Of a text longer than `max_tokens` those tokens stay that are nearest to a marker.

    `ranges` names four number columns, the first character and the one after the last of each stretch; where they
    are missing, the text has the tags itself.
    """

    kind = "marked"

    def __init__(
        self,
        *,
        tokenizer: Tokenizer,
        columns: Sequence[str],
        max_tokens: int,
        padding_id: int,
        markers: Sequence[str] = MARKERS,
        ranges: Sequence[str] = (),
    ) -> None:
        self.columns = tuple(columns)
        self.max_tokens = max_tokens
        self.padding_id = padding_id
        self.markers = tuple(markers)
        self.ranges = tuple(ranges)
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._before, self._after = special_ids(tokenizer)
        self._check()

    def value(self, row: Mapping[str, object]) -> str | None:
        """The row's text with its tags; None where it is missing or blank.

        Raises RequestError for ranges that are not in the text.
        """
        text = row.get(self.columns[0])
        if text is None or not str(text).strip():
            return None
        ends = [row.get(name) for name in self.ranges]
        if None in ends or not ends:
            return str(text)
        return with_tags(str(text), [int(str(end).removesuffix(".0")) for end in ends])

    def __call__(self, values: Sequence[object]) -> Arrays:
        """Ids, mask and places of a batch. Raises RequestError for a text without both stretches."""
        rows = self._encoded(values)
        width = max((len(ids) for ids, _ in rows), default=0)
        arrays = {
            "input_ids": np.full((len(rows), width), self.padding_id, dtype=np.int64),
            "attention_mask": np.zeros((len(rows), width), dtype=np.int64),
            "markers": np.zeros((len(rows), PLACES), dtype=np.int64),
        }
        for line, (ids, places) in enumerate(rows):
            arrays["input_ids"][line, : len(ids)] = ids
            arrays["attention_mask"][line, : len(ids)] = 1
            arrays["markers"][line] = places
        return arrays

    def lengths(self, values: Sequence[object]) -> np.ndarray:
        """Number of tokens of each text, int64 [len(values)]; 0 for one that is empty."""
        known = [place for place, value in enumerate(values) if value]
        lengths = np.zeros(len(values), dtype=np.int64)
        lengths[known] = [len(ids) for ids, _ in self._encoded([values[place] for place in known])]
        return lengths

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        self._tokenizer.save(str(folder / "tokenizer.json"))
        names = ("columns", "max_tokens", "padding_id", "markers", "ranges")
        settings = {name: getattr(self, name) for name in names}
        write_json(folder / "preparation.json", {"kind": self.kind, **settings})

    @classmethod
    def load(cls, folder: Path) -> "MarkedPreparation":
        """Read what `save` wrote."""
        settings = read_json(folder / "preparation.json")
        del settings["kind"]
        return cls(tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")), **settings)

    def _encoded(self, values: Sequence[object]) -> list[tuple[list[int], list[int]]]:
        """Ids and places of each text."""
        written = [self._written(parse_marked(str(value))) for value in values]
        encodings = self._tokenizer.encode_batch([text for text, _ in written], add_special_tokens=False)
        return [
            self._shortened(encoding.ids, marker_tokens(encoding.offsets, characters))
            for encoding, (_, characters) in zip(encodings, written, strict=True)
        ]

    def _written(self, marked: MarkedText) -> tuple[str, list[int]]:
        """The text with markers in it, and at which character each of the four stands."""
        first, second = self.markers
        ends = [(marked.first[0], 1, first), (marked.first[1], 0, first)]
        ends += [(marked.second[0], 1, second), (marked.second[1], 0, second)]
        parts: list[str] = []
        characters = [0] * PLACES
        done = length = 0
        # Where one stretch ends and another begins, the end comes first.
        for number in sorted(range(PLACES), key=lambda place: ends[place][:2]):
            place, _, marker = ends[number]
            before = marked.text[done:place] + " "
            characters[number] = length + len(before)
            parts += [before, marker, " "]
            length += len(before) + len(marker) + 1
            done = place
        return "".join([*parts, marked.text[done:]]), characters

    def _shortened(self, ids: list[int], places: list[int]) -> tuple[list[int], list[int]]:
        """Ids with the special ones around, and the markers' places among them."""
        room = self.max_tokens - len(self._before) - len(self._after)
        kept = np.arange(len(ids))
        if len(ids) > room:
            distance = np.abs(kept[:, None] - np.array(places)).min(axis=1)
            kept = np.sort(np.argsort(distance, kind="stable")[:room])
        shift = len(self._before)
        found = [int(np.searchsorted(kept, place)) + shift for place in places]
        return [*self._before, *(ids[place] for place in kept), *self._after], found

    def _check(self) -> None:
        room = self.max_tokens - len(self._before) - len(self._after)
        if room < PLACES:
            raise RequestError(f"max_tokens: {self.max_tokens} leaves no room for the four markers. Give at least 16.")
        unknown = self._tokenizer.encode("\ufffe", add_special_tokens=False).ids
        for marker in self.markers:
            ids = self._tokenizer.encode(marker, add_special_tokens=False).ids
            if len(ids) != 1 or ids == unknown:
                raise RequestError(
                    f"markers: {marker!r} is not one token of the text model's vocabulary. "
                    "Choose two signs that are, such as '$' and '#'."
                )


def special_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and after a text."""
    alone = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    start = next(place for place in range(len(whole)) if whole[place : place + len(alone)] == alone)
    return whole[:start], whole[start + len(alone) :]


def marker_tokens(offsets: Sequence[tuple[int, int]], characters: Sequence[int]) -> list[int]:
    """Which token covers each of these characters."""
    ends = np.array([end for _, end in offsets])
    return [int(np.searchsorted(ends, character, side="right")) for character in characters]
