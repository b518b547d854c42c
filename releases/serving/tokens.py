"""The access tokens of a server: a file that holds no secret, changed by the command and read by servers at once."""

import contextlib
import os
import secrets
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from polyloom.durable import locked, private_folder, replace_private_file
from polyloom.errors import RequestError, suggestion
from releases.serving.refusal import Refused
from releases.serving.token import SCOPES, SECRET, Issued, Token, digest_of, new_secret
from releases.serving.token_file import read_tokens, tokens_as_bytes
from releases.serving.token_wishes import check_days, check_grace, check_wish

INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
# What a person sees of an id that is none: it may be a whole secret, pasted by mistake.
SHOWN = 12


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class TokenStore:
    """The tokens in a file such as `POLYLOOM_HOME/serving/tokens.json` (0600, in a folder 0700).

    Every change is made under a lock and replaces the file in one step. A reader looks at the file's stamp on each call
    and reads it again when it is another, so that a revoked token is refused from the next request on. Without the file
    there is no token. Every method raises IntegrityError when the file is not whole.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self._now = now
        self._seen: tuple[tuple[int, int, int] | None, dict[str, Token]] = (None, {})

    @property
    def is_empty(self) -> bool:
        """Whether no token was ever made."""
        return not self._tokens()

    def all(self) -> tuple[Token, ...]:
        """Every token that was ever made, oldest first."""
        return tuple(sorted(self._tokens().values(), key=lambda token: token.created))

    def check(self, secret: str) -> Token:
        """The token of a secret, in a few microseconds.

        Raises: Refused, 401. That a token is expired or revoked is told to those alone who have the secret.
        """
        form = SECRET.fullmatch(secret)
        token = self._tokens().get(form[1]) if form else None
        if token is None:
            raise Refused(401, "invalid_token", "This access token is not known here.", headers=INVALID)
        now = self._now()
        if not token.is_secret(secret):
            if not token.is_former_secret(secret):
                raise Refused(401, "invalid_token", "This access token is not known here.", headers=INVALID)
            if token.former_until is None or now >= token.former_until:
                raise Refused(401, "token_expired", "This access token was replaced by a newer one.", headers=INVALID)
        if token.state(now) in {"revoked", "expired"}:
            detail = f"This access token is {token.state(now)}. Ask whoever runs this server for another."
            raise Refused(401, f"token_{token.state(now)}", detail, headers=INVALID)
        return token

    def create(
        self,
        name: str,
        *,
        scopes: Iterable[str],
        scenarios: Iterable[str] = (),
        days: int | None = 90,
        per_minute: int | None = None,
    ) -> Issued:
        """A new token for `scopes` (see SCOPES), on all scenarios or on those named, for `days` or for good (None)."""
        asked, named = tuple(scopes), tuple(dict.fromkeys(scenarios))
        check_wish(name, asked, named, per_minute=per_minute)
        check_days(days)
        with self._changing() as tokens:
            token_id = _new_id(tokens)
            secret, now = new_secret(token_id), self._now()
            tokens[token_id] = Token(
                id=token_id,
                name=name,
                scopes=tuple(one for one in SCOPES if one in asked),
                scenarios=named,
                created=now,
                days=days,
                expires=_expiry(now, days),
                per_minute=per_minute,
                digest=digest_of(secret),
            )
        return Issued(secret, tokens[token_id])

    def revoke(self, token_id: str) -> Token:
        """Let a token count no more, with both its secrets; one that was revoked before stays as it is."""
        with self._changing() as tokens:
            token = self._known(tokens, token_id)
            if token.revoked is None:
                tokens[token.id] = replace(token, revoked=self._now())
        return tokens[token.id]

    def rotate(self, token_id: str, *, grace_hours: float = 24) -> Issued:
        """A new secret for a token, which counts for as many days as the first did; the one before counts until then.

        Only one secret before is kept: a second rotation ends the first secret at once.
        Raises: RequestError for a token that is revoked or expired.
        """
        check_grace(grace_hours)
        with self._changing() as tokens:
            token, now = self._known(tokens, token_id), self._now()
            if token.state(now) in {"revoked", "expired"}:
                raise RequestError(
                    f"Token {token.id} ({token.name}) is {token.state(now)} and gets no new secret. "
                    "Make another: 'polyloom tokens create NAME --scope ...'."
                )
            secret, until = new_secret(token.id), now + timedelta(hours=grace_hours)
            tokens[token.id] = replace(
                token,
                digest=digest_of(secret),
                expires=_expiry(now, token.days),
                former_digest=token.digest,
                former_until=until if token.expires is None else min(until, token.expires),
            )
        return Issued(secret, tokens[token.id])

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Token]]:
        """The tokens as nobody else can change them meanwhile; what they are afterwards is stored."""
        private_folder(self.path.parent)
        with locked(self.path.with_name(f"{self.path.name}.lock")):
            # Not by the stamp: two changes within one tick of the clock may have the same.
            tokens = read_tokens(self.path)[1] if self.path.exists() else {}
            yield tokens
            replace_private_file(self.path, tokens_as_bytes(tokens.values()))

    def _tokens(self) -> dict[str, Token]:
        """The tokens by id, read again when the file is another; two threads may do so at once, which does no harm."""
        stamp, tokens = self._seen
        try:
            found = os.stat(self.path)  # noqa: PTH116 - half the time of Path.stat, for each request
            if (found.st_mtime_ns, found.st_ino, found.st_size) != stamp:
                self._seen = stamp, tokens = read_tokens(self.path)
        except FileNotFoundError:
            return {}
        return tokens

    def _known(self, tokens: dict[str, Token], token_id: str) -> Token:
        if token_id in tokens:
            return tokens[token_id]
        shown = token_id if len(token_id) <= SHOWN else f"{token_id[:SHOWN]}..."
        raise RequestError(
            f"{shown!r} is no token here.{suggestion(token_id, tokens)} 'polyloom tokens' lists their ids."
        )


def _new_id(taken: Container[str]) -> str:
    while (found := secrets.token_hex(4)) in taken:
        pass
    return found


def _expiry(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now + timedelta(days=days)
