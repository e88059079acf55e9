"""2.N, names of handlers and of what is waited for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from informer_support import Recorder
from statements import differs

from kubeinformer import (
    FilteringResourceEventHandler,
    ResourceEventHandlerDetailedFuncs,
    ResourceEventHandlerFuncs,
    SharedInformerFactory,
)
from kubeinformer.cache.handler_name import handler_name
from kubeinformer.testing import APIServer


def test_s168_name_of_a_registrations_checker(server: APIServer, factory: SharedInformerFactory) -> None:
    """The checker of a registration is named for the informer and the handler, that of an informer for the informer."""
    informer = factory.apps().v1().deployments().informer()
    registration = informer.add_event_handler(Recorder())
    assert registration.name == "informer_support.Recorder"
    assert registration.has_synced_checker().name == "deployments.apps + event handler informer_support.Recorder"
    assert informer.has_synced_checker().name == "deployments.apps"


def added(_obj: Any) -> None: ...


def updated(_old: Any, _new: Any) -> None: ...


class Controller:
    def deleted(self, _obj: Any) -> None: ...

    def __call__(self, _obj: Any) -> None: ...


HERE = __name__


@differs(
    "client-go names a filter, and handlers of functions that are told of the first list, for their own type; here "
    "a filter goes by the handler behind it and the others by their functions, because a log line has to say which "
    "handler it is"
)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: ResourceEventHandlerFuncs(add_func=added), HERE),
        (lambda: ResourceEventHandlerFuncs(add_func=added, update_func=updated), HERE),
        (lambda: ResourceEventHandlerFuncs(delete_func=Controller().deleted), f"{HERE}.Controller"),
        (
            lambda: ResourceEventHandlerFuncs(add_func=added, delete_func=Controller().deleted),
            f"{HERE}.added+{HERE}.Controller.deleted",
        ),
        (lambda: ResourceEventHandlerDetailedFuncs(add_func=updated), HERE),
        (lambda: ResourceEventHandlerFuncs(add_func=Controller()), f"{HERE}.Controller"),
        (lambda: ResourceEventHandlerFuncs(add_func=partial(updated, 1)), HERE),
        (lambda: ResourceEventHandlerFuncs(add_func=[].append), "list"),
        (ResourceEventHandlerFuncs, "kubeinformer.cache.event_handler.ResourceEventHandlerFuncs"),
        (Recorder, "informer_support.Recorder"),
        (lambda: FilteringResourceEventHandler(bool, Recorder()), "informer_support.Recorder"),
        (lambda: None, "<nil>"),
    ],
)
def test_s169_name_of_a_handler(make: Callable[[], Any], name: str) -> None:
    """Functions with one qualifier go by it, others by their full names joined with "+", any other handler by its
    class, and None is "<nil>".
    """
    assert handler_name(make()) == name


def test_s169_functions_of_a_function_go_by_its_name() -> None:
    """Functions that are defined in a function go by that function's name."""
    handler = ResourceEventHandlerFuncs[Any](add_func=lambda _: None, update_func=lambda _old, _new: None)
    assert handler_name(handler) == f"{HERE}.test_s169_functions_of_a_function_go_by_its_name"
