"""What must hold of connections holds of each transport; servers and factories leave nothing behind."""

from __future__ import annotations

import logging

import pytest
from informer_fixtures import make_factory, quick_backoff, server

__all__ = ["log", "make_factory", "quick_backoff", "server", "transport_name"]


@pytest.fixture(params=["native", "python", "auto"])
def transport_name(request: pytest.FixtureRequest) -> str:
    """The transport of this run, as a factory takes it."""
    name: str = request.param
    return name


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that any logger says, of any level."""
    caplog.set_level(logging.DEBUG)
    for name in ("kubeinformer", "urllib3", "client"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog
