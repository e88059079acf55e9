"""The official client and its dynamic client, watch and informer work unchanged; and the life of the server."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import kubernetes.client
import pytest
from apiserver_http import Http, eventually
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException

from kubeinformer.testing import APIServer, StatusError
from kubeinformer.testing.builtin import UNSERVED
from kubeinformer.testing.objects import config_map, custom_resource_definition, large_pod, node, pod
from kubeinformer.testing.resources import Registry, storage_name

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def official(server: APIServer) -> Iterator[client.ApiClient]:
    with server.api_client() as made:
        yield made


def test_typed_client(server: APIServer, official: client.ApiClient) -> None:
    core = client.CoreV1Api(official)
    container = client.V1Container(name="c", image="i")
    new = client.V1Pod(
        metadata=client.V1ObjectMeta(name="a", labels={"app": "x"}), spec=client.V1PodSpec(containers=[container])
    )
    created = core.create_namespaced_pod("default", new)
    assert created.metadata.creation_timestamp.tzinfo is not None
    assert core.list_pod_for_all_namespaces(label_selector="app=x").items[0].metadata.name == "a"
    created.metadata.annotations = {"k": "v"}
    replaced = core.replace_namespaced_pod("a", "default", created)
    assert replaced.metadata.annotations == {"k": "v"}
    with pytest.raises(ApiException) as conflict:
        core.replace_namespaced_pod("a", "default", created)
    assert conflict.value.status == 409
    core.patch_namespaced_pod_status("a", "default", {"status": {"phase": "Running"}})
    assert core.read_namespaced_pod("a", "default").status.phase == "Running"
    assert core.delete_namespaced_pod("a", "default").metadata.uid == created.metadata.uid
    with pytest.raises(ApiException) as missing:
        core.read_namespaced_pod("a", "default")
    assert missing.value.status == 404


def test_typed_client_reads_realistic_objects(server: APIServer, official: client.ApiClient) -> None:
    server.create(large_pod("a-1", owner="a"))
    server.create(pod("b-1", node=None, phase="Pending"))
    server.create(pod("c-1", phase="Failed"))
    server.create(node("n"))
    core = client.CoreV1Api(official)
    pods = {item.metadata.name: item for item in core.list_namespaced_pod("default").items}
    assert pods["a-1"].metadata.owner_references[0].kind == "ReplicaSet"
    assert len(pods["a-1"].metadata.managed_fields) == 3
    assert pods["c-1"].status.container_statuses[0].state.terminated.exit_code == 1
    assert core.list_node().items[0].status.capacity["cpu"] == "8"


def test_typed_client_pages(server: APIServer, official: client.ApiClient) -> None:
    for number in range(7):
        server.create(config_map(f"m{number}"))
    core = client.CoreV1Api(official)
    names: list[str] = []
    token = None
    while token != "":
        page = core.list_namespaced_config_map("default", limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue or ""
    assert names == [f"m{number}" for number in range(7)]


def test_official_watch(server: APIServer, official: client.ApiClient) -> None:
    core = client.CoreV1Api(official)
    server.create(config_map("a"))
    seen = []
    watcher = watch.Watch()
    for event in watcher.stream(core.list_namespaced_config_map, "default", allow_watch_bookmarks=True):
        seen.append((event["type"], event["raw_object"]["metadata"].get("name")))
        if event["type"] == "BOOKMARK":
            server.update(config_map("a", data={"k": "v"}))
            server.delete("configmaps", "a")
        if event["type"] == "DELETED":
            watcher.stop()
    assert seen == [("ADDED", "a"), ("BOOKMARK", None), ("MODIFIED", "a"), ("DELETED", "a")]
    server.compact()
    with pytest.raises(ApiException) as expired:
        list(watch.Watch().stream(core.list_namespaced_config_map, "default", resource_version="2", timeout_seconds=5))
    assert expired.value.status == 410


def test_official_dynamic_client(server: APIServer, official: client.ApiClient, tmp_path: Path) -> None:
    server.create(custom_resource_definition("example.com", "widgets", "Widget"))
    made = dynamic.DynamicClient(official, cache_file=str(tmp_path / "discovery"))
    widgets = made.resources.get(api_version="example.com/v1", kind="Widget")
    body = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"n": 1}}
    widgets.create(body=body, namespace="default")
    widgets.patch(body={"spec": {"n": 2}}, name="a", namespace="default", content_type="application/merge-patch+json")
    assert widgets.get(name="a", namespace="default").spec.n == 2
    widgets.status.patch(
        body={"status": {"ready": True}}, name="a", namespace="default", content_type="application/merge-patch+json"
    )
    assert [item.status.ready for item in widgets.get().items] == [True]
    for event in widgets.watch(namespace="default", timeout=5):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "a")
        break
    widgets.delete(name="a", namespace="default")
    assert widgets.get(namespace="default").items == []
    hpa = made.resources.get(kind="HorizontalPodAutoscaler", api_version="autoscaling/v2")
    assert hpa.short_names == ["hpa"]


def test_official_informer(server: APIServer, official: client.ApiClient) -> None:
    informer_module = pytest.importorskip("kubernetes.informer", reason="this kubernetes client has no informer")
    core = client.CoreV1Api(official)
    for number in range(3):
        server.create(config_map(f"m{number}"))
    informer = informer_module.SharedInformer(core.list_namespaced_config_map, namespace="default")
    informer.start()
    try:
        server.wait_for_watches(1, resource="configmaps")
        server.delete("configmaps", "m0")
        server.create(config_map("m3"))
        expected = ["default/m1", "default/m2", "default/m3"]
        eventually(lambda: sorted(informer.cache.list_keys()) == expected)
    finally:
        informer.stop()


def test_kubeconfig(server: APIServer, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    server.faults.require_token("secret")
    server.kubeconfig(path, token="secret")
    with config.new_client_from_config(str(path)) as made:
        assert made.configuration.host == server.url
        assert len(client.CoreV1Api(made).list_namespace().items) == 4
    with server.api_client(token="secret") as made:
        assert len(client.CoreV1Api(made).list_namespace().items) == 4
    with server.api_client() as made, pytest.raises(ApiException) as refused:
        client.CoreV1Api(made).list_namespace()
    assert refused.value.status == 401


def test_the_table_has_every_resource_of_the_official_client() -> None:
    """Every path of the client's API classes that lists something is served, with its scope, kind and subresources."""
    sources = Path(kubernetes.client.__file__).parent / "api"
    pattern = re.compile(
        r"^/(?:api|apis/(?P<group>[^/]+))/(?P<version>v\w+)(?P<inside>/namespaces/\{namespace\})?"
        r"/(?P<plural>[a-z]+)(?P<name>/\{name\})?(?:/(?P<sub>[a-z]+))?$"
    )
    registry = Registry()
    found, returned = set(), set()
    for source in sorted(sources.glob("*_api.py")):
        text = source.read_text(encoding="utf-8")
        for function, path in re.findall(r"def _(\w+)_serialize\(.*?resource_path='([^']+)'", text, re.DOTALL):
            match = pattern.match(path)
            if match is None or match["plural"] == "watch":
                continue
            key = (match["group"] or "", match["version"], match["plural"])
            if key in UNSERVED:
                continue
            resource = registry.get(*key)
            assert resource is not None, path
            found.add(key)
            if match["inside"]:
                assert resource.namespaced, path
            if match["sub"]:
                served = resource.status if match["sub"] == "status" else match["sub"] in resource.unserved
                assert served, path
            listed = re.search(rf"def {function}\(.*?\) -> (\w+):", text, re.DOTALL)
            if function.startswith("list_"):
                assert listed is not None
                assert listed[1].endswith(resource.list_kind), path
            elif function.startswith("delete_") and "collection" not in function:
                assert listed is not None
                if listed[1] != "object":
                    assert resource.returns_object, path
                    returned.add(resource.storage)
    assert len(found) > 80
    groups = registry.groups()
    extra = {(g, v, r.plural) for g, versions in groups.items() for v, rs in versions.items() for r in rs} - found
    assert not extra
    every = [resource for versions in groups.values() for resources in versions.values() for resource in resources]
    assert {resource.storage for resource in every if resource.returns_object} == returned
    names = [storage_name(g, r.plural) for g, versions in groups.items() for rs in versions.values() for r in rs]
    assert all(registry.resolve(name).plural == name.partition(".")[0] for name in names)


