"""The public data sets' own loaders: download, check against the published digests, and lay out."""

import gzip
import hashlib
import http.client
import io
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.readers.idx import DAMAGE, IDX_IMAGES, IDX_LABELS, png, read_array, read_header
from polyloom.durable import CHUNK_BYTES
from polyloom.errors import DataError, IntegrityError, RequestError
from polyloom.progress import Progress

TIMEOUT_SECONDS = 60.0
# SHA-256 of the files at the commit that the address names.
BANKING77_SHA256 = {
    "train.csv": "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
    "test.csv": "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
    "categories.json": "53261da888122daf2d120d925458631d9619e15d82e56052e7a42e535ce32b63",
}
SEMEVAL2010_TASK8_SHA256 = {
    "TRAIN_FILE.TXT": "ed473716691955eb18bac4934367a55adba282297892e05f30036958483b63ef",
    "TEST_FILE_FULL.TXT": "066b269d0bebbefaba2f347671b373d45fdecad9191513417572a07bc61b9566",
}
XQUAD_SHA256 = {"xquad.en.json": "e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29"}
# The publisher gives MD5 only; see https://github.com/zalandoresearch/fashion-mnist
FASHION_MNIST_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
PARTS = {"train": "train", "test": "t10k"}


def fill(name: str, folder: Path, *, base_url: str, progress: Progress) -> None:
    """Put a public data set into an empty folder."""
    # Looked up here, not at import: a test replaces the digests.
    as_published = {
        "banking77": BANKING77_SHA256,
        "semeval2010_task8": SEMEVAL2010_TASK8_SHA256,
        "xquad": XQUAD_SHA256,
    }
    if name in as_published:
        for file, content in download(as_published[name], base_url=base_url, progress=progress).items():
            (folder / file).write_bytes(content)
    elif name == "fashion_mnist":
        fashion_mnist_tables(download(FASHION_MNIST_MD5, base_url=base_url, progress=progress), folder)
    else:
        known = ", ".join(sorted([*as_published, "fashion_mnist"]))
        raise RequestError(f"{name!r} has no public loader. Those with one: {known}.")


def download(digests: Mapping[str, str], *, base_url: str, progress: Progress) -> dict[str, bytes]:
    """The files below `base_url`, each checked against its digest: an MD5 of 32 or a SHA-256 of 64 hex digits."""
    contents = {}
    for file, expected in digests.items():
        url = f"{base_url.rstrip('/')}/{file}"
        contents[file] = _get(url, progress)
        found = hashlib.new(_algorithm(expected), contents[file], usedforsecurity=False).hexdigest()
        if found != expected:
            raise IntegrityError(f"{url}: what came has the digest {found}, the published file {expected}. Not used.")
    return contents


def fashion_mnist_tables(archives: Mapping[str, bytes], folder: Path) -> None:
    """Write `fashion_mnist_{train,test}.parquet` (split, label, file, png) from the four IDX archives."""
    for split, part in PARTS.items():
        images = _idx(archives[f"{part}-images-idx3-ubyte.gz"], magic=IDX_IMAGES)
        labels = _idx(archives[f"{part}-labels-idx1-ubyte.gz"], magic=IDX_LABELS)
        if len(images) != len(labels):
            raise IntegrityError(f"Fashion-MNIST, {split}: {len(images)} pictures but {len(labels)} labels.")
        columns = {
            "split": [split] * len(labels),
            "label": labels.astype(np.int64),
            "file": [f"{number:05d}.png" for number in range(len(labels))],
            "png": pa.array([png(image) for image in images], pa.binary()),
        }
        pq.write_table(pa.table(columns), folder / f"fashion_mnist_{split}.parquet", compression="zstd")


def _get(url: str, progress: Progress) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise RequestError(f"base_url: {url!r} is not an http or https address.")
    chunks = []
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - the scheme was checked
            length = answer.headers.get("Content-Length")
            with progress.stage(
                f"fetch {url.rsplit('/', 1)[-1]}", total=int(length) if length else None, unit="B"
            ) as bar:
                while chunk := answer.read(CHUNK_BYTES):
                    chunks.append(chunk)
                    bar.advance(len(chunk))
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise DataError(
            f"{url} cannot be fetched: {error}. Try again, or set POLYLOOM_DATA to a folder that holds the data set."
        ) from error
    return b"".join(chunks)


def _algorithm(digest: str) -> str:
    return "md5" if len(digest) == hashlib.md5(usedforsecurity=False).digest_size * 2 else "sha256"


def _idx(archive: bytes, *, magic: int) -> np.ndarray:
    """The array in a gzipped IDX file."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(archive)) as stream:
            header = read_header(stream)
            if header.magic != magic:
                raise IntegrityError(f"an IDX file starts with {header.magic:#x} where {magic:#x} is expected.")
            return read_array(stream, (header.items, *header.shape))
    except DAMAGE as error:
        raise IntegrityError(f"an IDX archive cannot be read: {error}.") from error
