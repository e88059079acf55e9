"""The example of a controller, examples/controller.py, on the embedded server."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from workqueue_support import eventually, threads

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

EXAMPLE = Path(__file__).parents[2] / "examples" / "controller.py"


@pytest.fixture
def server() -> Iterator[APIServer]:
    with APIServer() as server:
        yield server


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_controller", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def replica_set(name: str) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod(name)["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def running_pods(server: APIServer) -> dict[str, str | None]:
    """What the controller wrote, by ReplicaSet."""
    metas = [obj["metadata"] for obj in server.list("replicasets")]
    return {meta["name"]: meta.get("annotations", {}).get("example.com/running-pods") for meta in metas}


def patches(server: APIServer) -> int:
    return sum(request.verb == "patch" for request in server.requests)


@contextmanager
def running(controller: Any) -> Iterator[None]:
    """Run a controller meanwhile; it must end when it is stopped."""
    stop = threading.Event()
    with threads(lambda: controller.run(stop)):
        try:
            yield
        finally:
            stop.set()


def test_controller_makes_true_what_the_cluster_says(
    server: APIServer, example: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("web", "api"):
        server.create(replica_set(name))
    for number in range(3):
        server.create(pod(f"web-{number}", owner="web", phase="Running" if number else "Pending"))
    server.create(pod("alone"))

    def becomes(**expected: str) -> None:
        eventually(lambda: running_pods(server) == expected, f"{expected}, not {running_pods(server)}")

    with running(example.RunningPods(server.api_client())):
        becomes(web="2", api="0")
        server.update(pod("web-0", owner="web"))
        becomes(web="3", api="0")
        server.update(pod("web-0", owner="api"))
        becomes(web="2", api="1")
        server.delete("pods", "web-1")
        becomes(web="1", api="1")
        assert caplog.records == []

        fault = server.faults.respond(500, verb="patch", resource="replicasets", times=2)
        before = patches(server)
        server.create(pod("web-5", owner="web"))
        becomes(web="2", api="1")
        assert server.faults.hits(fault) == 2
        assert patches(server) >= before + 3
        failures = [record.getMessage() for record in caplog.records]
        assert all(message.startswith("reconcile failed on 'default/web', again in 0.0") for message in failures)
        assert len(failures) == 2

        server.delete("replicasets", "api", "default")
        server.create(replica_set("new"))
        becomes(web="2", new="0")

    def ours() -> list[str]:
        kinds = ("reader", "processor", "handler", "worker", "stop")
        names = tuple(f"kubeinformer-{kind}-" for kind in kinds)
        return [thread.name for thread in threading.enumerate() if thread.name.startswith(names)]

    eventually(lambda: ours() == [], "no thread is left")


def test_ctrl_c_ends_the_program(server: APIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.create(replica_set("web"))
    server.kubeconfig(tmp_path / "config")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with subprocess.Popen([sys.executable, str(EXAMPLE)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "default/web: 0 running\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
