"""A kube-apiserver with an etcd below it on 127.0.0.1, made for being hurt: no client can tell it from a cluster's own.

Both processes live in a temporary folder and end with the Cluster or with this interpreter, whichever comes first. The
address, the certificate, the token and the data outlast a kill of the API server, so a kubeconfig stays valid.
"""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import signal
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes import config
from kubernetes.client import ApiClient

from .binaries import Binaries
from .process import ServerProcess

TOKEN = "kubeinformer-test-token"


class Access:
    """A way to reach a cluster, with the rights of an administrator."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def api_client(self) -> ApiClient:
        """Return a new official client from the kubeconfig; close it after use."""
        client: ApiClient = config.new_client_from_config(str(self.kubeconfig))  # type: ignore[no-untyped-call]
        return client


class Cluster(Access):
    """One etcd and one kube-apiserver; as a context manager it starts and stops both.

    ``extra_flags`` go to kube-apiserver and ``etcd_flags`` to etcd, after (so over) the flags given here. There is no
    scheduler, kubelet or controller: a pod keeps the node and status that the test gives it, an object without an
    owner stays, and a deleted namespace or a pod with a node goes only at ``rest.delete_namespace`` or with
    ``gracePeriodSeconds=0``.

    ``users`` are tokens by name of users without any right: with some, RBAC is on; without, all may do everything.

    Attributes: ``kubeconfig``, ``url``, ``ca_certificate`` (paths and address that stay the same), ``etcd`` and
    ``apiserver`` (the ServerProcess of each: ``pause()``, ``resume()``, ``pid``, ``log_tail()``), ``etcd_port``.
    """

    def __init__(
        self,
        binaries: Binaries,
        *,
        extra_flags: Sequence[str] = (),
        etcd_flags: Sequence[str] = (),
        users: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="kubeinformer-apiserver-", ignore_cleanup_errors=True)
        self._folder = Path(self._temporary.name)
        self._users = dict(users)
        # Bound and never listening: while a server is down its port refuses connections and nobody else can take it.
        self._held = [_hold_port(), _hold_port()]
        self.etcd_port, self._port = (held.getsockname()[1] for held in self._held)
        self.url = f"https://127.0.0.1:{self._port}"
        # The serving certificate comes with the one that signed it; the API server writes both at its first start.
        self.ca_certificate = self._folder / "certs" / "apiserver.crt"
        self.etcd = ServerProcess(
            "etcd", [str(binaries.etcd), *self._etcd_command(), *etcd_flags], self._folder / "etcd.log"
        )
        self.apiserver = ServerProcess(
            "kube-apiserver",
            [str(binaries.kube_apiserver), *self._apiserver_command(self._port), *extra_flags],
            self._folder / "kube-apiserver.log",
        )
        self._binaries = binaries
        self._extra_flags = list(extra_flags)
        self._others: list[ServerProcess] = []
        super().__init__(self._folder / "kubeconfig")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def etcd_address(self) -> tuple[str, int]:
        """Return where etcd listens for clients, plain HTTP."""
        return "127.0.0.1", self.etcd_port

    def start(self, timeout: float = 60.0) -> None:
        """Start both; blocks until the API server is ready, at most ``timeout`` seconds each, else StartError."""
        self._write_credentials()
        self.etcd.start(self._etcd_ready, timeout)
        self.start_apiserver(timeout)
        self._write_kubeconfig()

    def stop(self) -> None:
        """End both processes and delete all files; may be called twice."""
        for server in (*self._others, self.apiserver, self.etcd):
            server.kill()
        for held in self._held:
            held.close()
        self._temporary.cleanup()

    def start_apiserver(self, timeout: float = 60.0) -> None:
        """Start the API server, address and certificate as before; blocks until it is ready, else StartError."""
        self.apiserver.start(self._apiserver_ready, timeout)

    def kill_apiserver(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """End the API server and block until it is gone: SIGKILL resets connections, SIGTERM ends the watches first."""
        self.apiserver.kill(sig)

    def add_apiserver(
        self, *, flags: Sequence[str] = (), etcd_port: int | None = None, timeout: float = 60.0
    ) -> AnotherAPIServer:
        """Start one more API server on the same etcd, with an address of its own; blocks until it is ready.

        Credentials and certificates are those of the first. ``etcd_port`` is where it reaches etcd, if not directly.
        """
        held = _hold_port()
        self._held.append(held)
        port = held.getsockname()[1]
        command = self._apiserver_command(port, etcd_port)
        process = ServerProcess(
            f"kube-apiserver-{len(self._others) + 2}",
            [str(self._binaries.kube_apiserver), *command, *self._extra_flags, *flags],
            self._folder / f"kube-apiserver-{len(self._others) + 2}.log",
        )
        self._others.append(process)
        another = AnotherAPIServer(port, process, lambda: self._apiserver_ready(port))
        another.start(timeout)
        return another

    def replace_token(self, user: str, token: str) -> None:
        """Give a user another token in place of the one there was; the API server is killed and started for it."""
        self._users[user] = token
        self._write_tokens()
        self.kill_apiserver()
        self.start_apiserver()

    def backup_etcd(self) -> Path:
        """Copy etcd's data and return the folder; both processes end and come back meanwhile."""
        backup = self._folder / "backup"
        with self._etcd_stopped() as data:
            shutil.copytree(data, backup)
        return backup

    def restore_etcd(self, backup: Path) -> None:
        """Put etcd back to a copy of its data, revision included; both processes end and come back meanwhile."""
        with self._etcd_stopped() as data:
            shutil.rmtree(data)
            shutil.copytree(backup, data)

    @contextmanager
    def _etcd_stopped(self) -> Iterator[Path]:
        self.apiserver.kill()
        self.etcd.kill()
        yield self._folder / "etcd"
        self.etcd.start(self._etcd_ready, 60.0)
        self.start_apiserver()

    def compact(self) -> int:
        """Drop etcd's history up to now and return the revision that is the oldest readable one from here on.

        Every resourceVersion handed out before is older. On its own this makes no watch expire: the API server goes on
        answering from the history it keeps in memory (see expire_history), unless it runs with ``--watch-cache=false``.
        """
        # The write makes a revision that no client has seen, so that even the newest resourceVersion gets too old.
        key = base64.b64encode(b"/kubeinformer/compaction").decode()
        revision = int(self._etcd_call("/v3/kv/put", {"key": key, "value": key})["header"]["revision"])
        self._etcd_call("/v3/kv/compaction", {"revision": str(revision), "physical": True})
        return revision

    def expire_history(self, sig: signal.Signals = signal.SIGKILL) -> int:
        """Make every resourceVersion and continue token handed out before answer 410 Expired; return compact()'s.

        Takes both a compaction and a restart of the API server (about two seconds; all connections are lost). After a
        compaction alone, watches and pages are answered from memory. After a restart alone, older versions are too old
        for a watch, but the newest is not, and pages are read from etcd.
        """
        self.kill_apiserver(sig)
        revision = self.compact()
        self.start_apiserver()
        return revision

    def _etcd_command(self) -> list[str]:
        client = f"http://127.0.0.1:{self.etcd_port}"
        peer = "http://127.0.0.1:0"
        return [
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--socket-reuse-port",
            "--unsafe-no-fsync",
            "--watch-progress-notify-interval=5s",
        ]

    def _apiserver_command(self, port: int, etcd_port: int | None = None) -> list[str]:
        return [
            f"--etcd-servers=http://127.0.0.1:{etcd_port or self.etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            "--permit-port-sharing",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self._folder / 'certs'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._folder / 'sa.pub'}",
            f"--service-account-signing-key-file={self._folder / 'sa.key'}",
            f"--authorization-mode={'RBAC' if self._users else 'AlwaysAllow'}",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
            "--anonymous-auth=false",
            "--disable-admission-plugins=ServiceAccount",
            # Without it, watches go on for the 60 seconds that a terminating server waits for its connections.
            "--shutdown-watch-termination-grace-period=2s",
        ]

    def _write_credentials(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self._folder / "sa.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (self._folder / "sa.pub").write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        self._write_tokens()

    def _write_tokens(self) -> None:
        users = [f'{TOKEN},admin,admin,"system:masters"', *(f"{token},{n},{n}" for n, token in self._users.items())]
        (self._folder / "tokens.csv").write_text("\n".join([*users, ""]))

    def _write_kubeconfig(self) -> None:
        authority = base64.b64encode(self.ca_certificate.read_bytes()).decode()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": self.url, "certificate-authority-data": authority}},
            ],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin", "namespace": "default"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(yaml.safe_dump(content, sort_keys=False))

    def _etcd_ready(self) -> bool:
        return self._get_ok(http.client.HTTPConnection("127.0.0.1", self.etcd_port, timeout=5), "/health")

    def _apiserver_ready(self, port: int | None = None) -> bool:
        try:
            tls = ssl.create_default_context(cafile=self.ca_certificate)
        except (FileNotFoundError, ssl.SSLError):
            return False  # Not written yet, or not to its end.
        # The default namespace is made in the background and may come later than readiness.
        return all(
            self._get_ok(http.client.HTTPSConnection("127.0.0.1", port or self._port, timeout=5, context=tls), path)
            for path in ("/readyz", "/api/v1/namespaces/default")
        )

    @staticmethod
    def _get_ok(connection: http.client.HTTPConnection, path: str) -> bool:
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _etcd_call(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.etcd_port, timeout=30)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"etcd answered {response.status} to {path}: {answer.decode(errors='replace')}")
        decoded: dict[str, Any] = json.loads(answer)
        return decoded


class AnotherAPIServer:
    """One more API server of a Cluster, which ends with that.

    Attributes: ``url``, ``port`` and ``process`` (its ServerProcess).
    """

    def __init__(self, port: int, process: ServerProcess, ready: Callable[[], bool]) -> None:
        self.port = port
        self.url = f"https://127.0.0.1:{port}"
        self.process = process
        self._ready = ready

    def start(self, timeout: float = 60.0) -> None:
        """Start it (again); blocks until it is ready, else StartError."""
        self.process.start(self._ready, timeout)


def _hold_port() -> socket.socket:
    """Bind a free port of 127.0.0.1 such that a server of the same user that sets SO_REUSEPORT can listen on it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    return held
