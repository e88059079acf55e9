"""The watch error handler: set before the start, told of every failure, harmless when it fails (client-go §81, §82)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from informer_support import Recorder, assert_equal_to_server, eventually

from kubeinformer import APIStatusError, Error, SharedInformerFactory, TransportError
from kubeinformer.cache import Reflector
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]
pytestmark = pytest.mark.usefixtures("quick_backoff")


GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'


class Heard:
    """A watch error handler that keeps what it heard."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.reflectors: list[Reflector] = []
        self.threads: set[str] = set()

    def __call__(self, reflector: Reflector, error: Exception) -> None:
        self.threads.add(threading.current_thread().name)
        self.reflectors.append(reflector)
        self.errors.append(error)

    def codes(self) -> set[int]:
        return {error.code for error in [*self.errors] if isinstance(error, APIStatusError)}


def test_s81_it_hears_of_lists_streams_connections_and_the_fallback(server: APIServer, make_factory: Make) -> None:
    heard = Heard()
    factory = make_factory()
    informer = factory.core().v1().pods().informer()
    informer.set_watch_error_handler(heard)
    server.faults.respond(500, times=2)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    assert heard.codes() == {500}, "the watch-list that was refused, and the list after it"
    assert {reflector.name for reflector in heard.reflectors} == {"v1/pods"}
    assert heard.threads == {"kubeinformer-reader-pods"}
    server.wait_for_watches(1)
    server.faults.refuse_connections()
    server.faults.drop_connections()
    eventually(lambda: any(isinstance(error, TransportError) for error in [*heard.errors]), "no connection")
    server.create(pod("a"))
    server.faults.accept_connections()
    eventually(lambda: len(informer.indexer()) == 1, "the change")
    server.wait_for_watches(1)
    server.faults.inject(GONE)
    eventually(lambda: 410 in heard.codes(), "the ERROR event")
    assert_equal_to_server(server, informer)


def test_s82_it_is_set_before_the_start_and_the_last_one_wins(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    pods = factory.core().v1().pods()
    informer = pods.informer()
    first, last = Heard(), Heard()
    informer.set_watch_error_handler(first)
    pods.typed().informer().set_watch_error_handler(last)
    server.faults.respond(503, times=1)
    with pytest.raises(TypeError, match="must be callable, not str"):
        informer.set_watch_error_handler("log")  # type: ignore[arg-type]
    factory.start()
    for view in (informer, pods.typed().informer()):
        with pytest.raises(Error, match="informer pods has already started"):
            view.set_watch_error_handler(first)
    eventually(lambda: last.errors, "the failure")
    assert first.errors == []


def test_s82_set_while_it_starts_it_is_set_or_refused(server: APIServer, make_factory: Make) -> None:
    server.faults.respond(503, times=None)
    for _ in range(20):
        factory = make_factory()
        informer = factory.core().v1().pods().informer()
        heard, refused = Heard(), list[bool]()

        def set_handler(informer: Any = informer, heard: Heard = heard, refused: list[bool] = refused) -> None:
            try:
                informer.set_watch_error_handler(heard)
                refused.append(False)
            except Error:
                refused.append(True)

        thread = threading.Thread(target=set_handler)
        thread.start()
        factory.start()
        thread.join(10)
        eventually(informer.last_error, "the failure")
        assert refused[0] == (not heard.errors)
        factory.shutdown(10)


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(1)], ids=lambda error: type(error).__name__)
def test_a_handler_that_raises_is_logged_and_nothing_is_lost(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture, raised: BaseException
) -> None:
    calls: list[Exception] = []

    def fail(_reflector: Reflector, error: Exception) -> None:
        calls.append(error)
        raise raised

    factory = make_factory(watch_error_handler=fail)
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    server.create(pod("a"))
    server.faults.respond(503, times=2)
    with caplog.at_level(logging.ERROR, "kubeinformer"):
        factory.start()
        factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(1)
    server.faults.inject(GONE)
    server.create(pod("b"))
    assert_equal_to_server(server, informer, recorder)
    assert len(calls) >= 2
    assert sum("on_error failed" in record.getMessage() for record in caplog.records) >= 2


def test_a_factorys_handler_is_that_of_every_informer(server: APIServer, make_factory: Make) -> None:
    heard, own = Heard(), Heard()
    factory = make_factory(watch_error_handler=heard, namespaces=["x", "y"])
    factory.core().v1().pods().informer()
    factory.core().v1().secrets().informer().set_watch_error_handler(own)
    server.faults.respond(403, times=None)
    factory.start()
    eventually(lambda: {reflector.name for reflector in [*heard.reflectors]} == {"v1/pods in x", "v1/pods in y"}, "403")
    eventually(lambda: own.codes() == {403}, "its own")
    assert {reflector.name for reflector in own.reflectors} <= {"v1/secrets in x", "v1/secrets in y"}
    with pytest.raises(TypeError, match="watch_error_handler"):
        make_factory(watch_error_handler="log")
