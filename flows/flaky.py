"""Which failures of a source may pass by themselves, so that trying again is worth its time."""

from collections.abc import Iterator

from polyloom.errors import RequestError

TOO_MANY_REQUESTS, FIRST_SERVER_ERROR = 429, 500
# Names, so that asking imports none of aiohttp, botocore and SQLAlchemy.
PASSING = frozenset(
    {
        "ClientConnectionError",
        "ClientPayloadError",
        "ConnectionClosedError",
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "IncompleteReadError",
        "OperationalError",
        "InterfaceError",
    }
)


def is_flaky(error: BaseException) -> bool:
    """Whether an error came from a source that did not answer, rather than from what it holds or was asked for."""
    return not isinstance(error, RequestError) and any(map(_passes, _causes(error)))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, also where the message hides that."""
    met: set[int] = set()
    while error is not None and id(error) not in met:
        met.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _passes(error: BaseException) -> bool:
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status == TOO_MANY_REQUESTS or status >= FIRST_SERVER_ERROR
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if type(error).__module__ == "sqlite3":
        return "locked" in str(error)
    origin = getattr(error, "orig", None)
    if isinstance(origin, BaseException) and type(origin).__module__ == "sqlite3":
        return _passes(origin)
    return any(kind.__name__ in PASSING for kind in type(error).__mro__)
