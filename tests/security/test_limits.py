"""A hostile server takes no more memory than the options allow: the error says what was too large, and where.

What it had is kept, other sources go on, and it is asked again after a wait. How much a client takes is counted by the
server: what it could send before the client closed, less what fits into the buffers of the kernel.
"""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import textwrap
import threading
import zlib
from collections.abc import Callable, Iterator

import pytest
from informer_support import eventually
from kubernetes.client import ApiClient, Configuration
from socket_server import CHUNKED, Connection, SocketServer, chunk, head

from kubeinformer import ControllerOptions, DecodeError, KubeObject, SharedInformerFactory, TooLargeError
from kubeinformer.errors import TransportError
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.transport import make_transport

MEGABYTE = 1 << 20
BUFFERS = 24 * MEGABYTE
"""What may lie between a server that sends and a client that has stopped reading, and then some."""
ITEM = b'{"metadata":{"name":"web-%d","namespace":"default"},"spec":{"a":"' + b"x" * 1000 + b'"}}'
LIST = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]}'


class Endless:
    """Answers LIST, WATCH or a watch-list with a body that does not end; `sent` is what the client took of each."""

    def __init__(self, verb: str, parts: Callable[[], Iterator[bytes]], *headers: str, raw: bool = False) -> None:
        self.verb = verb
        self.parts = parts
        self.headers = headers
        self.raw = raw
        self.sent: list[int] = []

    def __call__(self, connection: Connection) -> None:
        while request := connection.request():
            verb = "watch" if "watch=true" in request.target else "list"
            verb = "watch-list" if "sendInitialEvents=true" in request.target else verb
            if verb != self.verb:
                connection.answer(LIST)
                continue
            sent = 0
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            try:
                connection.send(head(*(self.headers or (CHUNKED,))))
                for part in self.parts():
                    data = part if self.raw else chunk(part)
                    connection.send(data)
                    sent += len(data)
            finally:
                self.sent.append(sent)


