"""Real API servers that run with other flags, and the requests of a user with few rights.

The flags ask for what an embedded server has as a switch of its faults, so that both can be seen to answer the same.
"""

from __future__ import annotations

from apiserver.cluster import Cluster

ALICE = "alice"
AS_ALICE = {"Impersonate-User": ALICE}


class AuthorizingCluster(Cluster):
    """A cluster whose API server asks its roles who may do what; the token of the cluster is an administrator's.

    It also knows shards, and tells one client in fifty to connect again.
    """

    def _apiserver_command(self, port: int, etcd_port: int | None = None) -> list[str]:
        # Given twice, the flag would mean both: whoever allows first.
        flags = [flag.replace("AlwaysAllow", "RBAC") for flag in super()._apiserver_command(port, etcd_port)]
        return [*flags, "--feature-gates=ShardedListAndWatch=true", "--goaway-chance=0.02"]


SMALL = (
    "--enable-priority-and-fairness=false",
    "--max-requests-inflight=1",
    "--request-timeout=3s",
    "--shutdown-send-retry-after",
    "--shutdown-delay-duration=1s",
)
"""The flags of an API server that serves one request at a time, none longer than three seconds."""
