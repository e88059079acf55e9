"""An embedded server, and commands with a kubeconfig for it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_process import Running, run

from kubeinformer.testing import APIServer


@pytest.fixture
def server() -> Iterator[APIServer]:
    with APIServer() as running:
        yield running


@pytest.fixture
def kubeconfig(server: APIServer, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    server.kubeconfig(path)
    return path


@pytest.fixture
def watch(kubeconfig: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start `kubeinformer watch`; it is killed after the test, if it still runs."""
    started: list[Running] = []

    def start(*arguments: str) -> Running:
        started.append(Running(tmp_path, "watch", "--kubeconfig", str(kubeconfig), *arguments))
        return started[-1]

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def failing(kubeconfig: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a `kubeinformer watch` that ends by itself."""

    def to_its_end(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(tmp_path, "watch", "--kubeconfig", str(kubeconfig), *arguments)

    return to_its_end
