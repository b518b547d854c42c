"""Files at addresses that fsspec opens: tables come into a local cache, pictures into memory."""

import hashlib
import importlib
import random
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from ingestion.pictures import MAX_BYTES
from ingestion.refusals import RowRefused
from polyloom.durable import CHUNK_BYTES, file_digest, is_used_again, rename_new, sync_folder, sync_tree
from polyloom.errors import DataError, RequestError

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem  # type: ignore[import-untyped]  # it brings no types

WEB = frozenset({"http", "https"})
S3 = frozenset({"s3", "s3a"})
SCHEMES = ("file", *sorted(WEB), *sorted(S3), "gs", "gcs", "az", "abfs")
ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
# What tells one state of a file from another, as the file systems of fsspec call it; the best first.
STATES = (
    "ETag",
    "etag",
    "Content-MD5",
    "md5Hash",
    "mtime",
    "LastModified",
    "updated",
    "last_modified",
    "Last-Modified",
)
# The libraries that fsspec stands on have exceptions of their own.
LIBRARY_ERRORS = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("azure.core.exceptions", "AzureError"),
)
FINAL_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError, ValueError)
ATTEMPTS = 4
PAUSE_SECONDS = 0.5
CONNECT_SECONDS, SILENCE_SECONDS = 20.0, 60.0
NOT_THERE = frozenset({404, 410})
TOO_MANY_REQUESTS, FIRST_SERVER_ERROR = 429, 500
SECRET_PARTS = re.compile(r"(?<=://)[^/\s@'\"]*@|\?[^\s'\"]+")
DIGITS = 32

Got = TypeVar("Got")


def is_address(path: str) -> bool:
    """Whether a path is an address such as https://… rather than a file of this machine."""
    return ADDRESS.match(path) is not None


def fetch(url: str, *, cache: Path, attempts: int = ATTEMPTS, pause_seconds: float = PAUSE_SECONDS) -> Path:
    """The file at an address, as a file in the cache; it is fetched again only when it has changed.

    A `file://` address gives the file itself. What fails in passing is tried `attempts` times, with pauses that double.

    Raises:
        RequestError: the address cannot be used, or what it needs is not installed.
        DataError: the file is not there, may not be read, or cannot be fetched whole.
    """
    if _scheme(url) == "file":
        return _local(url)
    try:
        return _retried(lambda: _fetched(_file_system(url), url, cache), attempts, pause_seconds)
    except _errors() as error:
        raise DataError(f"{shown_address(url)} cannot be fetched: {_why(error)}.{_advice(error)}") from None


def read_picture(url: str, *, attempts: int = ATTEMPTS, pause_seconds: float = PAUSE_SECONDS) -> bytes:
    """A picture file's bytes.

    Raises:
        RowRefused: it is not there, cannot be read whole, or is larger than a picture may be.
        RequestError: the address cannot be used, or what it needs is not installed.
    """
    try:
        return _retried(lambda: _content(_file_system(url), url), attempts, pause_seconds)
    except _errors() as error:
        raise RowRefused(
            "picture_missing", f"the picture {shown_address(url)} cannot be opened: {_why(error)}."
        ) from None


def shown_address(url: str) -> str:
    """An address as it may be shown: without user, password and options, which may hold a signature."""
    return SECRET_PARTS.sub("", url.partition("#")[0])


def _fetched(files: "AbstractFileSystem", url: str, cache: Path) -> Path:
    files.invalidate_cache()
    info: Mapping[str, Any] = files.info(url)
    state = next((str(info[name]) for name in STATES if info.get(name)), "")
    target = cache / _key(url, f"{state} {info.get('size')}")
    name = PurePosixPath(unquote(urlsplit(url).path)).name or "file"
    if state and (target / name).is_file() and is_used_again(target):
        return target / name
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".") as draft:
        path = Path(draft) / "whole" / name
        path.parent.mkdir()
        files.get_file(url, str(path))
        expected = info.get("size")
        if expected is not None and path.stat().st_size != expected:
            raise OSError(f"{path.stat().st_size:,} of {expected:,} bytes came")
        if not state:
            # Only the content itself tells whether it has changed.
            target = cache / _key(url, file_digest(path))
        return _published(path, target)


