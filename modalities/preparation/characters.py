"""Text to hashed character n-grams: needs no weights and no word boundaries, so Chinese is as good as English."""

import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from modalities.preparation.protocol import Arrays, text_value
from polyloom.durable import read_json, write_json


class CharacterPreparation:
    """`vector` [batch, dim], float32, length 1: signed hashing of n-grams, `(1 + ln count) * rarity`.

    Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009); the rarity is the
    smoothed inverse document frequency of each place over the training texts.
    """

    kind = "characters"

    def __init__(self, *, columns: Sequence[str], dim: int, sizes: Sequence[int], rarity: np.ndarray) -> None:
        self.columns = tuple(columns)
        self.sizes = tuple(sizes)
        self._dim = dim
        self._rarity = rarity.astype(np.float32)
        self._rarities: list[float] = self._rarity.tolist()

    @classmethod
    def fit(
        cls, rows: Sequence[Mapping[str, object]], *, columns: Sequence[str], dim: int, sizes: Sequence[int]
    ) -> "CharacterPreparation":
        """Learn each place's rarity from these rows."""
        texts = [text for text in (text_value(row, columns) for row in rows) if text]
        seen = np.zeros(dim)
        for text in texts:
            seen[list({place for place, _, _ in hashed(text, sizes=sizes, dim=dim)})] += 1
        rarity = np.log((1 + len(texts)) / (1 + seen)) + 1
        return cls(columns=columns, dim=dim, sizes=sizes, rarity=rarity)

    @property
    def dim(self) -> int:
        """Length of the vector."""
        return self._dim

    def value(self, row: Mapping[str, object]) -> str | None:
        """The row's text columns, one a line."""
        return text_value(row, self.columns)

    def __call__(self, values: Sequence[object]) -> Arrays:
        """Unit vectors of a batch of texts; a text without any letter or digit is all zeros."""
        vector = np.zeros((len(values), self._dim), dtype=np.float32)
        for line, text in enumerate(values):
            found = self._weights(str(text))
            vector[line, list(found)] = list(found.values())
        norms = np.linalg.norm(vector, axis=1, keepdims=True)
        return {"vector": vector / np.where(norms > 0, norms, 1.0)}

    def _weights(self, text: str) -> dict[int, float]:
        """Each place's sum. numpy would take most of the time for single numbers, so it sees the whole line only."""
        found: dict[int, float] = {}
        for place, sign, count in hashed(text, sizes=self.sizes, dim=self._dim):
            weight = sign * (1.0 + math.log(count)) * self._rarities[place]
            # Sums are rounded to float32 at each step, as they always were.
            found[place] = weight + float(np.float32(found[place])) if place in found else weight
        return found

    def save(self, folder: Path) -> None:
        """Write the settings and the rarities."""
        settings = {"columns": list(self.columns), "dim": self._dim, "sizes": list(self.sizes)}
        # Nine digits are the fewest that give every float32 back.
        rarity = [float(f"{value:.9g}") for value in self._rarity]
        write_json(folder / "preparation.json", {"kind": self.kind, **settings, "rarity": rarity})

    @classmethod
    def load(cls, folder: Path) -> "CharacterPreparation":
        """Read what `save` wrote."""
        settings = read_json(folder / "preparation.json")
        rarity = np.asarray(settings["rarity"])
        return cls(columns=settings["columns"], dim=settings["dim"], sizes=settings["sizes"], rarity=rarity)


def hashed(text: str, *, sizes: Sequence[int], dim: int) -> Iterator[tuple[int, float, int]]:
    """(place, sign, count) of each n-gram of a text."""
    for gram, count in Counter(grams(text, sizes=sizes)).items():
        code = zlib.crc32(gram.encode())
        yield (code >> 1) % dim, 1.0 if code & 1 else -1.0, count


def grams(text: str, *, sizes: Sequence[int]) -> Iterator[str]:
    """Character n-grams of each word; a word is a run of letters and digits, its ends are marked."""
    folded = unicodedata.normalize("NFKC", text).lower()
    for word in re.findall(r"\w+", folded):
        marked = word if ord(word[0]) > 0x2E7F else f"^{word}$"
        for size in sizes:
            yield from (marked[start : start + size] for start in range(len(marked) - size + 1))
