"""An informer for which nothing happens costs nothing: no thread of it wakes up on its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from informer_support import Recorder, eventually, informer_threads

from kubeinformer import SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

pytestmark = pytest.mark.usefixtures("both_transports")

HANDLERS = 20


@pytest.fixture
def remote() -> Iterator[APIServer]:
    """A server whose own work is not this process's."""
    with APIServer(process=True) as server:
        yield server


def test_an_idle_informer_with_20_handlers_uses_less_than_5_ms_of_cpu_in_2_s(remote: APIServer) -> None:
    for number in range(50):
        remote.create(pod(f"web-{number}"))
    factory = SharedInformerFactory(remote.api_client(), resync_period=1000)
    informer = factory.core().v1().pods().informer()
    recorders = [Recorder() for _ in range(HANDLERS)]
    registrations = [informer.add_event_handler(recorder) for recorder in recorders]
    with factory.running(timeout=10):
        for registration in registrations:
            eventually(registration.has_synced, "synced")
        remote.wait_for_watches(1)
        assert len([name for name in informer_threads() if "-handler-" in name]) == HANDLERS
        begin = time.process_time()
        time.sleep(2)
        used = time.process_time() - begin
        remote.create(pod("late"))
        for recorder in recorders:
            eventually(lambda recorder=recorder: ("add", "default/late", False) in recorder.calls, "it was awake")
    assert used < 0.005, f"{used * 1000:.2f} ms"
