"""A proxy between an informer and a server, which loses, cuts, delays and changes what goes through it.

It knows HTTP/1.1: each request is answered by a rule, or by the server and a body that a rule changes. What is switched
on or off acts on requests and connections from then on; `freeze` and its kin act on the connections that are open.
Every thread of it ends with `close`, which every wait of it notices.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import struct
import threading
import urllib.parse
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Literal, Self

from .bodies import Body, CutOff, Reset, Silence

Framing = Literal["chunked", "close"]

_PIECE = 65536
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Request:
    """What the client sent. `verb` is "watch-list", "watch", "list" or, of all else, the method."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def query(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.target).query))

    def target_without(self, names: Collection[str]) -> str:
        """The target, less these parameters of its query."""
        path, mark, query = self.target.partition("?")
        return path + mark + "&".join(one for one in query.split("&") if one.partition("=")[0] not in names)

    @property
    def verb(self) -> str:
        if self.method != "GET":
            return self.method
        if self.query.get("watch") not in ("true", "1"):
            return "list"
        return "watch-list" if self.query.get("sendInitialEvents") == "true" else "watch"


@dataclass(frozen=True)
class Answer:
    """What is said instead of the server's answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Rule:
    """What happens to requests; `Proxy.rule` makes one, and what its arguments mean is said there."""

    verb: str | None
    times: int | None
    answer: Answer | Exception | None
    body: Body | None
    headers: Mapping[str, str]
    framing: Framing
    without: Collection[str]
    when: Callable[[Request], bool]
    hits: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    """Set when it has acted on a request."""


class Proxy:
    """Listens on 127.0.0.1 in plain HTTP, and passes requests on to a server.

    Args:
        url: the server's address.
        tls: how to speak TLS to the server; needed iff its address begins with https.

    """

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        self._host, self._port, self._tls = parts.hostname or "", parts.port or 443, tls
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._links: set[Link] = set()
        self._threads: list[threading.Thread] = []
        self.black_hole = False
        """While true, new connections are accepted, and that is all that ever happens to them."""
        self.requests: list[Request] = []
        """What was asked through it, in order."""
        self.closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every connection and thread."""
        self.closed.set()
        _shut(self._listener)
        for link in self._open():
            link.shut()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), thread.name

    # -- what happens to requests to come ------------------------------------------------------------------------------

    def rule(
        self,
        *,
        verb: str | None = None,
        times: int | None = None,
        answer: Answer | Exception | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        framing: Framing = "chunked",
        without: Collection[str] = (),
        when: Callable[[Request], bool] = lambda _: True,
    ) -> Rule:
        """Add a rule; the first one that covers a request acts on it, alone.

        Args:
            verb: the requests meant, see `Request`; "watch" means watch-lists too; None = all.
            times: how many of them, None = until `off`.
            answer: said without asking the server; or `Reset()`, `Silence()` or `CutOff()`.
            body: what becomes of the body of the server's answer, see `bodies`.
            headers: of the answer, over the server's.
            framing: "close" sends a body without chunks, so that the end of the connection ends it.
            without: parameters of the query that the server does not get to see.
            when: asked last whether a request is meant.

        """
        rule = Rule(verb, times, answer, body, headers or {}, framing, without, when)
        with self._lock:
            self._rules.append(rule)
        return rule

    def off(self, rule: Rule) -> None:
        """Take a rule away. What it does to a body that is under way goes on."""
        with self._lock, contextlib.suppress(ValueError):
            self._rules.remove(rule)

    # -- what happens to open connections ------------------------------------------------------------------------------

    def freeze(self) -> int:
        """Drop the flows that are open: no byte passes in either direction any more, and no end. How many there were.

        New connections are served, unless `black_hole` is set.
        """
        return self._each(Link.freeze)

    def half_open(self) -> int:
        """Forget the clients of the connections that are open: they hear nothing, and a reset when they say something.

        The server is told that the connection is gone.
        """
        return self._each(Link.forget)

    def reset(self) -> int:
        """Reset the connections that are open."""
        return self._each(Link.reset)

    def hang_up(self) -> int:
        """End the connections that are open (FIN), as a load balancer does with those that it finds idle."""
        return self._each(Link.shut)

    # -- inside --------------------------------------------------------------------------------------------------------

    def take(self, request: Request) -> Rule | None:
        """The rule for a request."""
        with self._lock:
            self.requests.append(request)
            for rule in self._rules:
                covered = rule.verb in (None, request.verb) or (rule.verb, request.verb) == ("watch", "watch-list")
                if not covered or rule.hits == rule.times or not rule.when(request):
                    continue
                rule.hits += 1
                rule.reached.set()
                return rule
        return None

    def connect(self) -> http.client.HTTPConnection:
        """Connect to the server."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=10)
        if self._tls is not None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=10, context=self._tls)
        connection.connect()
        connection.sock.settimeout(None)  # a watch may be silent for long
        return connection

    def _open(self) -> list[Link]:
        with self._lock:
            return list(self._links)

    def _each(self, action: Callable[[Link], None]) -> int:
        links = self._open()
        for link in links:
            action(link)
        return len(links)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"fault-proxy-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link(self, near)
            with self._lock:
                self._links.add(link)
            if self.black_hole:
                link.freeze()
            self._start(self._serve, link)

    def _serve(self, link: Link) -> None:
        try:
            link.serve()
        finally:
            with self._lock:
                self._links.discard(link)


class Link:
    """One connection of a client, and the one to the server behind it."""

    def __init__(self, proxy: Proxy, near: socket.socket) -> None:
        self._proxy = proxy
        self._near = near
        self._far: socket.socket | None = None
        self._frozen = False
        self._forgotten = False
        self._resetting = False

    def freeze(self) -> None:
        self._frozen = True

    def forget(self) -> None:
        self._frozen = self._forgotten = True
        self._shut_far()

    def reset(self) -> None:
        """Have the thread close it such that the client sees a reset, once it has noticed."""
        self._reset_at_close()
        # Neither tells the client anything; both wake the thread.
        with contextlib.suppress(OSError):
            self._near.shutdown(socket.SHUT_RD)
        self._shut_far()

    def shut(self) -> None:
        """End both sides."""
        _shut(self._near)
        self._shut_far()

    def serve(self) -> None:
        """Answer requests until either side ends it, then close both."""
        with self._near, self._near.makefile("rb") as incoming:
            try:
                while not self._frozen and (request := _read_request(incoming)) is not None:
                    if not self._frozen:
                        self._answer(request)
                    elif self._forgotten:
                        self._reset_at_close()
            except Silence:
                self._frozen = True
            except Reset:
                if not self._frozen:
                    self._reset_at_close()
            except (CutOff, OSError, http.client.HTTPException, ValueError):
                pass
            if self._frozen and not self._resetting:
                self._stay()
            if not self._resetting:
                _shut(self._near)
        self._shut_far()

    def _answer(self, request: Request) -> None:
        rule = self._proxy.take(request)
        if rule is None or rule.answer is None:
            self._pass_on(request, rule)
        elif isinstance(rule.answer, Exception):
            raise rule.answer
        else:
            given = rule.answer
            headers = {"Content-Type": "application/json", **given.headers, "Content-Length": str(len(given.body))}
            self._send(_head(given.status, headers) + given.body)

    def _pass_on(self, request: Request, rule: Rule | None) -> None:
        with contextlib.closing(self._proxy.connect()) as far:
            self._far = far.sock
            headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
            try:
                far.request(request.method, request.target_without(rule.without if rule else ()), request.body, headers)
                response = far.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise Reset from error
            kept = {name.title(): value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP}
            if rule is not None:
                kept.update(rule.headers)
            chunked = rule is None or rule.framing == "chunked"
            kept["Transfer-Encoding" if chunked else "Connection"] = "chunked" if chunked else "close"
            self._send(_head(response.status, kept))
            pieces: Iterable[bytes] = _pieces(response)
            if rule is not None and rule.body is not None:
                pieces = rule.body(pieces)
            for piece in pieces:
                if piece:
                    self._send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if not chunked:
                raise CutOff
            self._send(b"0\r\n\r\n")

    def _send(self, data: bytes) -> None:
        if self._frozen:
            raise Silence
        self._near.sendall(data)

    def _stay(self) -> None:
        """Keep a dead connection open, until the client says something to a side that has forgotten it."""
        with contextlib.suppress(OSError):
            while self._near.recv(_PIECE):
                if self._forgotten:
                    self._reset_at_close()
                    return
        # A flow that was dropped does not carry the client's end either.
        self._proxy.closed.wait()

    def _reset_at_close(self) -> None:
        self._resetting = True
        with contextlib.suppress(OSError):
            self._near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _shut_far(self) -> None:
        if self._far is not None:
            _shut(self._far)


def _read_request(incoming: BinaryIO) -> Request | None:
    line = incoming.readline().decode("latin-1").strip()
    if not line:
        return None
    method, target, _ = line.split(" ")
    headers = {name.lower(): value for name, value in http.client.parse_headers(incoming).items()}
    body = incoming.read(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body or None)


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """What the server sends, as it comes; where it breaks off, the client's connection is reset."""
    try:
        while piece := response.read1(_PIECE):
            yield piece
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Reset from error


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    reason = http.client.responses.get(status, "")
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
