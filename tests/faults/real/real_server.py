"""`RealServer`: a cluster to hurt, the log of what its etcd accepted, and who writes to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes.client import ApiClient, Configuration

from apiserver.churn import Churn
from apiserver.cluster import Cluster
from apiserver.rest import request
from apiserver.workload import create_pods
from faults.accepted import EtcdLog
from informer.informer_support import eventually

NAMESPACES = ("default", "other")
PODS = 40
TIMEOUT = 60.0

# A watch asks for two or three seconds, and no wait for a silent server is long.
IMPATIENT: dict[str, Any] = {
    "watch_timeout": 2.0,
    "watch_grace": 0.5,
    "connect_timeout": 1.0,
    "first_byte_timeout": 2.0,
    "watch_list_timeout": 3.0,
}


class RealServer:
    """One cluster; `log` follows its pods from the beginning.

    Attributes:
        cluster: with the processes.
        admin: a client with all rights, which does not repeat requests.
        log: what etcd accepted.

    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.log = EtcdLog(cluster.etcd_port)
        self.admin = ApiClient(self.configuration())

    def configuration(self, *, port: int | None = None, token: str | None = None) -> Configuration:
        """An administrator's, or (with a token) somebody else's, to the first API server or to another port."""
        with self.cluster.api_client() as client:
            configuration = client.configuration
        configuration.retries = False
        configuration.refresh_api_key_hook = None  # it would set address and token back to the kubeconfig's
        if port is not None:
            configuration.host = f"https://127.0.0.1:{port}"
        if token is not None:
            configuration.api_key = {"authorization": f"Bearer {token}"}
        return configuration

    def create_pods(self, count: int = PODS) -> None:
        """Pods 0 to count - 1, dealt out over NAMESPACES."""
        create_pods(self.admin, count, NAMESPACES)

    @contextmanager
    def churn(self, *, seed: object = 0, port: int | None = None, threads: int = 2) -> Iterator[Churn]:
        """Writers that go on through all failures until the block ends."""
        with (
            ApiClient(self.configuration(port=port)) as client,
            Churn(client, NAMESPACES, range(PODS), threads=threads, seed=seed) as churn,
        ):
            yield churn

    def write(self, method: str, path: str, body: object = None, **query: object) -> dict[str, Any]:
        """One request of the administrator's."""
        return request(self.admin, method, path, body, **query)

    def close(self) -> None:
        """End log and client; the cluster is the fixture's."""
        self.admin.close()
        self.log.close()


def writes(churn: Churn, count: int = 40) -> None:
    """Wait for so many more writes."""
    before = churn.total()
    eventually(lambda: churn.total() >= before + count, f"{count} writes", TIMEOUT)
