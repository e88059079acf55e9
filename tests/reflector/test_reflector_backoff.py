"""Waits between attempts: client-go's numbers (§77), our reset rule (§78), Retry-After."""

from __future__ import annotations

import pytest
from reflector_fakes import FakeClock

from kubeinformer.cache.backoff import Backoff


def test_s77_waits_double_from_800_ms_to_30_s():
    clock = FakeClock()
    backoff = Backoff(clock=clock.monotonic, random=lambda: 0.0)
    waits = [backoff.next() for _ in range(9)]
    assert waits == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0])


def test_s77_jitter_is_up_to_once_the_wait():
    backoff = Backoff(clock=FakeClock().monotonic, random=lambda: 0.999)
    waits = [backoff.next() for _ in range(7)]
    assert waits == pytest.approx([d * 1.999 for d in (0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0)])


def test_s78_two_quiet_minutes_start_over():
    clock = FakeClock()
    backoff = Backoff(clock=clock.monotonic, random=lambda: 0.0)
    for _ in range(4):
        clock.now += backoff.next()
    clock.now += 120.0
    assert backoff.next() == pytest.approx(12.8)
    clock.now += 12.8 + 120.1
    assert backoff.next() == pytest.approx(0.8)


def test_s78_a_lasting_failure_never_starts_over():
    clock = FakeClock()
    backoff = Backoff(clock=clock.monotonic, random=lambda: 0.0)
    waits = []
    for _ in range(60):
        waits.append(backoff.next())
        clock.now += waits[-1] + 10.0  # each attempt takes 10 s to fail
    assert set(waits[6:]) == {30.0}


def test_retry_after_is_a_minimum():
    backoff = Backoff(clock=FakeClock().monotonic, random=lambda: 0.0)
    assert backoff.next(5.0) == 5.0
    assert backoff.next(0.1) == pytest.approx(1.6), "and the steps go on as without it"


def test_retry_after_is_capped():
    backoff = Backoff(clock=FakeClock().monotonic, random=lambda: 0.0)
    assert backoff.next(86_400.0) == 60.0


@pytest.mark.parametrize("argument", [{"initial": 0}, {"factor": 0.5}, {"jitter": -1}, {"cap": 0.1}])
def test_bad_numbers_are_named(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        Backoff(**argument)
