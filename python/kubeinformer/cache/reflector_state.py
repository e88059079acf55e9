"""What a reflector knows and says about itself: phase, resourceVersion, last error, counters, log lines.

Written by the reflector's thread alone; every value that another thread can read is replaced in one assignment.
`last_error` is set iff the last attempt at something failed and nothing has succeeded since.
"""

from __future__ import annotations

import enum
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from kubeinformer.errors import APIStatusError, DecodeError, Error

from .clock import Clock
from .reflector_source import WatchReader

logger = logging.getLogger("kubeinformer")

# A failure that comes back this soon, with successes between, is the same trouble and not worth another warning.
_SAME_TROUBLE_SECONDS = 600.0
_KINDS_OF_TROUBLE = 64


class Phase(enum.StrEnum):
    """What a reflector is doing."""

    IDLE = "idle"
    """It was not started."""
    CONNECTING = "connecting"
    """It waits for the answer to a request."""
    LISTING = "listing"
    """It reads a list, by LIST or by a watch-list's initial events."""
    WATCHING = "watching"
    """It reads a watch."""
    BACKOFF = "backoff"
    """It waits before the next attempt."""
    STOPPED = "stopped"
    """It ended, and does nothing any more."""


@dataclass(frozen=True, slots=True)
class LastError:
    """A failure that nothing has mended since.

    Attributes:
        error: what was raised.
        time: when it happened last, in seconds since the epoch.
        since: when it happened first, of an unbroken run of the same failure.
        count: how often in that run; above 1, the failure lasts.
    """

    error: Exception
    time: float
    since: float
    count: int = 1


@dataclass(frozen=True, slots=True)
class ReflectorCounters:
    """What a reflector did since it was made.

    Attributes:
        lists: LISTs begun; a LIST of many pages counts once.
        watch_lists: streams begun with the initial state.
        watches: ordinary watches that were opened.
        relists: LISTs and watch-lists begun after the first success, by the reason why they were needed.
        failures: attempts that failed, of any kind.
        reconnects: watches opened where the one before had ended, without a list.
        short_watches: watches that ended at once and without an event, so that a list followed (client-go §113).
        lists_read: LISTs and watch-lists that were read to their end.
        list_seconds: sum of their times, from the request to the last object; with pauses, if the server asked for any.
        list_items: objects in them.
        watches_read: watches that have ended, well or not.
        watch_seconds: sum of their times.
        watch_items: events of them, without ERROR; of a watch-list those after its list.
    """

    lists: int = 0
    watch_lists: int = 0
    watches: int = 0
    relists: Mapping[str, int] = field(default_factory=dict)
    failures: int = 0
    reconnects: int = 0
    short_watches: int = 0
    lists_read: int = 0
    list_seconds: float = 0.0
    list_items: int = 0
    watches_read: int = 0
    watch_seconds: float = 0.0
    watch_items: int = 0


@dataclass(frozen=True, slots=True)
class _Reading:
    watch: WatchReader | None
    silence: Callable[[], float] | None


