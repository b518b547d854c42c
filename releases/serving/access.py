"""Who is let in: by an access token, for what it is for, as often as it may ask."""

from dataclasses import dataclass

from polyloom.errors import IntegrityError
from releases.serving.rate_limits import RateLimits, address_key
from releases.serving.refusal import Refused
from releases.serving.token import Token
from releases.serving.tokens import TokenStore

WRONG_PER_MINUTE = 30
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="polyloom"'}


@dataclass(frozen=True)
class Caller:
    """Who asks. `token` is an id that may be logged, None on a server that is open; `per_minute` None the default.

    Of scenarios other than `scenarios` the caller learns nothing, not even that they are there; none named are all.
    """

    token: str | None
    name: str
    per_minute: int | None
    scenarios: tuple[str, ...] = ()

    def may_know(self, scenario: str) -> bool:
        """Whether a scenario is one that the caller may ask for."""
        return not self.scenarios or scenario in self.scenarios


ANYBODY = Caller(token=None, name="anybody", per_minute=None)


class Access:
    """Lets in, or refuses. Without a store the server is open: it asks nobody, and limits each address.

    With `until_first` it is open until the first token is made, and asks for one from the next request on.

    `limits` counts what callers ask, `wrong_tokens` the wrong tokens of each address.
    """

    def __init__(
        self,
        store: TokenStore | None,
        *,
        limits: RateLimits,
        wrong_tokens: RateLimits | None = None,
        until_first: bool = False,
    ) -> None:
        self._store = store
        self._until_first = until_first
        self._limits = limits
        self._wrong_tokens = wrong_tokens or RateLimits(WRONG_PER_MINUTE, burst_seconds=30)

    @property
    def is_open(self) -> bool:
        """Whether anybody is let in."""
        return self._store is None or (self._until_first and self._store.is_empty)

    def admit(
        self, authorization: str | None, *, scope: str | None, scenario: str | None, cost: int = 1, address: str = ""
    ) -> Caller:
        """Let a request in that needs `scope` (None: any token will do) on `scenario` (None: on no particular one).

        `address` is the client's, `cost` how much of its limit this takes. Raises: Refused, with 401 for no token or a
        wrong one, 403 for one that is for something else, 429 for too many requests, 503 while the file is damaged.
        """
        if self._store is None or self.is_open:
            self._slow_down(f"address {address_key(address)}", ANYBODY, cost)
            return ANYBODY
        token = self._token(self._store, authorization, address)
        _check_reach(token, scope, scenario)
        caller = Caller(token.id, token.name, token.per_minute, token.scenarios)
        self._slow_down(f"token {token.id}", caller, cost)
        return caller

    def _token(self, store: TokenStore, authorization: str | None, address: str) -> Token:
        try:
            return store.check(_secret_of(authorization))
        except IntegrityError as error:
            detail = "This server cannot read its access tokens. Whoever runs it finds why in its log."
            raise Refused(503, "tokens_unreadable", detail, retry_after_seconds=30) from error
        except Refused as refused:
            # A right token is let in whatever others behind the same address send, such as a proxy's.
            if refused.reason not in {"no_token", "wrong_scheme"}:
                self._count_wrong_one(address)
            raise

    def _count_wrong_one(self, address: str) -> None:
        wait = self._wrong_tokens.take(address_key(address))
        if wait:
            detail = "Too many wrong access tokens came from this address."
            raise Refused(429, "wrong_tokens", detail, retry_after_seconds=wait) from None

    def _slow_down(self, key: str, caller: Caller, cost: int) -> None:
        wait = self._limits.take(key, caller.per_minute, cost)
        if wait:
            allowed = caller.per_minute or self._limits.per_minute
            detail = f"More was asked than {allowed} a minute. Ask again after the seconds in Retry-After."
            raise Refused(429, "rate_limited", detail, retry_after_seconds=wait)


def _secret_of(authorization: str | None) -> str:
    """The secret in the header `Authorization: Bearer SECRET`."""
    if authorization is None or not authorization.strip():
        detail = "This server needs an access token: send the header 'Authorization: Bearer plm_...'."
        raise Refused(401, "no_token", detail, headers=CHALLENGE)
    scheme, _, secret = authorization.strip().partition(" ")
    if scheme.lower() != "bearer":
        detail = "This server knows the scheme Bearer alone: send the header 'Authorization: Bearer plm_...'."
        raise Refused(401, "wrong_scheme", detail, headers=CHALLENGE)
    return secret.strip()


def _check_reach(token: Token, scope: str | None, scenario: str | None) -> None:
    if scope is not None and scope not in token.scopes:
        detail = f"This needs the scope {scope!r}; this access token has {', '.join(token.scopes)}."
        raise Refused(403, "insufficient_scope", detail, headers=_needed(scope))
    if scenario is not None and token.scenarios and scenario not in token.scenarios:
        detail = f"This access token is for {', '.join(token.scenarios)} alone{f', scope {scope!r}' if scope else ''}."
        raise Refused(403, "insufficient_scope", detail, headers=_needed(scope))


def _needed(scope: str | None) -> dict[str, str]:
    needed = f', scope="{scope}"' if scope else ""
    return {"WWW-Authenticate": f'Bearer error="insufficient_scope"{needed}'}
