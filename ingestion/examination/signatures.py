"""MinHash signatures of texts, remembered: of a snapshot that grew only the new texts are looked at."""

import zlib
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.examination.shingles import shingles
from polyloom.durable import replace_file
from polyloom.progress import Bar

# The folder beside a scenario's snapshots.
SIGNATURES = "signatures"
PERMUTATIONS = 64
# Another number whenever a text would get another signature.
METHOD = b"1"
DIGEST_BYTES = 16


def text_signatures(texts: Sequence[str], *, bar: Bar, remembered: Path | None = None) -> np.ndarray:
    """One signature for each text, uint32 [texts, 64]; `remembered` is the file that holds those of the last time.

    The file then holds these. It has hashes of texts, no texts; one that cannot be read counts as empty.
    """
    from datasketch import MinHash  # type: ignore[import-untyped]

    digests = [blake2b(text.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).digest() for text in texts]
    known, rows = _read(remembered)
    found = np.empty((len(texts), PERMUTATIONS), np.uint32)
    empty = MinHash(num_perm=PERMUTATIONS, hashfunc=zlib.crc32)
    for position, (text, digest) in enumerate(zip(texts, digests, strict=True)):
        if digest in known:
            found[position] = rows[known[digest]]
        else:
            one = empty.copy()
            one.update_batch([piece.encode("utf-8", "replace") for piece in shingles(text)])
            found[position] = one.hashvalues
        bar.advance()
    if remembered is not None and known.keys() != set(digests):
        _write(remembered, digests, found)
    return found


def _read(path: Path | None) -> tuple[dict[bytes, int], np.ndarray]:
    nothing: tuple[dict[bytes, int], np.ndarray] = {}, np.empty((0, PERMUTATIONS), np.uint32)
    if path is None or not path.is_file():
        return nothing
    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
    except (OSError, pa.ArrowException):
        return nothing
    if (table.schema.metadata or {}).get(b"method") != METHOD:
        return nothing
    whole = b"".join(table["signature"].to_pylist())
    known = {digest: place for place, digest in enumerate(table["text"].to_pylist())}
    return known, np.frombuffer(whole, np.uint32).reshape(-1, PERMUTATIONS)


def _write(path: Path, digests: Sequence[bytes], rows: np.ndarray) -> None:
    columns = {
        "text": pa.array(digests, pa.binary(DIGEST_BYTES)),
        "signature": pa.array([row.tobytes() for row in rows], pa.binary(4 * PERMUTATIONS)),
    }
    table = pa.table(columns).replace_schema_metadata({b"method": METHOD})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="none", use_dictionary=False, write_page_checksum=True)
    replace_file(path, sink.getvalue().to_pybytes())
