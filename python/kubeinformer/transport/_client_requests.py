"""What the user's ApiClient puts into a request: address, headers, credentials, and the settings of connections.

The client is read, never changed. Each request asks anew, so a rotated token is used by the next one; what is made from
the client's settings is kept for as long as they stay the same.
"""

from __future__ import annotations

import inspect
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from kubeinformer.errors import ForkedError, TransportError
from kubeinformer.redaction import redact_foreign

from ._failures import transport_error
from ._refresh import refresh_credentials
from .base import Response, StopSignal

logger = logging.getLogger("kubeinformer")

# Readers that are refused within so many seconds are refused for the same reason.
_BURST_SECONDS = 10.0

_T = TypeVar("_T")
_R = TypeVar("_R", bound=Response)


@dataclass(frozen=True, slots=True)
class PreparedRequest(Generic[_T]):
    """A request to send.

    Attributes:
        connections: what sends it.
        url: whole and escaped.
        headers: without Host.
        secrets: words that must be in no message.
    """

    connections: _T = field(repr=False)
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    secrets: list[str] = field(repr=False)

    @property
    def host(self) -> str:
        """Host and port, for messages: no credentials, no query."""
        try:
            return urlsplit(self.url).netloc.rpartition("@")[2]
        except ValueError:
            return "an address that is no URL"

    def is_same(self, other: PreparedRequest[_T]) -> bool:
        """Whether the server would see no difference."""
        return (self.url, self.headers) == (other.url, other.headers) and self.connections is other.connections