class ReflectorState:
    """See the module's docstring."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        on_phase: Callable[[Phase], None] | None,
        on_error: Callable[[Exception], None] | None,
    ) -> None:
        self.name = name
        self.phase = Phase.IDLE
        self.resource_version_unavailable = False
        self.paginates_from_any_version = False
        self.bookmarks_come = False
        self.last_error: LastError | None = None
        self.counters = ReflectorCounters()
        self._clock = clock
        self._resource_version = ""
        self._last_contact: float | None = None
        self._reading: _Reading | None = None
        self._warned: dict[tuple[object, ...], float] = {}
        self._list_began = 0.0
        self._watched_since_list = False
        self._told_phase = Phase.IDLE
        self._told_at = clock.monotonic()
        self._on_phase = on_phase
        self._on_error = on_error

    @property
    def resource_version(self) -> str:
        """The last version that was read: while a reader is fed, the one that it has come to."""
        reading = self._reading
        if reading is not None and reading.watch is not None:
            return reading.watch.resource_version or self._resource_version
        return self._resource_version

    @resource_version.setter
    def resource_version(self, version: str) -> None:
        self._resource_version = version

    @property
    def last_contact(self) -> float | None:
        """Monotonic time at which the server was last heard; None = never."""
        reading = self._reading
        if reading is None or reading.silence is None:
            return self._last_contact
        heard = self._clock.monotonic() - reading.silence()
        return heard if self._last_contact is None else max(heard, self._last_contact)

    @contextmanager
    def reading(self, watch: WatchReader | None, silence: Callable[[], float] | None = None) -> Iterator[None]:
        """Within the block, bytes go to a reader; what it has come to is true at once.

        Args:
            watch: the reader whose version counts; None = none.
            silence: seconds since the last byte came, where bytes come without this thread.
        """
        self._reading = _Reading(watch, silence)
        try:
            yield
        finally:
            self._last_contact, self._resource_version = self.last_contact, self.resource_version
            self._reading = None

    def relist_version(self) -> str:
        """Return the resourceVersion to ask a LIST for (§86): "0", then the last one seen, "" when that is no use."""
        if self.resource_version_unavailable:
            return ""
        return self.resource_version or "0"

    def watch_list_version(self) -> str:
        """Return the resourceVersion to ask a watch-list for (§98): the last one seen, "" (most recent) without."""
        return "" if self.resource_version_unavailable else self.resource_version

    def enter(self, phase: Phase) -> None:
        """Be in a phase from now on."""
        if phase is self.phase:
            return
        self.phase = phase
        if self._is_news_that(phase):
            self._tell_phase()
        if self._on_phase is not None:
            try:
                self._on_phase(phase)
            except Exception:
                logger.exception("%s: on_phase(%s) failed", self.name, phase)

    def _is_news_that(self, phase: Phase) -> bool:
        """Whether a phase is logged when it is entered.

        The attempts of an outage are not, after its first BACKOFF: `succeeded` tells of its end. Nor is the request for
        a watch that follows another one.
        """
        if phase is Phase.CONNECTING:
            return self._told_phase is Phase.IDLE
        return self.last_error is None or phase in (Phase.BACKOFF, Phase.STOPPED)

    def _tell_phase(self) -> None:
        """Log the phase, if it is another one than was logged last."""
        before, phase, now = self._told_phase, self.phase, self._clock.monotonic()
        if phase is before:
            return
        seconds, version, last = now - self._told_at, self.resource_version, self.last_error
        error = "" if last is None else describe(last.error)
        self._told_phase, self._told_at = phase, now
        logger.info(
            "%s: phase=%s previous_phase=%s seconds=%.1f resource_version=%s",
            self.name,
            phase,
            before,
            seconds,
            version or "-",
            extra={
                "reflector": self.name,
                "phase": str(phase),
                "previous_phase": str(before),
                "seconds": seconds,
                "resource_version": version,
                "error": error,
            },
        )

    def contact(self) -> None:
        """Note that the server was heard."""
        self._last_contact = self._clock.monotonic()

    def silence(self) -> float:
        """Return the seconds since the server was last heard; infinite before the first time."""
        last = self.last_contact
        return math.inf if last is None else max(0.0, self._clock.monotonic() - last)

    def count(self, name: str) -> None:
        """Add one to the counter of that name."""
        self.counters = replace(self.counters, **{name: getattr(self.counters, name) + 1})
        if name in ("lists", "watch_lists"):
            self._list_began = self._clock.monotonic()

    def count_relist(self, reason: str) -> None:
        """Add one to the relists of that reason."""
        relists = self.counters.relists
        self.counters = replace(self.counters, relists={**relists, reason: relists.get(reason, 0) + 1})

    def replaced(self, resource_version: str, how: str, objects: int) -> None:
        """Note that a whole list was queued."""
        self.resource_version = resource_version
        self._watched_since_list = False
        counters, seconds = self.counters, self._clock.monotonic() - self._list_began
        self.counters = replace(
            counters,
            lists_read=counters.lists_read + 1,
            list_seconds=counters.list_seconds + seconds,
            list_items=counters.list_items + objects,
        )
        logger.info("%s: read %d objects by %s, at resourceVersion %s", self.name, objects, how, resource_version)
        self.succeeded()

    def opened_watch(self) -> None:
        """Note that a watch was opened, which follows a list, or goes on where another one ended."""
        self.count("watches")
        if self._watched_since_list:
            self.count("reconnects")

    def watched(self, seconds: float, events: int) -> None:
        """Note the end of a watch."""
        self._watched_since_list = True
        counters = self.counters
        self.counters = replace(
            counters,
            watches_read=counters.watches_read + 1,
            watch_seconds=counters.watch_seconds + seconds,
            watch_items=counters.watch_items + events,
        )

    def succeeded(self) -> None:
        """Note that something worked, so earlier failures are over."""
        last, self.last_error = self.last_error, None
        if last is not None:
            logger.info("%s: works again (failed %d times: %s)", self.name, last.count, describe(last.error))
            self._tell_phase()

    def failed(self, error: Exception, then: str) -> None:
        """Note a failure, and report it.

        Args:
            error: what was raised.
            then: what will be done now, for the log.
        """
        now, kind = self._clock.time(), _kind(error)
        last = self.last_error
        if last is not None and _kind(last.error) == kind:
            self.last_error = LastError(error, now, last.since, last.count + 1)
        else:
            self.last_error = LastError(error, now, now)
        self.count("failures")
        loud = self.last_error.count == 1 and self._is_news(kind)
        # Only what nobody foresaw, such as an exception of the user's own function, needs its traceback.
        traceback = error if loud and not isinstance(error, Error) else None
        level = logging.WARNING if loud else logging.DEBUG
        logger.log(level, "%s: %s; %s", self.name, describe(error), then, exc_info=traceback)
        self.report(error)

    def report(self, error: Exception) -> None:
        """Hand a failure to `on_error`; whatever that raises, the reflector goes on."""
        if self._on_error is None:
            return
        try:
            self._on_error(error)
        except BaseException:
            logger.exception("%s: on_error failed", self.name)

    def _is_news(self, kind: tuple[object, ...]) -> bool:
        """Whether no such failure was logged as a warning lately; if so, this one is."""
        now = self._clock.monotonic()
        if now - self._warned.get(kind, -math.inf) <= _SAME_TROUBLE_SECONDS:
            return False
        if len(self._warned) >= _KINDS_OF_TROUBLE:
            self._warned.clear()
        self._warned[kind] = now
        return True


def _kind(error: Exception) -> tuple[object, ...]:
    """Two failures are the same, for the log, iff this is equal."""
    if isinstance(error, APIStatusError):
        return (APIStatusError, error.code, error.reason)
    if isinstance(error, DecodeError):
        return (DecodeError, error.key)
    return (type(error), str(error))


def describe(error: Exception) -> str:
    """Return the error for a log line: with its kind, and where in the bytes it is."""
    if isinstance(error, DecodeError):
        return f"cannot read what the server sent, at byte {error.offset} (object {error.key or 'unknown'}): {error}"
    if isinstance(error, APIStatusError):
        return str(error)
    return f"{type(error).__name__}: {error}"
