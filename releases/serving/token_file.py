"""The file of access tokens: JSON that holds hashes, never a secret."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from polyloom.errors import IntegrityError
from releases.serving.token import Token

FORMAT = 1
WRITABLE_BY_OTHERS = 0o022
Stamp = tuple[int, int, int]


class TokenFile(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    tokens: tuple[Token, ...]


def read_tokens(path: Path) -> tuple[Stamp, dict[str, Token]]:
    """The tokens by id, with the stamp of the file that they were read from (time, inode, size).

    Raises: FileNotFoundError, and IntegrityError where it cannot be read, is not what was written, or may be written by
    others than its owner.
    """
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            content = stream.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise IntegrityError(
            f"{path}: the file of access tokens cannot be read ({error.strerror}), so nobody is let in. "
            "It belongs to the account that the server runs under, with mode 600."
        ) from error
    if status.st_mode & WRITABLE_BY_OTHERS:
        raise IntegrityError(
            f"{path}: others than its owner may write this file of access tokens, so nobody knows who made them. "
            f"Look through it, then: chmod 600 {path}"
        )
    try:
        found = TokenFile.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise IntegrityError(
            f"{path}: the file of access tokens is damaged ({place or 'JSON'}: {first['msg']}), so nobody is let in. "
            "Put it back from a backup, or move it away and make the tokens anew: 'polyloom tokens create'."
        ) from None
    return (status.st_mtime_ns, status.st_ino, status.st_size), {token.id: token for token in found.tokens}


def tokens_as_bytes(tokens: Iterable[Token]) -> bytes:
    """The file's content."""
    return (TokenFile(format=FORMAT, tokens=tuple(tokens)).model_dump_json(indent=2) + "\n").encode()
