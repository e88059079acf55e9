"""What the fork tests share: functions that run in a forked child, and everything a program may hold across a fork."""

from __future__ import annotations

import asyncio
import os
import pickle
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fault_support import Follower
from informer_support import Recorder

from kubeinformer import ForkedError, KubeObject, cache
from kubeinformer.cache import keys
from kubeinformer.cache.registration import HandlerRegistration
from kubeinformer.cache.synctrack import AsyncTracker, Lazy, SingleFileTracker
from kubeinformer.testing.objects import pod

CHILD_SECONDS = 10.0


def in_child(function: Callable[[], Any]) -> Any:
    """What a function returns in a forked child; an error when it raises, or takes too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            answer = (True, function())
        except BaseException as error:
            answer = (False, f"{type(error).__name__}: {error}")
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    data = b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        deadline = time.monotonic() + CHILD_SECONDS
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if not (piece := pipe.read(65536)):
                break
            data += piece
        else:
            os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert data, "the child hangs"
    good, answer = pickle.loads(data)
    assert good, answer
    return answer


def not_refused(calls: dict[str, Callable[[], Any]]) -> dict[str, str]:
    """The calls that do not raise ForkedError at once, and what they do instead."""
    wrong = {}
    for name, call in calls.items():
        begin = time.monotonic()
        try:
            wrong[name] = repr(call())
        except ForkedError as error:
            if "child" not in str(error):
                wrong[name] = f"it does not say what to do: {error}"
        except BaseException as error:
            wrong[name] = repr(error)
        if time.monotonic() - begin > 1.0:
            wrong[name] = "it takes its time"
    return wrong


@contextmanager
def calls_of(follower: Follower, obj: KubeObject) -> Iterator[dict[str, Callable[[], Any]]]:
    """Everything that a program may hold and call, made before the fork."""
    informer = follower.informer
    registration = informer.add_event_handler(Recorder())
    with informer.events(timeout=5) as events, informer.events(timeout=5) as begun:
        next(begun)
        yield _calls(follower, obj, registration, events, begun)
    informer.remove_event_handler(registration)


async def _first(events: cache.EventStream[KubeObject]) -> object:
    return await anext(events)


def _calls(
    follower: Follower,
    obj: KubeObject,
    registration: HandlerRegistration[KubeObject],
    events: cache.EventStream[KubeObject],
    begun: cache.EventStream[KubeObject],
) -> dict[str, Callable[[], Any]]:
    factory, informer, recorder = follower.factory, follower.informer, follower.recorder
    indexer, pods = informer.indexer(), factory.core().v1().pods()
    lister, reflector = pods.lister(), informer.controller.reflectors[""]
    typed = pods.typed()
    snapshot = indexer.snapshot()
    return {
        "factory.start": factory.start,
        "factory.wait_for_cache_sync": lambda: factory.wait_for_cache_sync(timeout=5),
        "factory.shutdown": lambda: factory.shutdown(timeout=5),
        "factory.release": lambda: factory.release(informer),
        "factory.running": lambda: factory.running().__enter__(),
        "factory.for_resource": lambda: factory.for_resource("example.com/v1", "widgets"),
        "factory.informer_for": lambda: factory.informer_for(informer.resource, lambda _transport, _period: informer),
        "factory.core.v1.nodes": lambda: factory.core().v1().nodes().informer(),
        "informer.add_event_handler": lambda: informer.add_event_handler(recorder),
        "informer.add_event_handler_with_resync_period": lambda: informer.add_event_handler_with_resync_period(
            recorder, 5
        ),
        "informer.remove_event_handler": lambda: informer.remove_event_handler(registration),
        "informer.shut_down_event_handler": lambda: informer.shut_down_event_handler(registration, timeout=5),
        "informer.events": lambda: informer.events(timeout=5),
        "informer.events.async": lambda: asyncio.run(_first(events)),
        "factory.running.async": lambda: asyncio.run(factory.running().__aenter__()),
        "factory.wait_for_cache_sync_async": lambda: asyncio.run(factory.wait_for_cache_sync_async(5)),
        "factory.shutdown_async": lambda: asyncio.run(factory.shutdown_async(5)),
        "informer.wait_for_cache_sync_async": lambda: asyncio.run(informer.wait_for_cache_sync_async(5)),
        "informer.wait_for_resource_version_async": lambda: asyncio.run(
            informer.wait_for_resource_version_async("1", timeout=5)
        ),
        "informer.shutdown_async": lambda: asyncio.run(informer.shutdown_async(5)),
        "informer.shut_down_event_handler_async": lambda: asyncio.run(
            informer.shut_down_event_handler_async(registration, 5)
        ),
        "informer.add_indexers": lambda: informer.add_indexers({"new": "spec.nodeName"}),
        "informer.add_indexers(function)": lambda: informer.add_indexers({"new": lambda _: []}),
        "informer.start": informer.start,
        "informer.run": lambda: informer.run(threading.Event()),
        "informer.stop": informer.stop,
        "informer.shutdown": lambda: informer.shutdown(timeout=5),
        "informer.has_synced": informer.has_synced,
        "informer.has_synced_checker": informer.has_synced_checker().is_done,
        "informer.has_synced_checker.wait": lambda: informer.has_synced_checker().wait(5),
        "informer.set_watch_error_handler": lambda: informer.set_watch_error_handler(print),
        "informer.wait_for_cache_sync": lambda: informer.wait_for_cache_sync(timeout=5),
        "informer.is_stopped": informer.is_stopped,
        "informer.is_live": informer.is_live,
        "informer.status": informer.status,
        "factory.status": factory.status,
        "informer.staleness": informer.staleness,
        "informer.last_error": informer.last_error,
        "informer.last_errors": informer.last_errors,
        "informer.last_sync_resource_version": informer.last_sync_resource_version,
        "informer.last_store_sync_resource_version": informer.last_store_sync_resource_version,
        "informer.wait_for_resource_version": lambda: informer.wait_for_resource_version("1", timeout=5),
        "informer.index_errors": informer.index_errors,
        "indexer.get_by_key": lambda: indexer.get_by_key(obj.key),
        "indexer.get": lambda: indexer.get(obj),
        "indexer.list": indexer.list,
        "indexer.list(selector)": lambda: indexer.list("app=a"),
        "indexer.list_keys": indexer.list_keys,
        "indexer.iter": lambda: next(indexer.iter()),
        "indexer.by_index": lambda: indexer.by_index("node", "node-0"),
        "indexer.index_keys": lambda: indexer.index_keys("node", "node-0"),
        "indexer.index": lambda: indexer.index("node", obj),
        "indexer.list_index_func_values": lambda: indexer.list_index_func_values("node"),
        "indexer.count": indexer.count,
        "indexer.count(index)": lambda: indexer.count("node", "node-0"),
        "indexer.get_indexers": indexer.get_indexers,
        "indexer.index_errors": indexer.index_errors,
        "indexer.list_json": indexer.list_json,
        "indexer.project": lambda: indexer.project(["spec.nodeName"]),
        "indexer.last_store_sync_resource_version": indexer.last_store_sync_resource_version,
        "indexer.snapshot": indexer.snapshot,
        "informer.memory": informer.memory,
        "snapshot.get_by_key": lambda: snapshot.get_by_key(obj.key),
        "snapshot.list": snapshot.list,
        "snapshot.list(selector)": lambda: snapshot.list("app=a"),
        "snapshot.list_keys": snapshot.list_keys,
        "snapshot.iter": lambda: next(snapshot.iter()),
        "snapshot.by_index": lambda: snapshot.by_index("node", "node-0"),
        "snapshot.index": lambda: snapshot.index("node", obj),
        "snapshot.list_json": snapshot.list_json,
        "snapshot.last_store_sync_resource_version": snapshot.last_store_sync_resource_version,
        "len(snapshot)": lambda: len(snapshot),
        "len(indexer)": lambda: len(indexer),
        "key in indexer": lambda: obj.key in indexer,
        "lister.list": lister.list,
        "lister.get": lambda: lister.pods("default").get(obj.name),
        "typed.lister.list": typed.lister().list,
        "typed.informer.has_synced": typed.informer().has_synced,
        "registration.has_synced": registration.has_synced,
        "registration.has_synced_checker": registration.has_synced_checker().is_done,
        "registration.has_synced_checker.wait": lambda: registration.has_synced_checker().wait(5),
        "registration.listener.wait_initial_list": lambda: registration.listener.wait_initial_list(5),
        "registration.pending": registration.pending,
        "registration.wait_for_resource_version": lambda: registration.wait_for_resource_version("1", timeout=5),
        "registration.coalesced": registration.coalesced,
        "registration.errors": registration.errors,
        "events": lambda: next(events),
        "events.close": events.close,
        "events that were read before": lambda: next(begun),
        "reflector.run": reflector.run,
        "reflector.stop": reflector.stop,
    }


def standalone_calls() -> dict[str, Callable[[], Any]]:
    """The same for the classes that need no server."""
    key = keys.meta_namespace_key_func
    obj = pod("web-0")
    indexer = cache.Indexer(key, {"node": lambda item: [item["spec"]["nodeName"]]})
    store = cache.ThreadSafeStore()
    delta, real = cache.DeltaFIFO(key_function=key), cache.RealFIFO(key_function=key)
    for queue in (delta, real):
        queue.add(obj)
    indexer.add(obj)
    store.add("a", obj)
    calls: dict[str, Callable[[], Any]] = {
        "indexer.by_index": lambda: indexer.by_index("node", "node-1"),
        "indexer.get": lambda: indexer.get(obj),
        "indexer.replace": lambda: indexer.replace([obj], "1"),
        "indexer.add_indexers": lambda: indexer.add_indexers({"new": lambda _: []}),
        "indexer.list": indexer.list,
        "indexer.delete": lambda: indexer.delete(obj),
        "store.get": lambda: store.get("a"),
        "store.list": store.list,
        "store.add": lambda: store.add("b", obj),
        "len(store)": lambda: len(store),
    }
    tracker, asynchronous, lazy = SingleFileTracker(), AsyncTracker[str](), Lazy(lambda: 1)
    calls |= {
        "tracker.start": tracker.start,
        "tracker.finished": tracker.finished,
        "tracker.upstream_has_synced": tracker.upstream_has_synced,
        "tracker.has_synced": tracker.has_synced,
        "tracker.wait": lambda: tracker.wait(5),
        "async tracker.start": lambda: asynchronous.start("key"),
        "async tracker.finished": lambda: asynchronous.finished("key"),
        "lazy.notify": lazy.notify,
        "lazy.get": lazy.get,
    }
    for name, queue in (("delta", delta), ("real", real)):
        calls |= {
            f"{name}.add": lambda queue=queue: queue.add(obj),
            f"{name}.pop": lambda queue=queue: queue.pop(lambda *_: None, timeout=5),
            f"{name}.replace": lambda queue=queue: queue.replace([obj], "1"),
            f"{name}.has_synced": queue.has_synced,
            f"{name}.close": queue.close,
            f"{name}.resync": queue.resync,
        }
    return calls
