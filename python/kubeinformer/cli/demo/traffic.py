"""A transport that counts the bytes of bodies: progress while a list arrives, before there is an object to count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubeinformer.transport import Response, ServerCapabilities, StopSignal, Transport


class CountingTransport:
    """Passes everything on to another transport.

    Attributes:
        received: bytes of all bodies so far. Exact while one reader reads.
    """

    def __init__(self, transport: Transport) -> None:
        self.received = 0
        self._transport = transport

    @property
    def capabilities(self) -> ServerCapabilities:
        """The other's."""
        return self._transport.capabilities

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
        """See `Transport.request`."""
        response = self._transport.request(
            path, query, accept=accept, read_timeout=read_timeout, connect_timeout=connect_timeout, stop=stop
        )
        return _CountingResponse(response, self)


class _CountingResponse:
    def __init__(self, response: Response, counter: CountingTransport) -> None:
        self._response = response
        self._counter = counter

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    @property
    def chunked(self) -> bool:
        return self._response.chunked

    def read(self, timeout: float | None = None) -> bytes:
        data = self._response.read(timeout)
        self._counter.received += len(data)
        return data

    def read_error_body(self, limit: int = 65536) -> bytes:
        return self._response.read_error_body(limit)

    def shutdown(self) -> None:
        self._response.shutdown()

    def close(self, complete: bool) -> None:
        self._response.close(complete=complete)
