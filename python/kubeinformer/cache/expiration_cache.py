"""`ExpirationCache`: a store whose objects expire (client-go's ExpirationCache and NewTTLStore).

An object is in the answers iff its policy says that it has not expired at that moment; expired ones are thrown away
when a read meets them, and by nothing else.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from kubeinformer.cache.arguments import check_callable
from kubeinformer.cache.clock import Clock, SystemClock
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.keys import deletion_handling_meta_namespace_key_func
from kubeinformer.errors import ObjectKeyError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TimestampedEntry(Generic[T]):
    """What a policy judges.

    Attributes:
        obj: the object.
        timestamp: when it was added or updated, in the seconds of `Clock.monotonic`.
        key: its key.
    """

    obj: T
    timestamp: float
    key: str


class ExpirationPolicy(Protocol):
    """Says what has expired; called by the thread that reads, with no lock held."""

    def is_expired(self, entry: TimestampedEntry[Any]) -> bool:
        """Whether it is to be seen no more."""


class TTLPolicy:
    """Expires what is older than `ttl` seconds, and not yet what is exactly as old; 0 or less = nothing expires."""

    def __init__(self, ttl: float, clock: Clock | None = None) -> None:
        self.ttl = ttl
        self._clock = clock or SystemClock()

    def is_expired(self, entry: TimestampedEntry[Any]) -> bool:
        """See `ExpirationPolicy.is_expired`."""
        return self.ttl > 0 and self._clock.monotonic() - entry.timestamp > self.ttl


class ExpirationCache(Generic[T]):
    """See the module. A `Store` to a reflector and to client-go's users; its methods may be called from any thread.

    Args:
        key_func: takes an object, returns its key; None = `deletion_handling_meta_namespace_key_func`. What it raises
            comes as an ObjectKeyError.
        expiration_policy: says what has expired.
        clock: None = the system's; the policy's own has to be the same.

    Raises:
        TypeError: `key_func` is not callable, or `expiration_policy` has no `is_expired`.
    """

    def __init__(
        self,
        key_func: Callable[[Any], str] | None,
        expiration_policy: ExpirationPolicy,
        *,
        clock: Clock | None = None,
    ) -> None:
        if key_func is not None:
            check_callable(key_func=key_func)
        check_callable(**{"expiration_policy.is_expired": getattr(expiration_policy, "is_expired", None)})
        self._key_func = key_func or deletion_handling_meta_namespace_key_func
        self._policy = expiration_policy
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._guard = ForkGuard("this store")
        self._entries: dict[str, TimestampedEntry[T]] = {}

    def add(self, obj: T) -> None:
        """Put it in place of what has its key, as of now."""
        self._guard.check()
        entry = self._entry(obj)
        with self._lock:
            self._entries[entry.key] = entry

    def update(self, obj: T) -> None:
        """The same as `add`: its time begins anew."""
        self.add(obj)

    def delete(self, obj: Any) -> None:
        """Take out what has its key, if anything."""
        self._guard.check()
        key = self._key(obj)
        with self._lock:
            self._entries.pop(key, None)

    def replace(self, items: Iterable[T], resource_version: str = "") -> None:
        """Hold these objects, as of now, and nothing else."""
        self._guard.check()
        entries = {entry.key: entry for entry in map(self._entry, items)}
        with self._lock:
            self._entries = entries

    def list(self) -> builtins.list[T]:
        """What has not expired, in no order; the rest is thrown away."""
        self._guard.check()
        with self._lock:
            entries = builtins.list(self._entries.values())
        return [entry.obj for entry in entries if self._unexpired(entry) is not None]

    def list_keys(self) -> builtins.list[str]:
        """All keys, those of expired objects that no read has met included."""
        self._guard.check()
        with self._lock:
            return builtins.list(self._entries)

    def get(self, obj: Any) -> T | None:
        """What has the object's key and has not expired, or None."""
        return self.get_by_key(self._key(obj))

    def get_by_key(self, key: str) -> T | None:
        """What has the key and has not expired, or None; then it is thrown away."""
        self._guard.check()
        with self._lock:
            entry = self._entries.get(key)
        entry = None if entry is None else self._unexpired(entry)
        return None if entry is None else entry.obj

    def resync(self) -> None:
        """Nothing; here as in client-go."""

    def _unexpired(self, entry: TimestampedEntry[T]) -> TimestampedEntry[T] | None:
        if not self._policy.is_expired(entry):
            return entry
        with self._lock:
            if self._entries.get(entry.key) is entry:  # and not what was added since
                del self._entries[entry.key]
        return None

    def _entry(self, obj: T) -> TimestampedEntry[T]:
        return TimestampedEntry(obj, self._clock.monotonic(), self._key(obj))

    def _key(self, obj: Any) -> str:
        try:
            return self._key_func(obj)
        except ObjectKeyError:
            raise
        except Exception as error:
            raise ObjectKeyError(
                f"couldn't create key for object of type {type(obj).__name__}: {error}", obj
            ) from error


def new_ttl_store(
    key_func: Callable[[Any], str] | None = None, ttl: float = 0.0, *, clock: Clock | None = None
) -> ExpirationCache[Any]:
    """A store whose objects expire `ttl` seconds after they were added or updated; 0 or less = never."""
    return ExpirationCache(key_func, TTLPolicy(ttl, clock), clock=clock)
