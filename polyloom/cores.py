"""How many cores there are for this process, which may be fewer than the machine has."""

import os


def cores() -> int:
    """Those that the system lets it use; where that cannot be told, all of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
