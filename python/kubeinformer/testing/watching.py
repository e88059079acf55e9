"""WATCH: the stream of one client, from its initial events through the changes to its end.

A watch holds a cursor, the revision up to which its client knows everything within its scope, and no queue: what is to
be sent next is read from the history of the collection. So a watch that is not read costs nothing, and one that falls
behind the history is ended as a real server ends a slow one; its client resumes from the last event it got.

A bookmark never overtakes an event: its revision is read in the same critical section as the events sent before it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import orjson

from kubeinformer.testing.effects import Shape
from kubeinformer.testing.errors import StatusError, expired
from kubeinformer.testing.listing import PARTIAL_PREFIX, Scope
from kubeinformer.testing.options import ListOptions
from kubeinformer.testing.resources import Resource
from kubeinformer.testing.routes import Target
from kubeinformer.testing.rules import check_schema
from kubeinformer.testing.storage import ADDED, DELETED, MODIFIED, Collection, Event, Record, Store
from kubeinformer.testing.wire import Body

END_OF_INITIAL_EVENTS = "k8s.io/initial-events-end"
BOOKMARK_LEAD_SECONDS = 2.0
BOOKMARK = "BOOKMARK"
_TYPES = (ADDED, MODIFIED, DELETED, BOOKMARK)
BATCH_EVENTS = 1000
SLOW_CLIENT_SECONDS = 0.1


@dataclass(frozen=True)
class WatchSettings:
    """Seconds: between bookmarks, and the range that the length of a watch without timeoutSeconds is drawn from."""

    bookmark_interval: float
    default_timeout: tuple[float, float]


def initial_events(options: ListOptions) -> tuple[bool, bool]:
    """Whether a watch starts with an ADDED for each object, and whether a bookmark ends these.

    A legacy watch from "" or "0" does, and gets no bookmark: where WatchList is on it is none (ListOptions.defaulted).
    """
    asked = bool(options.send_initial_events)
    legacy = options.send_initial_events is None and options.resource_version in ("", "0")
    return asked or legacy, asked and options.allow_watch_bookmarks


class Watch:
    """One running watch. All methods are called on the server's loop.

    Args:
        reached: waits until the store has reached a revision; raises StatusError 504 when it does not.
        partial: send PartialObjectMetadata instead of the objects.

    """

    def __init__(
        self,
        *,
        target: Target,
        resource: Resource,
        scope: Scope,
        options: ListOptions,
        shape: Shape,
        body: Body,
        store: Store,
        settings: WatchSettings,
        reached: Callable[[int], Awaitable[None]],
        partial: bool,
    ) -> None:
        self.target = target
        self.signal = asyncio.Event()
        self._resource = resource
        self._scope = scope
        self._options = options
        self._shape = shape
        self._body = body
        self._store = store
        self._settings = settings
        self._reached = reached
        self._partial = partial
        prefix = PARTIAL_PREFIX if partial else resource.prefix
        self._heads = {kind: b'{"type":"%s","object":%s' % (kind.encode(), prefix) for kind in _TYPES}
        self._collection: Collection = store.collection(resource.storage)
        self._started = 0
        self._cursor = 0
        self._ended = False
        self._paused = False
        # The last send of a watch with a limited backlog had to wait for its client.
        self._slow = False
        self._reset: int | None = None
        self._injected: list[bytes] = []

    @property
    def storage(self) -> str:
        """The name of the storage whose changes it sends."""
        return self._resource.storage

    # -- actions of the faults -----------------------------------------------------------------------------------------

    def end(self) -> None:
        """End the stream cleanly."""
        self._ended = True
        self.signal.set()

    def reset_after(self, count: int) -> None:
        """Reset the connection once this many more bytes of the body are sent."""
        self._reset = count
        self.signal.set()

    def inject(self, data: bytes) -> None:
        """Send raw bytes."""
        self._injected.append(data)
        self.signal.set()

    def pause(self, paused: bool) -> None:
        """Stop sending, or go on."""
        self._paused = paused
        self.signal.set()

    # -- the stream ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send the stream and end it. Raises ConnectionError when the client is gone.

        Its head comes before any event, but not before the server knows where to begin.
        """
        wanted, bookmark = initial_events(self._options)
        refused: StatusError | None = None
        try:
            if wanted:
                await self._reached(self._options.revision)
            else:
                self._resume()
        except StatusError as error:
            refused = error
        await self._body.start()
        try:
            if refused is not None:
                raise refused
            if wanted:
                await self._send_initial(bookmark and self._shape.end_bookmark)
            await self._follow()
        except StatusError as error:
            await self._body.send([b'{"type":"ERROR","object":%s}\n' % error.body])
        await self._body.end()

    def _resume(self) -> None:
        """Set the cursor of a watch without initial events. Raises StatusError 410 when that is too long ago."""
        revision = self._options.revision
        with self._store.lock:
            oldest = self._store.oldest(self._collection)
            if not revision:
                revision = self._store.revision
            elif revision < oldest:
                if not self._resource.cached:
                    raise expired("The resourceVersion for the provided watch is too old.")
                raise expired(f"too old resource version: {revision} ({oldest})")
            self._started = self._cursor = revision

    async def _send_initial(self, bookmark: bool) -> None:
        with self._store.lock:
            records = self._scope.select(self._collection.keys, self._collection.items)
            self._started = self._cursor = self._store.revision
        await self._permitted()
        await self._body.send(self._line(ADDED, record) for record in records)
        if bookmark:
            await self._permitted()
            await self._body.send([self._bookmark(end=True)])

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        timeout = self._options.timeout_seconds or random.uniform(*self._settings.default_timeout)
        deadline = loop.time() + timeout
        bookmark_at = self._next_bookmark(loop.time(), deadline)
        while not self._ended:
            await self._permitted()
            self.signal.clear()
            await self._act()
            if not await self._send_changes():
                return
            now = loop.time()
            if now >= deadline:
                return
            if now >= bookmark_at:
                bookmark_at = self._next_bookmark(now, deadline)
                # Bookmarks are the watch cache's.
                wanted = self._options.allow_watch_bookmarks and self._resource.cached
                if wanted and self._cursor > self._started:
                    await self._body.send([self._bookmark()])
            await self._wait(min(bookmark_at, deadline))

    async def _permitted(self) -> None:
        """Wait while the watch is paused."""
        while self._paused and not self._ended:
            self.signal.clear()
            await self.signal.wait()

    async def _act(self) -> None:
        """Do what the faults asked for."""
        if self._injected:
            injected, self._injected = self._injected, []
            await self._body.send(injected)
        if self._reset is not None:
            count, self._reset = self._reset, None
            await self._body.reset_after(count)

    async def _send_changes(self) -> bool:
        """Send everything past the cursor. Returns whether the watch goes on."""
        size = BATCH_EVENTS if self._shape.backlog is None else min(BATCH_EVENTS, self._shape.backlog)
        loop = asyncio.get_running_loop()
        while True:
            with self._store.lock:
                events = self._collection.after(self._cursor)
                revision = self._store.revision
                closed = self._collection.closed
            if events is None or (self._slow and len(events) > size):
                return False
            if events:
                before = loop.time()
                await self._body.send(self._lines(events[:size]))
                self._slow = self._shape.backlog is not None and loop.time() - before > SLOW_CLIENT_SECONDS
                self._cursor = max(self._cursor, events[:size][-1].revision)
            if len(events) <= size:
                # A watch from a future revision keeps its cursor: what comes up to there is not for it.
                self._cursor = max(self._cursor, revision)
                return not closed
            if self._ended or self._paused:
                return True

    def _lines(self, events: list[Event]) -> Iterator[bytes]:
        matches = self._scope.matches
        for event in events:
            record, previous = event.record, event.previous
            was = previous is not None and matches(previous)
            if event.type == DELETED:
                if was:
                    yield self._line(DELETED, record)
            elif matches(record):
                yield self._line(MODIFIED if was else ADDED, record)
            elif was and previous is not None:
                # It left the selector: to this client it is gone, as it last saw it.
                yield self._line(DELETED, previous.at_revision(event.revision))

    def _line(self, kind: str, record: Record) -> bytes:
        check_schema(self._resource, record)
        body = record.body[: record.meta_end] + b"}" if self._partial else record.body
        return b"%b%b}\n" % (self._heads[kind], body)

    def _bookmark(self, *, end: bool = False) -> bytes:
        meta: dict[str, object] = {"resourceVersion": str(self._cursor)}
        if end:
            meta["annotations"] = {END_OF_INITIAL_EVENTS: "true"}
        return b'%b"metadata":%b}}\n' % (self._heads[BOOKMARK], orjson.dumps(meta))

    def _next_bookmark(self, now: float, deadline: float) -> float:
        """One an interval, and one shortly before the deadline."""
        last = deadline - BOOKMARK_LEAD_SECONDS
        regular = now + self._settings.bookmark_interval
        return min(regular, last) if last > now else regular

    async def _wait(self, until: float) -> None:
        timer = asyncio.get_running_loop().call_at(until, self.signal.set)
        try:
            await self.signal.wait()
        finally:
            timer.cancel()
