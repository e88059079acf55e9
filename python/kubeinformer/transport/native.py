"""`NativeTransport`: requests of the core's own HTTP client, whose bodies reach the readers without the interpreter.

Address, headers, credentials and TLS of each request are those of the user's client, as with `HTTPTransport`.
Everything that waits, an attempt to connect included, ends at once when it is told to.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from urllib3 import HTTPHeaderDict
from urllib3.util import parse_url

from kubeinformer._core import HTTPClient, HTTPExchange, ListReader, WatchReader
from kubeinformer.errors import TransportError

from ._client_requests import ClientRequests, PreparedRequest
from ._native_client import NotNativeError, build_client, native_settings_of
from .base import ServerCapabilities, StopSignal

_ERROR_BODY_TIMEOUT = 10.0
# Of a body that comes in drops.
_ERROR_BODY_DEADLINE = 60.0


class NativeTransport:
    """A `Transport` over the core's HTTP client. Safe to share between threads; make one for each ApiClient.

    It speaks HTTP/1.1 unless told otherwise: a watch then has a connection of its own, so no other one's bytes stand
    before it, and the work of TLS is spread over threads.

    Args:
        api_client: see `HTTPTransport`.
        user_agent: see `HTTPTransport`.
        compression: see `HTTPTransport`.
        http2: offer HTTP/2, by which all requests share one connection.

    Raises:
        TypeError: see `HTTPTransport`.
    """

    def __init__(
        self,
        api_client: Any = None,
        *,
        user_agent: str | None = None,
        compression: bool = False,
        http2: bool = False,
    ) -> None:
        connect = partial(build_client, http2=http2)
        self._requests: ClientRequests[HTTPClient] = ClientRequests(
            api_client, user_agent, compression, native_settings_of, connect
        )
        self.capabilities = ServerCapabilities()

    def check(self) -> None:
        """Raise `NotNativeError` iff the settings of the client are now such that it cannot be used."""
        build_client(self._requests.client.configuration)

    def request(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        accept: str = "application/json",
        read_timeout: float,
        connect_timeout: float,
        stop: StopSignal | None = None,
    ) -> NativeResponse:
        """See `Transport.request`. Runs the client's credential hook first, on this thread.

        `stop` ends an attempt to connect and the wait for an answer at once, and a credential hook when it returns.

        Raises:
            TLSError: the handshake failed; nothing was sent.
        """
        try:
            return self.send(
                path, query, accept=accept, read_timeout=read_timeout, connect_timeout=connect_timeout, stop=stop
            )
        except NotNativeError as error:
            raise TransportError(f"GET {path}: {error}, which the native transport cannot do") from None

    def send(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        accept: str,
        read_timeout: float,
        connect_timeout: float,
        stop: StopSignal | None,
    ) -> NativeResponse:
        """`request`, except that it raises `NotNativeError` as it is."""
        self._requests.check_process()
        where = f"GET {path}"

        def send(request: PreparedRequest[HTTPClient]) -> NativeResponse:
            exchange = _exchange(request, f"{where} at {request.host}", read_timeout, connect_timeout)
            if stop is None:
                exchange.send()
            else:
                with stop.ending(exchange.shutdown):
                    exchange.send()
            return NativeResponse(exchange, read_timeout=read_timeout, stop=stop)

        return self._requests.send(send, path, query, accept, where=where, stop=stop)

    def close(self) -> None:
        """Close idle connections. Requests under way keep theirs; later ones open new ones."""
        client = self._requests.connections()
        if client is not None:
            client.close_idle()


def _exchange(
    request: PreparedRequest[HTTPClient], place: str, read_timeout: float, connect_timeout: float
) -> HTTPExchange:
    headers = {"Accept-Encoding": "identity"}
    for name in request.headers:
        if name.lower() == "accept-encoding":
            del headers["Accept-Encoding"]
    headers.update(request.headers)
    try:
        target = parse_url(request.url).request_uri
        encoded = [(name, value.encode("latin-1")) for name, value in headers.items()]
        return request.connections.get(
            target, encoded, connect_timeout=connect_timeout, read_timeout=read_timeout, place=place
        )
    except UnicodeEncodeError:
        failure = TransportError(f"{place}: a header has characters that HTTP does not know")
    except ValueError as error:
        failure = TransportError(f"{place}: {error}")
    raise failure


class NativeResponse:
    """A `Response` of the native client; `read` gives the body without any coding."""

    chunked = False

    def __init__(self, exchange: HTTPExchange, *, read_timeout: float, stop: StopSignal | None) -> None:
        self._exchange = exchange
        self._read_timeout = read_timeout
        self._stop = stop
        self.status = exchange.status
        self.headers: Mapping[str, str] = HTTPHeaderDict(exchange.headers)
        if stop is not None:
            stop.add(exchange.shutdown)

    def read(self, timeout: float | None = None) -> bytes:
        """See `Response.read`."""
        return self._exchange.read(self._read_timeout if timeout is None else timeout)

    def read_into(
        self, reader: ListReader | WatchReader, timeout: float | None = None, at_most: float = math.inf
    ) -> bool:
        """Feed a reader of the core with the body, on threads that never need the interpreter.

        Blocks until the body is at its end, the reader says that the stream is over, a bookmark came, or the time is
        up; what is to be known meanwhile is to be asked of the reader and of `silence`.

        Args:
            reader: where the bytes go.
            timeout: seconds without a byte that are too long; None = the request's `read_timeout`.
            at_most: seconds after which it returns, whatever comes; later if the queue is full then.

        Returns:
            True at the end of the body or of the stream.

        Raises:
            ReadTimeoutError, TransportError: as `read`; what came before was fed.
            DecodeError, ClosedError: as the reader's `feed`.
        """
        return self._exchange.read_into(reader, self._read_timeout if timeout is None else timeout, at_most)

    def silence(self) -> float:
        """Seconds since the last byte came; it may be asked by any thread."""
        return self._exchange.silence()

    def read_error_body(self, limit: int = 65536) -> bytes:
        """See `Response.read_error_body`."""
        body, deadline = bytearray(), time.monotonic() + _ERROR_BODY_DEADLINE
        try:
            while len(body) < limit and time.monotonic() < deadline:
                data = self.read(min(self._read_timeout, _ERROR_BODY_TIMEOUT))
                if not data:
                    break
                body += data
        except Exception:  # The status is what matters; a body that breaks off must not hide it.
            return b""
        return bytes(body[:limit])

    def shutdown(self) -> None:
        """See `Response.shutdown`."""
        self._exchange.shutdown()

    def close(self, complete: bool) -> None:
        """See `Response.close`. Does not block."""
        if self._stop is not None:
            self._stop.remove(self._exchange.shutdown)
        self._exchange.close(complete)
