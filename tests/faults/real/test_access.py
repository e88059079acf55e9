"""Credentials, rights and shares of a server: refused for a while, and followed again once they are back."""

from __future__ import annotations

import datetime
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import config
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from apiserver.churn import Churn
from apiserver.rest import request
from faults.follower import Follower
from faults.outcome import Outcome
from informer.informer_support import eventually
from kubeinformer.errors import APIStatusError

from .conftest import VIEWER, Follow, only_native, only_python
from .real_server import NAMESPACES, TIMEOUT, RealServer

RBAC = "/apis/rbac.authorization.k8s.io/v1"
FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1"


@contextmanager
def reader(rbac: RealServer, subject: dict[str, str]) -> Iterator[None]:
    """Somebody may read pods."""
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    role = {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "fault"}}
    rbac.write("POST", f"{RBAC}/clusterroles", {**role, "rules": [rule]})
    try:
        bind(rbac, subject)
        try:
            yield
        finally:
            unbind(rbac)
    finally:
        rbac.write("DELETE", f"{RBAC}/clusterroles/fault")


def bind(rbac: RealServer, subject: dict[str, str]) -> None:
    """Bind somebody to the role."""
    binding = {
        "kind": "ClusterRoleBinding",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "fault"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "fault"},
        "subjects": [subject],
    }
    rbac.write("POST", f"{RBAC}/clusterrolebindings", binding)


def unbind(rbac: RealServer) -> None:
    """Take that back."""
    rbac.write("DELETE", f"{RBAC}/clusterrolebindings/fault")


def change(rbac: RealServer, seed: object) -> None:
    """Some writes."""
    with Churn(rbac.admin, NAMESPACES, range(20), threads=2, writes=15, seed=seed):
        pass


def refused_with(follower: Follower, code: int) -> None:
    """Wait until requests are refused, and that can be seen."""

    def refused() -> bool:
        last = follower.informer.last_error()
        return last is not None and isinstance(last.error, APIStatusError) and last.error.code == code

    eventually(refused, f"the last error is {code}", TIMEOUT)
    eventually(lambda: not follower.informer.is_live(), "it is not live", TIMEOUT)
    assert follower.informer.has_synced()


VIEWER_SUBJECT = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "viewer"}


@pytest.fixture
def viewer(rbac: RealServer, follow: Follow) -> Iterator[Follower]:
    """An informer of the user ``viewer``, who may read pods."""
    with reader(rbac, VIEWER_SUBJECT):
        follower = follow(rbac, api_client=ApiClient(rbac.configuration(token=VIEWER)))
        follower.start(TIMEOUT)
        yield follower
        assert follower.factory.shutdown(timeout=TIMEOUT) == []


def test_f22_rights_are_taken_away_and_given_back(rbac: RealServer, viewer: Follower, outcome: Outcome) -> None:
    """The right to read pods is taken away, and given back later."""
    unbind(rbac)
    refused_with(viewer, 403)
    change(rbac, 1)
    outcome.begins(bound="one backoff, at most 60 s after a long time without the right")
    bind(rbac, VIEWER_SUBJECT)
    outcome.recovered(viewer, within=TIMEOUT)
    assert set(viewer.relists_since_start()) <= {"status_403"}


def test_f08_priority_and_fairness_refuses(rbac: RealServer, viewer: Follower, outcome: Outcome) -> None:
    """Priority and fairness has no seat left for the client, as another request has it: 429 in plain text."""
    limited = {
        "lendablePercent": 0,
        "borrowingLimitPercent": 0,
        "nominalConcurrencyShares": 0,
        "limitResponse": {"type": "Reject"},
    }
    level = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "fault"},
        "spec": {"type": "Limited", "limited": limited},
    }
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    schema = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": "fault"},
        "spec": {
            "priorityLevelConfiguration": {"name": "fault"},
            "matchingPrecedence": 2,
            "rules": [{"subjects": [{"kind": "User", "user": {"name": "viewer"}}], "resourceRules": [everything]}],
        },
    }
    rbac.write("POST", f"{FLOWS}/prioritylevelconfigurations", level)
    try:
        uid = rbac.write("POST", f"{FLOWS}/flowschemas", schema)["metadata"]["uid"]
        with ApiClient(rbac.configuration(token=VIEWER)) as other, ThreadPoolExecutor(1) as pool:
            eventually(lambda: _flow_schema(other) == uid, "the flow schema is heeded", TIMEOUT)
            rbac.cluster.etcd.pause()
            try:
                # A consistent read waits for etcd, and keeps the only seat.
                pool.submit(_flow_schema, other)
                refused_with(viewer, 429)
                outcome.begins(bound="one backoff, at least the Retry-After")
            finally:
                rbac.cluster.etcd.resume()
        change(rbac, 2)
        outcome.recovered(viewer, within=TIMEOUT)
        assert not viewer.relists_since_start(), "a 429 is waited out, and the watch resumed"
    finally:
        rbac.write("DELETE", f"{FLOWS}/flowschemas/fault")
        rbac.write("DELETE", f"{FLOWS}/prioritylevelconfigurations/fault")


