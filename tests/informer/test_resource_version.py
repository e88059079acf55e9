"""Reading one's own writes: the store's resource version, and waiting until store and handlers are there (§27-§31)."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Callable

import pytest
from informer_support import Recorder, eventually
from kubernetes.client import CoreV1Api, V1ConfigMap, V1ObjectMeta

from kubeinformer import KubeObject, ResourceEventHandlerFuncs, SharedIndexInformer, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, pod

Make = Callable[..., SharedInformerFactory]
Informer = SharedIndexInformer[KubeObject]


def version_of(obj: dict[str, dict[str, str]]) -> str:
    return obj["metadata"]["resourceVersion"]


def after(server: APIServer) -> str:
    """A version that nothing has yet."""
    return str(int(server.resource_version) + 1)


@pytest.fixture
def informer(factory: SharedInformerFactory) -> Informer:
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    return informer


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(work()), daemon=True)
    thread.start()
    return thread, answers


def test_what_the_official_client_wrote_is_read_back_every_time(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    informer = factory.core().v1().config_maps().informer()
    factory.start()
    with server.api_client() as client:
        api = CoreV1Api(client)
        for number in range(300):
            name = f"settings-{number % 3}"
            body = V1ConfigMap(metadata=V1ObjectMeta(name=name), data={"number": str(number)})
            if number < 3:
                written = api.create_namespaced_config_map("default", body)
            else:
                written = api.replace_namespaced_config_map(name, "default", body)
            assert informer.wait_for_resource_version(written.metadata.resource_version, timeout=10)
            cached = informer.indexer().get_by_key(f"default/{name}")
            assert cached is not None
            assert cached["data"]["number"] == str(number)


def test_deletions_are_waited_for_too(server: APIServer, informer: Informer) -> None:
    for _ in range(100):
        created = server.create(pod("web-0"))
        assert informer.wait_for_resource_version(version_of(created), timeout=10)
        assert "default/web-0" in informer.indexer()
        server.delete("pods", "web-0")
        assert informer.wait_for_resource_version(server.resource_version, timeout=10)
        assert "default/web-0" not in informer.indexer()


def test_s27_s30_the_store_has_the_version_of_what_was_written_last(server: APIServer, informer: Informer) -> None:
    version = version_of(server.create(pod("web-0")))
    assert informer.wait_for_resource_version(version, timeout=10)
    assert informer.last_store_sync_resource_version() == version
    assert informer.indexer().last_store_sync_resource_version() == version


def test_s30_a_bookmark_brings_the_store_to_writes_that_do_not_match() -> None:
    with APIServer(bookmark_interval=0.1) as server:
        factory = SharedInformerFactory(server.api_client())
        informer = factory.core().v1().pods(label_selector="app=web").informer()
        with factory.running(timeout=10):
            version = version_of(server.create(pod("other-0")))
            assert informer.wait_for_resource_version(version, timeout=10)
            assert len(informer.indexer()) == 0


def test_each_namespace_has_its_own_version(server: APIServer, make_factory: Make) -> None:
    factory = make_factory(namespaces=["a", "b"])
    informer = factory.core().v1().config_maps().informer()
    assert [informer.last_store_sync_resource_version(name) for name in ("a", "b", None)] == ["", "", ""]
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    before = informer.last_store_sync_resource_version("b")
    for number in range(100):
        write = server.update if number else server.create
        version = version_of(write(config_map("settings", "a", data={"number": str(number)})))
        assert informer.wait_for_resource_version(version, timeout=10, namespace="a")
        cached = informer.indexer().get_by_key("a/settings")
        assert cached is not None
        assert cached["data"]["number"] == str(number)
    assert informer.last_store_sync_resource_version("a") == version
    assert informer.last_store_sync_resource_version("b") == before
    assert informer.last_store_sync_resource_version() == before, "the lowest"
    assert not informer.wait_for_resource_version(version, timeout=0.05)
    written = version_of(server.create(config_map("settings", "b")))
    assert informer.wait_for_resource_version(version, timeout=10)
    assert informer.wait_for_resource_version(written, timeout=10, namespace="b")
    with pytest.raises(ValueError, match='namespace "c"'):
        informer.wait_for_resource_version(version, namespace="c")
    with pytest.raises(ValueError, match='namespace "c"'):
        informer.last_store_sync_resource_version("c")


def test_an_informer_of_the_cluster_takes_any_namespace(server: APIServer, informer: Informer) -> None:
    version = version_of(server.create(pod("web-0", "far-away")))
    assert informer.wait_for_resource_version(version, timeout=10, namespace="far-away")
    assert "far-away/web-0" in informer.indexer()
    assert informer.last_store_sync_resource_version("far-away") == version


@pytest.mark.parametrize("version", ["x", "1x", "-1", "01", "1.0", " 1"])
def test_a_version_that_is_no_number_is_refused(informer: Informer, version: str) -> None:
    registration = informer.add_event_handler(Recorder())
    with pytest.raises(ValueError, match="resource_version"):
        informer.wait_for_resource_version(version, timeout=0)
    with pytest.raises(ValueError, match="resource_version"):
        registration.wait_for_resource_version(version, timeout=0)


def test_without_a_version_there_is_nothing_to_wait_for(factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(Recorder())
    for version in ("", "0"):
        assert informer.wait_for_resource_version(version, handlers=True)
        assert registration.wait_for_resource_version(version)


def test_the_time_is_over_in_time(server: APIServer, informer: Informer) -> None:
    begin = time.monotonic()
    assert not informer.wait_for_resource_version(after(server), timeout=0.2)
    assert not informer.wait_for_resource_version(after(server), timeout=0)
    assert not informer.wait_for_resource_version("9" * 60, timeout=0)
    assert 0.2 <= time.monotonic() - begin < 1.0


class Slow(Recorder):
    """Counts calls that have returned; each waits for `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.returned: list[str] = []

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        self.go.wait(10)
        time.sleep(0.001)
        self.returned.append(obj.key)


def test_handlers_have_returned_when_they_are_waited_for(server: APIServer, informer: Informer) -> None:
    handlers = [Slow(), Slow()]
    registrations = [informer.add_event_handler(handler) for handler in handlers]
    handlers[0].go.set()
    for number in range(100):
        version = version_of(server.create(pod(f"web-{number}")))
        if number % 10 == 0:
            assert registrations[0].wait_for_resource_version(version, timeout=10)
            assert handlers[0].returned[-1] == f"default/web-{number}"
    assert informer.wait_for_resource_version(version, timeout=10)
    assert handlers[1].returned == []
    assert not informer.wait_for_resource_version(version, handlers=True, timeout=0.05)
    assert not registrations[1].wait_for_resource_version(version, timeout=0.05)
    thread, answers = in_thread(lambda: informer.wait_for_resource_version(version, handlers=True, timeout=10))
    handlers[1].go.set()
    thread.join(10)
    assert answers == [True]
    assert [len(handler.returned) for handler in handlers] == [100, 100]


def test_what_comes_later_is_not_waited_for(server: APIServer, informer: Informer) -> None:
    calls: list[str] = []
    go = threading.Semaphore(0)

    def add(obj: KubeObject) -> None:
        calls.append(obj.key)
        go.acquire(timeout=10)

    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=add))
    server.create(pod("first-0"))
    eventually(lambda: calls, "the first call")
    version = version_of(server.create(pod("second-0")))
    assert informer.wait_for_resource_version(version, timeout=10)
    barrier = registration.listener.barrier()
    for number in range(20):
        later = version_of(server.create(pod(f"later-{number}")))
    assert informer.wait_for_resource_version(later, timeout=10)
    go.release(2)
    assert registration.listener.wait_handled(barrier, 10)
    assert len(calls) <= 3, "two have returned"
    go.release(20)


def test_a_handler_that_is_removed_is_not_waited_for(server: APIServer, informer: Informer) -> None:
    slow, quick = Slow(), Recorder()
    registration = informer.add_event_handler(slow)
    informer.add_event_handler(quick)
    version = version_of(server.create(pod("web-0")))
    waits = [
        in_thread(lambda: informer.wait_for_resource_version(version, handlers=True, timeout=10)),
        in_thread(lambda: registration.wait_for_resource_version(version, timeout=10)),
    ]
    eventually(lambda: quick.state, "the other handler")
    assert not any(answers for _, answers in waits)
    informer.remove_event_handler(registration)
    for thread, answers in waits:
        thread.join(10)
        assert answers == [True]
    assert slow.returned == []
    assert registration.wait_for_resource_version(version, timeout=0)
    slow.go.set()


def test_a_handler_that_waits_for_all_handlers_is_not_waited_for(server: APIServer, informer: Informer) -> None:
    answers: list[object] = []

    def add(obj: KubeObject) -> None:
        answers.append(informer.wait_for_resource_version(obj.resource_version, handlers=True, timeout=10))
        try:
            answers.append(own.wait_for_resource_version(obj.resource_version, timeout=10))
        except RuntimeError as error:
            answers.append(str(error))

    own = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=add))
    other = Recorder()
    informer.add_event_handler(other)
    version = version_of(server.create(pod("web-0")))
    assert own.wait_for_resource_version(version, timeout=10)
    assert answers[0] is True
    assert "cannot wait until it has returned" in str(answers[1])
    assert "default/web-0" in other.state


def test_events_are_no_handler(server: APIServer, informer: Informer) -> None:
    with informer.events(timeout=5) as events:
        version = version_of(server.create(pod("web-0")))
        assert next(events)["type"] == "ADDED"
        assert informer.wait_for_resource_version(version, handlers=True, timeout=10)


def test_a_stop_ends_the_waits(server: APIServer, informer: Informer) -> None:
    slow = Slow()
    informer.add_event_handler(slow)
    version = version_of(server.create(pod("web-0")))
    assert informer.wait_for_resource_version(version, timeout=10)
    waits = [
        in_thread(lambda: informer.wait_for_resource_version(after(server))),
        in_thread(lambda: informer.wait_for_resource_version(version, handlers=True)),
    ]
    informer.stop()
    for thread, answers in waits:
        thread.join(10)
        assert answers == [False]
    assert informer.wait_for_resource_version(version), "it is there all the same"
    slow.go.set()


@pytest.mark.parametrize("handlers", [False, True])
def test_ctrl_c_ends_a_wait_of_the_main_thread(server: APIServer, informer: Informer, handlers: bool) -> None:
    slow = Slow()
    informer.add_event_handler(slow)
    version = version_of(server.create(pod("web-0"))) if handlers else after(server)
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.monotonic())
        _thread.interrupt_main()

    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.2, interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            informer.wait_for_resource_version(version, handlers=handlers, timeout=10)
        assert time.monotonic() - sent[0] < 0.2
    finally:
        signal.signal(signal.SIGINT, inherited)
        slow.go.set()
