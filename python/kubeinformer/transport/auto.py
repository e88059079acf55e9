"""`make_transport`: which transport is used, and `AutoTransport`, which is the native one wherever that can be used.

What one of the two has learnt about a server holds for the other. A request is sent by one of them only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any, Literal

from ._native_client import NotNativeError, native_settings_of
from .base import Response, ServerCapabilities, StopSignal, TLSError, Transport
from .http import HTTPTransport
from .native import NativeTransport

logger = logging.getLogger("kubeinformer")

TransportName = Literal["auto", "native", "python"]


def make_transport(
    transport: Transport | TransportName | None = None,
    api_client: Any = None,
    *,
    user_agent: str | None = None,
    compression: bool = False,
) -> Transport:
    """Return the transport that is meant.

    Args:
        transport: a transport, which is returned as it is; "native", that of the Rust core; "python", that over
            urllib3; "auto" or None, the native one wherever it can be used.
        api_client: see `HTTPTransport`.
        user_agent: see `HTTPTransport`.
        compression: see `HTTPTransport`.

    Raises:
        TypeError: `transport` is no transport, or see `HTTPTransport`.
        ValueError: another name, or "native" for a client whose settings the native one cannot do.
    """
    match transport:
        case None | "auto":
            return AutoTransport(api_client, user_agent=user_agent, compression=compression)
        case "python":
            return HTTPTransport(api_client, user_agent=user_agent, compression=compression)
        case "native":
            native = NativeTransport(api_client, user_agent=user_agent, compression=compression)
            try:
                native.check()
            except NotNativeError as error:
                raise ValueError(f'transport="native" cannot be used: {error}') from None
            return native
        case str():
            raise ValueError(f'transport must be "auto", "native", "python" or a transport, not {transport!r}')
    if not (hasattr(transport, "request") and hasattr(transport, "capabilities")):
        raise TypeError(f"transport must have request() and capabilities, which {type(transport).__name__} has not")
    return transport


class AutoTransport:
    """A `Transport`: `NativeTransport`, or `HTTPTransport` for settings with which that cannot be used.

    Those are settings that it does not know, and servers whose handshake fails with it and succeeds with Python's
    `ssl`. The log then says so, once, until the settings change.

    Args:
        api_client: see `HTTPTransport`.
        user_agent: see `HTTPTransport`.
        compression: see `HTTPTransport`.

    Raises:
        TypeError: see `HTTPTransport`.
    """

    def __init__(self, api_client: Any = None, *, user_agent: str | None = None, compression: bool = False) -> None:
        self._python = HTTPTransport(api_client, user_agent=user_agent, compression=compression)
        client = self._python.api_client
        self._native = NativeTransport(client, user_agent=user_agent, compression=compression)
        self._native.capabilities = self._python.capabilities
        self._client = client
        self._lock = threading.Lock()
        self._not_native: object = None

    @property
    def capabilities(self) -> ServerCapabilities:
        """See `Transport.capabilities`."""
        return self._python.capabilities

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
        """See `Transport.request`; `stop` is heeded as by the transport that is used."""

        def by_python() -> Response:
            return self._python.request(
                path, query, accept=accept, read_timeout=read_timeout, connect_timeout=connect_timeout, stop=stop
            )

        settings = native_settings_of(self._client.configuration)
        if settings == self._not_native:
            return by_python()
        try:
            return self._native.send(
                path, query, accept=accept, read_timeout=read_timeout, connect_timeout=connect_timeout, stop=stop
            )
        except NotNativeError as error:
            reason = str(error)
            self._leave_native(reason)
        except TLSError as error:
            reason = str(error)
        # Python's `ssl` has the last word on a handshake: it may know the server's old ciphers, and says better what is
        # wrong. Not within the block above, whose exception would become the cause of the next.
        response = by_python()
        self._leave_native(reason)
        return response

    def _leave_native(self, reason: str) -> None:
        settings = native_settings_of(self._client.configuration)
        with self._lock:
            if settings == self._not_native:
                return
            self._not_native = settings
        logger.info("the Python transport is used: %s", reason)

    def close(self) -> None:
        """Close idle connections. Requests under way keep theirs; later ones open new ones."""
        self._native.close()
        self._python.close()


OwnTransport = AutoTransport | HTTPTransport | NativeTransport
"""The transports of this package, which have connections to close."""
