"""A clock, a transport and a source that are scripts: what the reflector asks, and when, is recorded; nobody waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kubeinformer.cache.backoff import Backoff
from kubeinformer.cache.reflector import Reflector
from kubeinformer.cache.version_went_back import went_back
from kubeinformer.errors import DecodeError, TransportError
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport.base import ReadTimeoutError, ServerCapabilities

PODS = Resource("", "v1", "pods", "Pod")


class FakeClock:
    """Time that only waits and `advance` move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.0 + self.now

    def wait(self, stop: Any, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return stop.is_set()

    def advance(self, seconds: float) -> Callable[[], None]:
        """A step of a response: time passes."""

        def step() -> None:
            self.now += seconds

        return step


SILENCE = object()
"""A piece of a response: nothing comes until the read times out."""

Piece = Any


class FakeResponse:
    """Pieces: bytes are read, functions are called on the way, exceptions are raised, SILENCE times out."""

    def __init__(self, *pieces: Piece, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers or {}
        self.chunked = False
        self.closed: bool | None = None
        self.timeouts: list[float | None] = []
        self._pieces: Iterator[Piece] = iter(pieces)
        self.clock: FakeClock | None = None

    def read(self, timeout: float | None = None) -> bytes:
        self.timeouts.append(timeout)
        for piece in self._pieces:
            if isinstance(piece, bytes):
                return piece
            if isinstance(piece, Exception):
                raise piece
            if piece is SILENCE:
                assert self.clock is not None
                self.clock.now += timeout or 0
                raise ReadTimeoutError("silent")
            piece()
        return b""

    def read_error_body(self, limit: int = 65536) -> bytes:
        return b"".join(piece for piece in self._pieces if isinstance(piece, bytes))[:limit]

    def shutdown(self) -> None:
        raise AssertionError("the fake stops by its script")

    def close(self, complete: bool) -> None:
        assert self.closed is None, "closed twice"
        self.closed = complete


class FakeTransport:
    """Answers requests from a script; when it is used up, the reflector is stopped."""

    def __init__(self, clock: FakeClock, *script: Any) -> None:
        self.capabilities = ServerCapabilities()
        self.clock = clock
        self.script = list(script)
        self.requests: list[dict[str, str]] = []
        self.calls: list[dict[str, Any]] = []
        self.responses: list[FakeResponse] = []
        self.at_end: Callable[[], None] = lambda: None

    def request(self, path: str, query: Any, **kwargs: Any) -> FakeResponse:
        if not self.script:
            self.at_end()
            raise TransportError("stopped")
        self.requests.append(dict(query))
        self.calls.append({"path": path, **kwargs})
        answer = self.script.pop(0)
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        answer.clock = self.clock
        self.responses.append(answer)
        return answer


@dataclass
class FakeMeta:
    resource_version: str
    continue_token: str
    remaining_item_count: int | None = None


class FakeListReader:
    def __init__(self, relist: FakeRelist) -> None:
        self._relist = relist
        self._body = b""

    def feed(self, data: bytes) -> bool:
        self._body += data
        return False

    def finish(self) -> FakeMeta:
        try:
            body = json.loads(self._body)
        except ValueError:
            raise DecodeError("not JSON", None, 0) from None
        self._relist.names += [item["metadata"]["name"] for item in body["items"]]
        return FakeMeta(body["metadata"]["resourceVersion"], body["metadata"].get("continue", ""))


class FakeRelist:
    def __init__(self, source: FakeSource) -> None:
        self._source = source
        self.names: list[str] = []

    def page(self, *, chunked: bool) -> FakeListReader:
        return FakeListReader(self)

    def commit(self, resource_version: str) -> None:
        if self._source.commit_error is not None:
            raise self._source.commit_error
        self._source.log.append(("replace", resource_version, self.names))

    def __len__(self) -> int:
        return len(self.names)


class FakeWatchReader:
    """The contract of the core's reader over json.loads, for whole lines."""

    def __init__(self, source: FakeSource, not_older_than: str, *, initial: bool, any_version: bool = False) -> None:
        self._source = source
        self._any_version = any_version
        self._newest = not_older_than
        self._initial: list[str] | None = [] if initial else None
        self._rest = b""
        self.events = self.bookmarks = self.unknown_events = 0
        self.resource_version = self.went_back_to = ""
        self.synced = False
        self.error: bytes | None = None

    def feed(self, data: bytes) -> bool:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return any(self._line(line) for line in lines)

    def _line(self, line: bytes) -> bool:
        try:
            event = json.loads(line)
        except ValueError:
            raise DecodeError("not an event", "default/bad", 17) from None
        return self._event(event)

    def _event(self, event: dict[str, Any]) -> bool:
        kind, obj = event["type"], event["object"]
        if kind == "ERROR":
            self.error = json.dumps(obj).encode()
            return True
        version = obj["metadata"]["resourceVersion"]
        self._any_version = self._any_version and kind == "ADDED"
        ends = "k8s.io/initial-events-end" in obj["metadata"].get("annotations", {})
        if not self._any_version and (self._initial is None or ends):
            if went_back(self._newest, version):
                self.went_back_to = version
                return True
            self._newest = version
        if kind == "BOOKMARK":
            self.events += 1
            self.bookmarks += 1
            if self._initial is not None and ends:
                self._source.log.append(("replace", version, self._initial))
                self._initial, self.synced = None, True
        elif kind in ("ADDED", "MODIFIED", "DELETED"):
            self.events += 1
            if self._initial is not None:
                self._initial.append(obj["metadata"]["name"])
                return False
            self._source.log.append((kind, version, obj["metadata"]["name"]))
        else:
            self.unknown_events += 1
        if not self._any_version:
            self.resource_version = version
        return False

    def finish(self) -> None:
        if self._rest and not self.went_back_to:
            self._line(self._rest)


class FakeSource:
    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.commit_error: Exception | None = None

    def begin_relist(self) -> FakeRelist:
        return FakeRelist(self)

    def watch_reader(self, *, chunked: bool, any_version: bool = False, not_older_than: str = "") -> FakeWatchReader:
        return FakeWatchReader(self, not_older_than, initial=False, any_version=any_version)

    def watch_list_reader(self, *, chunked: bool, not_older_than: str = "") -> FakeWatchReader:
        return FakeWatchReader(self, not_older_than, initial=True)

    def has_synced(self) -> bool:
        return any(entry[0] == "replace" for entry in self.log)


class Rig:
    """A reflector on fakes. `run` returns when the script is used up."""

    def __init__(self, *script: Any, **options: Any) -> None:
        self.clock = options.pop("clock", None) or FakeClock()
        self.source = FakeSource()
        self.transport = FakeTransport(self.clock, *script)
        self.errors: list[Exception] = []
        self.phases: list[str] = []
        backoff = options.pop("backoff", None) or Backoff(clock=self.clock.monotonic, random=lambda: 0.0)
        options.setdefault("list_options", ListOptions)
        self.reflector = Reflector(
            self.source,
            self.transport,
            PODS,
            clock=self.clock,
            backoff=backoff,
            random=lambda: 0.5,
            on_error=self.errors.append,
            on_phase=self.phases.append,
            **options,
        )
        self.transport.at_end = self.reflector.stop

    def run(self) -> Rig:
        self.reflector.run()
        assert not self.transport.script, "the reflector ended before its script"
        assert all(response.closed is not None for response in self.transport.responses), "a response was left open"
        return self

    @property
    def requests(self) -> list[dict[str, str]]:
        return self.transport.requests

    def versions(self) -> list[tuple[str, str | None]]:
        """Kind and resourceVersion of each request."""
        return [(kind(query), query.get("resourceVersion")) for query in self.requests]

    def kinds(self) -> list[str]:
        return [kind(query) for query in self.requests]


def kind(query: dict[str, str]) -> str:
    if "watch" not in query:
        return "list"
    return "watch-list" if "sendInitialEvents" in query else "watch"


def pod_list(version: str, *names: str, continue_: str = "") -> FakeResponse:
    metadata = {"resourceVersion": version, **({"continue": continue_} if continue_ else {})}
    items = [{"metadata": {"name": name}} for name in names]
    return FakeResponse(json.dumps({"kind": "PodList", "metadata": metadata, "items": items}).encode())


def event(kind: str, version: str, name: str = "a") -> bytes:
    return _line(kind, {"kind": "Pod", "metadata": {"name": name, "resourceVersion": version}})


def bookmark(version: str) -> bytes:
    return _line("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version}})


def initial_end(version: str) -> bytes:
    annotations = {"k8s.io/initial-events-end": "true"}
    return _line("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version, "annotations": annotations}})


def error_event(code: int | None, reason: str = "", **extra: Any) -> bytes:
    return _line("ERROR", _status(code, reason, **extra))


def refusal(code: int, reason: str = "", headers: dict[str, str] | None = None, **extra: Any) -> FakeResponse:
    return FakeResponse(json.dumps(_status(code, reason, **extra)).encode(), status=code, headers=headers)


def _status(code: int | None, reason: str, **extra: Any) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": "no", **extra}


def _line(kind: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def too_large() -> dict[str, Any]:
    return {"details": {"causes": [{"reason": "ResourceVersionTooLarge"}], "retryAfterSeconds": 1}}


def watching() -> FakeResponse:
    """A watch that ends well, after a bookmark beyond every version used."""
    return FakeResponse(bookmark("999"))
