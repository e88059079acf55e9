"""How bytes come from the API server: the protocol, and its implementations over the user's ApiClient.

Every request is on the wire exactly once: retries, their delays and their meaning belong to the reflector.
"""

from __future__ import annotations

from .auto import AutoTransport, OwnTransport, TransportName, make_transport
from .base import ReadTimeoutError, RefusedError, Response, ServerCapabilities, StopSignal, TLSError, Transport
from .http import HTTPTransport
from .native import NativeTransport

__all__ = [
    "AutoTransport",
    "HTTPTransport",
    "NativeTransport",
    "OwnTransport",
    "ReadTimeoutError",
    "RefusedError",
    "Response",
    "ServerCapabilities",
    "StopSignal",
    "TLSError",
    "Transport",
    "TransportName",
    "make_transport",
]