def forever(start: bytes, more: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.chain([start], itertools.repeat(more))


def items() -> Iterator[bytes]:
    yield LIST[:-2]
    for number in itertools.count():
        yield (b"," if number else b"") + ITEM % number


def events() -> Iterator[bytes]:
    for number in itertools.count():
        yield b'{"type":"ADDED","object":%b}\n' % (ITEM % number)


NAMED = b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-0","namespace":"default"},"spec":{"a":"'
PAD = b"x" * 65536
OBJECT, WHOLE = {"max_object_bytes": MEGABYTE}, {"max_list_bytes": MEGABYTE}
BODIES = {
    "an item of a list": (
        "list",
        forever(LIST[:-2] + NAMED, PAD),
        OBJECT,
        r"longer than 1048576 bytes",
        "default/web-0",
    ),
    "a key of a list": ("list", forever(b'{"', PAD), OBJECT, r"longer than 1048576 bytes", None),
    "a line of a watch": (
        "watch",
        forever(b'{"type":"ADDED","object":' + NAMED, PAD),
        OBJECT,
        r"watch line longer than 1048576 bytes",
        "default/web-0",
    ),
    "a line without JSON": ("watch", forever(b"x", PAD), OBJECT, r"watch line longer than 1048576 bytes", None),
    "brackets": (
        "watch",
        forever(b'{"type":"ADDED","object":', b"[" * 65536),
        OBJECT,
        r"longer than 1048576 bytes",
        None,
    ),
    "a list": ("list", items, WHOLE, r"list longer than 1048576 bytes", None),
    "items before the kind of a list": (
        "list",
        lambda: itertools.chain([b'{"items":['], (part for part in itertools.islice(items(), 1, None))),
        WHOLE,
        r"list longer than 1048576 bytes",
        None,
    ),
    "initial events": ("watch-list", events, WHOLE, r"list longer than 1048576 bytes", None),
}


def factory_of(server: SocketServer, transport_name: str, options: dict, **arguments) -> SharedInformerFactory:
    client = ApiClient(Configuration(host=server.url))
    transport = make_transport(transport_name, client)
    return SharedInformerFactory(client, transport=transport, options=ControllerOptions(**options), **arguments)


@pytest.fixture(params=["native", "python"])
def transport_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("what", BODIES)
def test_what_does_not_end_is_left_at_the_limit(what, transport_name, quick_backoff):
    verb, parts, options, message, key = BODIES[what]
    endless = Endless(verb, parts)
    found: list[BaseException] = []
    with SocketServer(endless) as server:
        options = {**options, "use_watch_list": verb == "watch-list"}
        factory = factory_of(server, transport_name, options)
        informer = factory.core().v1().pods().informer()
        informer.set_watch_error_handler(lambda _reflector, error: found.append(error))
        factory.start()
        if verb != "watch-list":  # then LIST takes over
            eventually(lambda: len(endless.sent) >= 2, "a second attempt")
        error = eventually(lambda: [one for one in found if isinstance(one, TooLargeError)], "the error")[0]
        if verb == "list":
            last = eventually(informer.last_error, "the state of it")
            assert isinstance(last.error, TooLargeError)
            assert not informer.is_live()
        assert factory.shutdown(timeout=10) == []
    assert message in str(error)
    assert error.key == key
    assert isinstance(error, DecodeError)
    assert max(endless.sent) < MEGABYTE + BUFFERS


def test_pages_that_do_not_end(transport_name, quick_backoff):
    page = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5","continue":"%d"},"items":['
    requests = itertools.count()

    def answer(connection: Connection) -> None:
        while connection.request():
            number = next(requests)
            connection.answer(page % number + b",".join(ITEM % (number * 100 + place) for place in range(100)) + b"]}")

    with SocketServer(answer) as server:
        factory = factory_of(server, transport_name, {**WHOLE, "use_watch_list": False})
        informer = factory.core().v1().pods().informer()
        factory.start()
        error = eventually(informer.last_error, "the error").error
        assert isinstance(error, TooLargeError)
        assert "list longer than 1048576 bytes, all its pages together" in str(error)
        assert factory.shutdown(timeout=10) == []


def test_other_namespaces_go_on_and_nothing_is_lost(server: APIServer, make_factory, quick_backoff):
    for namespace in ("a", "b"):
        server.create(pod("web-0", namespace))
    factory = make_factory(namespaces=["a", "b"], options={"max_object_bytes": 50_000})
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=20)
    server.create(pod("large", "a", size=60_000))
    reflectors = informer.controller.reflectors
    last = eventually(reflectors["a"].last_error, "the error")
    assert isinstance(last.error, TooLargeError)
    assert last.error.key == "a/large"
    server.create(pod("web-1", "b"))
    server.create(pod("web-1", "a"))
    eventually(lambda: informer.indexer().get_by_key("b/web-1"), "what came elsewhere")
    assert reflectors["b"].last_error() is None
    assert informer.indexer().get_by_key("a/web-0") is not None
    server.delete("pods", "large", "a")
    eventually(lambda: informer.indexer().get_by_key("a/web-1"), "what came meanwhile")
    eventually(lambda: reflectors["a"].last_error() is None, "the end of the error")


FRAMING = {
    "a chunk's extension": forever(b"5;", PAD),
    "a chunk's size": forever(b"", b"0" * 65536),
    "trailers": forever(b"0\r\n", b"A: b\r\n" * 10_000),
    "one trailer": forever(b"0\r\nA: ", PAD),
}


@pytest.mark.parametrize("what", FRAMING)
@pytest.mark.parametrize("verb", ["list", "watch"])
def test_framing_that_does_not_end(what, verb, transport_name, quick_backoff):
    if (transport_name, what) == ("native", "a chunk's size"):
        pytest.skip(
            "hyper goes past zeros for ever, keeps none of them, and hands out nothing: that ends as silence does"
        )
    endless = Endless(verb, FRAMING[what], raw=True)
    found: list[BaseException] = []
    with SocketServer(endless) as server:
        factory = factory_of(server, transport_name, {"use_watch_list": False})
        informer = factory.core().v1().pods().informer()
        informer.set_watch_error_handler(lambda _reflector, error: found.append(error))
        factory.start()
        eventually(lambda: found and endless.sent, "the error")
        assert factory.shutdown(timeout=10) == []
    assert max(endless.sent) < BUFFERS


def answers(connection: Connection, start: bytes, more: bytes, sent: list[int]) -> None:
    connection.request()
    taken = 0
    try:
        connection.send(start)
        while True:
            connection.send(more)
            taken += len(more)
    finally:
        sent.append(taken)


HEADS = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n" * 1000),
    "one header": (b"HTTP/1.1 200 OK\r\nX-More: ", PAD),
    "a status line": (b"HTTP/1.1 200 ", PAD),
}


