"""Named arrays in one safetensors file, opened as memory maps: what a model that answers needs, and nothing else."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from safetensors.numpy import save

from polyloom.durable import replace_file
from polyloom.errors import IntegrityError

# How safetensors calls the types that are written here.
TYPES = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32, "BOOL": np.bool_}
HEADER_LENGTH_BYTES = 8


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Replace a file by these arrays, in one step."""
    replace_file(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def open_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, read only, mapped rather than read.

    Raises: IntegrityError for a file that is missing or cut short, or of types that are not written here.
    """
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(HEADER_LENGTH_BYTES), "little")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        begin = HEADER_LENGTH_BYTES + length
        return {name: _mapped(path, entry, begin=begin) for name, entry in header.items()}
    except (OSError, ValueError, KeyError) as error:
        raise IntegrityError(
            f"{path} cannot be read as the arrays of a model: {error}. Fit the model again."
        ) from error


def _mapped(path: Path, entry: Mapping[str, object], *, begin: int) -> np.ndarray:
    """One array of the file. An empty one cannot be mapped."""
    shape, offsets = entry["shape"], entry["data_offsets"]
    assert isinstance(shape, list)
    assert isinstance(offsets, list)
    dtype = TYPES[str(entry["dtype"])]
    if not math.prod(shape):
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", offset=begin + offsets[0], shape=tuple(shape))


def sparse_arrays(matrix: sp.csr_matrix, *, name: str) -> dict[str, np.ndarray]:
    """A sparse matrix as arrays."""
    return {
        f"{name}.data": matrix.data.astype(np.float32),
        f"{name}.indices": matrix.indices.astype(np.int32),
        f"{name}.begins": matrix.indptr.astype(np.int64),
        f"{name}.shape": np.array(matrix.shape, np.int64),
    }


def sparse_of(arrays: Mapping[str, np.ndarray], *, name: str) -> sp.csr_matrix:
    """The sparse matrix that `sparse_arrays` took apart."""
    parts = (arrays[f"{name}.data"], arrays[f"{name}.indices"], arrays[f"{name}.begins"])
    return sp.csr_matrix(parts, shape=tuple(int(size) for size in arrays[f"{name}.shape"]))
