"""The native transport and a real API server: its TLS, HTTP/1.1 and HTTP/2, and the choice between the transports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from informer.informer_support import eventually
from kubeinformer import ControllerOptions, SharedInformerFactory
from kubeinformer.transport import AutoTransport, NativeTransport, StopSignal
from kubeinformer.transport.native import NativeResponse

from .cluster import Access
from .rest import request

MAPS = "/api/v1/namespaces/{}/configmaps"


def config_map(name: str, value: str = "") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}}


def test_it_is_the_one_that_is_used(cluster: Access) -> None:
    client = cluster.api_client()
    response = AutoTransport(client).request("/version", [], read_timeout=10.0, connect_timeout=10.0)
    assert type(response) is NativeResponse
    assert b"gitVersion" in response.read()
    response.close(complete=True)


@pytest.mark.parametrize("compression", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_an_informer_over_either_protocol(
    cluster: Access,
    namespace: str,
    make_factory: Callable[..., SharedInformerFactory],
    http2: bool,
    compression: bool,
) -> None:
    client = cluster.api_client()
    for number in range(50):
        request(client, "POST", MAPS.format(namespace), config_map(f"map-{number}", "x" * 50_000))
    for use_watch_list in (False, True):
        transport = NativeTransport(client, http2=http2, compression=compression)
        factory = make_factory(
            client,
            namespaces=[namespace],
            transport=transport,
            options=ControllerOptions(use_watch_list=use_watch_list, page_size=7),
        )
        informers = [factory.core().v1().config_maps().informer(), factory.core().v1().secrets().informer()]
        factory.start()
        factory.wait_for_cache_sync(timeout=30)
        late = f"late-{use_watch_list}".lower()
        request(client, "POST", MAPS.format(namespace), config_map(late))
        eventually(lambda late=late, maps=informers[0]: f"{namespace}/{late}" in maps.indexer(), "the watch goes on")
        assert len([obj for obj in informers[0].indexer().list() if obj.name.startswith("map-")]) == 50
        assert factory.shutdown(timeout=10) == []


def test_a_stop_ends_one_stream_of_a_shared_connection_and_no_other(cluster: Access, namespace: str) -> None:
    client = cluster.api_client()
    transport = NativeTransport(client, http2=True)
    stops = [StopSignal(), StopSignal()]
    watches = [
        transport.request(
            MAPS.format(namespace), [("watch", "true")], read_timeout=30.0, connect_timeout=10.0, stop=stop
        )
        for stop in stops
    ]
    stops[0].set()
    with pytest.raises(ConnectionError, match="stopped"):
        watches[0].read()
    request(client, "POST", MAPS.format(namespace), config_map("after"))
    body = b""
    while b'"after"' not in body:
        body += watches[1].read()
    assert orjson.loads(body.splitlines()[-1])["type"] == "ADDED"
    for watch in watches:
        watch.close(complete=False)
