"""What a reflector needs of a transport, and the signal that ends its blocking calls.

Once a `StopSignal` is set, every call that was given it returns or raises: what waits for bytes is ended at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from kubeinformer.errors import TransportError


class RefusedError(TransportError, ConnectionRefusedError):
    """Nobody listens at the server's address (or at the proxy's)."""


class ReadTimeoutError(TransportError, TimeoutError):
    """The request was sent, but the server was silent for longer than the time allowed."""


class TLSError(TransportError):
    """The handshake of TLS failed, so nothing was sent."""


class StopSignal:
    """A flag that is set once, and the actions that setting it takes to end blocking calls.

    An action runs at most once, with the signal's lock held, and never after `remove` of it has returned: so a socket
    that went back to a pool is never shut down in another request's hands.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._actions: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Whether `set` was called."""
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the signal is set or `timeout` seconds are over; True iff it is set."""
        return self._event.wait(timeout)

    def set(self) -> None:
        """Set the flag and run the actions. From any thread, any number of times; does not block."""
        with self._lock:
            self._event.set()
            actions, self._actions = self._actions, []
            for action in actions:
                action()

    def add(self, action: Callable[[], None]) -> None:
        """Run `action` when the signal is set, or now if it is. It must neither block nor raise."""
        with self._lock:
            if self._event.is_set():
                action()
            else:
                self._actions.append(action)

    def remove(self, action: Callable[[], None]) -> None:
        """Forget `action`, if it is still waiting to run."""
        with self._lock:
            if action in self._actions:
                self._actions.remove(action)

    @contextmanager
    def ending(self, action: Callable[[], None]) -> Iterator[None]:
        """Within the block, setting the signal runs `action`."""
        self.add(action)
        try:
            yield
        finally:
            self.remove(action)


class ServerCapabilities:
    """What was learnt about a server, shared by every reflector that uses one transport.

    Decisions are kept by API group and version, because that is the unit in which a cluster delegates to aggregated API
    servers: what one of them cannot do says nothing about the others. They last as long as the transport.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._without_watch_list: dict[str, str] = {}

    def supports_watch_list(self, api_version: str) -> bool:
        """Whether streaming lists are worth trying: no attempt has shown that they do not work."""
        with self._lock:
            return api_version not in self._without_watch_list

    def disable_watch_list(self, api_version: str, reason: str) -> bool:
        """Remember that streaming lists do not work. True iff that is news."""
        with self._lock:
            news = api_version not in self._without_watch_list
            self._without_watch_list.setdefault(api_version, reason)
            return news

    def without_watch_list(self) -> dict[str, str]:
        """The reason of each decision, by API version."""
        with self._lock:
            return dict(self._without_watch_list)


class Response(Protocol):
    """The answer to one request; its body is read by one thread.

    A response may also have `read_into(reader, timeout, at_most)` and `silence()`, as `NativeResponse` has, which spare
    the interpreter the bytes; without them `read` is all that is needed.
    """

    @property
    def status(self) -> int:
        """HTTP status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers; look-up ignores case."""

    @property
    def chunked(self) -> bool:
        """True: `read` gives bytes in HTTP's chunked coding, False: the body itself."""

    def read(self, timeout: float | None = None) -> bytes:
        """What is readable now, at most 256 KiB; blocks only while nothing is. b"" at the end of the body.

        Args:
            timeout: seconds to wait for the first byte; None = the request's `read_timeout`.

        Raises:
            ReadTimeoutError: nothing came in that time. The response is of no further use.
            TransportError: the body broke off, is shorter than its Content-Length, or `shutdown` was called.
        """

    def read_error_body(self, limit: int = 65536) -> bytes:
        """Up to `limit` bytes of the body, decoded, for an error message; what cannot be read is left out.

        Blocks for at most 10 s at a time without a byte, and for a minute in all. Not after `read`.
        """

    def shutdown(self) -> None:
        """End a blocked `read` at once; later ones raise. From any thread, does not block."""

    def close(self, complete: bool) -> None:
        """Give the connection back.

        Args:
            complete: the body was read to its end, so the next request may use the connection.
        """


class Transport(Protocol):
    """Sends requests to one API server. Every method may be called from many threads at once."""

    @property
    def capabilities(self) -> ServerCapabilities:
        """What is known about the server."""

    def request(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        accept: str = "application/json",
        read_timeout: float,
        connect_timeout: float,
        stop: StopSignal | None = None,
    ) -> Response:
        """Send one GET, exactly once, and return when the answer's headers are there, whatever the status.

        Only what is answered with 401 may be sent once more, with other credentials.

        Args:
            path: path below the server's address, escaped.
            query: parameters, not escaped.
            accept: the Accept header.
            read_timeout: seconds to wait for the headers, and for each piece of the body unless `read` says otherwise.
            connect_timeout: seconds to wait for the connection, TLS included.
            stop: ends the wait for the headers, and later every read of the response; whether also an attempt to
                connect is the transport's to say.

        Raises:
            RefusedError: nobody listens.
            ReadTimeoutError: no answer within `read_timeout`.
            TransportError: anything else that kept the answer from coming, credentials that cannot be read included.
            ForkedError: this is a forked child.
        """
