"""History that is gone, or was never: compactions, servers that are behind, and an etcd that is put back."""

from __future__ import annotations

from collections import Counter

import pytest
from kubernetes.client import ApiClient

from apiserver.binaries import Binaries
from apiserver.cluster import Cluster
from apiserver.informer_oracle import assert_equal_to_server
from apiserver.tweaks import Gate
from apiserver.workload import pod
from faults.follower import Follower
from faults.outcome import Outcome
from informer.informer_support import cached, eventually

from .conftest import Follow, only_native
from .real_server import NAMESPACES, PODS, TIMEOUT, RealServer, writes
from .relay import Relay


@pytest.mark.parametrize(("use_watch_list", "transport"), [(True, "native"), (False, "python")], indirect=["transport"])
def test_f05_f25_a_gap_of_expired_history(
    real: RealServer, follow: Follow, outcome: Outcome, gate: Gate, use_watch_list: bool
) -> None:
    """History is compacted while the watch is down: deletions, recreations, changes (watch-list and LIST)."""
    pods = [pod(i, namespace=NAMESPACES[i % 2], node="node-new") for i in range(PODS + 10)]
    names = [its["metadata"]["name"] for its in pods]
    collections = [f"/api/v1/namespaces/{its['metadata']['namespace']}/pods" for its in pods]

    def change(i: int, labels: dict[str, str]) -> None:
        real.write("PATCH", f"{collections[i]}/{names[i]}", {"metadata": {"labels": labels}})

    def delete(i: int) -> None:
        real.write("DELETE", f"{collections[i]}/{names[i]}", gracePeriodSeconds=0)

    def create(i: int) -> str:
        uid: str = real.write("POST", collections[i], pods[i])["metadata"]["uid"]
        return uid

    follower = follow(real, factory={"tweak_list_options": gate}, use_watch_list=use_watch_list)
    informer, journal = follower.informer, follower.journal
    follower.start()
    # A watch that ends at once and without an event would be followed by a list in any case.
    change(PODS - 1, {"seen": "true"})
    eventually(lambda: len(journal.steps) == PODS + 1, "the first list and one event")
    first_steps = list(journal.steps)
    before = informer.controller.reflectors[""].counters()
    gate.close()  # and from here on it sees nothing
    outcome.begins(bound="one backoff, at most 1.6 s, once it may ask again")
    assert gate.waiting.wait(TIMEOUT)

    expected: list[tuple[str, str, str]] = []
    for i, its_pod in enumerate(pods):
        key = f"{its_pod['metadata']['namespace']}/{names[i]}"
        known = informer.indexer().get_by_key(key)
        if i >= PODS:
            expected.append(("add", key, create(i)))
            continue
        assert known is not None
        if i < 20:
            delete(i)
            expected.append(("tombstone", key, known.uid))
        if 6 <= i < 20:
            uid = create(i)
            if i >= 13:
                delete(i)
                uid = create(i)
            expected.append(("add", key, uid))
        if 20 <= i < 30:
            change(i, {"app": "moved"})
            change(i, {"tier": "moved"})
            expected.append(("update", key, known.uid))
    real.cluster.expire_history()
    assert journal.steps == first_steps
    eventually(lambda: not informer.is_live(), "it does not pass for live for long", TIMEOUT)
    gate.open()

    outcome.recovered(follower, within=TIMEOUT)
    assert sorted(journal.steps[len(first_steps) :]) == sorted(expected)
    assert sum(initial for _, _, initial in journal.calls) == PODS
    after = informer.controller.reflectors[""].counters()
    assert follower.relists_since_start() == {"expired": 1}
    began = (after.watch_lists - before.watch_lists, after.lists - before.lists)
    assert began == ((1, 0) if use_watch_list else (0, 1))
    with real.churn() as churn:
        writes(churn)
    follower.check(TIMEOUT)
    assert follower.relists_since_start() == {"expired": 1}


