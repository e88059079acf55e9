"""`SharedIndexInformer.memory` counts what the informer keeps."""

from __future__ import annotations

import orjson
import pytest
from informer_support import Gate, eventually

from kubeinformer import SharedInformerFactory
from kubeinformer._core import InformerCore
from kubeinformer.cache import MemoryUsage
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod


def test_objects_and_what_waits_for_handlers(server: APIServer, factory: SharedInformerFactory) -> None:
    for number in range(3):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    assert informer.memory().objects == informer.memory().bytes == informer.memory().backlog == 0
    gates = [Gate(), Gate()]
    for gate in gates:
        informer.add_event_handler(gate)
    factory.start()
    eventually(lambda: all(gate.entered.is_set() for gate in gates), "the handlers are busy")
    one = informer.memory()
    raw = sum(len(obj.raw) for obj in informer.indexer().list())
    assert one.objects == 3
    fixed, rest = divmod(one.bytes - raw, 3)
    assert rest == 0, "each object takes the same beside its JSON"
    assert 0 < fixed < 400
    try:
        for number in range(3, 8):
            server.create(pod(f"web-{number}"))
        eventually(lambda: informer.memory().objects == 8, "all came")
        now = informer.memory()
        new = [obj for obj in informer.indexer().list() if int(obj.name[4:]) >= 3]
        new_bytes = sum(len(obj.raw) + fixed for obj in new)
        assert now.bytes == one.bytes + new_bytes
        # Both handlers have the first list, or its beginning, in hand.
        assert now.backlog == one.backlog + 2 * len(new)
        assert now.backlog_bytes == one.backlog_bytes + 2 * new_bytes
        assert now.index_bytes >= one.index_bytes > 0
    finally:
        for gate in gates:
            gate.open.set()
    eventually(lambda: informer.memory().backlog == informer.memory().backlog_bytes == 0, "nothing waits")
    for number in range(8):
        server.delete("pods", f"web-{number}", "default")
    eventually(lambda: informer.memory().objects == 0, "all are gone")
    assert informer.memory().bytes == 0


def test_what_is_queued_is_counted_until_it_is_stored() -> None:
    core = InformerCore("v1/pods")
    source = core.add_source("")
    core.start()
    relist = source.begin_relist()
    reader = relist.page(chunked=False)
    meta = {"resourceVersion": "9"}
    pods = [pod(f"web-{number}") for number in range(5)]
    for number, one in enumerate(pods):
        one["metadata"] |= {"namespace": "default", "uid": str(number), "resourceVersion": "1"}
    reader.feed(orjson.dumps({"apiVersion": "v1", "kind": "PodList", "metadata": meta, "items": pods}))
    reader.finish()
    relist.commit("9")
    queued = MemoryUsage(*core.sizes())
    assert (queued.objects, queued.bytes, queued.queued) == (0, 0, 1)
    assert core.process(0) is None
    stored = MemoryUsage(*core.sizes())
    assert (stored.objects, stored.queued, stored.queued_bytes) == (5, 0, 0)
    assert stored.bytes == queued.queued_bytes > 0


def test_it_cannot_be_changed(factory: SharedInformerFactory) -> None:
    usage = factory.core().v1().pods().informer().memory()
    with pytest.raises(AttributeError):
        usage.objects = 1  # type: ignore[misc]
