"""`DeletedFinalStateUnknown`: an object is gone, and the event that said so was missed."""

from __future__ import annotations

from typing import Any


class DeletedFinalStateUnknown:
    """What a delete handler gets when the deletion was found by a relist (client-go §4).

    It answers to the attributes of the object, so that a handler that only reads key, labels or the like need not care.
    Without an object it still knows namespace and name, from the key; a second "/" belongs to the name (§7).

    Attributes:
        key: `namespace/name`; kept from the store, never computed from `obj` (§3).
        obj: the last state that was seen, which may be stale; None when there is none.
    """

    __slots__ = ("key", "obj")

    key: str
    obj: Any

    def __init__(self, key: str, obj: Any = None) -> None:
        self.key = key
        self.obj = obj

    def __getattr__(self, name: str) -> Any:
        """Attributes of the last state.

        Raises:
            AttributeError: the last state has no such attribute, or there is none.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        if self.obj is None:
            if name in ("namespace", "name"):
                namespace, _, rest = self.key.partition("/") if "/" in self.key else ("", "", self.key)
                return namespace if name == "namespace" else rest
            raise AttributeError(f"{name}: the last state of {self.key} is unknown")
        return getattr(self.obj, name)

    def __getitem__(self, key: Any) -> Any:
        if self.obj is None:
            raise KeyError(key)
        return self.obj[key]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DeletedFinalStateUnknown):
            return NotImplemented
        return self.key == other.key and bool(self.obj == other.obj)

    def __hash__(self) -> int:
        return hash((DeletedFinalStateUnknown, self.key))

    def __reduce__(self) -> tuple[type[DeletedFinalStateUnknown], tuple[str, Any]]:
        return (DeletedFinalStateUnknown, (self.key, self.obj))

    def __repr__(self) -> str:
        """Without the content of the last state, which may be a Secret's."""
        from kubeinformer.redaction import describe_object

        return f"DeletedFinalStateUnknown({self.key!r}, {describe_object(self.obj)})"
