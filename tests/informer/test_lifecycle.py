"""Starting, waiting, pulling, stopping."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from informer_support import eventually, informer_threads

from kubeinformer import CacheSyncTimeoutError, Error, KubeObject, ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_shutdown_names_the_handler_that_is_still_busy(server: APIServer, factory: SharedInformerFactory) -> None:
    gate = threading.Event()
    informer = factory.core().v1().pods().informer()
    busy = threading.Event()

    def stubborn(_obj: KubeObject) -> None:
        busy.set()
        gate.wait(30)

    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=stubborn))
    server.create(pod("web-0"))
    factory.start()
    assert busy.wait(10)
    (name,) = factory.shutdown(timeout=0.2)
    assert name.endswith("-test_lifecycle.test_shutdown_names_the_handler_that_is_still_busy")
    gate.set()
    assert factory.shutdown(timeout=10) == []


def test_a_handler_may_shut_its_own_factory_down(server: APIServer, factory: SharedInformerFactory) -> None:
    done = threading.Event()

    def added(_obj: KubeObject) -> None:
        factory.shutdown(timeout=10)
        done.set()

    factory.core().v1().pods().informer().add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    server.create(pod("web-0"))
    factory.start()
    assert done.wait(10)


def test_running_starts_waits_and_shuts_down(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("web-0"))
    pods = factory.core().v1().pods()
    pods.informer()
    with factory.running(timeout=10):
        assert pods.lister().pods("default").get("web-0").name == "web-0"
        nodes = factory.core().v1().nodes().informer()
        assert factory.wait_for_cache_sync(timeout=10) == {"pods": True, "nodes": True}
        eventually(nodes.is_live, "live")
    assert informer_threads() == []


def test_events_are_pulled_in_order_and_not_repeated_after_a_reconnect(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().informer()
    with factory.running(timeout=10):
        events = informer.events(timeout=10)
        first = next(events)
        assert (first["type"], first["object"].name, first.is_in_initial_list) == ("ADDED", "web-0", True)
        server.faults.close_watches()
        server.update(pod("web-0", phase="Failed"))
        second = next(events)
        assert (second.type, second.old.get_path("status.phase")) == ("MODIFIED", "Running")  # type: ignore[union-attr]
        assert second["object"].get_path("status.phase") == "Failed"
        server.delete("pods", "web-0")
        third = next(events)
        assert (third.type, third.object.key) == ("DELETED", "default/web-0")
        with pytest.raises(KeyError):
            third["raw_object"]
        begin = time.monotonic()
        assert list(informer.events(timeout=0.2)) == []
        assert 0.15 < time.monotonic() - begin < 5
        with informer.events() as stream:
            threading.Timer(0.1, stream.close).start()
            assert list(stream) == []
        last = informer.events()
    assert list(last) == []
    with pytest.raises(Error, match="stopped"):
        informer.events()


def test_wait_times_out_with_names_and_errors(server: APIServer, factory: SharedInformerFactory) -> None:
    server.faults.respond(500, times=None)
    factory.core().v1().pods().informer()
    factory.start()
    with pytest.raises(CacheSyncTimeoutError, match=r"caches not synced after 0.5 s: pods: .*500") as raised:
        factory.wait_for_cache_sync(timeout=0.5)
    assert isinstance(raised.value, TimeoutError)
    assert isinstance(raised.value, Error)
    assert list(raised.value.unsynced) == ["pods"]


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_lasting_refusal_ends_the_wait_at_once(server: APIServer, factory: SharedInformerFactory, code: int) -> None:
    server.faults.respond(code, times=None)
    informer = factory.core().v1().pods().informer()
    factory.start()
    begin = time.monotonic()
    with pytest.raises(CacheSyncTimeoutError, match="the server refuses: pods"):
        factory.wait_for_cache_sync(timeout=60)
    assert time.monotonic() - begin < 10
    with pytest.raises(CacheSyncTimeoutError, match="not synced after"):
        factory.wait_for_cache_sync(timeout=0.1, fail_fast=False)
    assert not informer.is_live()
    server.faults.clear()
    assert factory.wait_for_cache_sync(timeout=20, fail_fast=False) == {"pods": True}


def test_release_stops_one_informer_and_forgets_it(server: APIServer, factory: SharedInformerFactory) -> None:
    pods, nodes = factory.core().v1().pods().informer(), factory.core().v1().nodes().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    assert factory.release(pods, timeout=10) == []
    assert pods.is_stopped()
    assert not nodes.is_stopped()
    again = factory.core().v1().pods().informer()
    assert again is not pods
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"nodes": True, "pods": True}
    with pytest.raises(Error, match="not an informer of this factory"):
        factory.release(pods)


def test_liveness_and_staleness_tell_the_truth(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    assert not informer.is_live()
    assert informer.staleness() == float("inf")
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    eventually(informer.is_live, "live")
    assert informer.staleness() < 5
    server.faults.refuse_connections()
    server.faults.drop_connections()
    eventually(lambda: not informer.is_live(), "not live while nobody answers")
    assert informer.has_synced()
    eventually(lambda: "refused" in str(informer.last_errors()).lower(), "the error says why")
    server.faults.accept_connections()
    eventually(informer.is_live, "live again")
    assert informer.last_error() is None


PROGRAM = """
import sys, threading
from kubernetes.client import ApiClient, Configuration
from kubeinformer import SharedInformerFactory
configuration = Configuration()
configuration.host = sys.argv[1]
factory = SharedInformerFactory(ApiClient(configuration))
informer = factory.core().v1().pods().informer()
factory.start()
print("started", flush=True)
try:
    if sys.argv[2] == "events":
        factory.wait_for_cache_sync(timeout=30)
        print("waiting", flush=True)
        for event in informer.events():
            pass
    elif sys.argv[2] == "run":
        informer = factory.core().v1().nodes().informer()
        print("waiting", flush=True)
        informer.run()
    else:
        print("waiting", flush=True)
        factory.wait_for_cache_sync()
except KeyboardInterrupt:
    assert sys.argv[2] != "run" or informer.is_stopped()
    factory.shutdown(5)
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("blocking", ["events", "run", "wait"])
def test_ctrl_c_ends_a_blocking_call_of_the_main_thread_within_200_ms(server: APIServer, blocking: str) -> None:
    if blocking == "wait":
        server.faults.stall(times=None)
    command = [sys.executable, "-c", PROGRAM, server.url, blocking]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.3)  # into the blocking call; earlier would only make the test easier
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - begin < 0.5  # 200 ms to act, the rest to shut down
        assert process.wait(10) == 0
