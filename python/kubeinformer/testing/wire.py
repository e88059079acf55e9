"""How the body of a LIST or WATCH gets onto the connection: chunked or close-delimited, plain or gzip'ed, whole or cut.

A piece given to :meth:`Body.send` is one HTTP chunk, and it is handed to the socket before ``send`` returns; pieces
that are given together go out in few system calls. ``send`` waits only while the client does not read.

The HTTP server library would wrap each write into a chunk of its own, which costs a system call an event and cannot
leave the chunks out; so the chunks are made here and the library is told that the body needs no framing.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping

from kubeinformer.testing._aiohttp import web
from kubeinformer.testing.effects import Shape

BLOCK_BYTES = 256 * 1024
GZIP_LEVEL = 1
SLOW_CLIENT_SEND_BUFFER = 64 * 1024
_GZIP_WINDOW = 31


class _Unframed(web.StreamResponse):
    """A response whose body is sent as it is given: no Content-Length, and no chunks added."""

    _length_check = False


class Body:
    """One response body, from its head to its end.

    Args:
        member_per_piece: gzip each piece as a member of its own (watches) instead of the body as one member.

    """

    def __init__(
        self,
        request: web.BaseRequest,
        headers: Mapping[str, str],
        shape: Shape,
        *,
        gzip: bool = False,
        member_per_piece: bool = False,
    ) -> None:
        self._request = request
        self._shape = shape
        self._chunked = not shape.close_delimited and request.version >= (1, 1)
        self._left = shape.reset_after
        self._one_member = gzip and not member_per_piece
        self._member_per_piece = gzip and member_per_piece
        self._response = _Unframed(headers=headers)
        if self._chunked:
            self._response.headers["Transfer-Encoding"] = "chunked"
        else:
            self._response.force_close()
        if gzip:
            self._response.headers["Content-Encoding"] = "gzip"
            self._response.headers["Vary"] = "Accept-Encoding"

    @property
    def response(self) -> web.StreamResponse:
        """What a request handler returns once the body is sent."""
        return self._response

    @property
    def unsent(self) -> int:
        """Bytes that the client has not taken yet, beyond what the kernel holds."""
        transport = self._request.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    async def start(self) -> None:
        """Send the head. Raises ConnectionError when the client is gone, as all methods do."""
        if self._shape.backlog is not None and self._request.transport is not None:
            # The kernel may hold tens of megabytes for a client that does not read, and who is slow would not show.
            sock = self._request.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SLOW_CLIENT_SEND_BUFFER)
        await self._response.prepare(self._request)

    async def send(self, pieces: Iterable[bytes]) -> None:
        """Send pieces of the body."""
        block: list[bytes] = []
        size = 0
        for payload in self._cut(self._compressed(pieces)):
            if self._left is not None and len(payload) > self._left:
                await self._reset(block, payload)
            if self._left is not None:
                self._left -= len(payload)
            block.append(b"%x\r\n%b\r\n" % (len(payload), payload) if self._chunked else payload)
            size += len(payload)
            if size >= BLOCK_BYTES:
                await self._response.write(b"".join(block))
                block, size = [], 0
                # A client that reads fast never makes the write wait: the others get their turn here.
                await asyncio.sleep(0)
        if block:
            await self._response.write(b"".join(block))
        if self._left == 0:
            await self._reset([], b"")

    async def end(self) -> None:
        """End the body cleanly."""
        if self._chunked:
            await self._response.write(b"0\r\n\r\n")
        await self._response.write_eof()

    async def reset_after(self, count: int) -> None:
        """Reset the connection now, or once so many more bytes of the body are sent."""
        self._left = count
        if count == 0:
            await self._reset([], b"")

    def _compressed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        if self._member_per_piece:
            for piece in pieces:
                deflate = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_WINDOW)
                yield deflate.compress(piece) + deflate.flush()
        elif self._one_member:
            deflate = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_WINDOW)
            for piece in pieces:
                compressed = deflate.compress(piece)
                if compressed:
                    yield compressed
            yield deflate.flush()
        else:
            yield from pieces

    def _cut(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        size = self._shape.chunk_bytes
        if size is None:
            return pieces
        return (piece[start : start + size] for piece in pieces for start in range(0, len(piece), size))

    async def _reset(self, block: list[bytes], last: bytes) -> None:
        """Send what is left of the allowance, then reset. Raises ConnectionResetError."""
        if last and self._left:
            cut = last[: self._left]
            # The chunk announces its full length: the client waits for bytes that never come.
            block.append(b"%x\r\n%b" % (len(last), cut) if self._chunked else cut)
        if block:
            await self._response.write(b"".join(block))
        # Bytes that are still in the server's memory at the reset would be lost: let the kernel have them first.
        while self.unsent and self._request.transport is not None and not self._request.transport.is_closing():
            await asyncio.sleep(0.002)
        reset_connection(self._request.transport)
        raise ConnectionResetError("reset by a fault")


def reset_connection(transport: asyncio.BaseTransport | None) -> None:
    """Close a connection so that the client sees a reset, not an end."""
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
