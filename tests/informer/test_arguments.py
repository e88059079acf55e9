"""Arguments of a wrong type or value: the error comes at once and names the argument."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import Configuration, CoreV1Api
from new_informer import PODS

from kubeinformer import (
    FilteringResourceEventHandler,
    ResourceEventBatchHandlerFunc,
    ResourceEventHandlerFuncs,
    SharedInformerFactory,
    wait_for,
    wait_for_cache_sync,
)
from kubeinformer.cache import (
    ExpirationCache,
    ListPager,
    UndeltaStore,
    new_informer,
    new_shared_index_informer,
    new_ttl_store,
)
from kubeinformer.cache.synctrack import Lazy
from kubeinformer.informers import DynamicSharedInformerFactory, MetadataSharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name", "x"),
        ("options", {"queue": "delta"}),
        ("resync_period", "30"),
        ("resync_period", None),
        ("custom_resync_config", {"pods": "3"}),
        ("namespaces", [1]),
        ("namespaces", 5),
        ("transport", object()),
        ("api_client", object()),
    ],
)
def test_of_a_factory(argument: str, value: Any) -> None:
    with pytest.raises(TypeError, match=argument):
        SharedInformerFactory(**{argument: value})
    if argument != "custom_resync_config":
        with pytest.raises(TypeError, match=argument):
            DynamicSharedInformerFactory(**{argument: value})


def test_an_api_class_is_no_api_client(server: APIServer) -> None:
    with pytest.raises(TypeError, match="ApiClient or a Configuration, not CoreV1Api"):
        SharedInformerFactory(CoreV1Api(server.api_client()))  # type: ignore[arg-type]


def test_a_plain_configuration_is_enough(server: APIServer) -> None:
    server.create(pod("web-0"))
    configuration = Configuration(host=server.url)
    whole, metadata = SharedInformerFactory(configuration), MetadataSharedInformerFactory(configuration)
    informers = [whole.core().v1().pods().informer(), metadata.for_resource("v1", "pods").informer()]
    with whole.running(timeout=10), metadata.running(timeout=10):
        assert [informer.indexer().list_keys() for informer in informers] == [["default/web-0"]] * 2


@pytest.mark.parametrize("argument", ["label_selector", "field_selector", "namespaces"])
def test_of_an_accessor(factory: SharedInformerFactory, argument: str) -> None:
    arguments: dict[str, Any] = {argument: {"a": "b"} if argument != "namespaces" else 5}
    with pytest.raises(TypeError, match=argument):
        factory.core().v1().pods(**arguments)
    with pytest.raises(TypeError, match=argument):
        factory.for_resource("example.com/v1", "widgets", **arguments)


def test_namespaces_of_what_has_none(factory: SharedInformerFactory) -> None:
    with pytest.raises(ValueError, match="namespaces must be None: v1/nodes has none"):
        factory.for_resource("v1", "nodes", namespaces=["a"])


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("resync_period", "30"),
        ("backlog", 5),
        ("backlog", None),
        ("backlog", "shrink"),
        ("backlog", ("a", "b")),
        ("backlog", (1, 2, 3)),
        ("backlog", (0, 1)),
    ],
)
def test_of_a_handler(factory: SharedInformerFactory, argument: str, value: Any) -> None:
    informer = factory.core().v1().pods().informer()
    with pytest.raises((TypeError, ValueError), match=argument):
        informer.add_event_handler(ResourceEventHandlerFuncs(), **{argument: value})


def test_a_handler_that_is_none(factory: SharedInformerFactory) -> None:
    async def accepts(_obj: Any) -> bool:
        return False

    informer = factory.core().v1().pods().informer()
    with pytest.raises(TypeError, match="filter_func must not be a coroutine function"):
        FilteringResourceEventHandler(accepts, ResourceEventHandlerFuncs())
    with pytest.raises(TypeError, match="batch_func must be callable, not str"):
        ResourceEventBatchHandlerFunc("batch")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be an object, not the class ResourceEventHandlerFuncs"):
        informer.add_event_handler(ResourceEventHandlerFuncs)  # type: ignore[arg-type]


@pytest.mark.parametrize(("max_batch", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_size_of_batches(factory: SharedInformerFactory, max_batch: Any, error: type[Exception]) -> None:
    informer = factory.core().v1().pods().informer()
    with pytest.raises(error, match="max_batch must be"):
        informer.add_event_handler(ResourceEventBatchHandlerFunc(print), max_batch=max_batch)


def test_a_resync_period_of_new_informers(server: APIServer) -> None:
    with pytest.raises(TypeError, match="resync_period must be a number of seconds, not str"):
        new_shared_index_informer(server.api_client(), PODS, "30")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="resync_period must be a number of seconds, not str"):
        new_informer(server.api_client(), PODS, "30", ResourceEventHandlerFuncs())  # type: ignore[arg-type]


def test_functions_of_tools_of_their_own() -> None:
    nothing: Any = None
    for argument, make in [
        ("page_func", lambda: ListPager(nothing)),
        ("push_func", lambda: UndeltaStore(nothing)),
        ("evaluate", lambda: Lazy(nothing)),
        ("expiration_policy", lambda: ExpirationCache(None, nothing)),
        ("key_func", lambda: new_ttl_store("key", 1.0)),  # type: ignore[arg-type]
    ]:
        with pytest.raises(TypeError, match=f"{argument}.* must be callable"):
            make()


def calls_without_stop(factory: SharedInformerFactory) -> list[Callable[[Any], object]]:
    informer = factory.core().v1().pods().informer()
    return [
        wait_for_cache_sync,  # `wait_for_cache_sync(informer.has_synced)` would wait for nothing
        lambda stop: wait_for(stop, "caches"),
        factory.start,
        factory.wait_for_cache_sync,
        lambda stop: factory.running(10, stop).__enter__(),
        informer.start,
        informer.run,
        informer.controller.run,
    ]


@pytest.mark.parametrize("number", range(8))
def test_what_is_no_stop_event(factory: SharedInformerFactory, number: int) -> None:
    before = threading.active_count()
    call = calls_without_stop(factory)[number]
    with pytest.raises(TypeError, match=r"stop must be a threading.Event or None, not (method|function)"):
        call(factory.core().v1().pods().informer().has_synced)
    assert threading.active_count() == before, "nothing was started"
