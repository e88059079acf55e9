"""The examples run."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from types import ModuleType

import pytest
from informer_support import eventually, informer_threads

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_typed(server: APIServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.create(pod("a", node="node-1"))
    server.create(pod("b", "other", node=None))
    stop, said = threading.Event(), ""
    main = threading.Thread(target=load("typed").main, args=(stop, server.api_client()))

    def says(line: str) -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return line in said.splitlines()

    main.start()
    eventually(lambda: says("2 pods"), "the count")
    server.update(pod("b", "other", node="node-2"))
    eventually(lambda: says("moved from no node to node-2"), "the update")
    server.delete("pods", "a")
    eventually(lambda: says("deleted from node-1"), "the deletion")
    stop.set()
    main.join(10)
    assert not main.is_alive()
    assert {"added a on node-1", "added b on no node", "default: 1", "other: 1"} <= set(said.splitlines())
    assert informer_threads() == []


def test_typed_says_what_is_not_synced(server: APIServer) -> None:
    server.faults.stall(times=None)
    stop, raised = threading.Event(), list[Exception]()
    module = load("typed")

    def run() -> None:
        with pytest.raises(Exception, match="failed to sync all caches: pods") as error:
            module.main(stop, server.api_client())
        raised.append(error.value)

    main = threading.Thread(target=run)
    main.start()
    stop.set()
    main.join(10)
    assert len(raised) == 1
    assert informer_threads() == []
