"""The program that kubeinformer was made for, examples/pods.py, on a kubeconfig."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from types import ModuleType

import pytest
from informer_support import eventually, informer_threads

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

EXAMPLE = Path(__file__).parents[2] / "examples" / "pods.py"


@pytest.fixture
def example(server: APIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    kubeconfig = tmp_path / "kubeconfig"
    server.kubeconfig(kubeconfig)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
    spec = importlib.util.spec_from_file_location("example_pods", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_example_follows_the_pods_of_one_application(
    server: APIServer, example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {"app": "my-app", "tier": "web"}
    server.create(pod("web-0", labels=labels, node="node-1"))
    server.create(pod("web-1", labels={"app": "my-app"}, node="node-2"))
    server.create(pod("other-0", labels={"app": "other"}))
    stop = threading.Event()
    thread = threading.Thread(target=example.main, args=(stop,))
    thread.start()
    server.wait_for_watches(1, resource="pods")
    out = ""

    def printed(text: str) -> bool:
        nonlocal out
        out += capsys.readouterr().out
        return text in out

    eventually(lambda: printed("1 of 2 pods are web or api"), "the caches are synced")
    assert "node-1: default/web-0\nnode-2: default/web-1\n" in out
    server.update(pod("web-0", labels=labels, node="node-1", phase="Failed"))
    eventually(lambda: printed("updated default/web-0: Running -> Failed"), "the update")
    server.delete("pods", "web-1")
    eventually(lambda: printed("deleted default/web-1\n"), "the deletion")
    server.update(pod("web-0", labels={"app": "other"}))
    eventually(lambda: printed("deleted default/web-0\n"), "leaving the selector is a deletion")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert informer_threads() == []
    assert "other-0" not in out
    watch = next(request for request in server.requests if request.query.get("watch") == "true")
    assert watch.query["labelSelector"] == "app=my-app"
    assert watch.headers["user-agent"] == "informer"
