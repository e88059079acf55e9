"""`HTTPTransport`: requests with the address, credentials and TLS of the user's `kubernetes.client.ApiClient`.

The user's client is read, never changed: credentials and headers are asked of it for each request, so a rotated token
is used by the next one, and whatever is ours is set on our own copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import urllib3

from ._client_requests import ClientRequests, PreparedRequest
from ._failures import caused, transport_error
from ._pool import build_pool_manager, in_flight, settings_of
from ._response import HTTPResponse
from .base import ServerCapabilities, StopSignal


class HTTPTransport:
    """A `Transport` over urllib3. Safe to share between threads; make one for each ApiClient.

    Args:
        api_client: a `kubernetes.client.ApiClient`, however it was configured, or a `Configuration` for one; None = one
            with the package's default configuration.
        user_agent: the User-Agent of these requests; None = the client's own.
        compression: ask the server for gzip. That costs time on both sides and pays on slow networks.

    Raises:
        TypeError: `api_client` is none of these, or `user_agent` no string.
    """

    def __init__(self, api_client: Any = None, *, user_agent: str | None = None, compression: bool = False) -> None:
        self._requests = ClientRequests(api_client, user_agent, compression, settings_of, build_pool_manager)
        self._requests.connect()
        self.capabilities = ServerCapabilities()

    def request(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        accept: str = "application/json",
        read_timeout: float,
        connect_timeout: float,
        stop: StopSignal | None = None,
    ) -> HTTPResponse:
        """See `Transport.request`. Runs the client's credential hook first, on this thread.

        `stop` ends the wait for an answer at once; an attempt to connect ends within `connect_timeout`, and a
        credential hook when it returns.
        """
        self._requests.check_process()
        where = f"GET {path}"

        def send(request: PreparedRequest[urllib3.PoolManager]) -> HTTPResponse:
            return self._send(request, where, read_timeout, connect_timeout, stop)

        return self._requests.send(send, path, query, accept, where=where, stop=stop)

    def _send(
        self,
        request: PreparedRequest[urllib3.PoolManager],
        where: str,
        read_timeout: float,
        connect_timeout: float,
        stop: StopSignal | None,
    ) -> HTTPResponse:
        failure = None
        with in_flight(stop) as flight:
            try:
                raw = request.connections.urlopen(
                    "GET",
                    request.url,
                    headers=request.headers,
                    timeout=urllib3.Timeout(connect=connect_timeout, read=read_timeout),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
            except Exception as error:
                place = f"{where} at {request.host}"
                failure = transport_error(error, place, sent=flight.sent, secrets=request.secrets)
                failure = caused(failure, error, request.secrets)
        if failure is not None:
            raise failure
        return HTTPResponse(raw, where, read_timeout=read_timeout, stop=stop)  # type: ignore[arg-type]

    @property
    def api_client(self) -> Any:
        """The client that it reads."""
        return self._requests.client

    def close(self) -> None:
        """Close idle connections. Requests under way keep theirs; later ones open new ones."""
        connections = self._requests.connections()
        if connections is not None:
            connections.clear()
