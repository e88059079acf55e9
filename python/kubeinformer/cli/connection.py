"""Where the cluster is and who we are: the kubeconfig, as kubectl finds it, or the service account inside a pod."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubeinformer import __version__
from kubeinformer.cli.errors import USAGE, CommandError
from kubeinformer.transport import Transport, make_transport

_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A way to an API server. Nothing was sent yet.

    Attributes:
        transport: sends requests with the user's credentials.
        server: the address, for messages.
        namespace: the default namespace.
    """

    transport: Transport
    server: str
    namespace: str


def connect(kubeconfig: str | None, context: str | None) -> Cluster:
    """Read the configuration. Runs the credential plugin that it names, if it names one.

    Args:
        kubeconfig: a file; None = $KUBECONFIG, ~/.kube/config, then the pod's service account.
        context: its name; None = the current one.

    Raises:
        CommandError: there is no kubeconfig, or it cannot be used.
    """
    from kubernetes.client import Configuration
    from kubernetes.config import KUBE_CONFIG_DEFAULT_LOCATION

    configuration = Configuration()
    if kubeconfig is not None and not Path(kubeconfig).expanduser().is_file():
        raise CommandError(f"no kubeconfig: {kubeconfig} is no file", USAGE)
    paths = KUBE_CONFIG_DEFAULT_LOCATION if kubeconfig is None else kubeconfig
    if kubeconfig is None and not any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path):
        if "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise CommandError(f"no kubeconfig: {paths} is no file; name one with --kubeconfig or $KUBECONFIG", USAGE)
        namespace = _load_service_account(configuration)
    else:
        try:
            namespace = _load(paths, context, configuration)
        except CommandError:
            raise
        except Exception as error:  # the loader raises whatever a wrong shape leads it to
            reason = " ".join(str(error).split()) or type(error).__name__
            raise CommandError(f"cannot use the kubeconfig {paths}: {reason}", USAGE) from error
    return Cluster(_transport(configuration), str(configuration.host), namespace)


def _transport(configuration: Any) -> Transport:
    from kubernetes.client import ApiClient

    return make_transport("auto", ApiClient(configuration), user_agent=f"kubeinformer/{__version__}")


def _load(paths: str, context: str | None, configuration: Any) -> str:
    """Load a kubeconfig into `configuration`; the default namespace."""
    from kubernetes.config import load_kube_config
    from kubernetes.config.kube_config import KubeConfigMerger

    merged = KubeConfigMerger(paths).config.value  # type: ignore[no-untyped-call]
    contexts = {node.value["name"]: node.value.get("context") or {} for node in merged["contexts"]}
    name = context or merged.get("current-context")
    names = ", ".join(sorted(contexts)) or "none"
    if not name:
        raise CommandError(f"the kubeconfig {paths} has no current-context; choose with --context: {names}", USAGE)
    if name not in contexts:
        raise CommandError(f'the kubeconfig {paths} has no context "{name}"; it has: {names}', USAGE)
    load_kube_config(paths, context=name, client_configuration=configuration)  # type: ignore[no-untyped-call]
    return str(contexts[name].get("namespace") or "default")


def _load_service_account(configuration: Any) -> str:
    from kubernetes.config import ConfigException, load_incluster_config

    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException as error:
        raise CommandError(f"no kubeconfig, and no service account in this pod: {error}", USAGE) from error
    try:
        return _SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"
