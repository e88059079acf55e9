"""A custom resource whose definition comes, goes and comes back while the informer runs (faults F23, statement 90)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from informer.informer_support import eventually
from kubeinformer import APIStatusError, CacheSyncTimeoutError, SharedInformerFactory

from .crd import DEFINITIONS, create_crd, delete_crd
from .informer_oracle import Replay, assert_equal_to_server, assert_same_bytes_by_every_way
from .rest import request


def definition_exists(api_client: ApiClient, name: str) -> bool:
    try:
        request(api_client, "GET", f"{DEFINITIONS}/{name}")
    except ApiException as error:
        if error.status != 404:
            raise
        return False
    return True


def test_objects_follow_their_definition(
    api_client: ApiClient, namespace: str, make_factory: Callable[..., SharedInformerFactory]
) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.kubeinformer.test"
    collection = f"/apis/{group}/v1/namespaces/{namespace}/widgets"

    def widget(name: str, size: int) -> dict[str, Any]:
        meta = {"name": name, "namespace": namespace, "labels": {"size": str(size)}}
        return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": meta, "spec": {"size": size, "": "ü"}}

    factory = make_factory(api_client)
    widgets = factory.for_resource(f"{group}/v1", "widgets")
    informer, replay = widgets.informer(), Replay()
    informer.add_event_handler(replay)
    factory.start()
    with pytest.raises(CacheSyncTimeoutError, match=rf"the server refuses: widgets\.{group}.*404"):
        factory.wait_for_cache_sync(timeout=30)
    last = informer.last_error()
    assert last is not None
    assert isinstance(last.error, APIStatusError)
    assert last.error.code == 404
    assert not informer.is_live()

    name = create_crd(api_client, group, "widgets", "Widget")
    factory.wait_for_cache_sync(timeout=30, fail_fast=False)
    eventually(informer.is_live, "it is live, once the definition is there")
    assert informer.last_error() is None
    uids = {}
    for number in range(20):
        uids[number] = request(api_client, "POST", collection, widget(f"w-{number}", number))["metadata"]["uid"]
    for number in range(10):
        request(api_client, "PATCH", f"{collection}/w-{number}", {"spec": {"size": number + 100}})
    request(api_client, "PATCH", f"{collection}/w-0/status", {"status": {"ready": True}})
    for number in range(5):
        request(api_client, "DELETE", f"{collection}/w-{number}")
    objects = assert_equal_to_server(api_client, informer, replay)
    assert sorted(objects) == sorted(f"{namespace}/w-{number}" for number in range(5, 20))
    assert objects[f"{namespace}/w-9"]["spec"] == {"size": 109, "": "ü"}
    assert replay.of(f"{namespace}/w-0") == [(kind, uids[0]) for kind in ("add", "update", "update", "delete")]
    by_watch = {obj.key: obj.raw for obj in informer.indexer().list()}
    assert_same_bytes_by_every_way(make_factory, api_client, informer.resource, [namespace], by_watch)
    assert [obj.name for obj in widgets.lister().by_namespace(namespace).list("size=19")] == ["w-19"]

    delete_crd(api_client, name)
    eventually(lambda: len(informer.indexer()) == 0, "its objects go with it")
    eventually(lambda: len(replay.names("delete")) == 20, "each is reported")
    assert replay.tombstones == 0
    assert replay.state == {}
    eventually(lambda: not definition_exists(api_client, name), "the definition is gone")
    eventually(informer.last_error, "and the server refuses again")
    assert informer.has_synced()

    create_crd(api_client, group, "widgets", "Widget")
    again = request(api_client, "POST", collection, widget("w-7", 7))["metadata"]["uid"]
    eventually(lambda: replay.of(f"{namespace}/w-7")[-1] == ("add", again), "the new definition's objects arrive", 60)
    request(api_client, "PATCH", f"{collection}/w-7", {"spec": {"size": 70}})
    eventually(lambda: replay.of(f"{namespace}/w-7")[-1] == ("update", again), "and their changes")
    assert_equal_to_server(api_client, informer, replay)
    assert informer.is_live()
    delete_crd(api_client, name)
    eventually(lambda: len(informer.indexer()) == 0, "the last one goes")
