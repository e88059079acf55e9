"""`keep_paths` and `drop_paths`: cuts of an informer, made while objects are read and before a transform's function."""

from __future__ import annotations

from typing import Any

import pytest
from fault_support import Make
from informer_support import Recorder, eventually
from transform_support import relist, start

from kubeinformer import ControllerOptions, transform
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_they_leave_out_what_the_declared_transforms_do(
    server: APIServer, make_factory: Make, compression: str | None
) -> None:
    server.create(pod("web-0", labels={"app": "web"}))
    for paths, same in (
        ({"drop_paths": ["spec.containers", "status"]}, transform.drop("spec.containers", "status")),
        ({"keep_paths": ("spec.nodeName",)}, transform.keep("spec.nodeName")),
    ):
        raws = []
        for options, declared in ((paths, None), ({}, same)):
            factory = make_factory(options={**options, "compression": compression}, transform=declared)
            informer = factory.core().v1().pods().informer()
            start(factory)
            (obj,) = informer.indexer().list()
            raws.append(obj.raw)
        assert raws[0] == raws[1]
        assert b"containers" not in raws[0]


def test_a_function_gets_what_is_left_and_an_unchanged_object_once(server: APIServer, make_factory: Make) -> None:
    server.create(pod("web-0", labels={"app": "web"}))
    seen: list[dict[str, Any]] = []

    def function(obj: dict[str, Any]) -> dict[str, Any]:
        seen.append({name: dict(value) for name, value in obj.items() if name in ("spec", "status")})
        if len(seen) == 1:
            raise ValueError("not yet")
        return {**obj, "made": True}

    factory = make_factory(options={"drop_paths": ["status", "spec.containers"]}, transform=function)
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    start(factory)
    # The first attempt fails; what is asked for again is cut, too.
    eventually(lambda: len(recorder.calls) == 1, "the second attempt")
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert "status" not in seen[0]
    assert "containers" not in seen[0]["spec"]
    obj = informer.indexer().get_by_key("default/web-0")
    assert obj is not None
    assert obj["made"] is True
    relist(server, informer)
    server.create(pod("web-1"))
    eventually(lambda: len(recorder.calls) == 2, "what comes after the relist")
    assert len(seen) == 3


@pytest.mark.usefixtures("server")
def test_what_does_not_go_together(make_factory: Make) -> None:
    factory = make_factory(options={"drop_paths": ["status"]}, transform=transform.keep("spec"))
    with pytest.raises(ValueError, match=r'transform\.keep\("spec"\) beside transform\.drop\("status"\)'):
        factory.core().v1().pods().informer()
    for options, error, message in (
        ({"drop_paths": ["a"], "keep_paths": ["b"]}, ValueError, "exclude each other"),
        ({"drop_paths": "status"}, TypeError, "drop_paths must be a sequence of paths, not 'status'"),
        ({"keep_paths": [1]}, TypeError, "keep_paths must be a sequence of paths"),
        ({"keep_paths": iter(["status"])}, TypeError, "keep_paths must be a sequence of paths"),
        ({"drop_paths": None}, TypeError, "drop_paths must be a sequence of paths, not None"),
        ({"keep_paths": ["a b"]}, ValueError, "at character 1"),
        ({"drop_paths": ["metadata.name"]}, ValueError, "cannot be left out"),
    ):
        with pytest.raises(error, match=message):
            ControllerOptions(**options).cuts()  # type: ignore[arg-type]
