"""What goes wrong with `kubeinformer watch` is one line on stderr that names it, and an exit status; no traceback."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_process import Running, run

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import custom_resource_definition, pod

Failing = Callable[..., subprocess.CompletedProcess[str]]
Watch = Callable[..., Running]

FAILED, USAGE = 1, 2


def _line(ended: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line of a failure."""
    assert ended.returncode == status, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith("kubeinformer: ")
    return ended.stderr.removeprefix("kubeinformer: ").rstrip("\n")


def test_no_kubeconfig(tmp_path: Path) -> None:
    assert "no kubeconfig: ~/.kube/config is no file" in _line(run(tmp_path, "watch", "pods"), USAGE)
    missing = str(tmp_path / "missing")
    assert f"no kubeconfig: {missing} is no file" in _line(
        run(tmp_path, "watch", "pods", "--kubeconfig", missing), USAGE
    )
    assert f"no kubeconfig: {missing} is no file" in _line(run(tmp_path, "watch", "pods", KUBECONFIG=missing), USAGE)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("clusters: [", "while parsing"),
        ("[1, 2]", "cannot use the kubeconfig"),
        ("apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n", "no current-context"),
        (
            "contexts: [{name: one, context: {cluster: gone, user: u}}]\ncurrent-context: one\n",
            "Expected object with name gone",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    line = _line(run(tmp_path, "watch", "pods", "--kubeconfig", str(path)), USAGE)
    assert says in line
    assert str(path) in line


def test_an_unknown_context(failing: Failing) -> None:
    assert _line(failing("pods", "--context", "prod"), USAGE).endswith(
        'has no context "prod"; it has: kubeinformer-testing'
    )


def test_a_server_that_refuses_connections(server: APIServer, failing: Failing) -> None:
    server.faults.refuse_connections()
    start = time.monotonic()
    assert _line(failing("pods"), FAILED) == f"cannot reach the server at {server.url}: connection refused"
    assert time.monotonic() - start < 10
    # Discovery comes first for what is not built in.
    assert _line(failing("widgets"), FAILED) == f"cannot reach the server at {server.url}: connection refused"


def test_a_server_with_another_certificate(server: APIServer, kubeconfig: Path, failing: Failing) -> None:
    text = kubeconfig.read_text(encoding="utf-8")
    kubeconfig.write_text(text.replace("http://", "https://"), encoding="utf-8")
    line = _line(failing("pods"), FAILED)
    assert line.startswith(f"cannot reach the server at {server.url.replace('http', 'https')}: SSLError")


def test_what_answers_is_no_api_server(server: APIServer, failing: Failing) -> None:
    server.faults.respond(200, body="<html>welcome</html>", times=None)
    assert "cannot read the pods" in _line(failing("pods"), FAILED)
    assert "is no Kubernetes API server" in _line(failing("widgets"), FAILED)


def test_no_valid_credentials(server: APIServer, failing: Failing) -> None:
    server.faults.require_token("secret")
    line = _line(failing("pods", "-n", "shop"), FAILED)
    assert line.startswith('cannot list and watch pods in namespace "shop" at http')
    assert "not logged in (401): Unauthorized" in line
    assert "cannot read /api" in _line(failing("widgets"), FAILED)


def test_forbidden(server: APIServer, failing: Failing) -> None:
    server.faults.forbidden(user="alice")
    line = _line(failing("secrets", "-n", "shop"), FAILED)
    assert line.startswith('cannot list and watch secrets in namespace "shop" at http')
    assert "not allowed (403)" in line
    assert 'User "alice"' in line
    assert "cannot list and watch nodes at" in _line(failing("nodes"), FAILED)
    assert "cannot list and watch pods at" in _line(failing("pods", "-A"), FAILED)


def test_one_forbidden_namespace_does_not_stop_the_others(server: APIServer, watch: Watch) -> None:
    server.create(pod("web-0", "open"))
    server.faults.forbidden(namespace="closed")
    running = watch("pods", "-n", "closed", "-n", "open", "-o", "name")
    assert running.line() == "pod/web-0"
    assert 'pods in namespace "closed"' in running.message()
    server.create(pod("web-1", "open"))
    assert running.line() == "pod/web-1"
    ended = running.interrupt()
    assert (ended.status, ended.stderr) == (130, [])


def test_every_namespace_forbidden(server: APIServer, failing: Failing) -> None:
    server.faults.forbidden()
    ended = failing("pods", "-n", "one", "-n", "two")
    assert ended.returncode == FAILED
    assert 'namespace "one"' in ended.stderr
    assert 'namespace "two"' in ended.stderr


def test_an_unknown_resource(server: APIServer, failing: Failing) -> None:
    server.create(custom_resource_definition("example.com", "widgets", "Widget"))
    assert _line(failing("podz"), USAGE) == (
        f'unknown resource "podz": the server at {server.url} has none of that name; did you mean pods?'
    )
    assert _line(failing("widgetes"), USAGE).endswith("did you mean widgets.example.com?")
    assert _line(failing("pods.example.com"), USAGE).endswith("did you mean pods?")
    assert _line(failing("qqqqqq"), USAGE).endswith("has none of that name")
    assert "metadata.name=NAME" in _line(failing("pod/web-0"), USAGE)


def test_a_resource_that_the_server_does_not_serve(server: APIServer, failing: Failing) -> None:
    server.faults.respond(404, times=None, resource="deployments")
    assert "cannot list and watch deployments.apps" in (line := _line(failing("deploy"), FAILED))
    assert "it has no such resource (404)" in line


def test_a_bad_label_selector_points_at_the_fault(tmp_path: Path) -> None:
    # Found before anything else is looked for: there is no kubeconfig here.
    line = _line(run(tmp_path, "watch", "pods", "-l", "tier in (web"), USAGE)
    assert line == "bad selector \"tier in (web\": expected ',' or ')', found the end at character 12"


def test_a_bad_field_selector_names_the_fault(failing: Failing) -> None:
    assert "field label not supported: spec.colour" in _line(
        failing("pods", "--field-selector", "spec.colour=red"), USAGE
    )
    assert "can't understand 'spec.nodeName'" in _line(failing("pods", "--field-selector", "spec.nodeName"), USAGE)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("watch",),
        ("watch", "pods", "-A", "-n", "shop"),
        ("watch", "pods", "-o", "yaml"),
        ("watch", "pods", "--seconds", "0"),
        ("demo", "--pods", "0"),
        ("demo", "--rate", "nan"),
    ],
)
def test_a_wrong_command_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = run(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (USAGE, "")
    assert ended.stderr.startswith("usage: kubeinformer")


def test_an_empty_namespace(failing: Failing) -> None:
    assert "a namespace must not be empty" in _line(failing("pods", "-n", ""), USAGE)


def test_an_outage_is_said_once_and_its_end_too(server: APIServer, watch: Watch) -> None:
    server.create(pod("web-0"))
    running = watch("pods", "-o", "name")
    assert running.line() == "pod/web-0"
    server.wait_for_watches(resource="pods")
    server.faults.refuse_connections()
    server.faults.drop_connections()
    assert running.message() == (
        f"kubeinformer: cannot reach the server at {server.url}: connection refused; trying again"
    )
    server.faults.accept_connections()
    assert running.message() == 'kubeinformer: watching pods in namespace "default"'
    server.create(pod("web-1"))
    assert running.line() == "pod/web-1"
    ended = running.interrupt()
    assert (ended.status, ended.stdout, ended.stderr) == (130, [], [])


def test_a_server_that_is_busy_is_waited_for(server: APIServer, watch: Watch) -> None:
    server.create(pod("web-0"))
    server.faults.respond(503, times=2, resource="pods")
    running = watch("pods", "-o", "name")
    assert re.fullmatch(
        r"kubeinformer: cannot list and watch pods .*: it answers 503: .*; trying again", running.message()
    )
    assert running.line() == "pod/web-0"


def test_verbose_logs_what_the_informer_does(server: APIServer, kubeconfig: Path, tmp_path: Path) -> None:
    server.create(pod("web-0"))
    ended = run(tmp_path, "watch", "pods", "-v", "-o", "name", "--seconds", "0.5", "--kubeconfig", str(kubeconfig))
    assert (ended.returncode, ended.stdout) == (0, "pod/web-0\n")
    assert "INFO v1/pods in default: read" in ended.stderr
