"""Ready-made handlers: functions, and what is checked of filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from informer_support import Recorder, eventually

from kubeinformer import (
    FilteringResourceEventHandler,
    KubeObject,
    ResourceEventHandler,
    ResourceEventHandlerDetailedFuncs,
    SharedInformerFactory,
)
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_filter_and_handler_are_checked() -> None:
    with pytest.raises(TypeError, match="filter_func must be callable"):
        FilteringResourceEventHandler("web", Recorder())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ResourceEventHandlerFuncs"):
        FilteringResourceEventHandler(bool, print)  # type: ignore[arg-type]


def test_detailed_funcs_are_told_what_is_of_the_first_list(server: APIServer, factory: SharedInformerFactory) -> None:
    calls: list[tuple[Any, ...]] = []
    handler = ResourceEventHandlerDetailedFuncs[KubeObject](
        add_func=lambda obj, initial: calls.append(("add", obj.name, initial)),
        update_func=lambda old, new: calls.append(("update", old.name, new.name)),
        delete_func=lambda obj: calls.append(("delete", obj.name)),
    )
    server.create(pod("a"))
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(handler)
    factory.start()
    eventually(registration.has_synced, "synced")
    server.create(pod("b"))
    server.update(pod("b", phase="Failed"))
    server.delete("pods", "b")
    eventually(lambda: len(calls) == 4, "all calls")
    assert calls == [("add", "a", True), ("add", "b", False), ("update", "b", "b"), ("delete", "b")]


def test_detailed_funcs_may_be_left_out_and_are_checked() -> None:
    handler = ResourceEventHandlerDetailedFuncs[Any]()
    assert isinstance(handler, ResourceEventHandler)
    handler.on_add(1, True)
    handler.on_update(1, 2)
    handler.on_delete(2)
    with pytest.raises(TypeError, match="update_func must be callable, not str"):
        ResourceEventHandlerDetailedFuncs(update_func="update")  # type: ignore[arg-type]
