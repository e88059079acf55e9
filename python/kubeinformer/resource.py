"""`Resource`: the identity of an API resource.

Two informers show the same objects iff their `Resource`s and scopes are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """Group, version and plural name of a resource, and what is known of it besides.

    Attributes:
        group: API group, "" for the core group.
        version: API version, such as "v1".
        plural: plural name, as in URLs: "pods".
        kind: object kind, "Pod"; "" when not known (a custom resource reached by its plural).
        namespaced: whether objects live in namespaces.
        model: name of the class in `kubernetes.client`, "V1Pod"; "" when there is none.
    """

    group: str
    version: str
    plural: str
    kind: str = ""
    namespaced: bool = True
    model: str = ""

    @property
    def group_resource(self) -> str:
        """`plural.group`, or `plural` alone for the core group: client-go's GroupResource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` alone for the core group: an object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None) -> str:
        """URL path of the collection: of one namespace, or (None) of the whole cluster."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if namespace is not None:
            return f"{root}/namespaces/{quote(namespace, safe='')}/{self.plural}"
        return f"{root}/{self.plural}"

    def __str__(self) -> str:
        return f"{self.api_version}/{self.plural}"
