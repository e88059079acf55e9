"""`MetadataTransport`: asks for the metadata of objects alone (PartialObjectMetadata).

The server cuts the objects, so the rest of them is neither sent nor kept. One that does not know how answers in full,
which is up to who reads to notice.
"""

from __future__ import annotations

from collections.abc import Sequence

from .base import Response, ServerCapabilities, StopSignal, Transport

_FORM = "application/json;as={};g=meta.k8s.io;v=v1,application/json"
LIST_ACCEPT = _FORM.format("PartialObjectMetadataList")
# The list's form would be answered with a stream that ends at once.
WATCH_ACCEPT = _FORM.format("PartialObjectMetadata")


class MetadataTransport:
    """A `Transport` over another one, which has to heed `accept`."""

    only_collections = True
    """Its form of an answer is that of a list: a single object is asked for as a list of one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def capabilities(self) -> ServerCapabilities:
        """See `Transport.capabilities`."""
        return self._transport.capabilities

    def request(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        accept: str = "",
        read_timeout: float,
        connect_timeout: float,
        stop: StopSignal | None = None,
    ) -> Response:
        """See `Transport.request`; `accept` is what this transport is for."""
        return self._transport.request(
            path,
            query,
            accept=WATCH_ACCEPT if ("watch", "true") in query else LIST_ACCEPT,
            read_timeout=read_timeout,
            connect_timeout=connect_timeout,
            stop=stop,
        )
