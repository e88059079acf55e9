"""Fixtures of the informer tests: an embedded server and factories that leave nothing behind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from informer_support import informer_threads

from kubeinformer import ControllerOptions, SharedInformerFactory
from kubeinformer.cache.backoff import Backoff
from kubeinformer.informers import DynamicSharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import custom_resource_definition
from kubeinformer.transport import HTTPTransport, NativeTransport, OwnTransport, auto


@pytest.fixture
def server() -> Iterator[APIServer]:
    with APIServer() as server:
        yield server


@pytest.fixture
def make_factory(server: APIServer) -> Iterator[Callable[..., SharedInformerFactory]]:
    """Factories on the server; after the test they are shut down and no thread of theirs may be left."""
    factories: list[SharedInformerFactory] = []

    def make(*, options: dict[str, Any] | None = None, **arguments: Any) -> SharedInformerFactory:
        factory = SharedInformerFactory(server.api_client(), options=ControllerOptions(**(options or {})), **arguments)
        factories.append(factory)
        return factory

    yield make
    for factory in factories:
        assert factory.shutdown(timeout=10) == []
    assert informer_threads() == []


@pytest.fixture
def factory(make_factory: Callable[..., SharedInformerFactory]) -> SharedInformerFactory:
    return make_factory()


@pytest.fixture
def widgets(server: APIServer) -> APIServer:
    """The server, with the custom resource widgets.example.com."""
    server.create(custom_resource_definition("example.com", "widgets", "Widget"))
    return server


@pytest.fixture
def make_dynamic(server: APIServer) -> Iterator[Callable[..., Any]]:
    """Factories of a class, on the server unless they have a transport; shut down after the test like the others."""
    factories: list[DynamicSharedInformerFactory] = []

    def make_one(cls: type[DynamicSharedInformerFactory], **arguments: Any) -> DynamicSharedInformerFactory:
        if "transport" not in arguments:
            arguments["api_client"] = server.api_client()
        factories.append(cls(**arguments))
        return factories[-1]

    yield make_one
    for factory in factories:
        assert factory.shutdown(timeout=10) == []
    assert informer_threads() == []


@pytest.fixture
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts of 10 to 100 ms instead of 0.8 to 60 s."""
    quick = partial(Backoff, initial=0.01, cap=0.05)
    monkeypatch.setattr("kubeinformer.cache.reflector.Backoff", quick)
    monkeypatch.setattr("kubeinformer.cache.transform_retries.Backoff", quick)


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Threads take turns every 0.1 ms, not every 5 ms: more happens between two steps of another."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture(params=[HTTPTransport, NativeTransport], ids=["python", "native"])
def both_transports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[OwnTransport]:
    """The test runs with one transport after the other; "auto" is this one, in forked children too."""
    monkeypatch.setattr(auto, "AutoTransport", request.param)
    if hasattr(request.module, "AnyTransport"):
        monkeypatch.setattr(request.module, "AnyTransport", request.param)
    return request.param
