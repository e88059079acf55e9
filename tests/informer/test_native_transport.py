"""An informer over the native transport: what it says of itself is true while its reader's thread sleeps."""

from __future__ import annotations

import time

from fault_support import Make
from informer_support import Recorder, eventually

from kubeinformer.cache.reflector_state import Phase
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod


def test_version_and_contact_are_those_of_the_last_event(server: APIServer, make_factory: Make) -> None:
    factory = make_factory(transport="native")
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(1)
    reflector = informer.controller.reflectors[""]
    eventually(lambda: reflector.phase() is Phase.WATCHING, "the watch")
    for number in range(3):
        eventually(lambda: informer.staleness() > 0.1, "silence")
        before, version = time.monotonic(), informer.last_sync_resource_version()
        server.create(pod(f"pod-{number}"))
        eventually(lambda number=number: f"default/pod-{number}" in recorder.names("add"), "the event")
        eventually(lambda: informer.last_sync_resource_version() == server.resource_version, "its version")
        assert version != server.resource_version
        contact = reflector.last_contact()
        assert contact is not None
        assert before - 0.01 <= contact <= time.monotonic()
        assert informer.staleness() <= time.monotonic() - before + 0.01
    assert reflector.counters().watches == 0, "one stream, from the watch-list on"


def test_a_bookmark_that_goes_back_forces_a_list(server: APIServer, make_factory: Make) -> None:
    """Also when events came before it, which no thread of Python saw."""
    factory = make_factory(transport="native")
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(1)
    for number in range(5):
        server.create(pod(f"pod-{number}"))
    eventually(lambda: informer.last_sync_resource_version() == server.resource_version, "the events")
    lower = int(server.resource_version) - 2
    server.faults.inject(b'{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"%d"}}}\n' % lower)
    reflector = informer.controller.reflectors[""]
    eventually(lambda: reflector.counters().relists == {"version_went_back": 1}, "the list")
