"""APIServer: the embedded Kubernetes API server, as tests use it."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

from kubeinformer.testing.effects import MatchOptions
from kubeinformer.testing.faults import Faults
from kubeinformer.testing.instance import Instance, InstanceOptions
from kubeinformer.testing.process import start_process
from kubeinformer.testing.recorder import RecordedRequest
from kubeinformer.testing.storage import Snapshot

if TYPE_CHECKING:
    import os

    from kubernetes.client import ApiClient

POLL_SECONDS = 0.005

Objects: TypeAlias = list[dict[str, Any]]
Requests: TypeAlias = list[RecordedRequest]


class APIServer:
    """A Kubernetes API server in this process, on 127.0.0.1, that the official client works against unchanged.

    It starts when it is constructed and runs until :meth:`close` or the end of the ``with`` block::

        with APIServer() as server:
            server.create(pod("web-0"))
            core = kubernetes.client.CoreV1Api(server.api_client())

    It serves every built-in resource that the official client can list (release 37), and custom resources by their
    CustomResourceDefinition or by :meth:`register`: LIST with pages, resourceVersion and selectors; WATCH with resume,
    bookmarks, sendInitialEvents and 410 after :meth:`compact`; GET, create, update, patch (merge, strategic as merge,
    JSON), delete, deletecollection and /status; finalizers; namespaces; plain and aggregated discovery.

    **What it leaves out.** It answers 501 where a real server would do something that it does not: Table, YAML and
    protobuf; bodies in YAML, protobuf and CBOR; server-side apply and the directives of strategic merge patch; dryRun;
    the propagation policies Foreground and Orphan; every subresource but status (log, exec, scale, eviction, finalize,
    ...); access, token and subject reviews; componentstatuses; OpenAPI, metrics, logs, the list of paths at ``/``;
    conversions between versions that differ (an object is served in versions with the schema it was written in: an
    event of ``v1`` not in ``events.k8s.io/v1``). Where the Accept header names another form that it has, it sends that.

    What it does differently without saying so: objects are not validated against schemas, names only so far that they
    fit into a path; only those fields are defaulted that a field selector can see; strategic merge patches replace
    lists; managedFields are kept as given, not made; :meth:`compact` takes along what a real server would go on
    answering from its memory (about 75 seconds); a pod is deleted at once (there is no kubelet), owners do not take
    their dependents along (there is no garbage collector), but a namespace and a CustomResourceDefinition take theirs
    along at once; there is no authentication and authorization but the switches in :attr:`faults`; the limit of 1.5 MiB
    for an object counts its JSON; shardSelector is ignored, as a server without that feature does; PUT does not create.

    The statements about real servers that the project keeps are run against this one and a real one
    (``tests/server_suite`` in the sources): what both can do, both do alike.

    Args:
        process: run it in a process of its own, started by ``spawn``: a script that does so needs the guard
            ``if __name__ == "__main__"``.
        port: 0 picks a free one.
        bookmark_interval: seconds between the bookmarks of a watch.
        watch_timeout: seconds, the range from which the length of a watch without timeoutSeconds is drawn.
        too_new_wait: seconds to wait for a resourceVersion that is not reached yet, before 504.
        history_limit: events kept a resource, at least; an older resourceVersion is answered with 410.

    Methods block for one operation on the store, or one turn of the server's loop; any thread may call them. After
    :meth:`close` they raise RuntimeError. Requests that the server refuses raise
    :class:`~kubeinformer.testing.StatusError`.

    """

    def __init__(
        self,
        *,
        process: bool = False,
        port: int = 0,
        bookmark_interval: float = 60.0,
        watch_timeout: tuple[float, float] = (1800.0, 3600.0),
        too_new_wait: float = 3.0,
        history_limit: int = 10_000,
    ) -> None:
        if bookmark_interval <= 0:
            raise ValueError("bookmark_interval must be more than 0")
        if history_limit < 1:
            raise ValueError("history_limit must be at least 1")
        options = InstanceOptions(port, bookmark_interval, watch_timeout, too_new_wait, history_limit)
        self._closed = False
        self._instance = start_process(options) if process else Instance(options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all watches cleanly and stop the server. Idempotent; takes less than half a second."""
        self._closed = True
        self._instance.close()

    # -- clients -------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it listens: ``http://127.0.0.1:PORT``."""
        return self._instance.url

    def api_client(self, token: str | None = None) -> ApiClient:
        """Return a fresh client for this server, with a bearer token if one is given. The caller closes it."""
        from kubernetes.client import ApiClient, Configuration

        configuration = Configuration(host=self.url)
        if token is not None:
            configuration.api_key = {"authorization": f"Bearer {token}"}
        return ApiClient(configuration)

    def kubeconfig(self, path: str | os.PathLike[str], token: str | None = None) -> None:
        """Write a kubeconfig file for this server, with one cluster, user and context."""
        import yaml

        name = "kubeinformer-testing"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {} if token is None else {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
            "current-context": name,
        }
        Path(path).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    # -- objects -------------------------------------------------------------------------------------------------------

    def create(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return it as stored.

        Unlike over HTTP its status is stored with the rest, a resourceVersion is ignored, a namespaced object without a
        namespace goes into ``default``, and a namespace that does not exist is created first. ``obj`` is not changed.

        Raises StatusError (409 when it exists), LookupError for an unknown apiVersion and kind, TypeError for what JSON
        cannot express.
        """
        return self._running.create(obj)

    def update(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Replace an object, its status included, and return it as stored.

        A uid is ignored, so what a builder made can be given as it is. An object that is marked for deletion and has no
        finalizers left is deleted. Raises StatusError: 404, and 409 when ``metadata.resourceVersion`` is given and is
        not the current one.
        """
        return self._running.update(obj)

    def delete(
        self, resource: dict[str, Any] | str, name: str | None = None, namespace: str = "default"
    ) -> dict[str, Any]:
        """Delete an object, given as itself or as ``delete("pods", "web-0", "default")``; return its last state.

        With finalizers it is only marked. Raises StatusError 404, LookupError for an unknown resource.
        """
        if isinstance(resource, dict):
            meta = resource["metadata"]
            where = self._running.plural_of(resource)
            return self._running.delete(where, meta["name"], meta.get("namespace") or "default")
        if name is None:
            raise TypeError("name must be given with the name of a resource")
        return self._running.delete(resource, name, namespace)

    def get(self, resource: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """One object. ``resource`` is ``pods``, ``Pod``, ``po``, ``deployments.apps`` or ``apps/v1/deployments``."""
        return self._running.get(resource, name, namespace)

    def list(
        self, resource: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> Objects:
        """Return the objects of a resource in the order of their keys, of one namespace or (None) of all."""
        return self._running.list_objects(resource, namespace, label_selector, field_selector)

    def register(self, group: str, version: str, plural: str, kind: str, namespaced: bool = True) -> None:
        """Serve a custom resource, with a status subresource, without a CustomResourceDefinition."""
        self._running.register(group, version, plural, kind, namespaced)

    # -- history -------------------------------------------------------------------------------------------------------

    @property
    def resource_version(self) -> str:
        """The revision of the store now: the resourceVersion of a LIST made now."""
        return self._running.resource_version()

    def compact(self) -> None:
        """Answer 410 from now on to a LIST, WATCH or continue token from before the current revision.

        Running watches go on. A real server forgets this much only when it is restarted after etcd's compaction.
        """
        self._running.compact()

    def snapshot(self) -> Snapshot:
        """Return a copy of all objects and the revision, for :meth:`restore`."""
        return self._running.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot, as an etcd restored from a backup: the revision goes back too, running watches end.

        Which resources are served is not part of it.
        """
        self._running.restore(snapshot)

    # -- what happened, and what shall ---------------------------------------------------------------------------------

    @property
    def requests(self) -> Requests:
        """Every request since the start or the last :meth:`clear_requests`, in order of arrival (the last 100,000)."""
        return self._running.requests()

    def clear_requests(self) -> None:
        """Forget the recorded requests."""
        self._running.clear_requests()

    def watch_count(self, **match: Unpack[MatchOptions]) -> int:
        """How many watches run now; the keywords are those of :class:`~kubeinformer.testing.Match`."""
        return self._running.watch_count(**match)

    def wait_for_watches(self, count: int = 1, *, timeout: float = 10.0, **match: Unpack[MatchOptions]) -> None:
        """Block until at least so many watches run. Raises TimeoutError after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while (running := self.watch_count(**match)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{running} of {count} watches run after {timeout} s")
            time.sleep(POLL_SECONDS)

    @property
    def faults(self) -> Faults:
        """The switches that make it misbehave."""
        return self._running.faults

    @property
    def _running(self) -> Instance:
        if self._closed:
            raise RuntimeError("the server is closed")
        return self._instance
