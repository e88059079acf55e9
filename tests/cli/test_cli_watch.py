"""What `kubeinformer watch` prints: every object of its scope once, then every change, in three formats."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from cli_process import Running, run

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import custom_resource_definition, node, pod

Watch = Callable[..., Running]


def _words(line: str) -> list[str]:
    return line.split()


def test_columns_of_pods_and_every_kind_of_event(server: APIServer, watch: Watch) -> None:
    server.create(pod("web-0", node="node-1"))
    server.create(pod("web-1", node="node-2", phase="Pending"))
    running = watch("pods")
    titles, first, second = running.lines(3)
    assert _words(titles) == ["EVENT", "NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert _words(first)[:6] == ["ADDED", "default", "web-0", "1/1", "Running", "0"]
    assert _words(first)[-1] == "node-1"
    assert _words(second)[:5] == ["ADDED", "default", "web-1", "0/1", "ContainerCreating"]
    for title in ("NAMESPACE", "NAME", "READY", "STATUS", "NODE"):
        column = titles.index(title)
        assert all(line[column - 1] == " " and line[column] != " " for line in (first, second)), title

    started = pod("web-1", node="node-2")
    del started["metadata"]["uid"]
    server.update(started)
    assert _words(running.line())[:5] == ["MODIFIED", "default", "web-1", "1/1", "Running"]
    server.delete("pods", "web-0")
    assert _words(running.line())[:3] == ["DELETED", "default", "web-0"]
    server.create(pod("web-2"))
    assert _words(running.line())[:3] == ["ADDED", "default", "web-2"]


def test_output_to_a_pipe_has_no_control_codes(server: APIServer, watch: Watch) -> None:
    strange = pod("web-0")
    strange["status"]["reason"] = "\x1b[31mEvicted\n\x07now"
    strange["status"]["containerStatuses"] = []
    server.create(strange)
    running = watch("pods")
    line = running.lines(2)[1]
    assert "?[31mEvicted ?now" in line
    assert line.isprintable()


def test_json_is_one_object_a_line(server: APIServer, watch: Watch) -> None:
    created = server.create(pod("web-0", annotations={"note": "two\nlines"}, size=8192))
    assert "managedFields" in created["metadata"]
    running = watch("po", "-o", "json")
    event = json.loads(running.line())
    del created["metadata"]["managedFields"]
    assert event == {"type": "ADDED", "object": created}
    server.delete("pods", "web-0")
    event = json.loads(running.line())
    assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "web-0")


def test_names_are_those_of_kubectl(server: APIServer, watch: Watch) -> None:
    server.create(node("node-1"))
    server.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3}})
    assert watch("nodes", "-o", "name").line() == "node/node-1"
    assert watch("deploy", "-o", "name").line() == "deployment.apps/web"


def test_cluster_scoped_resources_have_no_namespace_column(server: APIServer, watch: Watch) -> None:
    server.create(node("node-1", unschedulable=True))
    titles, line = watch("no").lines(2)
    assert _words(titles) == ["EVENT", "NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert _words(line)[:4] == ["ADDED", "node-1", "Ready,SchedulingDisabled", "<none>"]


def test_namespaces(server: APIServer, watch: Watch) -> None:
    for namespace in ("default", "shop", "web", "other"):
        server.create(pod("one", namespace))

    def seen(count: int, *arguments: str) -> set[str]:
        running = watch("pods", *arguments)
        found = {_words(line)[1] for line in running.lines(count + 1)[1:]}
        server.create(pod("last", "web"))
        server.create(pod("last", "default"))
        later = {_words(running.line())[1]}
        server.delete("pods", "last", "web")
        server.delete("pods", "last", "default")
        return found | later

    assert seen(1) == {"default"}
    assert seen(2, "-n", "shop", "-n", "web") == {"shop", "web"}
    assert seen(2, "-n", "shop,web") == {"shop", "web"}
    assert seen(4, "-A") == {"default", "shop", "web", "other"}


def test_the_context_says_which_namespace_is_the_default(server: APIServer, kubeconfig: Path, watch: Watch) -> None:
    text = kubeconfig.read_text(encoding="utf-8")
    assert "namespace: default" in text
    kubeconfig.write_text(text.replace("namespace: default", "namespace: shop"), encoding="utf-8")
    server.create(pod("one", "default"))
    server.create(pod("two", "shop"))
    assert _words(watch("pods").lines(2)[1])[1:3] == ["shop", "two"]


def test_selectors(server: APIServer, watch: Watch) -> None:
    server.create(pod("web-0", labels={"tier": "web"}, node="node-1"))
    server.create(pod("api-0", labels={"tier": "api"}, node="node-1"))
    server.create(pod("db-0", labels={"tier": "db"}, node="node-2"))
    labelled = watch("pods", "-o", "name", "-l", "tier in (web, api)")
    assert set(labelled.lines(2)) == {"pod/web-0", "pod/api-0"}
    both = watch("pods", "-l", "tier!=web", "--field-selector", "spec.nodeName=node-1")
    assert _words(both.lines(2)[1])[2] == "api-0"
    # What leaves the scope is a deletion, what enters it an addition.
    for tier, event in (("web", "DELETED"), ("db", "ADDED")):
        changed = pod("api-0", labels={"tier": tier}, node="node-1")
        del changed["metadata"]["uid"]
        server.update(changed)
        assert _words(both.line())[:3] == [event, "default", "api-0"]


def test_custom_resources_by_every_name(server: APIServer, watch: Watch) -> None:
    server.create(custom_resource_definition("example.com", "widgets", "Widget", versions=("v1", "v1beta1")))
    server.create({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}})
    for name in ("widgets", "Widget", "widgets.example.com", "widget.v1beta1.example.com"):
        event = json.loads(watch(name, "-o", "json").line())
        assert event["object"]["metadata"]["name"] == "one"
        assert event["object"]["apiVersion"] == ("example.com/v1beta1" if "beta" in name else "example.com/v1")
    assert watch("widgets", "-o", "name").line() == "widget.example.com/one"


def test_a_reconnect_repeats_nothing(server: APIServer, watch: Watch) -> None:
    server.create(pod("web-0"))
    running = watch("pods", "-o", "name")
    assert running.line() == "pod/web-0"
    server.wait_for_watches(resource="pods")
    server.faults.reset_watches()
    server.compact()
    server.create(pod("web-1"))
    assert running.line() == "pod/web-1"


def test_an_empty_scope_is_said(watch: Watch) -> None:
    running = watch("pods", "-n", "shop")
    assert running.message() == 'kubeinformer: no pods in namespace "shop" yet; watching'


def test_seconds_end_it_well(server: APIServer, kubeconfig: Path, tmp_path: Path) -> None:
    server.create(pod("web-0"))
    start = time.monotonic()
    ended = run(tmp_path, "watch", "pods", "-o", "name", "--seconds", "0.5", "--kubeconfig", str(kubeconfig))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "pod/web-0\n", "")
    assert time.monotonic() - start >= 0.5


def test_the_kubeconfig_of_the_environment(server: APIServer, kubeconfig: Path, tmp_path: Path) -> None:
    server.create(pod("web-0"))
    ended = run(tmp_path, "watch", "pods", "-o", "name", "--seconds", "0.5", KUBECONFIG=f"/nowhere:{kubeconfig}")
    assert (ended.returncode, ended.stdout) == (0, "pod/web-0\n")
