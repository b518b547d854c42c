"""Embeddings of the last texts, kept where they are the same bits whatever other texts they were computed with.

Customers ask the same again and again, and an encoder is nearly all that an answer costs. But a batch's company may
change the last bits of a sum: how a library adds up is its own affair. So each encoder is asked first, some texts alone
and together; only where every bit is the same is anything kept, and then nobody can tell.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

Embed = Callable[[Sequence[object]], np.ndarray]
TEXTS = (
    "a",
    "Where is my parcel?",
    "怎么退货？我上周买的台灯坏了。",
    "I ordered two blue lamps last week, and only one of them has come so far. " * 3,
)
CHARACTERS = 2_000


class EmbeddingMemory:
    """The vectors [dim] of texts by encoder, `kept` of each. Safe to share between threads."""

    def __init__(self, *, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._vectors: dict[str, OrderedDict[str, np.ndarray]] = {}
        self._trusted: dict[str, bool] = {}

    def embed(self, name: str, values: Sequence[object], embed: Embed) -> np.ndarray:
        """`embed` of the values [values, dim], computed for those alone that are not remembered."""
        if not all(isinstance(value, str) for value in values) or not self._is_trusted(name, embed):
            return embed(values)
        texts = [str(value) for value in values]
        known = self._known(name, texts)
        missing = list(dict.fromkeys(text for text in texts if text not in known))
        if missing:
            found = dict(zip(missing, embed(missing), strict=True))
            self._keep(name, found)
            known |= found
        return np.stack([known[text] for text in texts])

    def _is_trusted(self, name: str, embed: Embed) -> bool:
        if name not in self._trusted:
            self._trusted[name] = is_company_blind(embed)
        return self._trusted[name]

    def _known(self, name: str, texts: Sequence[str]) -> dict[str, np.ndarray]:
        with self._lock:
            vectors = self._vectors.setdefault(name, OrderedDict())
            found = {text: vectors[text] for text in texts if text in vectors}
            for text in found:
                vectors.move_to_end(text)
            return found

    def _keep(self, name: str, found: dict[str, np.ndarray]) -> None:
        with self._lock:
            vectors = self._vectors[name]
            # A copy: a slice would hold its whole batch.
            vectors.update((text, vector.copy()) for text, vector in found.items() if len(text) <= CHARACTERS)
            while len(vectors) > self._kept:
                vectors.popitem(last=False)


def is_company_blind(embed: Embed) -> bool:
    """Whether some texts have the same bits alone, together, and in another order."""
    alone = np.concatenate([embed([text]) for text in TEXTS])
    together, turned = embed(TEXTS), embed(TEXTS[::-1])[::-1]
    return bool(np.array_equal(alone, together) and np.array_equal(alone, turned))
