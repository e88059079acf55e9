"""2.G: a list with objects whose transform fails."""

from __future__ import annotations

import threading

import pytest
from informer_support import eventually
from statements import differs
from transform_support import Broken, Make, asked, follow

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

pytestmark = pytest.mark.usefixtures("quick_backoff")


@differs(
    "client-go calls off a list with an object whose transform fails; here the others count, "
    "because one object must not stop a cluster"
)
def test_s94_objects_of_the_first_list_that_fail_are_not_there_and_has_synced_turns_true(
    server: APIServer, make_factory: Make
) -> None:
    """A transform that fails on some objects of a list keeps out those alone, and the list counts."""
    for number in range(600):
        server.create(pod(f"web-{number}", phase="Failed" if number % 200 == 1 else "Running"))
    function = Broken()
    informer, recorder = follow(make_factory(transform=function))
    assert informer.has_synced()
    assert len(informer.indexer()) == 597
    failed = {"default/web-1", "default/web-201", "default/web-401"}
    assert set(informer.transform_errors()) == failed
    eventually(lambda: len(set(asked(server))) == 3, "each is asked for")
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("kubeinformer-retry-")]
    assert threads == ["kubeinformer-retry-pods"], "one thread for all"
    function.broken = False
    eventually(lambda: len(informer.indexer()) == 600, "all are there")
    assert informer.transform_errors() == {}
    eventually(lambda: len(recorder.state) == 600, "the handler has them")
    assert {key for call, key, initial in recorder.calls if not initial} == failed
    assert recorder.faults == []
