"""Statements 66 and 67: HTTP/2, spoken by hand, because what is looked at is its frames."""

from __future__ import annotations

import socket
import ssl
import struct
import threading

import pytest

from apiserver.binaries import Binaries
from apiserver.cluster import TOKEN, Cluster
from kubeinformer.testing.objects import config_map

from .flagged import AuthorizingCluster
from .servers import Api, RealServer, Server

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
MAPS = "/api/v1/namespaces/default/configmaps"


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _text(value: bytes) -> bytes:
    """A string in HPACK, as it is."""
    assert len(value) < 127
    return bytes([len(value)]) + value


def _get(stream: int, path: str) -> bytes:
    """The frame of a GET. The names come from HPACK's table: :method, :scheme, :path, :authority, authorization."""
    bearer = _text(f"Bearer {TOKEN}".encode())
    block = b"\x82\x87\x04" + _text(path.encode()) + b"\x01" + _text(b"test") + b"\x0f\x08" + bearer
    return _frame(HEADERS, END_STREAM | END_HEADERS, stream, block)


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more, "the connection ended"
        data += more
    return data


def _read(sock: socket.socket) -> tuple[int, int, int, bytes]:
    """The next frame: kind, flags, stream and payload."""
    head = _exactly(sock, 9)
    kind, flags, stream = struct.unpack(">BBI", head[3:])
    return kind, flags, stream, _exactly(sock, int.from_bytes(head[:3]))


def _connect(cluster: Cluster, *protocols: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=cluster.ca_certificate)
    context.set_alpn_protocols(list(protocols))
    port = int(cluster.url.rpartition(":")[2])
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.real_only("it has no TLS, so nothing to negotiate in")
def test_st67_http_2_is_negotiated_and_http_1_served(server: Server) -> None:
    assert isinstance(server, RealServer)
    for offered, chosen in ((("h2", "http/1.1"), "h2"), (("h2",), "h2"), (("http/1.1",), "http/1.1")):
        with _connect(server.cluster, *offered) as sock:
            assert sock.selected_alpn_protocol() == chosen
    with _connect(server.cluster, "http/1.1") as sock:
        request = f"GET /version HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        sock.sendall(request.encode())
        assert sock.recv(15) == b"HTTP/1.1 200 OK"


def test_st67_http_1_without_tls_is_served(api: Api) -> None:
    """What both have in common: a connection serves one request after the other."""
    with api.raw("/version") as sock:
        assert sock.recv(15) == b"HTTP/1.1 200 OK"


def test_st66_goaway_spares_the_running_watch(binaries: Binaries) -> None:
    with AuthorizingCluster(binaries) as cluster, _connect(cluster, "h2") as sock:
        sock.sendall(PREFACE + _frame(SETTINGS, 0, 0) + _frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30)))
        # A watch may be the one that is told; only then the connection is closed to new requests.
        watch, stream = 1, 1
        sock.sendall(_get(watch, f"{MAPS}?watch=1&timeoutSeconds=60"))
        told = False
        ended = set()
        for _ in range(2000):
            if told:
                break
            stream += 2
            sock.sendall(_get(stream, "/version"))
            while stream not in ended and not told:
                kind, flags, number, payload = _read(sock)
                if kind == SETTINGS and not flags & ACK:
                    sock.sendall(_frame(SETTINGS, ACK, 0))
                elif kind == PING and not flags & ACK:
                    sock.sendall(_frame(PING, ACK, 0, payload))
                elif kind in (DATA, HEADERS) and flags & END_STREAM:
                    ended.add(number)
                told = told or kind == GOAWAY
        assert told, "no GOAWAY in 2000 requests with a chance of 2 %"
        assert watch not in ended
        writing = threading.Thread(target=RealServer(cluster).api.post, args=(MAPS, config_map("after")))
        writing.start()
        received = b""
        while b'"after"' not in received:
            kind, flags, number, payload = _read(sock)
            assert not (number == watch and flags & END_STREAM and kind in (DATA, HEADERS))
            received += payload if (kind, number) == (DATA, watch) else b""
        writing.join()
