"""F16: a load balancer that takes its connections away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kubernetes.client import ApiClient, Configuration

from informer.informer_support import eventually
from kubeinformer.transport import NativeTransport
from reflector.certificates import Authority

from .accepted import StorageLog
from .conftest import Embedded
from .follower import Follower
from .http2 import HTTP2Proxy
from .outcome import Outcome


def test_f16_connections_are_closed(embedded: Embedded, outcome: Outcome) -> None:
    """A load balancer closes the connections of HTTP/1.1, that of a watch inside a chunk."""
    follower = embedded.follow()
    follower.start()
    embedded.world.change(1)
    follower.check()
    outcome.begins(bound="nothing: the next watch is opened at once")
    assert embedded.proxy.hang_up() > 0
    embedded.world.change(20)
    outcome.recovered(follower)
    assert not follower.relists_since_start()


@pytest.mark.parametrize("transport", ["native"])
@pytest.mark.parametrize("how", [HTTP2Proxy.go_away, HTTP2Proxy.hang_up, HTTP2Proxy.reset_streams])
def test_f16_goaway(embedded: Embedded, outcome: Outcome, tmp_path: Path, how: Callable[[HTTP2Proxy], int]) -> None:
    """A load balancer says GOAWAY, also closes, or resets the streams, of HTTP/2 (which the native transport has)."""
    authority = Authority.create(tmp_path, "authority")
    with HTTP2Proxy(embedded.server.url, authority.server_context("127.0.0.1")) as proxy:
        configuration = Configuration(host=proxy.url)
        configuration.ssl_ca_cert = str(authority.path)
        client = ApiClient(configuration)
        factory = embedded.make_factory(client, transport=NativeTransport(client, http2=True))
        follower = Follower(factory, embedded.server.api_client(), StorageLog(embedded.server))
        follower.start()
        outcome.begins(bound="nothing: the next watch is opened at once")
        for _ in range(3):
            embedded.world.change(1)  # a watch that ends young and without an event is followed by a list
            follower.check()
            follower.wait_live()
            connections = len(proxy.links)
            assert how(proxy) > 0
            embedded.world.change(10)
            follower.check()
            if how is HTTP2Proxy.go_away:  # the watch goes on, on the connection that takes no more
                assert len(proxy.links) == connections
                embedded.end_watch(follower)
        outcome.recovered(follower)
        assert not follower.relists_since_start()
        if how is HTTP2Proxy.reset_streams:
            assert len(proxy.links) == 1, "the connection goes on"
        else:
            eventually(lambda: len(proxy.links) == 4, "a new connection for each that was taken away")
        factory.shutdown(10)
