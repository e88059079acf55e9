"""The values of a Secret are in no repr, no error and no line of a log; the command prints them when it is told to."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from informer_support import eventually
from kubernetes.client import ApiClient, CoreV1Api, V1ObjectMeta, V1Secret
from said import check_hidden, of_error, of_log
from socket_server import CHUNKED, Connection, SocketServer, chunk, head

from kubeinformer import (
    DecodeError,
    DeletedFinalStateUnknown,
    Event,
    KubeObject,
    ResourceEventHandlerFuncs,
    SharedInformerFactory,
)
from kubeinformer.cache import ListWatch, meta_namespace_key_func, new_informer
from kubeinformer.cache.deltas import ReplacedAllInfo
from kubeinformer.errors import ObjectKeyError
from kubeinformer.redaction import describe_object
from kubeinformer.resource import Resource
from kubeinformer.testing import APIServer
from kubeinformer.transport import make_transport
from kubeinformer.workqueue import RateLimitingQueue, run_workers

VALUE = "hunter2-hunter2"
ENCODED = base64.b64encode(VALUE.encode()).decode()
SECRETS = [VALUE, ENCODED, ENCODED[:12]]
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
RESOURCE = Resource("", "v1", "secrets", "Secret", True)


def secret(name: str = "login", **changes: Any) -> dict[str, Any]:
    made = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default", "annotations": {APPLIED: json.dumps({"data": ENCODED})}},
        "type": "Opaque",
        "data": {"password": ENCODED},
    }
    return {**made, **changes}


def model() -> V1Secret:
    return V1Secret(metadata=V1ObjectMeta(name="login", namespace="default"), data={"password": ENCODED})


def states() -> list[Any]:
    return [KubeObject(json.dumps(secret()).encode()), secret(), model()]


@pytest.mark.parametrize("state", states(), ids=lambda state: type(state).__name__)
def test_reprs(state):
    shown = [
        repr(DeletedFinalStateUnknown("default/login", state)),
        str(DeletedFinalStateUnknown("default/login", state)),
        repr(Event("ADDED", state)),
        repr(Event("MODIFIED", state, state)),
        repr(Event("DELETED", DeletedFinalStateUnknown("default/login", state))),
        describe_object(state),
    ]
    check_hidden(SECRETS, shown)
    assert all("default/login" in text for text in shown)
    with pytest.raises(ObjectKeyError) as caught:
        meta_namespace_key_func(DeletedFinalStateUnknown("default/login", state))
    check_hidden(SECRETS, [str(caught.value), "".join(traceback.format_exception(caught.value))])


def test_a_whole_list_in_a_queue():
    shown = repr(ReplacedAllInfo("5", [secret(), model()]))
    check_hidden(SECRETS, [shown])
    assert "5" in shown


def test_handles_and_views():
    obj = states()[0]
    shown = [repr(obj), str(obj), f"{obj}", repr(obj["data"]), str(obj["metadata"]), repr(obj.get_path("data"))]
    check_hidden(SECRETS, shown)


@pytest.mark.parametrize(
    "obj",
    [None, 5, "a/b", {}, {"metadata": 5}, {"metadata": {"name": 5}}, object()],
    ids=lambda obj: type(obj).__name__,
)
def test_what_is_no_object_is_described_too(obj):
    assert describe_object(obj)


def test_what_cannot_be_decoded():
    obj = KubeObject(b'{"metadata":{"name":"login"},"data":{"password":"%b","x":tru}}' % ENCODED.encode())
    with pytest.raises(DecodeError) as caught:
        obj.to_dict()
    assert caught.value.key == "login"
    check_hidden(SECRETS, of_error(caught.value))


DAMAGE = {
    "a line cut off": lambda raw: raw[:-20] + b"\n",
    "a bracket lost": lambda raw: raw.replace(b"}}", b"}", 1) + b"\n",
    "a comma lost": lambda raw: raw.replace(b",", b" ", 1) + b"\n",
    "its beginning lost": lambda raw: raw[raw.index(ENCODED.encode()) :] + b"\n",
    "no type": lambda raw: raw.replace(b'"type"', b'"tope"', 1) + b"\n",
    "a byte that is no text": lambda raw: raw.replace(b"Opaque", b"Opa\xffue") + b"\n",
    "a name that is none": lambda raw: raw.replace(b'"login"', b"5") + b"\n",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_event(how, server: APIServer, make_factory, quick_backoff, log):
    factory = make_factory()
    informer = factory.core().v1().secrets().informer()
    errors: list[BaseException] = []
    informer.set_watch_error_handler(lambda _reflector, error: errors.append(error))
    factory.start()
    factory.wait_for_cache_sync(timeout=20)
    eventually(informer.is_live, "live")
    server.wait_for_watches(1)
    server.faults.inject(DAMAGE[how](json.dumps({"type": "ADDED", "object": secret()}, separators=(",", ":")).encode()))
    eventually(lambda: errors, "the error")
    assert factory.shutdown(timeout=10) == []
    check_hidden(SECRETS, *map(of_error, errors), of_log(log))


BODIES = {
    "one object": lambda raw: raw,
    "a list without its kind": lambda raw: b'{"items":[' + raw + b"]}",
    "another list": lambda raw: b'{"items":[' + raw + b'],"kind":"Secret","apiVersion":"v1"}',
    "a list that is cut off": lambda raw: b'{"kind":"SecretList","apiVersion":"v1","items":[' + raw[:-5],
    "an item that is damaged": lambda raw: (
        b'{"kind":"SecretList","apiVersion":"v1","items":[' + raw.replace(b"}}", b"]}") + b"]}"
    ),
    "an item without a name": lambda raw: (
        b'{"kind":"SecretList","apiVersion":"v1","items":[' + raw.replace(b'"login"', b"null") + b"]}"
    ),
}


@pytest.mark.parametrize("how", BODIES)
def test_a_damaged_list(how, transport_name, log):
    raw = json.dumps({"data": secret()["data"], **secret()}, separators=(",", ":")).encode()

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head(CHUNKED), chunk(BODIES[how](raw)), chunk(b""))

    with SocketServer(answer) as server:
        client = ApiClient()
        client.configuration.host = server.url
        factory = SharedInformerFactory(client, transport=make_transport(transport_name, client))
        informer = factory.core().v1().secrets().informer()
        factory.start()
        last = eventually(informer.last_error, "the error")
        assert factory.shutdown(timeout=10) == []
        check_hidden(SECRETS, of_error(last.error), [repr(last)], of_log(log))


def test_what_is_no_valid_model(server: APIServer, make_factory, log):
    """`immutable` is a boolean; data's values are strings."""
    server.create(secret("good"))
    server.create(secret(data={"password": [VALUE]}, immutable=VALUE))
    factory = make_factory()
    typed = factory.core().v1().secrets().typed()
    informer = typed.informer()
    added: list[str] = []
    handler = ResourceEventHandlerFuncs(add_func=lambda obj: added.append(obj.metadata.name))
    informer.add_event_handler(handler)
    factory.start()
    eventually(lambda: added and "no valid V1Secret" in log.text, "one object, and the line about the other")
    assert added == ["good"]
    check_hidden(SECRETS, of_log(log))


