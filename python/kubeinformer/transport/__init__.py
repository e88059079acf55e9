"""How bytes come from the API server: the protocol, and its implementation over the user's ApiClient.

Every request is on the wire exactly once: retries, their delays and their meaning belong to the reflector.
"""

from __future__ import annotations

from .base import ReadTimeoutError, RefusedError, Response, ServerCapabilities, StopSignal, Transport
from .http import HTTPTransport

__all__ = [
    "HTTPTransport",
    "ReadTimeoutError",
    "RefusedError",
    "Response",
    "ServerCapabilities",
    "StopSignal",
    "Transport",
]
