"""What is said of a transport holds for each: tests that use `both_transports` run with one after the other."""

from __future__ import annotations

import pytest
import reflector_running

from kubeinformer.transport import HTTPTransport, NativeTransport, Transport


@pytest.fixture(params=[HTTPTransport, NativeTransport], ids=["python", "native"])
def both_transports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Transport]:
    """The transport of this run, which is also what `AnyTransport` means in the test's module."""
    monkeypatch.setattr(reflector_running, "AnyTransport", request.param)
    if hasattr(request.module, "AnyTransport"):
        monkeypatch.setattr(request.module, "AnyTransport", request.param)
    return request.param
