"""The plugin with the real API servers, for every directory of tests: one for the session, others for who hurts them.

``shared_cluster`` lives for the session: reach it, never hurt it. ``fresh_cluster`` belongs to one test, which may kill
and compact it. Both skip, saying what to set, when there is no kube-apiserver; with
``KUBEINFORMER_REQUIRE_APISERVER=1`` (continuous integration) they fail instead. With ``USE_EXISTING_CLUSTER=true``,
``shared_cluster`` is the one of the current kubeconfig.

A test carries the marker ``apiserver`` iff it uses a server: by these fixtures, or because it says so where it asks for
one only while it runs. Nothing of weight is imported before a test needs it: this is loaded for all tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from .binaries import Binaries, BinariesUnavailableError, find_or_build

if TYPE_CHECKING:
    from .cluster import Access, Cluster

_OWN = {"fresh_cluster", "binaries"}
_ANY = _OWN | {"shared_cluster"}
_FOUND = pytest.StashKey[Binaries | BinariesUnavailableError]()


def use_existing() -> bool:
    """Whether the shared cluster is the user's."""
    return os.environ.get("USE_EXISTING_CLUSTER", "").lower() == "true"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what uses the fixtures, directly or through others."""
    if _ANY & set(getattr(item, "fixturenames", ())):
        item.add_marker("apiserver")


def _needs_binaries(item: pytest.Item) -> bool:
    if item.get_closest_marker("apiserver") is None:
        return False
    names = set(getattr(item, "fixturenames", ()))
    return not use_existing() or bool(_OWN & names) or "shared_cluster" not in names


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find or build the programs here: a build in a fixture would run into the time limit of the first test."""
    if session.config.option.collectonly or not any(map(_needs_binaries, session.items)):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    try:
        found: Binaries | BinariesUnavailableError = find_or_build(say=reporter.write_line if reporter else print)
    except BinariesUnavailableError as unavailable:
        found = unavailable
    session.config.stash[_FOUND] = found


def _no_server(reason: str) -> NoReturn:
    if os.environ.get("KUBEINFORMER_REQUIRE_APISERVER") == "1":
        pytest.fail(f"KUBEINFORMER_REQUIRE_APISERVER=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def binaries(pytestconfig: pytest.Config) -> Binaries:
    """The etcd and kube-apiserver to start clusters from."""
    found = pytestconfig.stash[_FOUND]
    if isinstance(found, BinariesUnavailableError):
        _no_server(str(found))
    return found


@pytest.fixture(scope="session")
def shared_cluster(request: pytest.FixtureRequest) -> Iterator[Access]:
    """A cluster for the whole session, which no test may kill, pause or compact."""
    from .cluster import Access, Cluster

    if use_existing():
        from kubernetes.config import KUBE_CONFIG_DEFAULT_LOCATION

        yield Access(Path(KUBE_CONFIG_DEFAULT_LOCATION).expanduser())
        return
    with Cluster(request.getfixturevalue("binaries")) as started:
        yield started


@pytest.fixture
def fresh_cluster(binaries: Binaries) -> Iterator[Cluster]:
    """A cluster for one test, to kill, pause and compact (about three seconds to start)."""
    from .cluster import Cluster

    with Cluster(binaries) as started:
        yield started
