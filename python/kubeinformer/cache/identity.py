"""`InformerName`: an informer's identity in a process, for threads, logs and metrics (client-go's type of this name).

At most one `InformerName` of the process holds a name at a time, and at most one informer a resource under it.
"""

from __future__ import annotations

import logging
import os
import threading

from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.resource import Resource

logger = logging.getLogger("kubeinformer")


class _Registry:
    """The names of this process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """A forked child has no names: those of its parent stand for threads that it does not have."""
        self.lock = threading.Lock()
        self.names: set[str] = set()


_registry = _Registry()
os.register_at_fork(after_in_child=_registry.forget)


class InformerName:
    """A name that nobody else in the process has, until `release`.

    Attributes:
        name: what it was made with.
    """

    def __init__(self, name: str) -> None:
        """Take the name.

        Raises:
            ValueError: it is empty, or somebody has it.
        """
        if not name:
            raise ValueError("name of an informer must not be empty")
        self.name = name
        self._guard = ForkGuard(f"the informer name {name!r}")
        self._lock = threading.Lock()
        self._reserved = True
        self._resources: dict[tuple[str, str, str], InformerNameAndResource] = {}
        with _registry.lock:
            if name in _registry.names:
                raise ValueError(f"informer name {name!r} is taken by another InformerName of this process")
            _registry.names.add(name)

    def with_resource(self, resource: Resource) -> InformerNameAndResource:
        """The identity of one informer. The first one asked for a resource has it reserved, a second one has not.

        Raises:
            ForkedError: this is a forked child.
        """
        self._guard.check()
        identity = InformerNameAndResource(self, resource)
        with self._lock:
            if not self._reserved:
                return identity
            first = self._resources.setdefault(identity.gvr, identity)
            identity._reserved = first is identity
        if first is not identity:
            logger.error("informer %s of %s: that name has an informer of this resource already", self.name, resource)
        return identity

    def release(self) -> None:
        """Give the name back; none of its identities is reserved any more. Any number of times.

        Raises:
            ForkedError: this is a forked child.
        """
        self._guard.check()
        with self._lock:
            resources, self._resources = self._resources, {}
            was_reserved, self._reserved = self._reserved, False
            for identity in resources.values():
                identity._reserved = False
        if was_reserved:
            with _registry.lock:
                _registry.names.discard(self.name)

    def __repr__(self) -> str:
        return f"InformerName({self.name!r})"


class InformerNameAndResource:
    """The identity of one informer: a name and a resource.

    Attributes:
        name: the name.
        resource: the resource.
    """

    def __init__(self, owner: InformerName, resource: Resource) -> None:
        self.name = owner.name
        self.resource = resource
        self._owner = owner
        self._reserved = False

    @property
    def gvr(self) -> tuple[str, str, str]:
        """Group, version and plural name of the resource."""
        return (self.resource.group, self.resource.version, self.resource.plural)

    def reserved(self) -> bool:
        """Whether this identity is the one that stands for the resource under this name; takes no lock."""
        return self._reserved

    def release(self) -> None:
        """Give the resource back, so that a later informer of it can have it under the same name.

        Raises:
            ForkedError: this is a forked child.
        """
        owner = self._owner
        owner._guard.check()
        with owner._lock:
            if self._reserved:
                self._reserved = False
                del owner._resources[self.gvr]

    def __repr__(self) -> str:
        return f"<{self.name}/{self.resource}{'' if self._reserved else ', not reserved'}>"
