"""Transforms with the queues that compare a list when it comes: failures, retries, missed deletions."""

from __future__ import annotations

import pytest
from informer_support import cached, eventually
from transform_support import KEY, Broken, Make, expected, follow, relist

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod


@pytest.mark.usefixtures("quick_backoff")
@pytest.mark.parametrize("queue", ["in_order", "delta"])
def test_a_transform_fails_and_mends_in_every_mode(server: APIServer, make_factory: Make, queue: str) -> None:
    for n in range(5):
        server.create(pod(f"web-{n}"))
    f = Broken()
    factory = make_factory(transform=f, options={"queue": queue})
    informer, rec = follow(factory)
    assert cached(informer) == expected(server)
    assert len(f.calls) == 5
    relist(server, informer)
    server.update(pod("web-1", phase="Failed", node="node-2"))
    eventually(lambda: KEY in informer.transform_errors(), "fail")
    server.delete("pods", "web-0")
    eventually(lambda: "default/web-0" not in cached(informer), "del")
    relist(server, informer)
    assert KEY in informer.transform_errors()
    assert KEY in cached(informer)
    f.broken = False
    eventually(lambda: cached(informer) == expected(server), "mended")
    assert informer.transform_errors() == {}
    f.broken = True
    server.create(pod("web-9", phase="Running"))
    eventually(lambda: cached(informer) == expected(server), "on")
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.delete("pods", "web-1")
    server.compact()
    server.faults.accept_connections()
    eventually(lambda: cached(informer) == expected(server), "tomb")
    assert rec.faults == []
