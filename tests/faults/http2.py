"""A load balancer that speaks HTTP/2 over TLS to an informer and HTTP/1.1 to a server, and can say GOAWAY.

It runs on a loop of its own thread, which ends with `close`. What it sends of a body is what came, in the same pieces.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import aiohttp
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived, StreamReset, WindowUpdated
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame

_ALL_STREAMS = 2**31 - 1

_T = TypeVar("_T")


class HTTP2Proxy:
    """Listens on 127.0.0.1.

    Args:
        url: the server's address.
        tls: the certificate to show.

    """

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        tls.set_alpn_protocols(["h2"])
        self.server_url = url
        self.links: list[_Link] = []
        """Every connection that was made."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http2-proxy", daemon=True)
        self._thread.start()
        self.session, self._listener = self._run(self._listen(tls))
        self.url = f"https://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def go_away(self) -> int:
        """Announce on each connection that it takes no new request; those under way go on. How many were told."""
        return self._each(_Link.go_away)

    def hang_up(self) -> int:
        """Say GOAWAY and end each connection, whatever is under way on it."""
        return self._each(_Link.hang_up)

    def reset_streams(self) -> int:
        """End what is under way on each connection by RST_STREAM; the connections go on."""
        return self._each(_Link.reset_streams)

    def close(self) -> None:
        """End all connections and the thread."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self, tls: ssl.SSLContext) -> tuple[aiohttp.ClientSession, asyncio.Server]:
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False)
        listener = await self._loop.create_server(lambda: _Link(self), "127.0.0.1", 0, ssl=tls)
        return session, listener

    async def _end(self) -> None:
        self._listener.close()
        for link in self.links:
            link.end()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.session.close()

    def _each(self, action: Callable[[_Link], None]) -> int:
        async def act() -> int:
            open_links = [link for link in self.links if link.is_open]
            for link in open_links:
                action(link)
            return len(open_links)

        return self._run(act())

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)


class _Link(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, proxy: HTTP2Proxy) -> None:
        self._proxy = proxy
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._transport: asyncio.Transport
        self._streams: dict[int, asyncio.Task[None]] = {}
        self._window = asyncio.Event()
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._proxy.links.append(self)
        self.is_open = True
        self._connection.initiate_connection()
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_open = False
        for task in self._streams.values():
            task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            received = self._connection.receive_data(data)
        except ProtocolError:
            self._transport.abort()
            return
        for one in received:
            if isinstance(one, RequestReceived):
                headers = {str(name): str(value) for name, value in one.headers}
                task = asyncio.get_running_loop().create_task(self._serve(one.stream_id, headers))
                self._streams[one.stream_id] = task
                task.add_done_callback(lambda _, stream=one.stream_id: self._streams.pop(stream, None))
            elif isinstance(one, StreamReset) and one.stream_id in self._streams:
                self._streams[one.stream_id].cancel()
            elif isinstance(one, WindowUpdated):
                self._window.set()
        self._flush()

    def go_away(self) -> None:
        # Not by the library, which would take the connection for closed from then on.
        self._transport.write(GoAwayFrame(0, last_stream_id=_ALL_STREAMS, error_code=0).serialize())

    def hang_up(self) -> None:
        self.go_away()
        self._transport.close()

    def end(self) -> None:
        if self.is_open:
            self._transport.abort()

    def reset_streams(self) -> None:
        for stream, task in list(self._streams.items()):
            task.cancel()
            self._connection.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        self._flush()

    async def _serve(self, stream: int, headers: dict[str, str]) -> None:
        url = self._proxy.server_url + headers[":path"]
        kept = {name: value for name, value in headers.items() if not name.startswith(":")}
        with contextlib.suppress(ProtocolError, ConnectionError):
            async with self._proxy.session.request(headers[":method"], url, headers=kept) as answer:
                content_type = answer.headers.get("Content-Type", "")
                self._connection.send_headers(stream, [(":status", str(answer.status)), ("content-type", content_type)])
                self._flush()
                async for piece in answer.content.iter_any():
                    await self._send(stream, piece)
                self._connection.end_stream(stream)
                self._flush()

    async def _send(self, stream: int, data: bytes) -> None:
        while data:
            self._window.clear()
            size = min(self._connection.local_flow_control_window(stream), self._connection.max_outbound_frame_size)
            if size <= 0:
                await self._window.wait()
                continue
            self._connection.send_data(stream, data[:size])
            data = data[size:]
            self._flush()

    def _flush(self) -> None:
        if data := self._connection.data_to_send():
            self._transport.write(data)
