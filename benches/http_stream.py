"""The fastest way that Python has to the bytes of a chunked answer of urllib3; the hand-written rivals share it.

Invariant: the payloads of the chunks come out complete, in order and once, in whatever pieces the socket gives them.

urllib3's own `stream()` and http.client's `read()` cost several Python calls a chunk, and a chunk is an object here.
Below both lies the buffered file of the socket; it is read in large pieces into one buffer that is used again and
again, and the chunk sizes are decoded where they lie. What is given out are positions in that buffer: the caller copies
exactly the bytes that it keeps, once. An answer that is not chunked, or is compressed, is refused: this server sends
none.
"""

from __future__ import annotations

from collections.abc import Iterator

import urllib3

BUFFER_BYTES = 1 << 20

Span = tuple[int, int]
"""Where a payload begins and ends in the buffer."""


class ChunkedBody:
    """The body of a response that was asked for with `preload_content=False`."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        raw = response._fp  # type: ignore[attr-defined]
        if not raw.chunked or response.headers.get("Content-Encoding"):
            raise ValueError("the answer is not chunked, or is compressed")
        self._response = response  # the last reference to it would close the file
        self._file = raw.fp
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)

    def batches(self) -> Iterator[list[Span]]:
        """All complete chunks that are there, waiting only when there is none, until the last one.

        A batch is good until the next one is asked for.
        """
        read, buffer, view = self._file.readinto1, self.buffer, self.view
        find = buffer.find
        end = 0
        while True:
            got = read(view[end:])
            if not got:
                raise ConnectionError("the stream ended within a chunk")
            end += got
            position = 0
            spans: list[Span] = []
            while (line_end := find(b"\r\n", position, end)) >= 0:
                start = line_end + 2
                size = int(buffer[position:line_end], 16)
                stop = start + size
                if stop + 2 > end:
                    break
                if not size:
                    yield spans
                    return
                spans.append((start, stop))
                position = stop + 2
            yield spans
            end -= position
            if end == BUFFER_BYTES:
                raise ValueError("a chunk is larger than the buffer")
            view[:end] = view[position : position + end]

    def read_all(self) -> bytearray:
        """The whole body, which exists once: no pieces that are joined at the end."""
        body = bytearray()
        view = self.view
        for spans in self.batches():
            for start, stop in spans:
                body += view[start:stop]
        return body
