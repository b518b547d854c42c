"""What computes waits for what talks: by niceness of threads, which Linux counts one by one."""

import os
import sys
import threading

import pytest

from releases.serving.lane import Lane
from releases.serving.priority import STEPS, compute_behind_others

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere niceness is a process's")


def niceness():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def lower(before):
    return min(before + STEPS, 19)


def in_a_thread(run):
    found = []
    thread = threading.Thread(target=lambda: found.append(run()))
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_and_what_it_starts_go_behind_and_nobody_else():
    before = niceness()

    def behind():
        compute_behind_others()
        return niceness(), in_a_thread(niceness)

    assert in_a_thread(behind) == (lower(before), lower(before))
    assert niceness() == before


def test_a_lane_computes_behind_others():
    lane = Lane("shop", most=1, wait_seconds=1.0, threads=2)
    try:
        names = {thread.name: thread.native_id for thread in threading.enumerate()}
        for name in ("shop 0", "shop 1"):
            assert os.getpriority(os.PRIO_PROCESS, names[name]) == lower(niceness())
    finally:
        lane.close()
