"""What may be asked of a new access token."""

from collections.abc import Sequence

from polyloom.errors import RequestError, suggestion
from releases.serving.token import SCOPES

LONGEST_NAME = 64
LONGEST_DAYS = 3650


def check_wish(name: str, scopes: Sequence[str], scenarios: Sequence[str], *, per_minute: int | None) -> None:
    """Raises: RequestError for a name, a scope, a scenario or a limit that cannot be."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise RequestError(
            f"A token's name has 1 to {LONGEST_NAME} printable characters; {len(name)} came in. Name who will hold it."
        )
    if not scopes:
        raise RequestError(f"A token without a scope opens nothing. Give one or more of {', '.join(SCOPES)}.")
    for scope in scopes:
        if scope not in SCOPES:
            raise RequestError(f"{scope!r} is no scope; there are {', '.join(SCOPES)}.{suggestion(scope, SCOPES)}")
    if not all(one and one.isprintable() for one in scenarios):
        raise RequestError("A scenario's name is empty or not printable. 'polyloom scenarios' lists them.")
    if per_minute is not None and per_minute < 1:
        raise RequestError(f"{per_minute} requests a minute came in; at least 1, or leave it out for the server's own.")


def check_days(days: int | None) -> None:
    """Raises: RequestError for a time that a secret cannot count."""
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise RequestError(f"{days} days came in; a token counts for 1 to {LONGEST_DAYS}, or for good (--no-expiry).")


def check_grace(hours: float) -> None:
    """Raises: RequestError for a time that the secret before cannot count."""
    if not 0 <= hours <= LONGEST_DAYS * 24:
        raise RequestError(f"{hours:g} hours of grace came in; 0 ends the secret before at once, 24 is usual.")