class ClientRequests(Generic[_T]):
    """Prepares requests. Safe to share between threads.

    Args:
        api_client: see `HTTPTransport`.
        user_agent: see `HTTPTransport`.
        compression: see `HTTPTransport`.
        settings_of: the settings of a Configuration that `connect` heeds.
        connect: makes what sends requests, from a Configuration; called when its settings have changed.
    """

    def __init__(
        self,
        api_client: Any,
        user_agent: str | None,
        compression: bool,
        settings_of: Callable[[Any], object],
        connect: Callable[[Any], _T],
    ) -> None:
        if user_agent is not None and not isinstance(user_agent, str):
            raise TypeError(f"user_agent must be a str or None, not {type(user_agent).__name__}")
        self.client = _checked_client(api_client)
        self._user_agent = user_agent
        self._compression = compression
        self._settings_of = settings_of
        self._connect = connect
        self._pid = os.getpid()
        # Older releases of the client take no path, method and body here.
        parameters = inspect.signature(self.client.update_params_for_auth).parameters
        self._auth_takes_request = "resource_path" in parameters
        # Held while the client's hooks run, so that many readers that meet an expired token refresh it once.
        self._lock = threading.Lock()
        self._made: tuple[object, _T] | None = None
        self._refreshing = threading.Lock()
        self._refreshed = -_BURST_SECONDS

    def check_process(self) -> None:
        """Raise ForkedError in a forked child."""
        if os.getpid() != self._pid:
            raise ForkedError(
                "this transport belongs to the parent process: make a new factory in the child, "
                "for example in gunicorn's post_fork or in an ASGI lifespan"
            )

    def settings(self) -> object:
        """The present settings of connections."""
        return self._settings_of(self.client.configuration)

    def connections(self) -> _T | None:
        """What sends requests now; None before there is any."""
        made = self._made
        return None if made is None else made[1]

    def connect(self) -> None:
        """Make what sends requests, rather than with the first one; raises what that raises."""
        with self._lock:
            self._connections()

    def prepare(self, path: str, query: Sequence[tuple[str, str]], accept: str, where: str) -> PreparedRequest[_T]:
        """Ask the client for everything; runs its credential hook, on this thread.

        Raises:
            TransportError: the hook failed.
            Exception: what `connect` raises.
        """
        client = self.client
        headers = {str(name): str(value) for name, value in client.default_headers.items()}
        if client.cookie:
            headers["Cookie"] = str(client.cookie)
        _set(headers, "Accept", accept)
        if self._user_agent is not None:
            _set(headers, "User-Agent", self._user_agent)
        if self._compression:
            _set(headers, "Accept-Encoding", "gzip")
        parameters = list(query)
        request = (path, "GET", None) if self._auth_takes_request else ()
        failure = None
        with self._lock:
            try:
                client.update_params_for_auth(headers, parameters, ["BearerToken"], *request)
            except Exception as error:
                failure = transport_error(error, f"{where}: reading the credentials", sent=False, secrets=self._keys())
            else:
                connections = self._connections()  # a refreshed credential may have brought a new certificate
        if failure is not None:
            # A plugin that fails may have printed what it was to keep. Its error is neither cause nor context.
            raise type(failure)(redact_foreign(str(failure)))
        url = str(client.configuration.host).rstrip("/") + path
        if parameters:
            url += "?" + urlencode(parameters, quote_via=quote)
        secrets = [value for name, value in headers.items() if name.lower() in ("authorization", "cookie")]
        return PreparedRequest(connections, url, headers, [*secrets, *self._keys()])

    def send(
        self,
        send: Callable[[PreparedRequest[_T]], _R],
        path: str,
        query: Sequence[tuple[str, str]],
        accept: str,
        *,
        where: str,
        stop: StopSignal | None,
    ) -> _R:
        """Prepare a request and send it; once more, with other credentials, if it is answered with 401.

        Raises:
            TransportError: `stop` is set, or as `prepare`.
            Exception: what `send` raises.
        """
        if stop is not None and stop.is_set():
            raise TransportError(f"{where}: stopped")
        request = self.prepare(path, query, accept, where)
        response = send(request)
        if response.status != 401:
            return response
        again = self._prepare_again(request, path, query, accept, where)
        if again is None:
            return response
        response.close(complete=False)
        if stop is not None and stop.is_set():
            raise TransportError(f"{where}: stopped")
        return send(again)

    def _prepare_again(
        self, refused: PreparedRequest[_T], path: str, query: Sequence[tuple[str, str]], accept: str, where: str
    ) -> PreparedRequest[_T] | None:
        """What to send in place of a request that was answered with 401; None when there are no other credentials.

        Many readers are refused together. The first of them has the client read its credentials anew, which may take
        the time of an exec plugin; the others wait for that, and find them.
        """
        try:
            with self._refreshing:
                again = self.prepare(path, query, accept, where)
                if again.is_same(refused) and self._refresh():
                    again = self.prepare(path, query, accept, where)
        except Exception as error:  # The 401 is what counts then; a message may hold what the hook was given.
            logger.info("%s: 401, and no other credentials: %s", where, type(error).__name__)
            return None
        return None if again.is_same(refused) else again

    def _refresh(self) -> bool:
        if time.monotonic() - self._refreshed < _BURST_SECONDS:
            return False
        try:
            with self._lock:
                return refresh_credentials(self.client.configuration)
        finally:
            self._refreshed = time.monotonic()

    def _connections(self) -> _T:
        settings = self.settings()
        if self._made is None or settings != self._made[0]:
            self._made = settings, self._connect(self.client.configuration)
        return self._made[1]

    def _keys(self) -> list[str]:
        configuration = self.client.configuration
        addresses = (configuration.host, getattr(configuration, "proxy", None))
        passwords = [getattr(configuration, "password", None), *map(_password, addresses)]
        headers = (getattr(configuration, "proxy_headers", None) or {}).values()
        return [str(secret) for secret in (*configuration.api_key.values(), *passwords, *headers) if secret]


def _password(address: Any) -> str | None:
    try:
        return urlsplit(str(address)).password
    except ValueError:
        return None


def _set(headers: dict[str, str], name: str, value: str) -> None:
    """Set a header, whatever the spelling it has now."""
    for present in [key for key in headers if key.lower() == name.lower()]:
        del headers[present]
    headers[name] = value


def _checked_client(api_client: Any) -> Any:
    if hasattr(api_client, "update_params_for_auth"):
        return api_client
    from kubernetes.client import ApiClient, Configuration

    if isinstance(api_client, Configuration | None):
        return ApiClient(api_client)
    raise TypeError(
        f"api_client must be a kubernetes.client.ApiClient or a Configuration, not {type(api_client).__name__}; "
        "an API class has one in its attribute api_client"
    )
