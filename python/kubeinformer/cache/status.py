"""What `status()` gives: the truth about an informer or a factory at one moment, as values that nothing changes later.

Nothing here is kept for it: it is read when it is asked for. No object is looked at, and no lock is held for longer
than it takes to copy a few numbers; the write of one batch may be waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubeinformer.cache.controller import Controller
from kubeinformer.cache.memory import MemoryUsage
from kubeinformer.cache.reflector import Reflector
from kubeinformer.cache.reflector_state import LastError, Phase, ReflectorCounters
from kubeinformer.cache.registration import HandlerRegistration
from kubeinformer.resource import Resource

# Of several sources the one that is worst off counts.
_WORST_FIRST = (Phase.STOPPED, Phase.IDLE, Phase.BACKOFF, Phase.CONNECTING, Phase.LISTING, Phase.WATCHING)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One list/watch pair of an informer.

    Attributes:
        namespace: what it watches; "" = the whole cluster.
        phase: what its reflector does.
        has_synced: whether its first list is in the store; never False again.
        is_live: whether its changes arrive at this moment.
        staleness: seconds since the server was last heard; infinite before the first list.
        last_error: the failure that nothing has mended since, with its times; None when all is well.
        last_sync_resource_version: version of what was received last; "" before the first list.
        last_store_sync_resource_version: version of what is in the store; "" before the first list, and always where
            the informer's queue is not "atomic".
        counters: what the reflector did so far: lists, relists by reason, watches, reconnects, failures.
    """

    namespace: str
    phase: Phase
    has_synced: bool
    is_live: bool
    staleness: float
    last_error: LastError | None
    last_sync_resource_version: str
    last_store_sync_resource_version: str
    counters: ReflectorCounters


@dataclass(frozen=True, slots=True)
class HandlerStatus:
    """One handler of an informer.

    Attributes:
        name: what logs call it.
        has_synced: whether it has returned from every object of the first list.
        pending: notifications that wait for it: its backlog.
        pending_bytes: what their objects take.
        delivered: notifications that were handed out, to it or, up to 1,000 ahead, to its thread or task.
        coalesced: notifications that were merged into others because it was too slow for its backlog.
        filtered: notifications of which its filter let it hear nothing.
        errors: calls that raised; a `FilteringResourceEventHandler`'s function, or the key function of an
            `enqueue_handler`, that raises fails its handler's call.
    """

    name: str
    has_synced: bool
    pending: int
    pending_bytes: int
    delivered: int
    coalesced: int
    filtered: int
    errors: int


@dataclass(frozen=True, slots=True)
class ProcessingLatency:
    """How long batches took from the queue into the store and to the handlers' backlogs.

    Attributes:
        counts: (upper bound in seconds, batches that took as long at most and longer than the bound before); the last
            bound is infinite.
        sum: of all their times, in seconds.
    """

    counts: tuple[tuple[float, int], ...]
    sum: float


@dataclass(frozen=True, slots=True)
class InformerStatus:
    """An informer at one moment. What is of its parts was read one after the other, not in one cut.

    Attributes:
        name: of the informer, as `SharedIndexInformer.name`.
        identity: what its `InformerName` is called; "" = it has none.
        resource: what it watches.
        phase: of the source that is worst off.
        has_synced: whether the first list of every source is in the store; never False again.
        is_live: whether changes of every source arrive at this moment. For readiness, not for liveness: a restart of
            the program does not mend a server that is down, and loses the cache.
        staleness: seconds for which the server has not been heard, of the source that waits longest; infinite before
            each has listed once.
        last_error: the failure that nothing has mended since, of the first source that has one.
        last_sync_resource_version: version of what was received last, of the first source.
        last_store_sync_resource_version: version of what is in the store, the lowest of the sources'.
        sources: each list/watch pair, by namespace; "" = the whole cluster.
        handlers: the handlers that are registered.
        memory: what is stored, queued, and waits for handlers and streams of events.
        processing_latency: see there.
        function_errors: how often functions of the user's raised, also of what is no longer there: "handler", "index",
            "transform", "watch_error_handler", "list_options".
    """

    name: str
    identity: str
    resource: Resource
    phase: Phase
    has_synced: bool
    is_live: bool
    staleness: float
    last_error: LastError | None
    last_sync_resource_version: str
    last_store_sync_resource_version: str
    sources: Mapping[str, SourceStatus]
    handlers: tuple[HandlerStatus, ...]
    memory: MemoryUsage
    processing_latency: ProcessingLatency
    function_errors: Mapping[str, int]

    @property
    def objects(self) -> int:
        """Objects in the store."""
        return self.memory.objects

    @property
    def bytes(self) -> int:
        """What they take."""
        return self.memory.bytes

    @property
    def backlog(self) -> int:
        """Notifications that wait for handlers and streams of events."""
        return self.memory.backlog

    @property
    def coalesced(self) -> int:
        """Notifications that were merged into others, of the handlers that are registered."""
        return sum(handler.coalesced for handler in self.handlers)

    @property
    def relists(self) -> dict[str, int]:
        """Lists and watch-lists that were begun after the first success, by the reason why they were needed."""
        relists: dict[str, int] = {}
        for source in self.sources.values():
            for reason, count in source.counters.relists.items():
                relists[reason] = relists.get(reason, 0) + count
        return relists

    @property
    def reconnects(self) -> int:
        """Watches that went on where the one before had ended, without a list."""
        return sum(source.counters.reconnects for source in self.sources.values())


