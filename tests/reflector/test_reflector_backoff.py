"""Waits between attempts: Retry-After, and numbers that make no sense. The waits themselves are in conformance 2.F."""

from __future__ import annotations

import pytest
from reflector_fakes import FakeClock

from kubeinformer.cache.backoff import Backoff


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
