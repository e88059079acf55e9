"""`refresh_credentials`: has the user's client read its credentials anew, although they did not expire.

Nothing is read here: token files, exec plugins and auth providers are the business of the `kubernetes` package. It asks
them again when a credential expires by its own clock, and a kubeconfig's tokenFile never; it has no way to be told that
a server refused one. So its loader is taken from the hook that it leaves in a Configuration.
"""

from __future__ import annotations

import inspect
from typing import Any


def refresh_credentials(configuration: Any) -> bool:
    """Load the credentials into the configuration again. Blocks while an exec plugin runs.

    Returns:
        False when this is no configuration of the package's loaders, so that nothing was done.

    Raises:
        Exception: what the loader raises.
    """
    from kubernetes.config.incluster_config import InClusterConfigLoader
    from kubernetes.config.kube_config import KubeConfigLoader

    loader = _loader_of(getattr(configuration, "refresh_api_key_hook", None))
    name = {KubeConfigLoader: "_load_authentication", InClusterConfigLoader: "_read_token_file"}.get(type(loader), "")
    load, put = getattr(loader, name, None), getattr(loader, "_set_config", None)
    if load is None or put is None:  # another loader, or another release of the package
        return False
    load()
    put(configuration)
    return True


def _loader_of(hook: Any) -> Any:
    try:
        return inspect.getclosurevars(hook).nonlocals.get("self")
    except (TypeError, ValueError):
        return None
