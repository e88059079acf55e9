"""`Reflector`: keeps one list/watch pair of an informer equal to the server's collection.

Until it is stopped, one of three things is true: it reads a list, it reads a watch from the last accepted event on, or
it waits to try again. Nothing that a server sends, or a user's function raises, ends it.
"""

from __future__ import annotations

import math
import os
import random as _random
import threading
from collections.abc import Callable

from kubeinformer.errors import APIStatusError, ClosedError, DecodeError, ForkedError, TransportError
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport.base import StopSignal, Transport

from .api_status import is_expired
from .backoff import Backoff
from .clock import Clock, SystemClock
from .paged_list import list_and_replace
from .reflector_session import Session, StoppedError, Timing
from .reflector_source import Source
from .reflector_state import LastError, Phase, ReflectorCounters, ReflectorState
from .stopping import StopWatcher
from .watch import watch
from .watch_list import watch_list

# A stream that ended well is replaced within this time; longer without one means trouble.
_RECONNECT_SECONDS = 5.0


class Reflector:
    """client-go's Reflector (§76-§124): LIST or watch-list, then WATCH, for ever, into a `Source`.

    `run` does the work on the thread that calls it; every other method may be called from any thread, does not block,
    and tells the truth of this moment. Resync is not its business.

    It differs from client-go in this: a watch-list without an end bookmark is given up for LIST and the server's
    inability is remembered (§108); every watch has a deadline of the client's own; failures to connect a watch are
    waited out without a new list (§115); backoff starts over after two quiet minutes (§78); after failures to connect,
    or a watch that was silent throughout or for longer than bookmarks take, a LIST of one object asks whether the
    server's version went back, as a restored backup's does; a version that goes back, be it of a list, a bookmark or an
    event, is not accepted before a consistent list has confirmed it (§121).

    Args:
        source: where the bytes go.
        transport: where they come from.
        resource: what is listed and watched.
        namespace: one namespace, or None for the whole cluster.
        list_options: called for each request, on the reader's thread; returns fresh options with the user's tweak
            applied (§178). Of them the selectors, `limit` and `timeout_seconds` are used. If it raises, that is a
            failure like any other.
        name: for the log; "" = made of resource and namespace.
        page_size: items a page of a LIST, where pages are possible without reading a version that may be gone (§89).
        min_watch_timeout: m seconds; a watch asks for a whole timeoutSeconds in [m, 2m]. Values below client-go's 300
            are honoured: a load balancer may drop connections that are idle for less.
        connect_timeout: seconds to wait for a connection, TLS included.
        first_byte_timeout: seconds to wait for the answer's headers, and for each further piece of a LIST. The server
            gives up on a LIST after 60 s itself, and its word on that is worth hearing.
        watch_list_timeout: seconds without a step towards the end of the initial events after which LIST takes over.
        watch_grace: seconds after its timeoutSeconds when the client ends a watch that the server did not.
        bookmark_timeout: seconds, up to a fifth more, of silence on a watch after which the client asks for the
            server's version and watches on anew. Only once a bookmark has come: servers that send any send one a
            minute, but not for every resource (none for events). `math.inf` = never.
        use_watch_list: False = LIST always.
        backoff: waits between attempts, for this reflector alone; None = client-go's numbers.
        clock: None = the system's.
        random: uniform numbers in [0, 1), for timeoutSeconds.
        on_error: called on the reader's thread with each failure, before the wait that follows: a list that failed, a
            watch that was refused or nobody answered, an ERROR event or a break in a stream, bytes that cannot be read,
            why a watch-list was given up for LIST, an exception of `list_options`. client-go's error handler does not
            hear of what is retried in place or happens in a stream (§81).
        on_phase: called on the reader's thread with each new phase.

    Raises:
        ValueError: a number that makes no sense; the message names it.
    """

    def __init__(
        self,
        source: Source,
        transport: Transport,
        resource: Resource,
        *,
        namespace: str | None = None,
        list_options: Callable[[], ListOptions] = ListOptions,
        name: str = "",
        page_size: int = 500,
        min_watch_timeout: float = 300.0,
        connect_timeout: float = 10.0,
        first_byte_timeout: float = 65.0,
        watch_list_timeout: float = 60.0,
        watch_grace: float = 15.0,
        bookmark_timeout: float = 150.0,
        use_watch_list: bool = True,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = _random.random,
        on_error: Callable[[Exception], None] | None = None,
        on_phase: Callable[[Phase], None] | None = None,
    ) -> None:
        timing = Timing(
            page_size,
            min_watch_timeout,
            connect_timeout,
            first_byte_timeout,
            watch_list_timeout,
            watch_grace,
            bookmark_timeout,
        )
        timing.check()
        self.name = name or (f"{resource} in {namespace}" if namespace is not None else str(resource))
        self._pid = os.getpid()
        self._source = source
        self._use_watch_list = use_watch_list
        self._stop = StopSignal()
        clock = clock or SystemClock()
        self._state = state = ReflectorState(self.name, clock, on_phase, on_error)
        self._session = Session(
            source=source,
            transport=transport,
            resource=resource,
            namespace=namespace,
            list_options=list_options,
            timing=timing,
            state=state,
            stop=self._stop,
            backoff=backoff or Backoff(clock=clock.monotonic),
            clock=clock,
            random=random,
        )

    def run(self, stop: threading.Event | None = None) -> None:
        """List and watch until `stop`. Blocks until then; returns early only when the informer was closed.

        The first attempt is made at once, each later one after a wait, however the one before ended (§76). Once per
        reflector.

        Args:
            stop: an event that ends it too when it is set.

        Raises:
            RuntimeError: it ran before.
            ForkedError: this is a forked child.
        """
        self._check_process()
        if self._state.phase is not Phase.IDLE:
            raise RuntimeError(f"the reflector of {self.name} was started before")
        self._state.enter(Phase.CONNECTING)
        relist_reason: str | None = None
        if stop is not None and stop.is_set():
            self._stop.set()
        watcher = None if stop is None else StopWatcher(stop, self._stop.set, f"reflector-{self.name}")
        try:
            while not self._stop.is_set():
                if relist_reason is not None and self._state.resource_version:
                    self._state.count_relist(relist_reason)
                relist_reason, error = self._list_and_watch()
                self._session.back_off(error)
        except (StoppedError, ClosedError):
            pass
        finally:
            self._state.enter(Phase.STOPPED)
            if watcher is not None:
                watcher.close()

    def _list_and_watch(self) -> tuple[str, Exception | None]:
        """One attempt. Returns why it ended, and the failure if it was one."""
        try:
            stream = None
            session = self._session
            version = session.resource.api_version
            if self._use_watch_list and session.transport.capabilities.supports_watch_list(version):
                stream = watch_list(session)
            if stream is None:
                list_and_replace(session)
            return watch(session, stream)
        except (StoppedError, ClosedError, ForkedError):
            raise
        except Exception as error:
            self._session.check_stopped()
            return _reason(error), error

    def stop(self) -> None:
        """End `run`: a blocked read or wait at once.

        An attempt to connect ends at once too with the native transport, within `connect_timeout` with the Python one.
        From any thread, any number of times, also before `run`, which then does nothing. Does not wait for `run`. A
        reader that waits for room in the informer's queue ends when the informer is closed, one that runs a function of
        the user's (a tweak, a credential hook) when that returns.

        Raises:
            ForkedError: this is a forked child.
        """
        self._check_process()
        self._stop.set()

    def last_sync_resource_version(self) -> str:
        """Version of the last list or event that was received; the store may be behind it (§123). "" = none."""
        return self._state.resource_version

    def has_synced(self) -> bool:
        """Whether its first list was processed; never False again."""
        return self._source.has_synced()

    def phase(self) -> Phase:
        """What it is doing."""
        return self._state.phase

    def last_error(self) -> LastError | None:
        """The failure that nothing has mended since; None when all is well."""
        return self._state.last_error

    def counters(self) -> ReflectorCounters:
        """What it has done so far."""
        return self._state.counters

    def last_contact(self) -> float | None:
        """Monotonic time at which the server was last heard (headers or bytes); None = never."""
        return self._state.last_contact

    def staleness(self) -> float:
        """Seconds for which the server has not been heard; infinite before it was listed once.

        On a quiet collection that is up to about 60 s, the distance of bookmarks, and for resources without them
        (events) up to the length of a watch.
        """
        return self._state.silence() if self._state.resource_version else math.inf

    def is_live(self) -> bool:
        """Whether changes arrive: the first list was processed and a watch is open, or ended well a moment ago.

        For readiness, not for liveness: a restart of the program does not mend a server that is down.
        """
        state = self._state
        if not self._source.has_synced():
            return False
        if state.phase is Phase.WATCHING:
            return True
        return state.phase is Phase.CONNECTING and state.last_error is None and state.silence() < _RECONNECT_SECONDS

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise ForkedError(
                f"the reflector of {self.name} belongs to the parent process: make a new factory in the child"
            )


def _reason(error: Exception) -> str:
    """Name of a failure in `ReflectorCounters.relists`."""
    if isinstance(error, APIStatusError):
        return "expired" if is_expired(error) else f"status_{error.code}"
    if isinstance(error, DecodeError):
        return "decode_error"
    return "connection" if isinstance(error, TransportError) else "error"
