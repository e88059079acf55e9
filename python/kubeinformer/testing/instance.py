"""One running server: the store, its HTTP side, and the thread with the event loop that serves it.

Any thread may call any method. Reads and writes of objects go straight to the store, without the loop; only what
touches connections runs on the loop, and blocks the caller for that long. After :meth:`Instance.close` the thread is
gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar, Unpack

from kubeinformer.testing import crd
from kubeinformer.testing._aiohttp import web
from kubeinformer.testing.app import App, AppSettings
from kubeinformer.testing.effects import Match, MatchOptions
from kubeinformer.testing.faults import Faults, RunningWatch
from kubeinformer.testing.listing import Scope
from kubeinformer.testing.options import ListOptions
from kubeinformer.testing.recorder import RecordedRequest, Recorder
from kubeinformer.testing.resources import Registry, Resource
from kubeinformer.testing.responses import BODY_LIMIT
from kubeinformer.testing.rules import check_schema
from kubeinformer.testing.storage import Snapshot, Store
from kubeinformer.testing.watching import WatchSettings
from kubeinformer.testing.wire import reset_connection
from kubeinformer.testing.writes import Writer

HOST = "127.0.0.1"
LISTEN_BACKLOG = 1024
LOOP_CALL_SECONDS = 10.0
DRAIN_SECONDS = 0.1

_T = TypeVar("_T")


@dataclass(frozen=True)
class InstanceOptions:
    """What :class:`~kubeinformer.testing.APIServer` is constructed with; see there."""

    port: int
    bookmark_interval: float
    watch_timeout: tuple[float, float]
    too_new_wait: float
    history_limit: int


class Instance:
    """A server that runs from its construction to :meth:`close`."""

    def __init__(self, options: InstanceOptions) -> None:
        self._loop = asyncio.new_event_loop()
        self._dirty: set[str] = set()
        self._wake_pending = False
        self._closed = False
        self._close_lock = threading.Lock()
        self.registry = Registry()
        self.recorder = Recorder()
        self.faults = Faults(self)
        self._store = Store(options.history_limit, self._changed)
        self._writer = Writer(self._store, self.registry)
        watch = WatchSettings(options.bookmark_interval, options.watch_timeout)
        settings = AppSettings(watch, options.too_new_wait)
        self._app = App(
            store=self._store,
            registry=self.registry,
            writer=self._writer,
            faults=self.faults,
            recorder=self.recorder,
            settings=settings,
        )
        self._port = options.port
        self._listener: asyncio.Server | None = None
        # Never listens: the port stays ours while connections are refused. An outgoing connection of anybody's could be
        # given it otherwise.
        self._reserved: socket.socket | None = None
        self._connections: web.Server | None = None
        self._stopping = asyncio.Event()
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="kubeinformer-apiserver", daemon=True)
        self._thread.start()
        self._ready.result()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._port}"

    def close(self) -> None:
        """End all watches cleanly, drop the connections, stop the thread. Idempotent; well under a second."""
        with self._close_lock:
            if not self._closed:
                self._closed = True
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    # -- objects -------------------------------------------------------------------------------------------------------

    def create(self, obj: dict[str, Any]) -> dict[str, Any]:
        """See APIServer.create."""
        resource = self._resource_of(obj)
        namespace = (obj["metadata"].get("namespace") or "default") if resource.namespaced else ""
        return self._writer.create(resource, namespace, obj, trusted=True).to_dict(resource)

    def update(self, obj: dict[str, Any]) -> dict[str, Any]:
        """See APIServer.update."""
        resource = self._resource_of(obj)
        meta = obj["metadata"]
        namespace = (meta.get("namespace") or "default") if resource.namespaced else ""
        return self._writer.update(resource, namespace, meta.get("name", ""), obj, trusted=True).to_dict(resource)

    def delete(self, resource: str, name: str, namespace: str) -> dict[str, Any]:
        """See APIServer.delete."""
        found = self.registry.resolve(resource)
        return self._writer.delete(found, namespace if found.namespaced else "", name)[0].to_dict(found)

    def get(self, resource: str, name: str, namespace: str) -> dict[str, Any]:
        """See APIServer.get."""
        found = self.registry.resolve(resource)
        return self._writer.get(found, namespace if found.namespaced else "", name).to_dict(found)

    def list_objects(
        self, resource: str, namespace: str | None, label_selector: str, field_selector: str
    ) -> list[dict[str, Any]]:
        """See APIServer.list."""
        found = self.registry.resolve(resource)
        options = ListOptions.parse({"labelSelector": label_selector, "fieldSelector": field_selector})
        scope = Scope(found, namespace, "", options)
        with self._store.lock:
            collection = self._store.collection(found.storage)
            records = scope.select(collection.keys, collection.items)
        for record in records:
            check_schema(found, record)
        return [record.to_dict(found) for record in records]

    def plural_of(self, obj: dict[str, Any]) -> str:
        """Return the name by which :meth:`delete` finds the resource of an object."""
        resource = self._resource_of(obj)
        return f"{resource.api_version}/{resource.plural}"

    def register(self, group: str, version: str, plural: str, kind: str, namespaced: bool) -> None:
        """See APIServer.register."""
        self.registry.add(crd.custom_resource(group, version, plural, kind, namespaced))

    def resource_version(self) -> str:
        """Return the revision of the store."""
        return str(self._store.revision)

    def compact(self) -> None:
        """See APIServer.compact."""
        self._store.compact()

    def snapshot(self) -> Snapshot:
        """See APIServer.snapshot."""
        return self._store.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """See APIServer.restore."""
        self._store.restore(snapshot)

    def watch_count(self, **match: Unpack[MatchOptions]) -> int:
        """How many watches run that the keywords mean."""
        wanted = Match(**match)
        return self.on_loop(lambda: sum(wanted.covers(watch.target) for watch in self._app.watches))

    def requests(self) -> list[RecordedRequest]:
        """Every request recorded since the last :meth:`clear_requests`."""
        return self.recorder.all()

    def clear_requests(self) -> None:
        """Forget the recorded requests."""
        self.recorder.clear()

    def _resource_of(self, obj: Any) -> Resource:
        if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
            raise TypeError("obj must be a dict with metadata")
        api_version, kind = obj.get("apiVersion"), obj.get("kind")
        if not isinstance(api_version, str) or not isinstance(kind, str):
            raise ValueError("obj must have an apiVersion and a kind")
        found = self.registry.for_object(api_version, kind)
        if found is None:
            raise LookupError(f"no resource has the apiVersion {api_version!r} and the kind {kind!r}")
        return found

    # -- what the faults need ------------------------------------------------------------------------------------------

    def on_loop(self, action: Callable[[], _T]) -> _T:
        """Run something on the loop and return its result."""

        async def act() -> _T:
            return action()

        return self._call(act())

    def running_watches(self) -> list[RunningWatch]:
        """Return the watches that run now. On the loop only."""
        return list(self._app.watches)

    def wake(self) -> None:
        """Make everything that waits look again."""
        self._loop.call_soon_threadsafe(self._app.wake, None)

    def listen(self, listening: bool) -> None:
        """Open or close the listening socket."""
        self._call(self._listen() if listening else self._stop_listening())

    def drop_connections(self) -> int:
        """Reset every connection."""

        def drop() -> int:
            connections = [] if self._connections is None else self._connections.connections
            for connection in connections:
                reset_connection(connection.transport)
            return len(connections)

        return self.on_loop(drop)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _changed(self, storage: str) -> None:
        """Schedule one wake-up for all changes until it runs. Called under the lock of the store."""
        self._dirty.add(storage)
        if not self._wake_pending and not self._closed:
            self._wake_pending = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        with self._store.lock:
            dirty, self._dirty = self._dirty, set()
            self._wake_pending = False
        self._app.wake(dirty)

    def _call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        if self._closed:
            coroutine.close()
            raise RuntimeError("the server is closed")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(LOOP_CALL_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._loop.close()

    async def _main(self) -> None:
        try:
            self._connections = web.Server(
                self._app.handle,
                request_factory=self._make_request,
                handler_cancellation=True,
                access_log=None,
            )
            await self._listen()
        except BaseException as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        await self._stopping.wait()
        await self._stop_listening()
        if self._reserved is not None:
            self._reserved.close()
        self._app.close()
        self._connections.pre_shutdown()
        # The watches write their ends; whoever does not take his is not waited for.
        await self._connections.shutdown(DRAIN_SECONDS)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _make_request(
        self, message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
    ) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop, client_max_size=BODY_LIMIT)

    async def _listen(self) -> None:
        if self._listener is not None or self._connections is None:
            return
        if self._reserved is None:
            # Sockets that share a port would share it with another server as well: the first one does not.
            with self._bound_socket(share=False) as sock:
                self._port = sock.getsockname()[1]
            self._reserved = self._bound_socket()
        sock = self._bound_socket()
        if hasattr(socket, "TCP_CONGESTION"):
            # Where the kernel defaults to BBR, it paces a loopback reader that takes small pieces.
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        self._listener = await self._loop.create_server(self._connections, sock=sock, backlog=LISTEN_BACKLOG)

    def _bound_socket(self, *, share: bool = True) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(share))
        sock.bind((HOST, self._port))
        return sock

    async def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is None:
            return
        for sock in listener.sockets:
            self._loop.remove_reader(sock.fileno())
        # A listener that is closed between accept and the first step of its task leaves the connection open, unread.
        for _ in range(2):
            await asyncio.sleep(0)
        listener.close()
