"""After a fork the child touches no lock and no thread of its parent: it is told so at once, and can make its own.

`ForkedError` is raised by whatever has locks or threads behind it; objects that were read before stay readable.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from fault_support import Follower, Make, World
from informer_support import Recorder, assert_equal_to_server, cached, listed

from kubeinformer import ForkedError, KubeObject, SharedInformerFactory, cache
from kubeinformer.cache import keys
from kubeinformer.testing import APIServer
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


def calls_of(factory: SharedInformerFactory, follower: Follower, obj: KubeObject) -> dict[str, Callable[[], Any]]:
    """Everything that a program may hold and call, made before the fork."""
    informer, recorder = follower.informer, follower.recorder
    registration = informer.add_event_handler(Recorder())
    events, begun = informer.events(timeout=5), informer.events(timeout=5)
    next(begun)
    indexer, pods = informer.indexer(), factory.core().v1().pods()
    lister, reflector = pods.lister(), informer.controller.reflectors[""]
    typed = pods.typed()
    return {
        "factory.start": factory.start,
        "factory.wait_for_cache_sync": lambda: factory.wait_for_cache_sync(timeout=5),
        "factory.shutdown": lambda: factory.shutdown(timeout=5),
        "factory.release": lambda: factory.release(informer),
        "factory.running": lambda: factory.running().__enter__(),
        "factory.for_resource": lambda: factory.for_resource("example.com/v1", "widgets"),
        "factory.core.v1.nodes": lambda: factory.core().v1().nodes().informer(),
        "informer.add_event_handler": lambda: informer.add_event_handler(recorder),
        "informer.add_event_handler_with_resync_period": lambda: informer.add_event_handler_with_resync_period(
            recorder, 5
        ),
        "informer.remove_event_handler": lambda: informer.remove_event_handler(registration),
        "informer.shut_down_event_handler": lambda: informer.shut_down_event_handler(registration, timeout=5),
        "informer.events": lambda: informer.events(timeout=5),
        "informer.add_indexers": lambda: informer.add_indexers({"new": "spec.nodeName"}),
        "informer.add_indexers(function)": lambda: informer.add_indexers({"new": lambda _: []}),
        "informer.start": informer.start,
        "informer.run": lambda: informer.run(threading.Event()),
        "informer.stop": informer.stop,
        "informer.shutdown": lambda: informer.shutdown(timeout=5),
        "informer.has_synced": informer.has_synced,
        "informer.wait_for_cache_sync": lambda: informer.wait_for_cache_sync(timeout=5),
        "informer.is_stopped": informer.is_stopped,
        "informer.is_live": informer.is_live,
        "informer.staleness": informer.staleness,
        "informer.last_error": informer.last_error,
        "informer.last_errors": informer.last_errors,
        "informer.last_sync_resource_version": informer.last_sync_resource_version,
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
        "len(indexer)": lambda: len(indexer),
        "key in indexer": lambda: obj.key in indexer,
        "lister.list": lister.list,
        "lister.get": lambda: lister.pods("default").get(obj.name),
        "typed.lister.list": typed.lister().list,
        "typed.informer.has_synced": typed.informer().has_synced,
        "registration.has_synced": registration.has_synced,
        "registration.pending": registration.pending,
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


def test_everything_of_the_parent_is_refused_and_objects_stay_readable(server: APIServer, make_factory: Make) -> None:
    factory = make_factory()
    follower = Follower(server, factory)
    objects = follower.informer.indexer().list()
    decoded, undecoded = objects[0], objects[1]
    decoded["spec"]
    calls = {**calls_of(factory, follower, decoded), **standalone_calls()}
    expected = listed(server)

    def child() -> tuple[dict[str, str], list[bool]]:
        wrong = not_refused(calls)
        readable = [obj.to_dict() == expected[obj.key] and obj["metadata"]["name"] == obj.name for obj in objects]
        return wrong, readable

    wrong, readable = in_child(child)
    assert wrong == {}
    assert all(readable)
    assert undecoded["spec"]
    follower.check_goes_on()
    assert set(not_refused({"indexer.list": calls["indexer.list"]})) == {"indexer.list"}


def follow_in_child(url: str) -> dict[str, Any]:
    """A new factory in a child: synced, used, shut down."""
    from kubernetes.client import ApiClient, Configuration

    factory = SharedInformerFactory(ApiClient(Configuration(host=url)))
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    with factory.running(timeout=CHILD_SECONDS):
        found = cached(informer)
    assert threading.active_count() == 1
    return found


def test_forks_under_heavy_churn_neither_hang_nor_harm(server: APIServer, make_factory: Make) -> None:
    """Twenty children, while the parent's threads hold every lock there is, again and again."""
    factory = make_factory()
    follower = Follower(server, factory)
    obj = follower.informer.indexer().list()[0]
    follower.informer.add_indexers({"function": lambda pod: [pod["metadata"]["uid"]]})
    stop = threading.Event()

    def write() -> None:
        world = World(server, namespaces=("churn",), seed=7)
        while not stop.is_set():
            world.change()

    def read() -> None:
        indexer = follower.informer.indexer()
        while not stop.is_set():
            indexer.by_index("node", "node-0")
            indexer.index_errors()
            indexer.list("app=a")
            for found in indexer.list():
                found["spec"]
            follower.informer.remove_event_handler(follower.informer.add_event_handler(Recorder()))

    threads = [threading.Thread(target=work) for work in (write, read, read)]
    for thread in threads:
        thread.start()
    try:
        for number in range(20):
            calls = calls_of(factory, follower, obj)
            assert in_child(lambda calls=calls: not_refused(calls)) == {}
            if number % 10 == 0:
                assert obj.key in in_child(lambda: follow_in_child(server.url))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    follower.check_goes_on()


