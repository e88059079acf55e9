"""Fixtures: an embedded server, quick waits between attempts, and no thread of an informer left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest
from list_watch_support import eventually

from kubeinformer.cache.backoff import Backoff
from kubeinformer.testing import APIServer


@pytest.fixture
def server() -> Iterator[APIServer]:
    with APIServer() as server:
        yield server


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts of 10 to 100 ms instead of 0.8 to 60 s."""
    monkeypatch.setattr("kubeinformer.cache.reflector.Backoff", partial(Backoff, initial=0.01, cap=0.05))


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    eventually(
        lambda: not [t for t in threading.enumerate() if t not in before and t.name.startswith("kubeinformer-")],
        "the test's threads have ended",
    )
