"""What a proxy does to the body of a response: functions from the pieces that came to those that are sent on.

A function is a generator; it sees the body without chunked coding. It may raise what ends the body before its end:
`Reset`, `Silence` or `CutOff`; what it gave before that was sent.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

Pieces = Iterable[bytes]
Body = Callable[[Pieces], Iterator[bytes]]

Event = dict[str, Any]
Rewrite = Callable[[Event], Iterable[Event]]


class Reset(Exception):
    """The connection is reset (RST)."""


class Silence(Exception):
    """Nothing more is sent, and the connection stays open."""


class CutOff(Exception):
    """The connection ends (FIN), without the end that the body's framing promised."""


def after(count: int, end: type[Exception]) -> Body:
    """The first bytes pass, then the body ends like this; also when it is shorter."""

    def cut(pieces: Pieces) -> Iterator[bytes]:
        left = count
        for piece in pieces:
            if left <= len(piece):
                yield piece[:left]
                raise end
            left -= len(piece)
            yield piece
        raise end

    return cut


def in_pieces_of(size: int) -> Body:
    """Cut into pieces of so many bytes, each sent by itself: 1 is a trickle."""

    def cut(pieces: Pieces) -> Iterator[bytes]:
        for piece in pieces:
            for start in range(0, len(piece), size):
                yield piece[start : start + size]

    return cut


def inside_characters(pieces: Pieces) -> Iterator[bytes]:
    """Cut inside every character that takes more than one byte in UTF-8."""
    for piece in pieces:
        start = 0
        for position, byte in enumerate(piece):
            if byte >> 6 == 0b10:  # not the first byte of its character
                yield piece[start:position]
                start = position
        yield piece[start:]


def buffered(size: int) -> Body:
    """Hold everything back until there are so many bytes or the body is over, as a proxy that buffers does."""

    def hold(pieces: Pieces) -> Iterator[bytes]:
        held = bytearray()
        for piece in pieces:
            held += piece
            if len(held) >= size:
                yield bytes(held)
                held.clear()
        if held:
            yield bytes(held)

    return hold


def gzip_members(pieces: Pieces) -> Iterator[bytes]:
    """Each piece as a gzip member of its own; the response needs ``Content-Encoding: gzip``."""
    for piece in pieces:
        yield gzip.compress(piece, 1)


def gzip_cut_off(at: int) -> Body:
    """Gzip'ed as one member, of which only so many bytes come before a clean end of the body."""

    def cut(pieces: Pieces) -> Iterator[bytes]:
        deflate, left = zlib.compressobj(1, wbits=31), at
        for piece in pieces:
            # Flushed, so that what is sent of a watch can be read as soon as it is there.
            data = deflate.compress(piece) + deflate.flush(zlib.Z_SYNC_FLUSH)
            yield data[:left]
            left -= len(data)
            if left <= 0:
                return

    return cut


def lines(pieces: Pieces) -> Iterator[bytes]:
    """One piece a line of a watch, its newline included."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest


def events(rewrite: Rewrite) -> Body:
    """Each event of a watch becomes those that `rewrite` makes of it: none, itself, others before or after it."""

    def rewritten(pieces: Pieces) -> Iterator[bytes]:
        for line in lines(pieces):
            made = [orjson.dumps(event) + b"\n" for event in rewrite(orjson.loads(line))]
            if made:
                yield b"".join(made)

    return rewritten


def followed_by(*tail: bytes) -> Body:
    """Everything, and then these bytes."""

    def append(pieces: Pieces) -> Iterator[bytes]:
        yield from pieces
        yield from tail

    return append