@pytest.mark.parametrize("what", HEADS)
def test_a_head_that_does_not_end(what, transport_name):
    sent: list[int] = []
    with SocketServer(lambda connection: answers(connection, *HEADS[what], sent)) as server:
        transport = make_transport(transport_name, ApiClient(Configuration(host=server.url)))
        with pytest.raises(TransportError, match="GET /api/v1/pods at 127"):
            transport.request("/api/v1/pods", [], read_timeout=20.0, connect_timeout=10.0)
        transport.close()
        eventually(lambda: sent, "the end of it")
    assert sent[0] < BUFFERS


@pytest.mark.parametrize("coding", ["chunked", "until the end", "gzip"])
def test_the_body_of_an_error_that_does_not_end(coding, transport_name):
    sent: list[int] = []
    status = "500 Internal Server Error"
    compressor = zlib.compressobj(wbits=31)
    zeros = compressor.compress(bytes(64 * MEGABYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    start, more = {
        "chunked": (head(CHUNKED, status=status), chunk(PAD)),
        "until the end": (head(status=status), PAD),
        "gzip": (head("Content-Encoding: gzip", status=status), zeros),
    }[coding]
    with SocketServer(lambda connection: answers(connection, start, more, sent)) as server:
        transport = make_transport(transport_name, ApiClient(Configuration(host=server.url)))
        response = transport.request("/api/v1/pods", [], read_timeout=20.0, connect_timeout=10.0)
        assert response.status == 500
        assert len(response.read_error_body(1000)) == 1000
        response.close(complete=True)
        transport.close()
        eventually(lambda: sent, "the end of it")
    assert sent[0] < BUFFERS


@pytest.mark.parametrize("module", ["native", "_response"])
def test_the_body_of_an_error_in_drops_has_an_end(module, monkeypatch):
    monkeypatch.setattr(f"kubeinformer.transport.{module}._ERROR_BODY_DEADLINE", 0.2)
    stop = threading.Event()

    def drops(connection: Connection) -> None:
        connection.request()
        connection.send(head(CHUNKED, status="500 Internal Server Error"))
        while not stop.wait(0.01):
            connection.send(chunk(b"x"))

    with SocketServer(drops) as server:
        client = ApiClient(Configuration(host=server.url))
        transport = make_transport("native" if module == "native" else "python", client)
        response = transport.request("/api/v1/pods", [], read_timeout=20.0, connect_timeout=10.0)
        assert 0 < len(response.read_error_body()) < 10_000
        response.close(complete=False)
        stop.set()


BOMB = """
    import resource, sys, time
    from kubernetes.client import ApiClient, Configuration
    from kubeinformer import ControllerOptions, SharedInformerFactory, TooLargeError
    from kubeinformer.transport import make_transport

    client = ApiClient(Configuration(host=sys.argv[1]))
    options = ControllerOptions(max_object_bytes=1 << 20, use_watch_list=False)
    transport = make_transport(sys.argv[2], client, compression=True)
    factory = SharedInformerFactory(client, transport=transport, options=options)
    informer = factory.core().v1().pods().informer()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    factory.start()
    while informer.last_error() is None:
        time.sleep(0.01)
    assert isinstance(informer.last_error().error, TooLargeError), informer.last_error()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    factory.shutdown(timeout=10)
"""


def test_a_bomb(transport_name):
    """A gigabyte of one item in a megabyte of gzip."""
    compressor = zlib.compressobj(9, wbits=31)
    body = [compressor.compress(LIST[:-2] + NAMED)]
    body += [compressor.compress(b"x" * (64 * MEGABYTE)) for _ in range(16)]
    bomb = b"".join([*body, compressor.flush()])
    assert len(bomb) < 1.2 * MEGABYTE

    def answer(connection: Connection) -> None:
        while connection.request():
            connection.answer(bomb, "Content-Encoding: gzip")

    with SocketServer(answer) as server:
        program = [sys.executable, "-c", textwrap.dedent(BOMB), server.url, transport_name]
        ended = subprocess.run(program, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 100 * 1024, f"{ended.stdout} KB"


def test_brackets_as_deep_as_an_object_may_be():
    """Taken in, since only a decoder minds; that says so, and nothing recurses on the stack."""
    deep = 2_000_000
    obj = KubeObject(b'{"metadata":{"name":"deep"},"spec":%b1%b}' % (b"[" * deep, b"]" * deep))
    assert obj.name == "deep"
    assert obj.get_path("metadata.name") == "deep"
    with pytest.raises(DecodeError):
        obj.to_dict()
    labels = KubeObject(b'{"metadata":{"name":"deep","labels":%b1%b}}' % (b'{"a":' * deep, b"}" * deep))
    assert labels.name == "deep"
