"""Bodies over real sockets: nothing waits for what comes later, and nothing short passes for whole."""

from __future__ import annotations

import gzip
import threading
import time
import zlib

import pytest
from kubernetes.client import ApiClient, Configuration
from socket_server import CHUNKED as TRANSFER_CHUNKED
from socket_server import Connection, SocketServer, chunk, head

from kubeinformer.errors import TransportError
from kubeinformer.transport import HTTPTransport, ReadTimeoutError, Transport

AnyTransport: type[Transport] = HTTPTransport  # `both_transports` sets it for each test
pytestmark = pytest.mark.usefixtures("both_transports")

EVENT = b'{"type":"ADDED","object":{"metadata":{"name":"%d"}}}\n'


def transport(server: SocketServer, **options) -> Transport:
    return AnyTransport(ApiClient(Configuration(host=server.url)), **options)


def get(client: Transport, path: str = "/api/v1/pods", **options):
    return client.request(path, [], **{"read_timeout": 10.0, "connect_timeout": 10.0, **options})


def read_all(response) -> bytes:
    body = b""
    while data := response.read():
        body += data
    return body


def read_chunked(response) -> bytes:
    """The raw bytes of a chunked body, to its last chunk."""
    assert response.chunked
    body = b""
    while not body.endswith(b"0\r\n\r\n"):
        data = response.read()
        assert data, "the body ended before its last chunk"
        body += data
    return body


class Gzip:
    """A gzip stream flushed after each event."""

    headers = ("Content-Encoding: gzip",)

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(1, zlib.DEFLATED, 31)

    def __call__(self, event: bytes) -> bytes:
        return self._compressor.compress(event) + self._compressor.flush(zlib.Z_SYNC_FLUSH)


class Members:
    """One gzip member for each event, as kube-apiserver 1.37 sends watch-lists."""

    headers = ("Content-Encoding: gzip",)

    def __call__(self, event: bytes) -> bytes:
        return gzip.compress(event)


class Plain:
    headers = ()

    def __call__(self, event: bytes) -> bytes:
        return event


CHUNKED = (TRANSFER_CHUNKED,)
CLOSE = ("Connection: close",)
LONG = ("Content-Length: 1000000",)


@pytest.mark.parametrize("coding", [Plain, Gzip, Members])
@pytest.mark.parametrize("framing", [CHUNKED, CLOSE, LONG], ids=["chunked", "close-delimited", "content-length"])
def test_an_event_is_read_within_50_ms_and_never_waits_for_the_next(coding, framing, both_transports):
    went_out = []
    was_read = [threading.Event() for _ in range(6)]

    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(*framing, *coding.headers))
        encode = coding()
        for number, read in enumerate(was_read):
            data = encode(EVENT % number)
            went_out.append(time.monotonic())
            connection.send(chunk(data) if framing is CHUNKED else data)
            assert read.wait(10), "the event was not read before the next was sent"

    with SocketServer(handler) as server:
        response = get(transport(server, compression=coding is not Plain))
        # The native transport takes off every coding itself.
        left_on = framing is CHUNKED and coding is Plain and both_transports is HTTPTransport
        assert response.chunked is left_on
        times = []
        for number, read in enumerate(was_read):
            body = b""
            while EVENT % number not in body:
                body += response.read()
            times.append(time.monotonic() - went_out[number])
            read.set()
        response.close(complete=False)
    assert min(times) < 0.05


@pytest.mark.parametrize("coding", [Plain, Gzip, Members])
@pytest.mark.parametrize("framing", [CHUNKED, CLOSE], ids=["chunked", "close-delimited"])
def test_a_body_comes_whole_whatever_the_pieces(coding, framing):
    events = [EVENT % number * 500 for number in range(20)]

    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(*framing, *coding.headers))
        encode = coding()
        for event in events:
            data = encode(event)
            connection.send(chunk(data) if framing is CHUNKED else data)
        if framing is CHUNKED:
            connection.send(chunk(b""))

    with SocketServer(handler) as server:
        response = get(transport(server))
        if response.chunked:
            assert read_chunked(response) == b"".join(chunk(event) for event in events) + chunk(b"")
        else:
            assert read_all(response) == b"".join(events)
        response.close(complete=True)


def test_at_most_256_kib_at_a_time():
    body = b"x" * 1_000_000
    with SocketServer(lambda c: (c.request(), c.answer(body))) as server:
        response = get(transport(server))
        sizes = []
        while data := response.read():
            sizes.append(len(data))
        assert sum(sizes) == len(body)
        assert max(sizes) <= 256 * 1024
        response.close(complete=True)


def serve_pages(connection: Connection, framing: tuple[str, ...]) -> None:
    while connection.request():
        body = b"{" + b" " * 100_000 + b"}"
        if framing is CHUNKED:
            connection.send(head(*framing), chunk(body), chunk(b""))
        else:
            connection.answer(body)


@pytest.mark.parametrize("framing", [CHUNKED, LONG], ids=["chunked", "content-length"])
def test_pages_share_one_connection(framing):
    with SocketServer(lambda c: serve_pages(c, framing)) as server:
        client = transport(server)
        for _ in range(5):
            response = get(client)
            read_chunked(response) if response.chunked else read_all(response)
            response.close(complete=True)
        assert len(server.requests) == 5
        assert server.connections == 1


