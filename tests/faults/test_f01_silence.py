"""Connections that die without a word: what tells is the client's own clock."""

from __future__ import annotations

from informer.fault_support import World

from .conftest import Follow
from .outcome import Outcome
from .proxy import Proxy

# A watch asks for one second or two, and no wait for a silent server is long.
IMPATIENT = {"watch_timeout": 1.0, "watch_grace": 0.2, "first_byte_timeout": 0.5, "connect_timeout": 0.5}


def test_f01_a_load_balancer_drops_the_flow_of_a_watch(
    follow: Follow, world: World, proxy: Proxy, outcome: Outcome
) -> None:
    """A load balancer drops the flow of a watch without a word."""
    follower = follow(**IMPATIENT)
    follower.start()
    outcome.begins(bound="watch_timeout + watch_grace")
    assert proxy.freeze()
    world.change(20)
    outcome.recovered(follower)
    assert not follower.relists_since_start()
