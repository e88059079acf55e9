"""2.I: a watch event whose transform fails."""

from __future__ import annotations

import logging
import time

import pytest
from informer_support import cached, eventually
from statements import differs
from transform_support import KEY, Broken, Make, asked, follow, slim

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

pytestmark = pytest.mark.usefixtures("quick_backoff")


@differs(
    "client-go loses the event until a relist; here the object is asked for again "
    "until it passes, because the cache must become what the server has"
)
def test_s120_a_failed_update_keeps_the_previous_version_until_a_get_mends_it(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A transform that fails on a watch event leaves the previous version in place, and the event is not lost."""
    for number in range(3):
        server.create(pod(f"web-{number}"))
    function = Broken()
    informer, recorder = follow(make_factory(transform=function))
    before = cached(informer)[KEY]
    failed = server.update(pod("web-1", phase="Failed", node="node-2"))
    server.update(pod("web-2", node="node-2"))
    eventually(lambda: cached(informer)["default/web-2"]["spec"]["nodeName"] == "node-2", "the watch goes on")
    assert cached(informer)[KEY] == before
    errors = informer.transform_errors()
    assert list(errors) == [KEY]
    assert isinstance(errors[KEY], LookupError)
    eventually(lambda: len(asked(server)) >= 3, "it is asked for again and again")
    assert cached(informer)[KEY] == before
    assert informer._core.resource_version() == server.resource_version
    messages = [record for record in caplog.records if "transform failed" in record.getMessage()]
    assert [(message.levelno, KEY in message.getMessage()) for message in messages] == [(logging.ERROR, True)]
    assert set(asked(server)) == {"/api/v1/namespaces/default/pods/web-1"}

    function.broken = False
    eventually(lambda: cached(informer)[KEY] == slim(failed), "the version that failed")
    assert informer.transform_errors() == {}
    assert informer._core.resource_version() == server.resource_version, "the store's version does not go back"
    eventually(lambda: recorder.names("update") == ["default/web-2", KEY], "one update each")
    requests = len(asked(server))
    time.sleep(0.3)
    assert len(asked(server)) == requests, "what is mended is not asked for"
    assert recorder.faults == []
