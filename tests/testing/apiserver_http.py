"""A plain HTTP client for the statement tests: nothing between the test and the bytes.

It knows only a URL, so the same tests can be pointed at any API server.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT = 10.0


@dataclass
class Answer:
    """One response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def names(self) -> list[str]:
        """The names of a list's items."""
        return [item["metadata"]["name"] for item in self.json["items"]]

    @property
    def revision(self) -> str:
        return self.json["metadata"]["resourceVersion"]


class Http:
    """Requests to one server, a connection each; ``tls`` verifies it, ``token`` is for it."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None, token: str = "") -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self.address = (parts.hostname, parts.port)
        self._tls = tls
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Answer:
        connection = self._connection()
        try:
            given = {"Accept": "application/json", **self._authorization, **(headers or {})}
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            if body is not None:
                given.setdefault("Content-Type", "application/json")
            connection.request(method, target(path, query), body=body, headers=given)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Answer:
        return self.request("GET", path, None, headers, **query)

    def post(self, path: str, body: Any) -> Answer:
        return self.request("POST", path, body)

    def put(self, path: str, body: Any) -> Answer:
        return self.request("PUT", path, body)

    def delete(self, path: str, body: Any = None) -> Answer:
        return self.request("DELETE", path, body)

    def patch(self, path: str, body: Any, kind: str = "merge-patch+json") -> Answer:
        return self.request("PATCH", path, body, {"Content-Type": f"application/{kind}"})

    @contextmanager
    def watch(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Iterator[Stream]:
        """A watch; its head is read."""
        connection = self._connection()
        try:
            given = {**self._authorization, **(headers or {})}
            connection.request("GET", target(path, {"watch": "1", **query}), headers=given)
            yield Stream(connection.getresponse())
        finally:
            connection.close()

    @contextmanager
    def raw(self, path: str, headers: str = "", **query: Any) -> Iterator[socket.socket]:
        """A bare socket on which a GET was sent."""
        with socket.create_connection(self.address, timeout=TIMEOUT) as plain, self.secured(plain) as sock:
            sock.sendall(self.head(target(path, query), headers))
            yield sock

    def secured(self, plain: socket.socket) -> socket.socket:
        """The connection as the server wants it: with TLS around it, or as it is."""
        return self._tls.wrap_socket(plain, server_hostname=self.address[0]) if self._tls else plain

    def head(self, path: str, headers: str = "") -> bytes:
        """A GET with what the server wants to see of its client."""
        own = "".join(f"{name}: {value}\r\n" for name, value in self._authorization.items())
        return f"GET {path} HTTP/1.1\r\nHost: test\r\n{own}{headers}\r\n".encode()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(*self.address, timeout=TIMEOUT)
        return http.client.HTTPSConnection(*self.address, timeout=TIMEOUT, context=self._tls)


class Stream:
    """The events of one watch, a line each."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self.status = response.status

    def line(self) -> bytes:
        """The next line; b"" at the end."""
        return self.response.readline()

    def next(self) -> dict[str, Any]:
        """The next event."""
        line = self.line()
        assert line.endswith(b"\n"), f"the stream ended: {line!r}"
        event = json.loads(line)
        assert list(event) == ["type", "object"]
        return event

    def take(self, count: int) -> list[tuple[str, str]]:
        """The next events as (type, name)."""
        return [brief(self.next()) for _ in range(count)]

    def rest(self) -> list[dict[str, Any]]:
        """All events up to the clean end."""
        return [json.loads(line) for line in iter(self.line, b"")]


def brief(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"].get("metadata", {}).get("name", "")


def eventually(condition: Callable[[], Any], timeout: float = TIMEOUT) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        time.sleep(0.002)


def target(path: str, query: dict[str, Any]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def read_head(sock: socket.socket) -> tuple[bytes, bytes]:
    """The head of a response, and what of its body came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        assert more, f"the connection ended within the head: {data!r}"
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def chunks(sock: socket.socket, rest: bytes) -> Iterator[bytes]:
    """The chunks of a body as they come, the last (empty) one included."""
    while True:
        while b"\r\n" not in rest:
            rest += _more(sock)
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        while len(rest) < length + 2:
            rest += _more(sock)
        yield rest[:length]
        rest = rest[length + 2 :]
        if not length:
            return


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    assert data, "the connection ended within a chunk"
    return data
