"""`Clock`: the time that a reflector lives by; tests give one that they advance themselves."""

from __future__ import annotations

import time
from typing import Protocol

from kubeinformer.transport.base import StopSignal


class Clock(Protocol):
    """Two readings and one wait."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""

    def time(self) -> float:
        """Seconds since the epoch, for people."""

    def wait(self, stop: StopSignal, seconds: float) -> bool:
        """Block for `seconds` or until `stop` is set; True iff it is set."""


class SystemClock:
    """The system's own clock."""

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    def time(self) -> float:
        """See `Clock.time`."""
        return time.time()

    def wait(self, stop: StopSignal, seconds: float) -> bool:
        """See `Clock.wait`."""
        return stop.wait(seconds)
