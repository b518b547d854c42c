"""Chunks into parts: a chunk that was checked before is only hashed, by threads that run a little ahead."""

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from ingestion.barred import Barrier
from ingestion.checking import ChunkCheck
from ingestion.parts import Part, PartStore
from ingestion.readers.chunks import Chunk
from polyloom.durable import json_digest

FORMAT = 3
THREADS = 2
# Chunks that are in work at once: what bounds the memory.
AHEAD = 4


class Made(NamedTuple):
    """A part, and whether it was there before."""

    part: Part
    was_there: bool


@dataclass(frozen=True, kw_only=True)
class PartMaking:
    """How the chunks of one source become parts, each named by its chunk, by where that stands, and by all rules."""

    check: ChunkCheck
    store: PartStore
    barrier: Barrier

    def parts(self, chunks: Iterator[Chunk]) -> Iterator[Made]:
        """The parts of the chunks, in their order."""
        hashed: deque[tuple[Chunk, Future[str]]] = deque()
        made: deque[Future[Made]] = deque()
        is_new = False
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            while True:
                for chunk in islice(chunks, AHEAD - len(hashed) - len(made)):
                    hashed.append((chunk, pool.submit(_hashed, chunk, hold=is_new)))
                if made and (not hashed or made[0].done()):
                    yield made.popleft().result()
                elif hashed:
                    chunk, future = hashed.popleft()
                    digest = self._digest(chunk, future.result())
                    known = self.store.get(digest)
                    # What follows a new chunk is hardly known: it is read only once then.
                    is_new = known is None
                    made.append(self._started(pool, chunk, digest, known))
                else:
                    return

    def part(self, chunk: Chunk) -> Part:
        """The part of one chunk."""
        digest = self._digest(chunk, chunk.digest)
        return self._made(chunk, digest, self.store.get(digest)).part

    def _started(self, pool: ThreadPoolExecutor, chunk: Chunk, digest: str, known: Part | None) -> Future[Made]:
        if known is not None and chunk.stretch is not None:
            chunk.stretch.tell_lines(known.lines)
        if known is None or self._may_miss_pictures:
            return pool.submit(self._made, chunk, digest, known)
        done: Future[Made] = Future()
        done.set_result(Made(known, was_there=True))
        return done

    def _made(self, chunk: Chunk, digest: str, known: Part | None) -> Made:
        if known is not None and self._has_its_pictures(known):
            return Made(known, was_there=True)
        checked = self.check.check(chunk)
        left = self.barrier.left_of(checked.kept, checked.refused, has_key=self.check.key_column is not None)
        masking = self.check.schema.masking
        refused = left.refused if masking is None else masking.refused(left.refused)
        part = self.store.put(
            digest,
            checked._replace(kept=left.kept, refused=refused),
            forgotten=left.forgotten,
            lines=chunk.stretch.lines if chunk.stretch is not None else 0,
        )
        return Made(part, was_there=False)

    def _digest(self, chunk: Chunk, content: str) -> str:
        return hashlib.sha256(f"{self._rules}\0{chunk.source}\0{chunk.first}\0{content}".encode()).hexdigest()

    @cached_property
    def _rules(self) -> str:
        schema, check = self.check.schema, self.check
        told = (check.table, check.key_column, check.key_prefix, schema.kinds, sorted(schema.required), schema.text)
        more = (schema.image, schema.content, schema.cleaning, schema.rules, schema.personal)
        return json_digest({"format": FORMAT, "check": [repr(value) for value in (*told, *more)]})

    @property
    def _may_miss_pictures(self) -> bool:
        return self.check.holds is not None and self.check.schema.image is not None

    def _has_its_pictures(self, part: Part) -> bool:
        image, holds = self.check.schema.image, self.check.holds
        if holds is None or image is None:
            return True
        stored = self.store.kept(part, [image, "_stored"])
        pairs = zip(stored[image].to_pylist(), stored["_stored"].to_pylist(), strict=True)
        return all(holds(sha256, size) for sha256, size in pairs if size is not None)


def _hashed(chunk: Chunk, *, hold: bool) -> str:
    if hold and chunk.stretch is not None:
        chunk.stretch.hold()
    return chunk.digest