def test_compressed_pages_share_one_connection():
    def handler(connection: Connection) -> None:
        while connection.request():
            connection.send(head(*CHUNKED, *Gzip.headers), chunk(gzip.compress(b"{}" * 1000)), chunk(b""))

    with SocketServer(handler) as server:
        client = transport(server)
        for _ in range(3):
            response = get(client)
            assert read_all(response) == b"{}" * 1000
            response.close(complete=True)
        assert server.connections == 1


def test_a_body_that_was_not_read_to_its_end_costs_the_connection():
    with SocketServer(lambda c: serve_pages(c, LONG)) as server:
        client = transport(server)
        for complete in (False, True):  # True is a mistake of the caller's here, and does no harm
            response = get(client)
            response.read()
            response.close(complete=complete)
            response.close(complete=complete)
        assert server.connections == 2


def test_an_empty_body():
    with SocketServer(lambda c: (c.request(), c.answer(b""))) as server:
        response = get(transport(server))
        assert response.read() == b""
        response.close(complete=True)


def test_a_body_shorter_than_its_content_length_is_an_error():
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head("Content-Length: 1000"), b"x" * 600)

    with SocketServer(handler) as server:
        response = get(transport(server))
        with pytest.raises(TransportError, match="600 of 1000 bytes"):
            read_all(response)
        response.close(complete=False)


def test_a_chunked_body_that_breaks_off_does_not_pass_for_whole_and_its_connection_is_not_used_again(both_transports):
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(*CHUNKED), chunk(b"a"), b"5\r\nab")

    with SocketServer(handler) as server:
        client = transport(server)
        for _ in range(2):
            response = get(client)
            if both_transports is HTTPTransport:
                body = read_all(response)
                assert body == chunk(b"a") + b"5\r\nab", "the reader sees that the last chunk is missing"
            else:  # which knows the coding itself
                assert response.read() == b"aab"
                with pytest.raises(TransportError, match="broke off"):
                    read_all(response)
            response.close(complete=True)
        assert server.connections == 2


def test_a_compressed_chunked_body_that_breaks_off_is_an_error():
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(*CHUNKED, *Gzip.headers), chunk(gzip.compress(b"{}")), b"50\r\nab")

    with SocketServer(handler) as server:
        response = get(transport(server))
        with pytest.raises(TransportError):
            read_all(response)
        response.close(complete=False)


def test_garbage_for_gzip_is_an_error():
    with SocketServer(lambda c: (c.request(), c.answer(b"<html>", "Content-Encoding: gzip"))) as server:
        response = get(transport(server))
        with pytest.raises(TransportError, match="GET /api/v1/pods"):
            read_all(response)
        response.close(complete=False)


@pytest.mark.parametrize("coding", [Plain, Gzip])
def test_silence_is_a_time_out_that_each_read_sets(coding):
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(*CHUNKED, *coding.headers), chunk(coding()(EVENT % 1)))
        connection.until_closed()

    with SocketServer(handler) as server:
        response = get(transport(server), read_timeout=30.0)
        response.read()
        started = time.monotonic()
        with pytest.raises(ReadTimeoutError):
            response.read(0.05)
        assert time.monotonic() - started < 5
        response.close(complete=False)


def test_the_read_timeout_of_the_request_is_the_default():
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(*CHUNKED))
        connection.until_closed()

    with SocketServer(handler) as server:
        response = get(transport(server), read_timeout=0.05)
        with pytest.raises(ReadTimeoutError):
            response.read()
        response.close(complete=False)


@pytest.mark.parametrize("framing", [CHUNKED, LONG], ids=["chunked", "content-length"])
def test_the_body_of_an_error_and_the_connection_after_it(framing):
    body = b'{"kind":"Status","message":"no"}'

    def handler(connection: Connection) -> None:
        while connection.request():
            if framing is CHUNKED:
                connection.send(head(*CHUNKED, status="403 Forbidden"), chunk(body[:9]), chunk(body[9:]), chunk(b""))
            else:
                connection.answer(body, status="403 Forbidden")

    with SocketServer(handler) as server:
        client = transport(server)
        for _ in range(2):
            response = get(client)
            assert response.status == 403
            assert response.read_error_body() == body
            response.close(complete=True)
        assert server.connections == 1


@pytest.mark.parametrize("framing", [CHUNKED, LONG], ids=["chunked", "content-length"])
def test_the_body_of_an_error_is_limited_and_the_rest_costs_the_connection(framing):
    page = b"x" * 2000

    def handler(connection: Connection) -> None:
        while connection.request():  # the body is never ended
            part = chunk(page) if framing is CHUNKED else page
            connection.send(head(*framing, status="502 Bad Gateway"), part)

    with SocketServer(handler) as server:
        client = transport(server)
        for _ in range(2):
            response = get(client)
            assert response.read_error_body(1000) == page[:1000]
            response.close(complete=True)
        assert server.connections == 2


def test_the_body_of_an_error_that_breaks_off_does_not_hide_the_status():
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head(*CHUNKED, status="503 Service Unavailable"), b"zz\r\n")

    with SocketServer(handler) as server:
        response = get(transport(server))
        assert (response.status, response.read_error_body()) == (503, b"")
        response.close(complete=False)
