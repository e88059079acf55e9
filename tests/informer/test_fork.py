"""After a fork the child touches no lock and no thread of its parent: it is told so at once, and can make its own.

`ForkedError` is raised by whatever has locks or threads behind it; objects that were read before stay readable.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest
from fault_support import Follower, Make, World
from fork_support import CHILD_SECONDS, calls_of, in_child, not_refused, standalone_calls
from informer_support import Recorder, assert_equal_to_server, cached, listed

from kubeinformer import SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.transport import NativeTransport, OwnTransport

pytestmark = pytest.mark.usefixtures("both_transports")


def test_everything_of_the_parent_is_refused_and_objects_stay_readable(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory())
    objects = follower.informer.indexer().list()
    decoded, undecoded = objects[0], objects[1]
    decoded["spec"]
    expected = listed(server)
    with calls_of(follower, decoded) as of_informer:
        calls = {**of_informer, **standalone_calls()}

        def child() -> tuple[dict[str, str], list[bool]]:
            wrong = not_refused(calls)
            return wrong, [obj.to_dict() == expected[obj.key] and obj["spec"]["dnsPolicy"] for obj in objects]

        wrong, readable = in_child(child)
        assert wrong == {}
        assert all(readable)
        assert set(not_refused({"indexer.list": calls["indexer.list"]})) == {"indexer.list"}, "only in the child"
    assert undecoded["spec"]
    follower.check_goes_on()


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
    follower = Follower(server, make_factory())
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
            with calls_of(follower, obj) as calls:
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
    factory = SharedInformerFactory(ApiClient(Configuration(host=sys.argv[1])), transport=sys.argv[2])
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


def test_children_exit_cleanly(server: APIServer, both_transports: type[OwnTransport]) -> None:
    """With all finalizers of a normal exit, in a child and in a grandchild."""
    name = "native" if both_transports is NativeTransport else "python"
    for number in range(3):
        server.create(pod(f"web-{number}"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, server.url, name], capture_output=True, text=True, timeout=40, check=False
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


def test_a_child_that_lets_go_of_a_response_leaves_its_parents_connection_alone(
    server: APIServer, both_transports: type[OwnTransport]
) -> None:
    """Parent and child share the kernel's list of what an event loop waits for."""
    transport = both_transports(server.api_client())
    query = [("watch", "true"), ("resourceVersion", server.resource_version)]
    responses = [transport.request("/api/v1/pods", query, read_timeout=10.0, connect_timeout=10.0)]
    server.wait_for_watches(1)

    def child() -> bool:
        responses.clear()
        gc.collect()
        return True

    assert in_child(child)
    server.create(pod("after"))
    assert b"after" in responses[0].read()
    responses[0].close(complete=False)
