"""`Session`: what the parts of a reflector share, and the one way in which they send a request or wait.

A request either gives a Response with status 200 or raises; once the stop signal is set, everything raises
`StoppedError`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubeinformer.errors import APIStatusError, TransportError
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport.base import Response, StopSignal, Transport

from .api_status import status_error
from .backoff import Backoff
from .clock import Clock
from .reflector_source import Source, WatchReader
from .reflector_state import Phase, ReflectorState


class StoppedError(Exception):
    """The reflector was asked to stop; never leaves it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Page size, and times in seconds; `Reflector` says what they mean."""

    page_size: int
    min_watch_timeout: float
    connect_timeout: float
    first_byte_timeout: float
    watch_list_timeout: float
    watch_grace: float
    bookmark_timeout: float

    def check(self) -> None:
        """Raise ValueError, naming the argument, for a number that makes no sense."""
        if self.page_size < 1:
            raise ValueError("page_size must be at least 1")
        above_zero = ("min_watch_timeout", "connect_timeout", "first_byte_timeout", "watch_list_timeout")
        for name in (*above_zero, "bookmark_timeout"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        if self.watch_grace < 0:
            raise ValueError("watch_grace must not be negative")


@dataclass(slots=True)
class Stream:
    """An open watch.

    Attributes:
        response: where the bytes come from.
        reader: where they go.
        opened: monotonic time of its headers.
        timeout_seconds: after which the server was asked to end it.
        deadline: monotonic time after which the client ends it.
        patience: seconds without a byte after which something may be wrong, if bookmarks come.
        over: its end was read already.
    """

    response: Response
    reader: WatchReader
    opened: float
    timeout_seconds: int
    deadline: float
    patience: float
    over: bool = False


class Session:
    """See the module's docstring."""

    def __init__(
        self,
        *,
        source: Source,
        transport: Transport,
        resource: Resource,
        namespace: str | None,
        list_options: Callable[[], ListOptions],
        timing: Timing,
        state: ReflectorState,
        stop: StopSignal,
        backoff: Backoff,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self.source = source
        self.transport = transport
        self.resource = resource
        self.timing = timing
        self.state = state
        self.clock = clock
        self._path = resource.path(namespace)
        self._list_options = list_options
        self._stop = stop
        self._backoff = backoff
        self._random = random

    def check_stopped(self) -> None:
        """Raise StoppedError iff the stop signal is set."""
        if self._stop.is_set():
            raise StoppedError

    def get_page(self, resource_version: str, limit: int, continue_: str, *, phase: Phase = Phase.LISTING) -> Response:
        """Send the request for one page of a LIST; `phase` is what begins with its answer.

        A limit from the user's tweak replaces that of a list, unless that is 0: a page of a list at a given version
        would be read at exactly that version, which may be gone (statement 6 of the API server, §89).
        """
        options = self._begin_request(Phase.LISTING)
        options.limit = (options.limit or limit) if limit and phase is Phase.LISTING else limit
        options.resource_version = resource_version
        options.resource_version_match = ""
        options.continue_ = continue_
        options.watch = options.allow_watch_bookmarks = False
        options.send_initial_events = options.timeout_seconds = None
        return self._get(options, phase)

    def open_stream(self, resource_version: str, *, initial_events: bool) -> Stream:
        """Send the request for a watch: from a version on, or (a watch-list, §98) beginning with the present state."""
        then = Phase.LISTING if initial_events else Phase.WATCHING
        options = self._begin_request(then)
        options.limit = 0
        options.continue_ = ""
        options.watch = options.allow_watch_bookmarks = True
        options.resource_version = resource_version
        options.resource_version_match = "NotOlderThan" if initial_events else ""
        options.send_initial_events = True if initial_events else None
        if options.timeout_seconds is None:
            options.timeout_seconds = max(1, int(self.timing.min_watch_timeout * (1 + self._random())))
        timeout = options.timeout_seconds
        response = self._get(options, then)
        try:
            if initial_events:
                reader = self.source.watch_list_reader(chunked=response.chunked, not_older_than=resource_version)
            else:
                any_version = resource_version in ("", "0")
                reader = self.source.watch_reader(
                    chunked=response.chunked, any_version=any_version, not_older_than=resource_version
                )
        except BaseException:
            response.close(complete=False)
            raise
        opened = self.clock.monotonic()
        deadline = opened + timeout + self.timing.watch_grace
        # Watches that were opened together, and became silent together, do not ask together.
        patience = self.timing.bookmark_timeout * (1 + 0.2 * self._random())
        return Stream(response, reader, opened, timeout, deadline, patience)

    def _begin_request(self, then: Phase) -> ListOptions:
        """Enter the phase of a request and ask for its options; the user's tweak may take its time."""
        self.check_stopped()
        if not (then is Phase.LISTING and self.state.phase is Phase.LISTING):  # the next page of a list changes nothing
            self.state.enter(Phase.CONNECTING)
        return self._list_options()

    def _get(self, options: ListOptions, then: Phase) -> Response:
        query = options.to_query()
        self.check_stopped()
        try:
            response = self.transport.request(
                self._path,
                query,
                accept="application/json",
                read_timeout=self.timing.first_byte_timeout,
                connect_timeout=self.timing.connect_timeout,
                stop=self._stop,
            )
        except TransportError:
            self.check_stopped()
            raise
        self.state.contact()
        if response.status == 200:
            self.state.enter(then)
            return response
        try:
            body = response.read_error_body()
        finally:
            response.close(complete=True)
        self.check_stopped()
        what = "WATCH" if options.watch else "LIST"
        raise status_error(f"{what} {self._path}", response.status, response.headers, body, self.clock.time())

    def back_off(self, error: Exception | None = None) -> None:
        """Note the failure, if any, and wait before the next attempt; the wait is the reflector's own (§79).

        Args:
            error: what made the wait necessary; its Retry-After is heeded.
        """
        self.check_stopped()
        minimum = error.retry_after if isinstance(error, APIStatusError) else None
        seconds = self._backoff.next(minimum or 0.0)
        if error is not None:
            self.state.failed(error, f"trying again in {seconds:.1f} s")
        self.state.enter(Phase.BACKOFF)
        if self.clock.wait(self._stop, seconds):
            raise StoppedError