# -- the life of the server --------------------------------------------------------------------------------------------


def test_close_is_prompt_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    server = APIServer()
    api = Http(server.url)
    server.faults.stall(resource="secrets")
    with api.watch(MAPS) as stream, api.raw("/api/v1/secrets"), api.raw("/healthz"), api.raw(MAPS, watch="1"):
        eventually(lambda: len(server.requests) == 4)
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < 0.5
        assert stream.rest() == []
    assert set(threading.enumerate()) == before
    server.close()
    with pytest.raises(ConnectionRefusedError):
        api.get(MAPS)
    for use in (lambda: server.create(config_map("a")), lambda: server.requests, lambda: server.faults):
        with pytest.raises(RuntimeError, match="closed"):
            use()


def test_close_does_not_wait_for_a_client_that_does_not_read() -> None:
    server = APIServer()
    for number in range(300):
        server.create(large_pod(f"p-{number}", size=100_000))
    with Http(server.url).raw("/api/v1/pods", watch="1"):
        server.wait_for_watches(1)
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < 0.5


def test_arguments_are_checked() -> None:
    for wrong in ({"bookmark_interval": 0.0}, {"history_limit": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            APIServer(**wrong)  # type: ignore[arg-type]


def test_a_port_that_is_taken(server: APIServer) -> None:
    port = int(server.url.rpartition(":")[2])
    for process in (False, True):
        with pytest.raises(OSError, match="in use"):
            APIServer(port=port, process=process)


def test_a_server_in_a_process_of_its_own() -> None:
    with APIServer(process=True) as server:
        api = Http(server.url)
        stored = server.create(config_map("a", "team"))
        assert server.get("configmaps", "a", "team") == stored
        assert server.list("configmaps") == [stored]
        with pytest.raises(StatusError) as exists:
            server.create(config_map("a", "team"))
        assert exists.value.reason == "AlreadyExists"
        rule = server.faults.respond(500, verb="list")
        assert [api.get(MAPS).status for _ in range(2)] == [500, 200]
        assert server.faults.hits(rule) == 1
        assert [request.verb for request in server.requests] == ["list", "list"]
        with api.watch("/api/v1/configmaps", resourceVersion=server.resource_version) as stream:
            server.wait_for_watches(1, resource="configmaps")
            server.delete(stored)
            assert stream.take(1) == [("DELETED", "a")]
            assert server.faults.inject(b"x\n") == 1
            assert stream.line() == b"x\n"
            snapshot = server.snapshot()
            server.create(config_map("b"))
            server.restore(snapshot)
        server.compact()
        server.register("example.com", "v1", "gadgets", "Gadget")
        assert api.get("/apis/example.com/v1/gadgets").status == 200
        with pytest.raises(AttributeError):
            server.faults.nothing()  # type: ignore[attr-defined]
    server.close()
    with pytest.raises(RuntimeError, match="closed"):
        server.create(config_map("a"))
    with pytest.raises(ConnectionRefusedError):
        api.get(MAPS)


def test_the_pytest_plugin(tmp_path: Path) -> None:
    test = tmp_path / "test_with_fixtures.py"
    test.write_text(
        """
import sys

HEAVY = [name for name in ("aiohttp", "kubernetes") if name in sys.modules]

def test_nothing_of_weight_is_loaded_for_the_plugin():
    assert HEAVY == []

def test_client(kube_apiserver, kube_api_client):
    from kubernetes.client import CoreV1Api
    kube_apiserver.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
    assert len(CoreV1Api(kube_api_client).list_namespace().items) == 5

def test_another_server(kube_apiserver):
    assert len(kube_apiserver.list("namespaces")) == 4
"""
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "kubeinformer.testing.pytest_plugin", str(test)]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_without_aiohttp_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "import kubeinformer.testing, kubeinformer.testing.objects, kubeinformer.testing.faults\n"
        "try:\n    kubeinformer.testing.APIServer\n"
        "except ImportError as error:\n    print(error)\n"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "pip install 'kubeinformer[testing]'" in done.stdout