def test_a_list_function_that_finds_no_valid_model(server: APIServer, quick_backoff, log):
    """What the functions of a `ListWatch` raise for values is logged without them."""
    server.create(secret(data={"password": [VALUE]}))
    api = CoreV1Api(server.api_client())
    functions = ListWatch(
        lambda options: api.list_secret_for_all_namespaces(**options.to_kwargs()), lambda options: iter(())
    )
    _, controller = new_informer(functions, RESOURCE, 0, ResourceEventHandlerFuncs())
    stop = threading.Event()
    thread = threading.Thread(target=controller.run, args=(stop,))
    thread.start()
    eventually(lambda: "no valid" in log.text, "the line about it")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    check_hidden(SECRETS, of_log(log))


def test_a_handler_that_fails_with_a_model(server: APIServer, make_factory, log):
    server.create(secret())
    api = CoreV1Api(server.api_client())

    def fail(_obj: KubeObject) -> None:
        V1Secret(data={"password": [VALUE]}, immutable=VALUE)  # raises where models check their values
        api.api_client.deserialize(json.dumps(secret(data=[VALUE])), "V1Secret", "application/json")

    factory = make_factory()
    informer = factory.core().v1().secrets().informer()
    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=fail))
    factory.start()
    eventually(registration.errors, "the failure")
    eventually(lambda: "event handler" in log.text, "the line about it")
    check_hidden(SECRETS, of_log(log))


def test_a_reconcile_that_fails_with_a_model(log):
    """The models of the kubernetes package say what they did not take."""

    def reconcile(_key: str) -> None:
        ApiClient().deserialize(json.dumps(secret(data=[VALUE])), "V1Secret", "application/json")

    queue: RateLimitingQueue[str] = RateLimitingQueue()
    stop = threading.Event()
    thread = threading.Thread(target=run_workers, args=(queue, reconcile), kwargs={"workers": 1, "stop": stop})
    thread.start()
    queue.add("default/login")
    eventually(lambda: "reconcile failed on 'default/login'" in log.text, "the line about it")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert "no valid V1Secret" in log.text
    check_hidden(SECRETS, of_log(log))


def watch(server: APIServer, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kubeconfig = folder / "kubeconfig"
    server.kubeconfig(kubeconfig)
    command = [sys.executable, "-m", "kubeinformer", "watch", "secrets", "--kubeconfig", str(kubeconfig)]
    return subprocess.run(
        [*command, "--seconds", "2", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("output", ["wide", "json", "name"])
def test_the_command_prints_no_values(output, server: APIServer, tmp_path):
    server.create(secret(stringData={"user": VALUE}))
    server.create(secret("odd", data=VALUE, stringData=None))
    ended = watch(server, tmp_path, "-o", output, "-v")
    assert "login" in ended.stdout
    check_hidden(SECRETS, [ended.stdout, ended.stderr])
    if output == "json":
        objects = [json.loads(line)["object"] for line in ended.stdout.splitlines()]
        shown = {obj["metadata"]["name"]: obj for obj in objects}
        assert shown["login"]["data"] == {"password": "***"}
        assert shown["login"]["type"] == "Opaque"


def test_the_command_prints_values_for_who_asks(server: APIServer, tmp_path):
    server.create(secret())
    ended = watch(server, tmp_path, "-o", "json", "--show-secrets")
    shown = json.loads(ended.stdout.split("\n")[0])["object"]
    assert shown["data"] == {"password": ENCODED}


def test_the_log_of_a_working_informer(server: APIServer, make_factory, log):
    server.create(secret())
    factory = make_factory()
    informer = factory.core().v1().secrets().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=20)
    server.update(secret(type="Other"))
    eventually(lambda: informer.indexer().list()[0].get_path("type") == "Other", "the update")
    server.delete("secrets", "login")
    eventually(lambda: not informer.indexer().list(), "the deletion")
    assert any(record.levelno == logging.DEBUG or record.name == "kubeinformer" for record in log.records)
    check_hidden(SECRETS, of_log(log))
