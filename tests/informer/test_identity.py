"""Identity names: unique in the process, one informer a resource, given back at shutdown."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

import pytest
from informer_support import Recorder, eventually, informer_threads

from kubeinformer import ForkedError, InformerName, Resource, SharedInformerFactory
from kubeinformer.testing import APIServer

Make = Callable[..., SharedInformerFactory]
PODS, NODES = Resource("", "v1", "pods"), Resource("", "v1", "nodes")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> InformerName:
    return InformerName(request.node.name)


def test_a_name_is_unique_until_it_is_released() -> None:
    first = InformerName("unique")
    with pytest.raises(ValueError, match="informer name 'unique' is taken"):
        InformerName("unique")
    first.release()
    second = InformerName("unique")
    first.release()
    with pytest.raises(ValueError, match="taken"):
        InformerName("unique")
    second.release()
    with pytest.raises(ValueError, match="must not be empty"):
        InformerName("")


def test_one_of_many_threads_gets_a_name() -> None:
    got, go = list[InformerName](), threading.Event()

    def take() -> None:
        go.wait(10)
        try:
            got.append(InformerName("raced"))
        except ValueError:
            pass

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(got) == 1
    got[0].release()


def test_the_first_informer_of_a_resource_has_it(name: InformerName, caplog: pytest.LogCaptureFixture) -> None:
    first, other = name.with_resource(PODS), name.with_resource(NODES)
    assert caplog.records == []
    second = name.with_resource(Resource("", "v1", "pods", "Pod", True, "V1Pod"))
    assert (first.reserved(), other.reserved(), second.reserved()) == (True, True, False)
    assert (second.name, second.resource.plural) == (name.name, "pods")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert f"informer {name.name} of v1/pods" in record.getMessage()
    second.release()
    assert first.reserved(), "what one does not have one cannot give back"
    first.release()
    assert not first.reserved()
    assert name.with_resource(PODS).reserved()
    name.release()


def test_release_ends_every_reservation(name: InformerName) -> None:
    identity = name.with_resource(PODS)
    name.release()
    assert not identity.reserved()
    assert not name.with_resource(PODS).reserved()


def test_in_a_forked_child_names_are_free_and_those_of_the_parent_unusable(name: InformerName) -> None:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            InformerName(name.name).with_resource(PODS)
            try:
                name.with_resource(PODS)
            except ForkedError:
                status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    name.release()


def test_a_factorys_name_is_in_threads_and_logs_and_released_at_shutdown(
    server: APIServer, make_factory: Make, name: InformerName, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kubeinformer")
    factory = make_factory(name=name, namespaces=["a"])
    pods, nodes = factory.core().v1().pods().informer(), factory.core().v1().nodes().informer()
    registration = pods.add_event_handler(Recorder())
    assert registration.has_synced_checker().name.startswith(f"{name.name}/pods + event handler ")
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True, "nodes": True}, "results go without it"
    assert sorted(informer_threads()) == [
        f"kubeinformer-handler-{name.name}/pods-informer_support.Recorder",
        f"kubeinformer-processor-{name.name}/nodes",
        f"kubeinformer-processor-{name.name}/pods",
        f"kubeinformer-reader-{name.name}/nodes",
        f"kubeinformer-reader-{name.name}/pods-a",
    ]

    def said(begin: str) -> bool:
        return any(record.getMessage().startswith(f"{name.name}/{begin}: read ") for record in [*caplog.records])

    eventually(lambda: said("pods in a") and said("nodes"), "the log lines")
    identities = [informer.controller.identity for informer in (pods, nodes)]
    assert [identity is not None and identity.reserved() for identity in identities] == [True, True]
    factory.shutdown(timeout=10)
    assert [identity is not None and identity.reserved() for identity in identities] == [False, False]
    InformerName(name.name).release()


def test_an_informer_that_is_released_gives_its_resource_back(
    server: APIServer, make_factory: Make, name: InformerName, caplog: pytest.LogCaptureFixture
) -> None:
    factory = make_factory(name=name)
    first = factory.core().v1().pods().informer()
    factory.start()
    eventually(first.has_synced, "synced")
    assert factory.release(first, timeout=10) == []
    second = factory.core().v1().pods().informer()
    assert second is not first
    assert second.controller.identity is not None
    assert second.controller.identity.reserved()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_second_scope_of_a_resource_is_not_reserved(
    server: APIServer, make_factory: Make, name: InformerName
) -> None:
    factory = make_factory(name=name)
    for label_selector, reserved in ((None, True), ("app=web", False)):
        informer = factory.core().v1().pods(label_selector=label_selector).informer()
        assert informer.controller.identity is not None
        assert informer.controller.identity.reserved() is reserved
