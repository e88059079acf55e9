"""`HTTPTransport`: requests with the address, credentials and TLS of the user's `kubernetes.client.ApiClient`.

The user's client is read, never changed: credentials and headers are asked of it for each request, so a rotated token
is used by the next one, and whatever is ours is set on our own copy.
"""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from kubeinformer.errors import ForkedError, TransportError

from ._failures import transport_error
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
        if user_agent is not None and not isinstance(user_agent, str):
            raise TypeError(f"user_agent must be a str or None, not {type(user_agent).__name__}")
        api_client = _checked_client(api_client)
        self.capabilities = ServerCapabilities()
        self._client = api_client
        self._user_agent = user_agent
        self._compression = compression
        self._pid = os.getpid()
        # Older releases of the client take no path, method and body here.
        parameters = inspect.signature(api_client.update_params_for_auth).parameters
        self._auth_takes_request = "resource_path" in parameters
        # Held while the client's hooks run, so that many readers that meet an expired token refresh it once.
        self._lock = threading.Lock()
        self._settings = settings_of(api_client.configuration)
        self._manager = build_pool_manager(api_client.configuration)

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
        if os.getpid() != self._pid:
            raise ForkedError(
                "this transport belongs to the parent process: make a new factory in the child, "
                "for example in gunicorn's post_fork or in an ASGI lifespan"
            )
        where = f"GET {path}"
        if stop is not None and stop.is_set():
            raise TransportError(f"{where}: stopped")
        manager, url, headers, secrets = self._prepare(path, query, accept, where)
        with in_flight(stop) as flight:
            try:
                raw = manager.urlopen(
                    "GET",
                    url,
                    headers=headers,
                    timeout=urllib3.Timeout(connect=connect_timeout, read=read_timeout),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
            except Exception as error:
                failure = transport_error(error, f"{where} at {_host_of(url)}", sent=flight.sent, secrets=secrets)
                # The cause would show in tracebacks what the message leaves out.
                raise failure from (None if isinstance(error, ValueError) else error)
        return HTTPResponse(raw, where, read_timeout=read_timeout, stop=stop)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close idle connections. Requests under way keep theirs; later ones open new ones."""
        self._manager.clear()

    def _prepare(
        self, path: str, query: Sequence[tuple[str, str]], accept: str, where: str
    ) -> tuple[urllib3.PoolManager, str, dict[str, str], list[str]]:
        client = self._client
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
        with self._lock:
            try:
                client.update_params_for_auth(headers, parameters, ["BearerToken"], *request)
            except Exception as error:
                failure = transport_error(error, f"{where}: reading the credentials", sent=False, secrets=self._keys())
                raise failure from None
            configuration = client.configuration
            settings = settings_of(configuration)
            if settings != self._settings:  # a refreshed credential may bring a new certificate
                self._manager, self._settings = build_pool_manager(configuration), settings
            manager = self._manager
        url = str(configuration.host).rstrip("/") + path
        if parameters:
            url += "?" + urlencode(parameters, quote_via=quote)
        secrets = [value for name, value in headers.items() if name.lower() in ("authorization", "cookie")]
        return manager, url, headers, [*secrets, *self._keys()]

    def _keys(self) -> list[str]:
        return [str(key) for key in self._client.configuration.api_key.values() if key]


def _set(headers: dict[str, str], name: str, value: str) -> None:
    """Set a header, whatever the spelling it has now."""
    for present in [key for key in headers if key.lower() == name.lower()]:
        del headers[present]
    headers[name] = value


def _host_of(url: str) -> str:
    """Host and port of a URL, for messages: no credentials, no query."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return "an address that is no URL"


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
