"""The two servers under one interface: what a statement is run against, and what a test may do to a server of its own.

A request that the embedded server leaves out is never taken for an answer: 501 raises :class:`LeftOutError`.
"""

from __future__ import annotations

import copy
import ssl
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apiserver.cluster import TOKEN, Cluster
from kubeinformer.testing import APIServer
from testing.apiserver_http import Answer, Http, Stream

EMBEDDED, REAL = "embedded", "real"


class LeftOutError(Exception):
    """The server answered 501: it does not implement this, and says so."""


class Api(Http):
    """A raw HTTP client of one server, a connection a request: nothing between a test and the bytes."""

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Answer:
        """Send a request and read the answer to its end. Raises LeftOutError for 501."""
        answer = super().request(method, path, body, headers, **query)
        if answer.status == 501:
            raise LeftOutError(answer.json["message"])
        return answer

    @contextmanager
    def watch(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Iterator[Stream]:
        """Start a watch, its head read. Raises LeftOutError for 501."""
        with super().watch(path, headers, **query) as stream:
            if stream.status == 501:
                raise LeftOutError(stream.response.read().decode())
            yield stream

    def without_token(self) -> Api:
        """Return a client of the same server that says nothing about who it is."""
        anonymous = copy.copy(self)
        anonymous._authorization = {}
        return anonymous

    def new_namespace(self) -> str:
        """Create a namespace with a name that no other test has."""
        name = f"suite-{uuid.uuid4().hex[:12]}"
        assert self.post("/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
        return name

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace and what the suite puts into one: no controller runs that would."""
        for resource in ("configmaps", "secrets", "pods"):
            self.request("DELETE", f"/api/v1/namespaces/{name}/{resource}", gracePeriodSeconds=0)
        self.delete(f"/api/v1/namespaces/{name}")
        self.finalize_namespace(name)

    def finalize_namespace(self, name: str) -> None:
        """Let a deleted namespace go, which the embedded server does by itself once nothing is left in it."""
        answer = self.get(f"/api/v1/namespaces/{name}")
        if answer.status == 200:
            namespace = answer.json
            namespace["spec"]["finalizers"] = []
            self.put(f"/api/v1/namespaces/{name}/finalize", namespace)


class Server(ABC):
    """One of the servers. ``name`` is EMBEDDED or REAL; ``api`` reaches it with all rights."""

    name: str
    api: Api

    @abstractmethod
    def compact(self) -> None:
        """Drop the history of the storage. What the memory of a real API server holds outlasts it."""

    @abstractmethod
    def restart(self) -> None:
        """Drop the history in the memory of the API server, and all connections."""

    @abstractmethod
    def expire_history(self) -> None:
        """Make every resourceVersion and continue token handed out before too old. Connections may break."""


class EmbeddedServer(Server):
    """The embedded server with the defaults that users have."""

    name = EMBEDDED

    def __init__(self, server: APIServer, token: str = "") -> None:
        self.server = server
        self.api = Api(server.url, token=token)

    def compact(self) -> None:
        self.server.compact()

    def restart(self) -> None:
        self.server.restore(self.server.snapshot())

    def expire_history(self) -> None:
        # To the newest revision nothing is missing, so it takes one more.
        self.api.new_namespace()
        self.server.compact()


class RealServer(Server):
    """A kube-apiserver on etcd."""

    name = REAL

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.api = Api(cluster.url, ssl.create_default_context(cafile=cluster.ca_certificate), TOKEN)

    def compact(self) -> None:
        self.cluster.compact()

    def restart(self) -> None:
        self.cluster.kill_apiserver()
        self.cluster.start_apiserver()

    def expire_history(self) -> None:
        self.cluster.expire_history()
