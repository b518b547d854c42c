"""Who goes first where there are fewer cores than work: what talks to callers, before what computes."""

import os
import sys
import threading
from contextlib import suppress

STEPS = 5
"""Of niceness: of a core that both want, the loop gets three quarters and a model's thread one."""


def compute_behind_others() -> None:
    """Let this thread, and those that it starts from now on, run behind the process's other threads.

    A refusal takes a tenth of a millisecond, and a batch a hundred: callers who are refused must not wait for those who
    are not. Linux alone counts niceness by threads, and no thread may take it back.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + STEPS)