def _flow_schema(client: ApiClient) -> str | None:
    """LIST one pod; returns the uid of the flow schema that the request was put under."""
    configuration = client.configuration
    answer = client.rest_client.pool_manager.request(
        "GET",
        f"{configuration.host}/api/v1/pods?limit=1",
        headers={"Authorization": configuration.api_key["authorization"]},
        timeout=TIMEOUT,
        retries=False,
    )
    uid: str | None = answer.headers.get("X-Kubernetes-Pf-Flowschema-Uid")
    return uid


@pytest.fixture
def rotated(rbac: RealServer, transport: str) -> Iterator[str]:
    """The first token of a user who may read pods."""
    token = f"first-{transport}-{time.monotonic_ns()}"
    rbac.cluster.replace_token("rotated", token)
    with reader(rbac, {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "rotated"}):
        eventually(lambda: _may_list(rbac, token), "the authorizer has seen it", TIMEOUT)
        yield token


def _may_list(rbac: RealServer, token: str) -> bool:
    with ApiClient(rbac.configuration(token=token)) as client:
        try:
            request(client, "GET", "/api/v1/pods", limit=1)
        except ApiException:
            return False
        return True


@only_native
def test_f13_a_token_file_is_rotated(
    rbac: RealServer, rotated: str, follow: Follow, outcome: Outcome, tmp_path: Path
) -> None:
    """The token in a file is no longer valid, before the file has the new one; one transport."""
    file = tmp_path / "token"
    file.write_text(rotated)

    def read(configuration: Any) -> None:
        configuration.api_key = {"authorization": f"Bearer {file.read_text()}"}

    configuration = rbac.configuration(token=rotated)
    configuration.refresh_api_key_hook = read
    follower = follow(rbac, api_client=ApiClient(configuration))
    follower.start()
    rbac.cluster.replace_token("rotated", f"second-{rotated}")
    refused_with(follower, 401)
    change(rbac, 4)
    outcome.begins(bound="one backoff")
    file.write_text(f"second-{rotated}")
    outcome.recovered(follower, within=TIMEOUT)
    follower.factory.shutdown()


PLUGIN = """
    import json, pathlib
    folder = pathlib.Path(__file__).parent
    with (folder / "runs").open("a") as runs:
        runs.write("run\\n")
    print(json.dumps({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": (folder / "token").read_text(), "expirationTimestamp": (folder / "expiry").read_text()},
    }))
"""


@only_python
def test_f14_an_exec_plugin_gives_a_new_token(
    rbac: RealServer, rotated: str, follow: Follow, outcome: Outcome, tmp_path: Path
) -> None:
    """The token of an exec plugin is no longer valid; the plugin is run again when it has expired; one transport."""

    def expires_in(**delta: float) -> None:
        at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(**delta)
        (tmp_path / "expiry").write_text(at.strftime("%Y-%m-%dT%H:%M:%SZ"))

    (tmp_path / "plugin.py").write_text(textwrap.dedent(PLUGIN))
    (tmp_path / "token").write_text(rotated)
    # The kubernetes package takes a token for expired five minutes before it is.
    expires_in(minutes=5, seconds=10)
    kubeconfig = yaml.safe_load(rbac.cluster.kubeconfig.read_text())
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(tmp_path / "plugin.py")],
        "interactiveMode": "Never",
    }
    kubeconfig["users"][0]["user"] = {"exec": plugin}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    client = config.new_client_from_config(str(tmp_path / "kubeconfig"))  # type: ignore[no-untyped-call]
    follower = follow(rbac, api_client=client)
    follower.start()
    outcome.begins(bound="one backoff, once the plugin's token has expired")
    (tmp_path / "token").write_text(f"second-{rotated}")
    expires_in(hours=1)
    rbac.cluster.replace_token("rotated", f"second-{rotated}")
    eventually(lambda: len((tmp_path / "runs").read_text().splitlines()) > 1, "the plugin is run again", TIMEOUT)
    change(rbac, 5)
    outcome.recovered(follower, within=TIMEOUT)
    assert (tmp_path / "runs").read_text() == "run\n" * 2, "once, not for each request"
    follower.factory.shutdown()
