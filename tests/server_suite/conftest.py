"""Each statement runs twice: ``server`` is first the embedded server, then the real one, and a test asks for no more.

``server``, ``api`` and ``namespace`` are shared by the session, so a test works in its namespace and hurts nothing.
``own_server``, ``own_api`` and ``own_namespace`` are of another pair of servers, whose history a test may drop.
A test that only one of them can answer says so:

- ``@pytest.mark.left_out("why")``: the embedded server answers 501 on purpose. The test runs there too and fails if it
  does not.
- ``@pytest.mark.real_only("why")`` and ``@pytest.mark.embedded_only("why")``: what the test needs, the other has not.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apiserver.cluster import Cluster
from apiserver.fixtures import use_existing
from kubeinformer.testing import APIServer

from .servers import EMBEDDED, REAL, Api, EmbeddedServer, LeftOutError, RealServer, Server

_BOTH = [EMBEDDED, pytest.param(REAL, marks=pytest.mark.apiserver)]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Turn the marks of this suite into pytest's, on the server they are about."""
    callspec = getattr(item, "callspec", None)
    which = None if callspec is None else callspec.params.get("server", callspec.params.get("own_server"))
    for mark in item.iter_markers():
        if which == EMBEDDED and mark.name == "left_out":
            item.add_marker(pytest.mark.xfail(reason=mark.args[0], raises=LeftOutError, strict=True))
        elif (which, mark.name) in ((EMBEDDED, "real_only"), (REAL, "embedded_only")):
            item.add_marker(pytest.mark.skip(reason=mark.args[0]))


@pytest.fixture(scope="session", params=_BOTH)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of the session; never hurt it."""
    if request.param == EMBEDDED:
        with APIServer() as embedded:
            yield EmbeddedServer(embedded)
        return
    if use_existing():
        pytest.skip("the statements need a cluster that nobody else writes to")
    cluster = request.getfixturevalue("shared_cluster")
    assert isinstance(cluster, Cluster)
    yield RealServer(cluster)


@pytest.fixture(scope="session", params=_BOTH)
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of this suite, which a test may compact, and leaves running."""
    if request.param == EMBEDDED:
        with APIServer() as embedded:
            yield EmbeddedServer(embedded)
        return
    with Cluster(request.getfixturevalue("binaries")) as cluster:
        yield RealServer(cluster)


@pytest.fixture
def api(server: Server) -> Api:
    """A raw HTTP client of ``server``."""
    return server.api


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A new namespace of ``server``, gone after the test with its config maps, secrets and pods."""
    name = api.new_namespace()
    yield name
    api.delete_namespace(name)


@pytest.fixture
def own_api(own_server: Server) -> Api:
    """A raw HTTP client of ``own_server``."""
    return own_server.api


@pytest.fixture
def own_namespace(own_api: Api) -> str:
    """A new namespace of ``own_server``."""
    return own_api.new_namespace()
