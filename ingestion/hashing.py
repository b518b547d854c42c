"""What a row is, in bytes: the hash of its content, and the number that its split and its place in a sample rest on."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DIGEST_BYTES = 32
HASH_BYTES = 16
HASH_TYPE = pa.binary(HASH_BYTES)
KEY_DIGITS = 24
LONGEST_SHORT_BYTES = 64
BETWEEN_COLUMNS, AFTER_NAME, BETWEEN_LABELS = "\x1e", "\x1f", "\x1d"
HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def content_hashes(table: pa.Table, columns: Iterable[str]) -> pa.Array:
    """The first 16 bytes of a SHA-256 over each row's values.

    Missing ones do not count, so that a new empty column changes nothing.
    """
    parts = [_named(name, table[name].combine_chunks()) for name in columns]
    if not parts:
        parts = [pa.array([""] * table.num_rows)]
    # A join of one column alone would leave the nulls out.
    joined = pc.binary_join_element_wise(*parts, "", BETWEEN_COLUMNS, null_handling="skip")
    digests = np.frombuffer(b"".join(_digests(joined)), np.uint8).reshape(-1, DIGEST_BYTES)
    return hash_array(digests[:, :HASH_BYTES])


def hash_array(hashes: np.ndarray) -> pa.Array:
    """Content hashes out of uint8 [rows, 16]."""
    data = pa.py_buffer(np.ascontiguousarray(hashes))
    return pa.Array.from_buffers(HASH_TYPE, len(hashes), [None, data])


def with_picture(content: bytes, sha256: str) -> bytes:
    """The hash of a row with its picture."""
    return hashlib.sha256(content + bytes.fromhex(sha256)).digest()[:HASH_BYTES]


def identities(texts: pa.Array) -> np.ndarray:
    """A number for each text, uint64; a null counts as the empty text.

    Words of 8 bytes are mixed in one after the other by splitmix64's finaliser (Steele, Lea and Flood, 2014), for all
    rows at once; a long text is first shortened to its SHA-256.
    """
    texts = pc.fill_null(texts, "")
    lengths = np.asarray(pc.binary_length(texts)).astype(np.int64)
    found = np.zeros(len(texts), np.uint64)
    short = lengths <= LONGEST_SHORT_BYTES
    if short.any():
        found[short] = _mixed(texts.filter(pa.array(short)), lengths[short])
    if not short.all():
        digests = b"".join(digest[:8] for digest in _digests(texts.filter(pa.array(~short))))
        found[~short] = np.frombuffer(digests, "<u8")
    return found


def hash_identities(hashes: pa.Array) -> np.ndarray:
    """The first 8 bytes of content hashes, uint64."""
    return np.ascontiguousarray(hash_bytes(hashes)[:, :8]).view(">u8").ravel().astype(np.uint64)


def hash_bytes(hashes: pa.Array) -> np.ndarray:
    """Content hashes as uint8 [rows, 16]."""
    data = np.frombuffer(hashes.buffers()[1] or b"", np.uint8)
    start = hashes.offset * HASH_BYTES
    return data[start : start + len(hashes) * HASH_BYTES].reshape(-1, HASH_BYTES)


def key_texts(hashes: np.ndarray) -> np.ndarray:
    """The keys of rows that declare none: the first 24 hex digits of their hashes uint8 [rows, 16]."""
    taken = hashes[:, : KEY_DIGITS // 2]
    digits = np.stack([HEX[taken >> 4], HEX[taken & 15]], axis=2).reshape(len(taken), KEY_DIGITS)
    return np.ascontiguousarray(digits).view(f"S{KEY_DIGITS}").ravel()


def finalised(numbers: np.ndarray) -> np.ndarray:
    """Each number, uint64, with all its bits mixed: splitmix64's finaliser."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _named(name: str, column: pa.Array) -> pa.Array:
    """The values as text, with their lengths: no content can pass for another, whatever signs it holds."""
    length = None
    if pa.types.is_list(column.type):
        length = pc.list_value_length(column)
        told = column if not _needs_json(column) else pa.array(map(_as_json, column.to_pylist()), pa.string())
        column = told if pa.types.is_string(told.type) else pc.binary_join(told, BETWEEN_LABELS)
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64()).cast(pa.string())
    elif not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    if length is None:
        length = pc.binary_length(column)
    return pc.binary_join_element_wise(name, length.cast(pa.string()), column, AFTER_NAME)


def _as_json(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def _needs_json(column: pa.Array) -> bool:
    if not pa.types.is_string(column.type.value_type):
        return True
    return bool(pc.any(pc.match_substring(column.flatten(), BETWEEN_LABELS), min_count=0).as_py())


def _mixed(texts: pa.Array, lengths: np.ndarray) -> np.ndarray:
    words = -(-int(lengths.max()) // 8)
    padded = np.zeros((len(texts), max(words, 1) * 8), np.uint8)
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts)].astype(np.int64)
    if data:
        content = np.frombuffer(data, np.uint8)
        rows = np.repeat(np.arange(len(texts)), lengths)
        columns = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        padded[rows, columns] = content[starts[rows] + columns]
    numbers = padded.view("<u8")
    found = finalised(lengths.astype(np.uint64))
    for word in range(words):
        there = lengths > word * 8
        found[there] = finalised(found[there] ^ numbers[there, word])
    return found


def _digests(texts: pa.Array) -> Iterator[bytes]:
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].tolist()
    content = memoryview(data) if data else memoryview(b"")
    sha256 = hashlib.sha256
    for start, end in pairwise(ends):
        yield sha256(content[start:end]).digest()
