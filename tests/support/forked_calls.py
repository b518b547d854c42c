"""Functions in processes of their own, forked from one that has paid for the imports: torch alone takes seconds."""

import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

# A server without threads of its own, unlike the test process: what is forked from it can be trusted.
context = multiprocessing.get_context("forkserver")
STEP = "step\n"
PRELOADED = ["tests.support.run_imports", "tests.support.strategy_fits", "tests.support.small_pretrainings"]


def forked(target: Callable[..., None], *arguments: object) -> multiprocessing.context.ForkServerProcess:
    """A started process."""
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


class ForkedCall:
    """A call of a function that a module has, on one thread; what it prints comes line by line from `stdout`."""

    def __init__(self, function: Callable[..., None], *arguments: object) -> None:
        reading, telling = context.Pipe(duplex=False)
        self._process = forked(call, function, arguments, telling)
        telling.close()
        self.stdout = os.fdopen(os.dup(reading.fileno()), encoding="utf-8")
        reading.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self.stdout.close()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()

    def ended(self, *, seconds: float) -> str:
        """What is left of its output, once it has ended well."""
        told = self.stdout.read()
        self._process.join(seconds)
        assert self._process.exitcode == 0
        return told

    @property
    def returncode(self) -> int | None:
        """As the process ended; negative for a signal."""
        return self._process.exitcode


def call(function: Callable[..., None], arguments: tuple[object, ...], telling) -> None:
    """The call, in the process."""
    import torch

    torch.set_num_threads(1)
    os.dup2(telling.fileno(), 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1, closefd=False)
    function(*arguments)
    sys.stdout.flush()


def killed(function: Callable[..., None], *arguments: object, after: int) -> None:
    """Call a function that tells of its steps, the first of them its start, and kill it after so many."""
    with ForkedCall(function, *arguments) as process:
        steps = (line for line in process.stdout if line == STEP)
        told = sum(1 for _ in itertools.islice(steps, after))
        process.kill()
        assert (told, process.returncode) == (after, -signal.SIGKILL)
