"""Connections with the settings of a `kubernetes.client.Configuration`, whose wait for an answer can be ended.

The pool is the client's own kind of pool, built by the client's own code, so TLS, client certificates, SNI, proxies and
socket options are what the user configured; it is a pool of its own, so nothing here touches the user's requests.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection

from .base import StopSignal

# Idle connections to keep for reuse. Each reader uses one at a time, so this is above any sensible number of informers;
# urllib3 would log a warning for each connection beyond it.
_MAX_IDLE = 1024

# client-go's keepalive: probes after 30 s of silence, 15 s apart, given up after 9. It is what finds a connection that
# a load balancer or a dead node dropped without a word.
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPALIVE", 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 9))

_SETTINGS = (
    "verify_ssl",
    "ssl_ca_cert",
    "ca_cert_data",
    "cert_file",
    "key_file",
    "assert_hostname",
    "tls_server_name",
    "proxy",
    "no_proxy",
    "host",
)


def settings_of(configuration: Any) -> tuple[object, ...]:
    """The settings a pool is built from: two configurations need different pools iff these differ."""
    return tuple(getattr(configuration, name, None) for name in _SETTINGS)


def build_pool_manager(configuration: Any) -> urllib3.PoolManager:
    """A pool manager for the configuration. Opens no connection."""
    from kubernetes.client.rest import RESTClientObject

    manager: urllib3.PoolManager = RESTClientObject(configuration).pool_manager
    options = manager.connection_pool_kw
    options["maxsize"] = _MAX_IDLE
    if getattr(configuration, "socket_options", None) is None:
        options["socket_options"] = [*HTTPConnection.default_socket_options, *_keepalive_options()]
    manager.pool_classes_by_scheme = {
        scheme: _interruptible(pool_class) for scheme, pool_class in manager.pool_classes_by_scheme.items()
    }
    return manager


def _keepalive_options() -> list[tuple[int, int, int]]:
    found = [(socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in _KEEPALIVE if hasattr(socket, name)]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *found]


class Flight:
    """One request on its way: what may end it, and whether it was sent in full."""

    def __init__(self, stop: StopSignal | None) -> None:
        self.stop = stop
        self.sent = False


_in_flight = threading.local()


@contextmanager
def in_flight(stop: StopSignal | None) -> Iterator[Flight]:
    """Within the block, the request that this thread sends through a pool of `build_pool_manager` heeds `stop`."""
    flight = _in_flight.value = Flight(stop)
    try:
        yield flight
    finally:
        del _in_flight.value


class _InterruptibleConnection(HTTPConnection):
    """urllib3 shows a connection's socket only with its answer; the wait for that answer has to be ended too."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        flight: Flight | None = getattr(_in_flight, "value", None)
        if flight is None:
            return super().getresponse()
        flight.sent = True
        if flight.stop is None:
            return super().getresponse()
        with flight.stop.ending(partial(_shut_down, self.sock)):
            return super().getresponse()


def _shut_down(sock: Any) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except (OSError, ValueError, AttributeError):
        pass  # closed already, which ends the wait as well


def _interruptible(pool_class: Any) -> Any:
    connection = type("InterruptibleConnection", (_InterruptibleConnection, pool_class.ConnectionCls), {})
    return type(pool_class.__name__, (pool_class,), {"ConnectionCls": connection})
