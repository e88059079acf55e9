"""A request that is answered with 401: once more with other credentials, if the user's client has any.

The clients are those that the `kubernetes` package makes of a kubeconfig or inside a pod: if a release of it keeps its
credentials elsewhere, these tests say so.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import new_client_from_config_dict
from kubernetes.config.incluster_config import InClusterConfigLoader
from socket_server import Connection, SocketServer

from kubeinformer.transport import HTTPTransport, Transport, _client_requests

AnyTransport: type[Transport] = HTTPTransport  # `both_transports` sets it for each test

pytestmark = pytest.mark.usefixtures("both_transports")


class Guarded:
    """A server that answers 401 to whoever does not show its token."""

    def __init__(self) -> None:
        self.token = "first-token"

    def __call__(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            if request.headers.get("authorization", "").lower() == f"bearer {self.token}":
                connection.answer(b"{}")
            else:
                connection.answer(b'{"kind":"Status","code":401}', status="401 Unauthorized")


@pytest.fixture
def guard() -> Guarded:
    return Guarded()


@pytest.fixture
def server(guard: Guarded) -> Iterator[SocketServer]:
    with SocketServer(guard) as running:
        yield running


PLUGIN = """
import json, pathlib, sys
here = pathlib.Path(sys.argv[1])
with open(here / "runs", "a") as runs:
    runs.write("x")
token = (here / "token").read_text()
if not token:
    sys.exit("the plugin failed")
status = {"token": token, "expirationTimestamp": "2099-01-01T00:00:00Z"}
print(json.dumps({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": status}))
"""


def kubeconfig(server: SocketServer, user: dict[str, Any]) -> ApiClient:
    return new_client_from_config_dict(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "s", "user": "u"}}],
            "clusters": [{"name": "s", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": user}],
        }
    )


def with_plugin(server: SocketServer, folder: Path) -> ApiClient:
    (folder / "plugin.py").write_text(PLUGIN)
    command = {"command": sys.executable, "args": [str(folder / "plugin.py"), str(folder)]}
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", **command}
    return kubeconfig(server, {"exec": exec_})


def with_token_file(server: SocketServer, folder: Path) -> ApiClient:
    return kubeconfig(server, {"tokenFile": str(folder / "token")})


def in_a_pod(server: SocketServer, folder: Path) -> ApiClient:
    (folder / "ca.crt").write_text("no certificate, and never read")
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
    configuration = Configuration()
    loader = InClusterConfigLoader(str(folder / "token"), str(folder / "ca.crt"), environ=environment)
    loader.host = server.url
    loader._load_config()
    loader.host, loader.ssl_ca_cert = server.url, None
    loader._set_config(configuration)
    return ApiClient(configuration)


CLIENTS = {"an exec plugin": with_plugin, "a token file": with_token_file, "a pod": in_a_pod}
Make = Callable[[SocketServer, Path], ApiClient]


def get(transport: Transport) -> int:
    response = transport.request("/p", [], read_timeout=10, connect_timeout=10)
    response.read_error_body()
    response.close(complete=True)
    return response.status


def shown(server: SocketServer) -> list[str]:
    return [request.headers.get("authorization", "").split(" ")[-1] for request in server.requests]


@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
def test_f13_f14_a_credential_that_ended_early_is_read_anew(
    server: SocketServer, guard: Guarded, tmp_path: Path, make: Make
) -> None:
    (tmp_path / "token").write_text("first-token")
    transport = AnyTransport(make(server, tmp_path))
    assert get(transport) == 200
    guard.token = "second-token"
    (tmp_path / "token").write_text("second-token")
    assert get(transport) == 200
    assert get(transport) == 200
    assert shown(server) == ["first-token", "first-token", "second-token", "second-token"]


def test_f14_the_plugin_runs_once_a_burst(server: SocketServer, guard: Guarded, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first-token")
    transport = AnyTransport(with_plugin(server, tmp_path))
    begin, answers = threading.Barrier(8), []

    def ask() -> None:
        begin.wait(10)
        answers.append(get(transport))

    guard.token = "second-token"
    (tmp_path / "token").write_text("second-token")
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [200] * 8
    assert (tmp_path / "runs").read_text() == "xx", "once when the kubeconfig was loaded, once for all who were refused"
    assert shown(server).count("first-token") <= 8


def test_f14_a_plugin_without_another_token_is_not_asked_by_everyone(
    server: SocketServer, guard: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("first-token")
    transport = AnyTransport(with_plugin(server, tmp_path))
    guard.token = "second-token"
    assert [get(transport) for _ in range(5)] == [401] * 5
    assert shown(server) == ["first-token"] * 5, "nothing is sent again that was refused"
    assert (tmp_path / "runs").read_text() == "xx"
    monkeypatch.setattr(_client_requests, "_BURST_SECONDS", 0.0)
    (tmp_path / "token").write_text("second-token")
    assert get(transport) == 200
    assert (tmp_path / "runs").read_text() == "xxx"


def test_a_plugin_that_fails_leaves_the_401(server: SocketServer, guard: Guarded, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first-token")
    transport = AnyTransport(with_plugin(server, tmp_path))
    guard.token = "second-token"
    (tmp_path / "token").write_text("")
    assert get(transport) == 401
    assert len(server.requests) == 1


def test_a_token_file_that_is_gone_leaves_the_401(
    server: SocketServer, guard: Guarded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "kubeinformer")
    (tmp_path / "token").write_text("first-token")
    transport = AnyTransport(with_token_file(server, tmp_path))
    guard.token = "second-token"
    (tmp_path / "token").unlink()
    assert get(transport) == 401
    assert len(server.requests) == 1
    assert "GET /p: 401, and no other credentials: FileNotFoundError" in caplog.text


@pytest.mark.parametrize(
    ("tokens", "sent", "status"),
    [
        (["old", "first-token"], ["old", "first-token"], 200),
        (["old", "older"], ["old", "older"], 401),
        (["old", "old"], ["old"], 401),
    ],
    ids=["another", "another bad one", "the same"],
)
def test_f13_a_refresh_hook_is_asked_once_more(
    server: SocketServer, tokens: list[str], sent: list[str], status: int
) -> None:
    given = iter(tokens)

    def refresh(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = f"Bearer {next(given)}"

    configuration = Configuration(host=server.url, api_key={"BearerToken": "none"})
    configuration.refresh_api_key_hook = refresh
    assert get(AnyTransport(ApiClient(configuration))) == status
    assert shown(server) == sent


def test_a_client_without_credentials_is_answered_once(server: SocketServer) -> None:
    assert get(AnyTransport(ApiClient(Configuration(host=server.url)))) == 401
    assert len(server.requests) == 1


class _Hook:
    def __call__(self, configuration: Configuration) -> None:
        pass

    def method(self, configuration: Configuration) -> None:
        pass


@pytest.mark.parametrize("hook", [id, _Hook(), _Hook().method, lambda _: None, partial(_Hook())])
def test_hooks_of_every_kind(server: SocketServer, hook: Any) -> None:
    """Nothing is taken for a loader that is none."""
    configuration = Configuration(host=server.url, api_key={"BearerToken": "none"})
    configuration.refresh_api_key_hook = hook
    assert get(AnyTransport(ApiClient(configuration))) == 401
    assert len(server.requests) == 1
