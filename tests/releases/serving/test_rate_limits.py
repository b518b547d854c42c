"""Token buckets: never more than allowed, never less, whatever the pattern of asking."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.serving.rate_limits import RateLimits, address_key


class Clock:
    """Time that a test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_burst_and_then_one_for_each_interval(clock):
    limits = RateLimits(60, burst_seconds=5, clock=clock)
    assert [limits.take("a") for _ in range(5)] == [0.0] * 5
    assert limits.take("a") == pytest.approx(1.0)
    clock.now += 1
    assert limits.take("a") == 0.0
    assert limits.take("a") == pytest.approx(1.0)


def test_keys_do_not_share_a_bucket_and_have_limits_of_their_own(clock):
    limits = RateLimits(6, clock=clock)
    assert limits.take("a") == 0.0
    assert limits.take("a") == pytest.approx(10.0)
    assert limits.take("b") == 0.0
    assert [limits.take("c", 60) for _ in range(10)] == [0.0] * 10
    assert limits.take("c", 60) == pytest.approx(1.0)


def test_whoever_may_ask_once_a_minute_may_ask_once(clock):
    limits = RateLimits(1, clock=clock)
    assert limits.take("a") == 0.0
    assert limits.take("a") == pytest.approx(60.0)


def test_what_costs_more_than_the_bucket_holds_is_paid_for_afterwards(clock):
    limits = RateLimits(60, burst_seconds=10, clock=clock)
    assert limits.take("a", cost=30) == 0.0
    assert limits.take("a") == pytest.approx(21.0)
    clock.now += 21
    assert limits.take("a") == 0.0


def test_the_longest_unheard_of_is_forgotten_when_there_are_too_many(clock):
    limits = RateLimits(1, keys=3, clock=clock)
    for key in ("a", "b", "c"):
        limits.take(key)
    assert limits.take("a") > 0
    limits.take("d")
    assert limits.take("a") > 0, "heard of just now"
    assert limits.take("b") == 0.0, "forgotten"
    assert len(limits._full_at) == 3


ASKING = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), max_size=60)


@given(asking=ASKING, per_minute=st.integers(1, 600), burst=st.floats(0.1, 30))
def test_in_no_stretch_of_time_is_more_allowed_than_the_rate_and_one_burst(asking, per_minute, burst):
    clock = Clock()
    limits = RateLimits(per_minute, burst_seconds=burst, clock=clock)
    allowed = []
    for pause, cost in asking:
        clock.now += pause
        if limits.take("a", cost=cost) == 0.0:
            allowed.append((clock.now, cost))
    room = max(burst * per_minute / 60, 1)
    for first, (began, _) in enumerate(allowed):
        for last in range(first, len(allowed)):
            # The last one may have cost more than there was, when the bucket was full.
            spent = sum(cost for _, cost in allowed[first:last]) + min(allowed[last][1], room)
            assert (
                spent <= room + (allowed[last][0] - began) * per_minute / 60 + max(0, allowed[first][1] - room) + 1e-3
            )


@given(asking=ASKING, per_minute=st.integers(1, 600))
def test_whoever_waits_as_told_is_let_in_and_not_a_moment_before(asking, per_minute):
    clock = Clock()
    limits = RateLimits(per_minute, clock=clock)
    for pause, cost in asking:
        clock.now += pause
        wait = limits.take("a", cost=cost)
        if wait > 0:
            clock.now += wait * 0.9
            assert limits.take("a", cost=cost) > 0
            clock.now += wait * 0.1
            assert limits.take("a", cost=cost) == 0.0


def test_threads_together_get_no_more_than_one_alone(clock):
    limits = RateLimits(6000, burst_seconds=10, clock=clock)
    allowed = []

    def ask():
        allowed.extend(wait for _ in range(500) if (wait := limits.take("a")) == 0.0)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowed) == 1000


@pytest.mark.parametrize(("address", "key"), [
    ("192.0.2.7", "192.0.2.7"),
    ("::ffff:192.0.2.7", "192.0.2.7"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
    ("fe80::1%eth0", "fe80::/64"),
    ("", ""),
    ("unix socket", "unix socket"),
])  # fmt: skip
def test_a_site_has_one_key(address, key):
    assert address_key(address) == key