@only_native
def test_f05_a_hundred_compactions_under_churn(binaries: Binaries, follow: Follow, outcome: Outcome) -> None:
    """100 compactions under churn, on a server that keeps no history of its own; one transport."""
    with Cluster(binaries, extra_flags=["--watch-cache=false"]) as cluster:
        real = RealServer(cluster)
        try:
            real.create_pods()
            # Without a watch cache a server neither streams lists nor sends bookmarks.
            follower = follow(real, watch_timeout=1.0)
            follower.start()
            with real.churn() as churn:
                outcome.begins(bound="one backoff, at most 1.6 s, after each watch that finds its history gone")
                for _ in range(100):
                    cluster.compact()
                    writes(churn, 5)
            outcome.recovered(follower, within=TIMEOUT)
            assert set(follower.relists_since_start()) <= {"expired"}
            assert churn.done["delete"] > 20
            follower.factory.shutdown()
        finally:
            real.close()


def test_f09_a_server_that_is_behind(real: RealServer, follow: Follow, outcome: Outcome) -> None:
    """The load balancer moves to an API server that is behind the one before it, and back."""
    with Relay([real.cluster.etcd_port]) as line:
        behind = real.cluster.add_apiserver(etcd_port=line.port)
        client = ApiClient(real.configuration())
        host = client.configuration.host
        follower = follow(real, api_client=client)
        follower.start()
        line.hold()
        with real.churn() as churn:
            writes(churn, 60)
        follower.check(TIMEOUT)
        told = len(follower.journal.steps)
        outcome.begins(bound="2 x watch_timeout + watch_grace, then one backoff")
        client.configuration.host = behind.url
        reflector = follower.informer.controller.reflectors[""]
        watches = reflector.counters().watches
        eventually(lambda: reflector.counters().watches > watches, "it watches the server that is behind", TIMEOUT)
        # Whoever starts there reads the older state from its memory; that is right, and it is told of the rest later.
        late = follow(real, api_client=ApiClient(real.configuration(port=behind.port)), use_watch_list=False)
        late.factory.start()
        assert late.informer.wait_for_cache_sync(timeout=TIMEOUT)
        assert cached(late.informer) != cached(follower.informer)
        assert len(follower.journal.steps) == told, "nothing was deleted, nothing went back"
        line.release()
        late.check(TIMEOUT)
        client.configuration.host = host
        with real.churn(seed=1) as churn:
            writes(churn)
        outcome.recovered(follower, within=TIMEOUT)
        late.factory.shutdown()
        follower.factory.shutdown()


class Restored(Follower):
    """A follower whose server forgets: what is told after that is compared with a LIST and with what went."""

    def check(self, timeout: float = TIMEOUT) -> None:
        assert_equal_to_server(self.direct, self.informer, None, timeout=timeout)

        def replayed() -> bool:
            return dict(self.journal.state.items()) == {obj.key: obj.raw for obj in self.informer.indexer().iter()}

        eventually(replayed, "the replay equals the cache", timeout)
        # Versions go back, once; nothing else may be wrong.
        assert [fault for fault in self.journal.faults if "goes from version" not in fault] == []

    def lost(self) -> None:
        """Not counted: what the server took back nobody has to be told of."""


@only_native
def test_f10_etcd_is_restored_from_a_backup(real: RealServer, follow: Follow, outcome: Outcome) -> None:
    """etcd is restored from a backup: versions go back, and the cache too, with real deletes only; one transport."""
    backup = real.cluster.backup_etcd()
    follower = follow(real, cls=Restored)
    follower.start()
    kept = cached(follower.informer)
    pods = [pod(i, namespace=NAMESPACES[i % 2]) for i in range(PODS + 10)]
    names = [f"/api/v1/namespaces/{its['metadata']['namespace']}/pods/{its['metadata']['name']}" for its in pods]
    for i in range(PODS, PODS + 10):
        real.write("POST", names[i].rpartition("/")[0], pods[i])
    for i in range(10):
        real.write("PATCH", names[i], {"metadata": {"labels": {"app": "moved"}}})
    for i in range(10, 15):
        real.write("DELETE", names[i], gracePeriodSeconds=0)
    follower.check()
    told = len(follower.journal.steps)
    outcome.begins(bound="2 x watch_timeout + watch_grace and one backoff, once it is back")
    real.cluster.restore_etcd(backup)
    outcome.recovered(follower, within=TIMEOUT)
    assert cached(follower.informer) == kept
    since = Counter(kind for kind, _, _ in follower.journal.steps[told:])
    assert since == {"tombstone": 10, "update": 10, "add": 5}
    for i in range(10, 20):
        real.write("PATCH", names[i], {"metadata": {"labels": {"app": "after"}}})
    follower.check()