def _published(path: Path, target: Path) -> Path:
    sync_tree(path.parent)
    try:
        rename_new(path.parent, target)
    except FileExistsError:
        return target / path.name
    sync_folder(target.parent)
    return target / path.name


def _content(files: "AbstractFileSystem", url: str) -> bytes:
    # A web file of stated size is asked for at once; else fsspec asks for its size before.
    options = {"block_size": 0, "size": 1} if _scheme(url) in WEB else {}
    blocks: list[bytes] = []
    with files.open(_local_name(url) if _scheme(url) == "file" else url, "rb", **options) as stream:
        while block := stream.read(CHUNK_BYTES):
            blocks.append(block)
            if len(blocks) * CHUNK_BYTES > MAX_BYTES and sum(map(len, blocks)) > MAX_BYTES:
                raise RowRefused(
                    "picture_too_large",
                    f"the picture {shown_address(url)} has more than {MAX_BYTES >> 20} MiB. Make it smaller.",
                )
    return b"".join(blocks)


def _retried(work: Callable[[], Got], attempts: int, pause_seconds: float) -> Got:
    for attempt in range(1, attempts):
        try:
            return work()
        except _errors() as error:
            if not _may_pass(error):
                raise
            # Spread, so that many who failed at once do not come back at once.
            time.sleep(pause_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
    return work()


def _file_system(url: str) -> "AbstractFileSystem":
    scheme = _scheme(url)
    if scheme not in SCHEMES:
        raise RequestError(
            f"{shown_address(url)}: {scheme!r} addresses cannot be read. Allowed are {', '.join(SCHEMES)}."
        )
    import fsspec  # type: ignore[import-untyped]  # it brings no types

    try:
        return fsspec.filesystem(scheme, **_options(scheme))
    except ImportError as error:
        needed = "polyloom[s3]" if scheme in S3 else f"what fsspec needs for {scheme}"
        raise RequestError(
            f"{shown_address(url)}: {error.name or error!s} is not installed. Install {needed}."
        ) from error


def _options(scheme: str) -> dict[str, Any]:
    if scheme in WEB:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        return {"client_kwargs": {"timeout": timeout, "trust_env": True}}
    if scheme in S3:
        return {"config_kwargs": {"connect_timeout": CONNECT_SECONDS, "read_timeout": SILENCE_SECONDS}}
    return {}


def _local(url: str) -> Path:
    path = Path(_local_name(url))
    if not path.is_file():
        raise DataError(f"{url}: there is no such file. Check the address.")
    return path


def _local_name(url: str) -> str:
    return url2pathname(urlsplit(url).path)


def _scheme(url: str) -> str:
    found = ADDRESS.match(url)
    return found[1].lower() if found else ""


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS]


def _errors() -> tuple[type[Exception], ...]:
    """What may be raised by the libraries that are installed."""
    found: list[type[Exception]] = [OSError]
    for module, name in LIBRARY_ERRORS:
        try:
            found.append(getattr(importlib.import_module(module), name))
        except ImportError:
            continue
    return tuple(found)


def _cause(error: BaseException) -> BaseException:
    """What is behind an error: of a web file fsspec says that it is not there, whatever kept it from asking."""
    while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _may_pass(error: BaseException) -> bool:
    error = _cause(error)
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status == TOO_MANY_REQUESTS or status >= FIRST_SERVER_ERROR
    return not isinstance(error, FINAL_ERRORS)


def _why(error: BaseException) -> str:
    error = _cause(error)
    if isinstance(error, FileNotFoundError) or getattr(error, "status", None) in NOT_THERE:
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "access is refused"
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    if isinstance(status := getattr(error, "status", None), int):
        return f"the server answered {status} {getattr(error, 'message', '')}".rstrip(" .")
    return SECRET_PARTS.sub("", " ".join(str(error).split())).rstrip(".") or type(error).__name__


def _advice(error: BaseException) -> str:
    return " Try again later." if _may_pass(error) else " Check the address, and that you may read it."
