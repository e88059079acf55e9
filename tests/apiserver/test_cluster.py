"""The fixtures themselves, seen by the official client: what the other tests rely on holds iff these pass."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from kubernetes import client, watch
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from .binaries import Binaries
from .cluster import Access, Cluster
from .crd import create_crd, delete_crd
from .process import StartError
from .rest import delete_namespace, ensure_namespace
from .workload import create_pods, pod


def small_pod(name: str, node: str = "node-1") -> client.V1Pod:
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels={"app": "my-app"}),
        spec=client.V1PodSpec(node_name=node, containers=[client.V1Container(name="main", image="example.com/app")]),
    )


# Typed as Any: to a type checker every field of a model may be None.
@pytest.fixture
def core(api_client: ApiClient) -> Any:
    return client.CoreV1Api(api_client)


@pytest.fixture
def fresh_core(fresh_cluster: Cluster) -> Iterator[Any]:
    with fresh_cluster.api_client() as api_client:
        yield client.CoreV1Api(api_client)


def watch_pods(core: Any, namespace: str, since: str) -> Generator[dict[str, Any]]:
    """Yield the events after ``since`` for 30 seconds at most; an ERROR event raises ApiException."""
    watcher = watch.Watch()  # type: ignore[no-untyped-call]
    yield from watcher.stream(  # type: ignore[no-untyped-call]
        core.list_namespaced_pod, namespace, resource_version=since, timeout_seconds=30
    )


def test_pods_with_a_node_are_listed_and_stay_pending(core: Any, namespace: str) -> None:
    for i in range(3):
        core.create_namespaced_pod(namespace, small_pod(f"web-{i}", node=f"node-{i}"))
    listed = core.list_namespaced_pod(namespace).items
    assert [(p.metadata.name, p.spec.node_name, p.status.phase) for p in listed] == [
        (f"web-{i}", f"node-{i}", "Pending") for i in range(3)
    ]


def test_the_certificate_is_verified_and_the_token_needed(cluster: Access) -> None:
    with cluster.api_client() as good:
        assert good.configuration.verify_ssl
        client.VersionApi(good).get_code()
    with cluster.api_client() as other:
        settings = other.configuration
    settings.ssl_ca_cert, settings.retries = None, False
    with ApiClient(settings) as untrusting, pytest.raises((ApiException, urllib3.exceptions.HTTPError), match="CERT"):
        client.VersionApi(untrusting).get_code()
    with cluster.api_client() as anonymous:
        anonymous.configuration.refresh_api_key_hook = None
        anonymous.configuration.api_key = {"authorization": "Bearer wrong", "BearerToken": "Bearer wrong"}
        with pytest.raises(ApiException) as refused:
            client.VersionApi(anonymous).get_code()
        assert refused.value.status == 401


def test_status_is_set_through_its_subresource(core: Any, namespace: str) -> None:
    created = core.create_namespaced_pod(namespace, small_pod("web"))
    created.status.phase = "Running"
    core.replace_namespaced_pod_status("web", namespace, created)
    assert core.read_namespaced_pod("web", namespace).status.phase == "Running"


def test_watch_gives_every_event_since_a_list(core: Any, namespace: str) -> None:
    since = core.list_namespaced_pod(namespace).metadata.resource_version
    core.create_namespaced_pod(namespace, small_pod("web"))
    core.patch_namespaced_pod("web", namespace, {"metadata": {"labels": {"tier": "api"}}})
    core.delete_namespaced_pod("web", namespace, grace_period_seconds=0)
    seen = []
    with contextlib.closing(watch_pods(core, namespace, since)) as events:
        for event in events:
            metadata = event["object"].metadata
            seen.append((event["type"], metadata.labels.get("tier"), metadata.deletion_timestamp is not None))
            if event["type"] == "DELETED":
                break
    # A pod with a node is marked before it goes, even when it is deleted at once.
    marked = ("MODIFIED", "api", True)
    assert seen == [("ADDED", None, False), ("MODIFIED", "api", False), marked, ("DELETED", "api", True)]


def test_custom_resources(api_client: ApiClient, namespace: str) -> None:
    group = f"{namespace}.kubeinformer.test"
    name = create_crd(api_client, group, "widgets", "Widget")
    custom: Any = client.CustomObjectsApi(api_client)
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 3}}
    custom.create_namespaced_custom_object(group, "v1", namespace, "widgets", body)
    items = custom.list_namespaced_custom_object(group, "v1", namespace, "widgets")["items"]
    assert [(item["metadata"]["name"], item["spec"]) for item in items] == [("one", {"size": 3})]
    delete_crd(api_client, name)


def test_pod_has_the_size_it_was_asked_for_and_says_when_it_cannot() -> None:
    for i, size in enumerate((8192, 6144, 65536, 8191)):
        assert len(json.dumps(pod(i, size=size), separators=(",", ":"), ensure_ascii=False).encode()) == size
    assert pod(7) == pod(7)
    with pytest.raises(ValueError, match="size: a pod needs"):
        pod(0, size=100)


def test_the_workload_arrives_as_it_was_made(core: Any, namespace: str) -> None:
    answers = create_pods(core.api_client, 30, [namespace])
    assert [a["metadata"]["name"] for a in answers] == [pod(i)["metadata"]["name"] for i in range(30)]
    listed = {p.metadata.name: p for p in core.list_namespaced_pod(namespace).items}
    assert len(listed) == 30
    for wanted in (pod(i, namespace=namespace) for i in range(30)):
        found = listed[wanted["metadata"]["name"]]
        assert found.metadata.labels == wanted["metadata"]["labels"]
        assert found.metadata.annotations == wanted["metadata"]["annotations"]
        assert found.metadata.owner_references[0].uid == wanted["metadata"]["ownerReferences"][0]["uid"]
        assert found.spec.node_name == wanted["spec"]["nodeName"]
        assert len(found.spec.containers[0].env) == len(wanted["spec"]["containers"][0]["env"])
        assert found.status.phase == "Running"
        assert len(found.status.conditions) == len(wanted["status"]["conditions"])


def test_a_deleted_namespace_is_gone_with_its_pods(core: Any) -> None:
    name = f"test-{uuid.uuid4().hex[:12]}"
    ensure_namespace(core.api_client, name)
    core.create_namespaced_pod(name, small_pod("web"))
    delete_namespace(core.api_client, name)
    with pytest.raises(ApiException) as missing:
        core.read_namespace(name)
    assert missing.value.status == 404
    assert core.list_namespaced_pod(name).items == []


def test_expire_history_makes_watches_and_pages_expire(fresh_cluster: Cluster, fresh_core: Any) -> None:
    create_pods(fresh_core.api_client, 5, status=False)
    page = fresh_core.list_namespaced_pod("default", limit=2).metadata
    newest = fresh_core.list_namespaced_pod("default").metadata.resource_version
    fresh_cluster.expire_history()
    for resource_version in (page.resource_version, newest):
        with pytest.raises(ApiException, match="Expired") as expired:
            next(watch_pods(fresh_core, "default", resource_version))
        assert expired.value.status == 410
    with pytest.raises(ApiException) as expired_page:
        fresh_core.list_namespaced_pod("default", limit=2, _continue=page._continue)
    assert expired_page.value.status == 410
    assert '"reason":"Expired"' in str(expired_page.value.body)
    assert len(fresh_core.list_namespaced_pod("default").items) == 5


def test_compaction_alone_expires_a_watch_only_without_the_watch_cache(binaries: Binaries) -> None:
    for flags, expires in (((), False), (("--watch-cache=false",), True)):
        with Cluster(binaries, extra_flags=flags) as cluster, cluster.api_client() as api_client:
            core: Any = client.CoreV1Api(api_client)
            since = core.list_namespaced_pod("default").metadata.resource_version
            core.create_namespaced_pod("default", small_pod("web"))
            cluster.compact()
            if expires:
                with pytest.raises(ApiException) as expired:
                    next(watch_pods(core, "default", since))
                assert expired.value.status == 410
            else:
                with contextlib.closing(watch_pods(core, "default", since)) as events:
                    assert next(events)["object"].metadata.name == "web"


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_kill_and_start_keep_data_address_and_trust(
    fresh_cluster: Cluster, fresh_core: Any, sig: signal.Signals
) -> None:
    uid = fresh_core.create_namespaced_pod("default", small_pod("web")).metadata.uid
    kubeconfig = fresh_cluster.kubeconfig.read_bytes()
    fresh_cluster.kill_apiserver(sig)
    with pytest.raises(urllib3.exceptions.HTTPError, match="refused"):
        fresh_core.list_namespaced_pod("default")
    fresh_cluster.start_apiserver()
    assert fresh_core.read_namespaced_pod("web", "default").metadata.uid == uid
    assert fresh_cluster.kubeconfig.read_bytes() == kubeconfig


def test_a_paused_server_is_silent_until_it_goes_on(fresh_cluster: Cluster, fresh_core: Any) -> None:
    fresh_core.api_client.configuration.retries = False
    with ApiClient(fresh_core.api_client.configuration) as impatient:
        core = client.CoreV1Api(impatient)
        core.list_namespaced_pod("default")
        for process in (fresh_cluster.apiserver, fresh_cluster.etcd):
            process.pause()
            with pytest.raises(urllib3.exceptions.ReadTimeoutError):
                # A write, because reads come from memory when only etcd is silent.
                core.create_namespaced_pod("default", small_pod(f"{process.name}-paused"), _request_timeout=0.5)
            process.resume()
            core.create_namespaced_pod("default", small_pod(process.name), _request_timeout=30)


def test_a_failed_start_says_why_and_leaves_nothing(binaries: Binaries) -> None:
    cluster = Cluster(binaries, extra_flags=["--no-such-flag"])
    with pytest.raises(StartError, match="unknown flag: --no-such-flag"), cluster:
        pass
    assert not cluster.etcd.running
    assert not cluster.kubeconfig.parent.exists()


def test_servers_die_with_the_process_that_started_them(binaries: Binaries, tmp_path: Path) -> None:
    program = (
        "import sys, threading; from pathlib import Path\n"
        f"from {__package__}.binaries import Binaries; from {__package__}.cluster import Cluster\n"
        "cluster = Cluster(Binaries(Path(sys.argv[1]), Path(sys.argv[2])))\n"
        # The thread that starts them ends: that alone must not end them.
        "starter = threading.Thread(target=cluster.start); starter.start(); starter.join()\n"
        "print(cluster.etcd.pid, cluster.apiserver.pid, cluster.kubeconfig, flush=True); sys.stdin.read()\n"
    )
    top = Path(__file__).resolve().parents[__package__.count(".") + 1]
    with subprocess.Popen(
        [sys.executable, "-c", program, binaries.etcd, binaries.kube_apiserver],
        env={**os.environ, "PYTHONPATH": str(top), "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        etcd, apiserver, kubeconfig = starter.stdout.readline().split()
        servers = [os.pidfd_open(int(pid)) for pid in (etcd, apiserver)]
        with Access(Path(kubeconfig)).api_client() as api_client:
            client.VersionApi(api_client).get_code()
        starter.kill()
    outlived = [server for server in servers if not select.select([server], [], [], 20)[0]]
    for server in outlived:
        signal.pidfd_send_signal(server, signal.SIGKILL)
    for server in servers:
        os.close(server)
    assert not outlived
