"""One access token, as it is kept: what it may do, until when, and the SHA-256 of its secret.

A secret has 256 random bits, so nobody finds it by trying, and its plain SHA-256 is as safe to keep as the salted, slow
hash that a password needs. It is also what can be computed for each request.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, Field

SCOPES = ("predict", "search", "recommend", "ask", "explain", "feedback", "metrics")
SECRET_BYTES = 32
SECRET = re.compile(r"plm_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, kw_only=True)
class Token:
    """What is known of a token; the secret itself is known to its holder alone.

    No `scenarios` means all of them, `expires` None never, `per_minute` None as many requests as the server allows
    anybody, `days` how long a secret counts from when it is made. `former_digest` is the hash of the secret before a
    rotation, which counts until `former_until`.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    name: str
    scopes: tuple[str, ...]
    scenarios: tuple[str, ...]
    created: AwareDatetime
    days: int | None
    expires: AwareDatetime | None
    revoked: AwareDatetime | None = None
    per_minute: Annotated[int, Field(ge=1)] | None = None
    digest: Digest = field(repr=False)
    former_digest: Digest | None = field(default=None, repr=False)
    former_until: AwareDatetime | None = None

    def state(self, now: datetime) -> str:
        """`active`, `rotating` while the secret before still counts, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        if self.expires is not None and now >= self.expires:
            return "expired"
        return "rotating" if self.former_until is not None and now < self.former_until else "active"

    def is_secret(self, secret: str) -> bool:
        """Whether it is this token's, in a time that tells nothing of how near it is."""
        return hmac.compare_digest(digest_of(secret), self.digest)

    def is_former_secret(self, secret: str) -> bool:
        """Whether it was this token's before the last rotation, in such a time too."""
        return self.former_digest is not None and hmac.compare_digest(digest_of(secret), self.former_digest)

    def known(self) -> dict[str, Any]:
        """What people may see: nothing of the secret, not even its hash."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if not name.endswith("digest")}


@dataclass(frozen=True)
class Issued:
    """A new secret, shown this once, and its token."""

    secret: str = field(repr=False)
    token: Token


def new_secret(token_id: str) -> str:
    """`plm_<id>_<43 characters>`: the prefix lets scanners of leaked secrets find it, the id says which token it is."""
    return f"plm_{token_id}_{secrets.token_urlsafe(SECRET_BYTES)}"


def digest_of(secret: str) -> str:
    """SHA-256 of a whole secret, as 64 hex digits."""
    return hashlib.sha256(secret.encode()).hexdigest()
