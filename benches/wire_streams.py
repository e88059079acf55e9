"""The answers of the wire server: a LIST, the first events of a watch-list and the events of a watch, as HTTP chunks.

Invariant: one chunk an item or event, and one for the head and the end of a list, as kube-apiserver 1.37 sends them;
blocks of about a megabyte, all of which exist before the server says that it is ready, as long as they fit into
`hold_bytes`. What does not fit is rendered while it is sent, and `held` says so.

JSON is rendered here. Protobuf is client-go's own work: `peers/client_go` writes a file, and this reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from benches import pods
from benches.pod_template import PodTemplate

BLOCK_BYTES = 1 << 20
STREAMS = ("list", "initial", "live")
LAST_CHUNK = b"0\r\n\r\n"


def list_version(lists: int) -> str:
    """The resourceVersion of a list before which the server has sent so many others. Above those of the pods."""
    return str(1_900_000 + lists)


def chunk(payload: bytes) -> bytes:
    """As HTTP/1.1 frames it."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def event(kind: bytes, rendered: bytes) -> bytes:
    """One chunk: a watch event and the end of its line."""
    return chunk(b'{"type":"%b","object":%b}\n' % (kind, rendered))


def list_head(version: str) -> bytes:
    return chunk(
        b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"%b"},"items":[' % version.encode()
    )


def end_bookmark(version: str) -> bytes:
    """What ends the first events of a watch-list."""
    annotations = {"k8s.io/initial-events-end": "true"}
    metadata = {"resourceVersion": version, "creationTimestamp": None, "annotations": annotations}
    return event(b"BOOKMARK", pods.render({"kind": "Pod", "apiVersion": "v1", "metadata": metadata}))


def expired() -> bytes:
    """What an API server sends on a watch whose resourceVersion it has forgotten."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version",
        "reason": "Expired",
        "code": 410,
    }
    return event(b"ERROR", pods.render(status))


class Blocks:
    """A stream in pieces of about a megabyte: kept, or rendered anew each time."""

    def __init__(self, chunks: Callable[[], Iterable[bytes]], *, keep: bool) -> None:
        self._chunks = chunks
        self._kept = list(_gather(chunks())) if keep else None

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._kept) if self._kept is not None else _gather(self._chunks())


def _gather(parts: Iterable[bytes]) -> Iterator[bytes]:
    gathered, size = [], 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= BLOCK_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)


class Scenario:
    """What a server sends: `pod_count` pods, `event_count` changes of them in turn."""

    def __init__(
        self,
        pod_count: int,
        event_count: int,
        kilobytes: pods.Kilobytes = 8,
        streams: Collection[str] = STREAMS,
        hold_bytes: int = 8 << 30,
    ) -> None:
        self.pod_count = pod_count
        self.event_count = event_count
        self._render = PodTemplate(kilobytes).render
        makers = {"list": self._items, "initial": self._added, "live": self._changes}
        sizes = {"list": pod_count, "initial": pod_count, "live": event_count}
        self.held = sum(sizes[stream] for stream in streams) * kilobytes * 1024 <= hold_bytes
        blocks = {stream: Blocks(makers[stream], keep=self.held and stream in streams) for stream in STREAMS}
        self.list, self.initial, self.live = (blocks[stream] for stream in STREAMS)

    def _items(self) -> Iterator[bytes]:
        for i in range(self.pod_count):
            item = self._render(i)
            yield chunk(item if i == 0 else b"," + item)
        yield chunk(b"]}\n")
        yield LAST_CHUNK

    def _added(self) -> Iterator[bytes]:
        for i in range(self.pod_count):
            yield event(b"ADDED", pods.as_event_object(self._render(i)))

    def _changes(self) -> Iterator[bytes]:
        for n in range(self.event_count):
            version, i = divmod(n, self.pod_count)
            yield event(b"MODIFIED", pods.as_event_object(self._render(i, version + 1)))


class ProtobufScenario:
    """The same from a file of records: a letter, four bytes of length (little-endian), and what is one chunk.

    `L` are the pieces of a list, `A` the events that begin a watch-list, `B` the one that ends them, `M` the changes.
    """

    def __init__(self, file: Path) -> None:
        found: dict[bytes, list[bytes]] = {b"L": [], b"A": [], b"B": [], b"M": []}
        data = file.read_bytes()
        position = 0
        while position < len(data):
            kind, size = struct.unpack_from("<cI", data, position)
            position += 5
            found[kind].append(chunk(data[position : position + size]))
            position += size
        self.list = list(_gather([*found[b"L"], LAST_CHUNK]))
        self.initial = list(_gather([*found[b"A"], *found[b"B"]]))
        self.live = list(_gather(found[b"M"]))
