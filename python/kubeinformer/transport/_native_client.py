"""Makes the core's HTTP client from a `kubernetes.client.Configuration`.

What the client's own code makes of a Configuration decides: its pool manager is built, and read. An option of it that
is not known here is never passed over in silence.
"""

from __future__ import annotations

import os
import ssl
from typing import Any

from urllib3 import PoolManager, ProxyManager
from urllib3.util import Url, parse_url

from kubeinformer._core import HTTPClient

from ._pool import settings_of

_PORTS = {"http": 80, "https": 443}

# Of our own making in either transport, or without a meaning where a request is sent once.
_OURS = {"maxsize", "retries", "socket_options"}
_TLS = {"cert_reqs", "ca_certs", "ca_cert_data", "cert_file", "key_file", "assert_hostname", "server_hostname"}
_PROXY = {"_proxy", "_proxy_headers", "_proxy_config"}


class NotNativeError(Exception):
    """The native client cannot do what the Configuration asks for; the message says what."""


def native_settings_of(configuration: Any) -> tuple[object, ...]:
    """As `settings_of`; a file that was replaced under its name counts as another."""
    names = ("ssl_ca_cert", "cert_file", "key_file")
    stamps = tuple(_stamp(getattr(configuration, name, None)) for name in names)
    headers = getattr(configuration, "proxy_headers", None)
    return (*settings_of(configuration), *stamps, tuple(sorted((headers or {}).items())))


def _stamp(path: Any) -> tuple[int, ...] | None:
    if not path:
        return None
    try:
        found = os.stat(path)
    except (OSError, TypeError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def build_client(configuration: Any, *, http2: bool = False) -> HTTPClient:
    """A client for the server of the configuration. Opens no connection.

    Raises:
        NotNativeError: the native client cannot do what it asks for.
    """
    if getattr(configuration, "socket_options", None) is not None:
        raise NotNativeError("socket_options is set")
    manager, options = _manager_of(configuration)
    address = _url(str(configuration.host), "the host")
    tls = None
    if address.scheme == "https":
        tls = _tls(options, str(address.host))
    elif address.scheme != "http":
        raise NotNativeError(f"the host's scheme is {address.scheme!r}")
    try:
        return HTTPClient(str(address.host), _port(address), tls=tls, proxy=_proxy(manager), http2=http2)
    except ValueError as error:
        raise NotNativeError(str(error)) from None


def _manager_of(configuration: Any) -> tuple[PoolManager, dict[str, Any]]:
    from kubernetes.client.rest import RESTClientObject

    try:
        manager = RESTClientObject(configuration).pool_manager
    except Exception as error:
        raise NotNativeError(f"the client's pool: {type(error).__name__}") from None
    if type(manager) not in (PoolManager, ProxyManager):
        raise NotNativeError(f"the client's pool is a {type(manager).__name__}")
    # An option that is None, or a function of HTTPS on a plain connection, asks for nothing.
    options = {name: value for name, value in manager.connection_pool_kw.items() if value is not None}
    unknown = sorted(options.keys() - _OURS - _TLS - _PROXY)
    if unknown:
        raise NotNativeError(f"the client's pool has the option {unknown[0]}")
    if options.get("assert_hostname") is not None:
        raise NotNativeError("assert_hostname is set")
    return manager, options


def _url(url: str, what: str) -> Url:
    try:
        parsed = parse_url(url)
        if parsed.host:
            return parsed
    except Exception:
        pass  # its message may hold a password
    raise NotNativeError(f"{what} is no address")


def _port(url: Url) -> int:
    return url.port or _PORTS.get(url.scheme or "http", 80)


def _proxy(manager: PoolManager) -> tuple[str, int, list[tuple[str, bytes]]] | None:
    if not isinstance(manager, ProxyManager):
        return None
    proxy = manager.proxy
    if proxy is None or proxy.scheme != "http" or not proxy.host:
        raise NotNativeError("the proxy is not one of plain HTTP")
    headers = [(str(name), str(value).encode("latin-1")) for name, value in (manager.proxy_headers or {}).items()]
    return proxy.host, _port(proxy), headers


def _tls(options: dict[str, Any], host: str) -> tuple[str, bytes | None, tuple[bytes, bytes] | None]:
    name = options.get("server_hostname") or host.strip("[]")
    authorities = None
    if options.get("cert_reqs") != ssl.CERT_NONE:
        authorities = _authorities(options)
    certificate = options.get("cert_file")
    if not certificate:
        return name, authorities, None
    return name, authorities, (_read(certificate), _read(options.get("key_file") or certificate))


def _authorities(options: dict[str, Any]) -> bytes:
    found = []
    if options.get("ca_certs"):
        found.append(_read(options["ca_certs"]))
    data = options.get("ca_cert_data")
    if isinstance(data, bytes):
        raise NotNativeError("ca_cert_data is not PEM text")
    if data:
        found.append(data.encode())
    return b"\n".join(found or _default_authorities())


def _default_authorities() -> list[bytes]:
    """What Python's ssl believes when it is told nothing: a file, and a folder where OpenSSL looks by hash."""
    paths = ssl.get_default_verify_paths()
    files = [paths.cafile] if paths.cafile else []
    if paths.capath:
        for name in sorted(os.listdir(paths.capath)):
            hashed, _, number = name.rpartition(".")
            if len(hashed) == 8 and number.isdecimal():
                files.append(os.path.join(paths.capath, name))
    found = []
    for file in files:
        try:
            found.append(_read(file))
        except NotNativeError:
            continue  # a link into nowhere, which OpenSSL passes over as well
    return found


def _read(path: Any) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise NotNativeError(f"{path}: {error.strerror}") from None
