"""2.H: transforms of a streamed list."""

from __future__ import annotations

import pytest
from informer_support import cached
from statements import differs
from transform_support import Make, Slim, expected, start

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

pytestmark = pytest.mark.usefixtures("quick_backoff")

BOTH = pytest.mark.parametrize("use_watch_list", [True, False], ids=["watch-list", "list"])


@differs(
    "client-go transforms each object of a streamed list twice; here once, because a transform need not be idempotent"
)
@BOTH
def test_s104_a_first_list_is_transformed_once_an_object(
    server: APIServer, make_factory: Make, use_watch_list: bool
) -> None:
    """A transform is called once for each object of the first list, also when that is streamed."""
    for number in range(7):
        server.create(pod(f"web-{number}"))
    function = Slim()
    factory = make_factory(transform=function, options={"use_watch_list": use_watch_list, "page_size": 3})
    informer = factory.core().v1().pods().informer()
    start(factory)
    assert sorted(function.names()) == [f"web-{number}" for number in range(7)]
    assert cached(informer) == expected(server)
    assert any("sendInitialEvents" in request.query for request in server.requests) is use_watch_list
