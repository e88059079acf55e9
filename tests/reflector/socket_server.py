"""A server that is nothing but sockets: what it sends, and when, is the test's own code."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

CHUNKED = "Transfer-Encoding: chunked"


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]


class Connection:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, server: SocketServer) -> None:
        self.sock = sock
        self._server = server
        self._file = sock.makefile("rb")

    def request(self) -> Request | None:
        """The next request, or None when the client has closed."""
        line = self._file.readline().decode().strip()
        if not line:
            return None
        headers = {}
        while header := self._file.readline().decode().strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        request = Request(line, headers)
        self._server.requests.append(request)
        return request

    def send(self, *parts: bytes) -> None:
        self.sock.sendall(b"".join(parts))

    def answer(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        self.send(head(f"Content-Length: {len(body)}", *headers, status=status), body)

    def hang_up(self) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)

    def until_closed(self) -> None:
        """Block until the client closes its side."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: application/json", *headers, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


Handler = Callable[[Connection], None]


class SocketServer:
    """Runs `handler` on a thread for each connection; `with` closes all of it."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.errors: list[BaseException] = []
        self._handler = handler
        self._tls = tls
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> SocketServer:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        if error is None:
            assert self.errors == []

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self._handler(Connection(sock, self))
        except OSError:
            pass  # the client went away, or the test is over
        except BaseException as error:
            self.errors.append(error)
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
