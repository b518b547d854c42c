"""Other people's code, made to keep to the rules of the server's log.

`Task exception was never retrieved` of asyncio and `Exception in ASGI application` of uvicorn come with tracebacks and
values; uvicorn's access log comes with paths and queries. Of all that, the log gets who, where, which type.
"""

import logging
import sys
import threading
from collections.abc import Callable

from releases.serving.failure_frames import short
from releases.serving.server_log import Level, ServerLog

LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")
# Templates that hold nothing of a request; what would be put into them is left out all the same.
SAYS = frozenset(
    {
        "Started server process [%d]",
        "Finished server process [%d]",
        "Waiting for application startup.",
        "Application startup complete.",
        "Application startup failed. Exiting.",
        "Shutting down",
        "Waiting for connections to close. (CTRL+C to force quit)",
        "Waiting for application shutdown.",
        "Application shutdown complete.",
        "Invalid HTTP request received.",
        "Exceeded concurrency limit.",
        "Exception in ASGI application\n",
        "ASGI callable returned without completing response.",
        "ASGI callable returned without starting response.",
    }
)
LEVELS: dict[int, Level] = {logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


class Quiet(logging.Handler):
    """Turns records into lines of the server's log."""

    def __init__(self, log: ServerLog) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of a record without its arguments, its message unless it is one of SAYS, and its values."""
        self._log.event(
            "library",
            level=LEVELS.get(record.levelno, "error"),
            library=record.name,
            place=f"{short(record.pathname)}:{record.lineno} {record.funcName}",
            says=record.msg.strip() if isinstance(record.msg, str) and record.msg in SAYS else None,
        )
        if record.exc_info and record.exc_info[1] is not None:
            self._log.failure(record.exc_info[1])


def quiet_libraries(log: ServerLog) -> Callable[[], None]:
    """Everything that logs, warns or dies in a thread goes through the log; what is returned undoes it.

    uvicorn must be started with `log_config=None`, or it puts its own handlers back.
    """
    handler = Quiet(log)
    undo = [take_over(logging.getLogger(), handler), *(empty(logging.getLogger(name)) for name in LIBRARIES)]
    # Its lines are paths and queries; the server's log has one of its own for each request.
    logging.getLogger("uvicorn.access").disabled = True
    logging.captureWarnings(True)  # noqa: FBT003
    hooks = threading.excepthook, sys.unraisablehook
    threading.excepthook = lambda args: died(log, args.exc_value)
    sys.unraisablehook = lambda args: died(log, args.exc_value)

    def put_back() -> None:
        logging.captureWarnings(False)  # noqa: FBT003
        threading.excepthook, sys.unraisablehook = hooks
        for one in undo:
            one()

    return put_back


def died(log: ServerLog, error: BaseException | None) -> None:
    """An exception that nobody is left to catch."""
    if error is not None and not isinstance(error, SystemExit):
        log.failure(error)


def take_over(logger: logging.Logger, handler: logging.Handler) -> Callable[[], None]:
    """Only this handler; warnings and worse."""
    handlers, level = logger.handlers, logger.level
    logger.handlers, logger.level = [handler], logging.WARNING

    def put_back() -> None:
        logger.handlers, logger.level = handlers, level

    return put_back


def empty(logger: logging.Logger) -> Callable[[], None]:
    """No handlers of its own, so that what it says goes to the root's."""
    handlers, level, propagate, disabled = logger.handlers, logger.level, logger.propagate, logger.disabled
    logger.handlers, logger.level, logger.propagate = [], logging.INFO, True

    def put_back() -> None:
        logger.handlers, logger.level, logger.propagate, logger.disabled = handlers, level, propagate, disabled

    return put_back
