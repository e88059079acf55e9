"""`Body` and `EventBody`: the `Response`s of a `ListWatch`, whose bytes come from functions.

A read ends when there are bytes, when its time is over, or when `shutdown` is called, whatever the functions do.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from types import GeneratorType
from typing import Any, TypeVar

import urllib3

from kubeinformer.cache.reflector_state import logger
from kubeinformer.errors import TransportError
from kubeinformer.transport.base import ReadTimeoutError, StopSignal

from .list_watch_bodies import event_line, refusal_of

T = TypeVar("T")

_PIECE = 256 * 1024
_AHEAD = 1024 * 1024
"""Bytes of events that are fetched before the reader wants them."""


def call(function: Callable[[], T], where: str, thread_name: str, stop: StopSignal | None) -> T:
    """Call a function on a thread of its own and wait until it returns, or `stop` is set (client-go §84).

    Raises:
        TransportError: stopped; the call goes on, and its result will be ignored.
        Exception: what the function raised.
    """
    woken = threading.Event()
    outcome: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((function(), None))
        except BaseException as error:
            outcome.append((None, error))
        woken.set()

    threading.Thread(target=run, name=thread_name, daemon=True).start()
    if stop is None:
        woken.wait()
    else:
        with stop.ending(woken.set):
            woken.wait()
    if not outcome:
        raise TransportError(f"{where}: stopped")
    result, error = outcome[0]
    if error is not None:
        raise _as_exception(error)
    return result  # type: ignore[return-value]  # None only if the function may return it


class Body:
    """A `Response` that is there already."""

    chunked = False

    def __init__(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self._body = memoryview(body)

    def read(self, timeout: float | None = None) -> bytes:
        """See `Response.read`."""
        piece, self._body = bytes(self._body[:_PIECE]), self._body[_PIECE:]
        return piece

    def read_error_body(self, limit: int = 65536) -> bytes:
        """See `Response.read_error_body`."""
        return bytes(self._body[:limit])

    def shutdown(self) -> None:
        """See `Response.shutdown`."""

    def close(self, complete: bool) -> None:
        """See `Response.close`."""


class EventBody:
    """A `Response` whose body is the events that a watch function gives.

    Function and iteration run on a thread of their own, so that a read can end while they block. When the response is
    closed, `stop()` of what the function returned, or else its `close()`, is called, from another thread and once. What
    has neither (a generator cannot be closed while it runs) is left alone: its thread ends with the next event, or when
    the iteration does.
    """

    status = 200
    chunked = False

    def __init__(
        self,
        watch: Callable[[], Any],
        where: str,
        thread_name: str,
        *,
        read_timeout: float,
        stop: StopSignal | None,
        failure: Callable[[BaseException], TransportError],
    ) -> None:
        self.headers: Mapping[str, str] = {}
        self._watch = watch
        self._where = where
        self._read_timeout = read_timeout
        self._stop = stop
        self._failure = failure
        self._changed = threading.Condition()
        self._opened = self._ended = self._shut = False
        self._events: Any = None
        self._error: BaseException | None = None
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._thread = threading.Thread(target=self._run, name=thread_name, daemon=True)
        self._thread.start()
        if stop is not None:
            stop.add(self.shutdown)

    def open(self, timeout: float) -> Any:
        """Wait until the function returned, and return what it did.

        Raises:
            ReadTimeoutError: it did not in `timeout` seconds.
            TransportError: stopped.
            Exception: what it raised.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._opened or self._ended or self._shut, timeout)
            if self._opened and not self._shut:
                return self._events
            if self._ended and self._error is not None:
                raise _as_exception(self._error)
            if self._shut:
                raise TransportError(f"{self._where}: stopped")
        raise ReadTimeoutError(f"{self._where}: watch_func did not return in {timeout:.0f} s")

    def read(self, timeout: float | None = None) -> bytes:
        """See `Response.read`."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._lines or self._ended or self._shut, self._read_timeout if timeout is None else timeout
            )
            if self._shut:
                raise TransportError(f"{self._where}: stopped")
            if self._lines:
                return self._take()
            if not self._ended:
                raise ReadTimeoutError(f"{self._where}: no event for too long")
            if self._error is None:
                return b""
        raise self._failure(self._error) from self._error

    def _take(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while self._lines and (not pieces or size + len(self._lines[0]) <= _PIECE):
            pieces.append(self._lines.popleft())
            size += len(pieces[-1])
        self._size -= size
        self._changed.notify_all()
        return b"".join(pieces)

    def read_error_body(self, limit: int = 65536) -> bytes:
        """See `Response.read_error_body`. Its status is never an error's."""
        return b""

    def shutdown(self) -> None:
        """See `Response.shutdown`."""
        with self._changed:
            self._shut = True
            self._changed.notify_all()

    def close(self, complete: bool) -> None:
        """See `Response.close`. Does not block: what ends the iteration runs on a thread of its own."""
        self.let_go()
        with self._changed:
            over = self._ended or self._stopper() is None
        if not over:
            name = self._thread.name.replace("kubeinformer-watch-", "kubeinformer-watch-stop-", 1)
            threading.Thread(target=self._stop_events, name=name, daemon=True).start()

    def let_go(self) -> None:
        """Want no more of it; what the function returned is not touched."""
        if self._stop is not None:
            self._stop.remove(self.shutdown)
        self.shutdown()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            events = self._watch()
            with self._changed:
                self._events, self._opened, unwanted = events, True, self._shut
                self._changed.notify_all()
            if not unwanted and not is_response(events):
                self._iterate(events)
            if unwanted or not is_response(events):
                self._stop_events()
        except BaseException as raised:
            error = raised
            refusal = refusal_of(raised) if self._opened else None
            if refusal is not None:
                self._put(refusal.to_event())
                error = None
            if self._opened:
                self._stop_events()
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()

    def _iterate(self, events: Any) -> None:
        iterator = iter(events)
        try:
            for event in iterator:
                if not self._put(event_line(event)):
                    return
        finally:
            if isinstance(iterator, GeneratorType):
                iterator.close()

    def _put(self, line: bytes) -> bool:
        """Hand a line over, as soon as there is room; False when nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._size < _AHEAD or self._shut)
            if self._shut:
                return False
            self._lines.append(line)
            self._size += len(line)
            self._changed.notify_all()
            return True

    def _stopper(self) -> Callable[[], object] | None:
        events = self._events
        if events is None or isinstance(events, GeneratorType):
            return None
        stopper = getattr(events, "stop", None) or getattr(events, "close", None)
        return stopper if callable(stopper) else None

    def _stop_events(self) -> None:
        with self._changed:
            stopper, self._events = self._stopper(), None
        if stopper is None:
            return
        try:
            stopper()
        except Exception:
            logger.warning("%s: stopping what watch_func returned failed", self._where, exc_info=True)


def _as_exception(error: BaseException) -> Exception:
    """A SystemExit of a function must not end the reader's thread."""
    if isinstance(error, Exception):
        return error
    wrapped = RuntimeError(f"the function raised {error!r}")
    wrapped.__cause__ = error
    return wrapped


def is_response(result: Any) -> bool:
    """Whether a function returned an answer itself: a `Response`, or one of urllib3's."""
    return isinstance(result, urllib3.BaseHTTPResponse) or all(
        hasattr(result, name) for name in ("status", "read_error_body", "shutdown", "close")
    )