@dataclass(frozen=True, slots=True)
class FactoryStatus:
    """The informers of a factory, each at one moment.

    Attributes:
        informers: by name; those that were asked for, started or not.
    """

    informers: Mapping[str, InformerStatus]

    @property
    def has_synced(self) -> bool:
        """Whether all have synced; True where there are none."""
        return all(informer.has_synced for informer in self.informers.values())

    @property
    def is_live(self) -> bool:
        """Whether all are live; True where there are none. For readiness, not for liveness."""
        return all(informer.is_live for informer in self.informers.values())

    @property
    def staleness(self) -> float:
        """Seconds for which the server has not been heard, of the informer that waits longest; 0 without informers."""
        return max((informer.staleness for informer in self.informers.values()), default=0.0)

    @property
    def last_errors(self) -> dict[str, LastError]:
        """The failures that nothing has mended since, by informer."""
        errors = {name: informer.last_error for name, informer in self.informers.items()}
        return {name: error for name, error in errors.items() if error is not None}


def informer_status(
    name: str, resource: Resource, controller: Controller, handlers: Iterable[HandlerRegistration[Any]]
) -> InformerStatus:
    """Read it.

    Raises:
        ForkedError: this is a forked child.
    """
    controller.guard.check()
    core = controller.core
    sources = {
        namespace: _source_status(namespace, controller, reflector)
        for namespace, reflector in controller.reflectors.items()
    }
    counts, latency = core.processing_latency()
    return InformerStatus(
        name=name,
        identity="" if controller.identity is None else controller.identity.name,
        resource=resource,
        phase=min((source.phase for source in sources.values()), key=_WORST_FIRST.index),
        has_synced=core.has_synced(),
        is_live=all(source.is_live for source in sources.values()),
        staleness=max(source.staleness for source in sources.values()),
        last_error=next((source.last_error for source in sources.values() if source.last_error is not None), None),
        last_sync_resource_version=next(iter(sources.values())).last_sync_resource_version,
        last_store_sync_resource_version=core.resource_version(None),
        sources=sources,
        handlers=tuple(_handler_status(registration) for registration in handlers),
        memory=MemoryUsage(*core.sizes()),
        processing_latency=ProcessingLatency(tuple(counts), latency),
        function_errors=controller.function_errors.read(),
    )


def _source_status(namespace: str, controller: Controller, reflector: Reflector) -> SourceStatus:
    stopped = controller.core.is_stopped()
    return SourceStatus(
        namespace=namespace,
        # One that was stopped before it began never hears of it; one that reads ends a moment later.
        phase=Phase.STOPPED if stopped else reflector.phase(),
        has_synced=reflector.has_synced(),
        is_live=not stopped and reflector.is_live(),
        staleness=reflector.staleness(),
        last_error=reflector.last_error(),
        last_sync_resource_version=reflector.last_sync_resource_version(),
        last_store_sync_resource_version=controller.core.resource_version(namespace or None),
        counters=reflector.counters(),
    )


def _handler_status(registration: HandlerRegistration[Any]) -> HandlerStatus:
    listener = registration.listener
    pending, pending_bytes, delivered, coalesced = listener.stats()
    return HandlerStatus(
        name=registration.name,
        has_synced=registration.has_synced(),
        pending=pending,
        pending_bytes=pending_bytes,
        delivered=delivered,
        coalesced=coalesced,
        filtered=listener.filtered(),
        errors=registration.errors(),
    )