def multiprocessing_target(url: str, inherited: SharedInformerFactory, answers: Any) -> None:
    answers.send((not_refused({"factory.start": inherited.start}), follow_in_child(url)))


def test_multiprocessing_with_fork(server: APIServer, make_factory: Make) -> None:
    factory = make_factory()
    follower = Follower(server, factory)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=multiprocessing_target, args=(server.url, factory, sender))
    process.start()
    assert receiver.poll(CHILD_SECONDS)
    assert receiver.recv() == ({}, listed(server))
    process.join(CHILD_SECONDS)
    assert process.exitcode == 0
    follower.check_goes_on()


PROGRAM = """
import os, sys, threading
from kubernetes.client import ApiClient, Configuration
from kubeinformer import ForkedError, SharedInformerFactory

def start():
    factory = SharedInformerFactory(ApiClient(Configuration(host=sys.argv[1])))
    informer = factory.core().v1().pods().informer()
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True}
    return factory, informer

factory, informer = start()
events = informer.events()
next(events)
child = os.fork()
if child == 0:
    try:
        informer.indexer().list()
    except ForkedError:
        pass
    else:
        sys.exit("no ForkedError")
    parents = factory, informer
    factory, informer = start()
    assert len(informer.indexer()) == 3
    grandchild = os.fork()
    if grandchild == 0:
        for old in (parents[1], informer):
            try:
                old.has_synced()
            except ForkedError:
                continue
            sys.exit("no ForkedError")
        factory, informer = start()
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]) == 7
    assert len(informer.indexer()) == 3
    sys.exit(5)  # by the way of a normal exit, with a factory that runs and its parent's beside it
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
assert len(informer.indexer()) == 3
assert factory.shutdown(10) == []
print("done")
"""


def test_children_exit_cleanly(server: APIServer) -> None:
    """With all finalizers of a normal exit, in a child and in a grandchild."""
    for number in range(3):
        server.create(pod(f"web-{number}"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, server.url], capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_the_parent_goes_on_when_children_leave(server: APIServer, make_factory: Make) -> None:
    """A child that ends, or is killed, takes none of the connections with it."""
    follower = Follower(server, make_factory())
    watches = follower.counters().watches
    for end in (lambda: os._exit(0), lambda: os.kill(os.getpid(), signal.SIGKILL)):
        child = os.fork()
        if child == 0:
            end()
        os.waitpid(child, 0)
    follower.check_goes_on()
    assert follower.counters().watches == watches
    assert_equal_to_server(server, follower.informer, follower.recorder)
