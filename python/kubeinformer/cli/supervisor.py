"""What a watch does about trouble: it goes on through an outage, and ends when nothing will ever come.

Silence means that all is well: every failure that lasts is said on stderr, once. The watch is ended iff every source (a
namespace, or the whole cluster) is hopeless, its time is up, or nobody reads its output any more.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import threading
import time
from typing import Any

from kubeinformer.cache.reflector import Reflector
from kubeinformer.cache.reflector_state import LastError, Phase
from kubeinformer.cache.shared_informer import SharedIndexInformer
from kubeinformer.cli import explain
from kubeinformer.cli.errors import FAILED, USAGE, CommandError, PipeClosedError
from kubeinformer.errors import APIStatusError, DecodeError, TransportError

_TICK = 0.05
_REFUSALS = frozenset({400, 401, 403, 404, 405})

# A server that is just starting refuses connections for a moment.
_FIRST_CONTACT_PATIENCE = 2.0
# One that restarts forbids everything until its authorizer has read the rules.
_LATER_REFUSAL_PATIENCE = 10.0
_QUIET_START = 5.0


class Supervisor:
    """See the module. It has a thread of its own, from `start` to `close`, both called by the main thread.

    A signal ends the watch at once, although Python runs its handler only when the main thread is back from its wait.
    """

    def __init__(self, informer: SharedIndexInformer[Any], server: str, seconds: float | None) -> None:
        self._informer = informer
        self._seconds = seconds
        self._failure: Exception | None = None
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        _register_output(self._poll)
        self._synced = False
        self._sources = [
            _Source(reflector, _scope(informer.resource.group_resource, namespace), server)
            for namespace, reflector in informer.controller.reflectors.items()
        ]
        self._thread = threading.Thread(target=self._run, name="kubeinformer-cli-supervisor", daemon=True)

    def start(self) -> None:
        """Begin; call it just before the informer starts."""
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self._thread.start()

    def close(self) -> None:
        """End the thread. Does not block for longer than it takes to notice."""
        os.write(self._waker, b"\0")
        self._thread.join()
        signal.set_wakeup_fd(-1)
        os.close(self._waker)
        os.close(self._wake)

    def raise_failure(self) -> None:
        """Raise why the watch was ended, if that was a failure: a CommandError or a PipeClosedError."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        begin = time.monotonic()
        while True:
            now = time.monotonic()
            self._look(now, now - begin)
            ready = [descriptor for descriptor, _ in self._poll.poll(_TICK * 1000)]
            if ready and self._wake not in ready:
                self._failure = PipeClosedError()
            if ready or self._failure is not None or (self._seconds is not None and now - begin >= self._seconds):
                self._informer.stop()
                return

    def _look(self, now: float, elapsed: float) -> None:
        lines = [line for source in self._sources for line in source.look(now, elapsed)]
        if all(source.hopeless for source in self._sources):
            status = USAGE if all(source.asked_wrongly for source in self._sources) else FAILED
            self._failure = CommandError("; ".join(source.hopeless for source in self._sources), status)
            return
        if not self._synced and self._informer.has_synced():
            self._synced = True
            if len(self._informer.indexer()) == 0:
                lines.append(f"no {' and no '.join(source.scope for source in self._sources)} yet; watching")
        for line in dict.fromkeys(lines):
            print(f"kubeinformer: {line}", file=sys.stderr, flush=True)


class _Source:
    """One list and watch: what is to be said about it, and whether it is given up.

    Attributes:
        scope: the resource and its namespace, for messages.
        hopeless: why it is given up; "" while it is not.
        asked_wrongly: it is given up for what the user asked, not for what the cluster is.
    """

    def __init__(self, reflector: Reflector, scope: str, server: str) -> None:
        self.scope = scope
        self.hopeless = ""
        self.asked_wrongly = False
        self._reflector = reflector
        self._server = server
        self._said = ""
        self._refused_since: float | None = None

    def look(self, now: float, elapsed: float) -> list[str]:
        """Judge the state of this moment. Returns lines to say: each trouble once.

        Args:
            now: monotonic time.
            elapsed: seconds since the start.
        """
        if self.hopeless:
            return []
        last = self._reflector.last_error()
        listed = bool(self._reflector.last_sync_resource_version())
        if last is not None:
            return self._judge(last, now, listed=listed)
        # A source that may list but not watch lists again and again: only an open watch mends a refusal.
        if self._reflector.phase() is Phase.WATCHING:
            self._refused_since = None
            said, self._said = self._said, ""
            return [f"watching {self.scope}"] if said else []
        if not listed and elapsed >= _QUIET_START and self._reflector.last_contact() is None:
            return self._once(f"waiting for an answer of the server at {self._server}")
        return []

    def _judge(self, last: LastError, now: float, *, listed: bool) -> list[str]:
        error = last.error
        line = self._explain(error)
        if isinstance(error, APIStatusError) and error.code in _REFUSALS:
            self._refused_since = now if self._refused_since is None else self._refused_since
            if not listed or now - self._refused_since >= _LATER_REFUSAL_PATIENCE:
                self.hopeless = line
                self.asked_wrongly = error.code == 400
                return self._once(line)
        elif not listed and isinstance(error, TransportError | DecodeError):
            if time.time() - last.since < _FIRST_CONTACT_PATIENCE:
                return []
            self.hopeless = line
            return self._once(line)
        # An outage has many faces (reset, refused, timed out); the first one is enough.
        return self._once(f"{line}; trying again", trouble="outage" if isinstance(error, TransportError) else line)

    def _once(self, line: str, trouble: str = "") -> list[str]:
        """The line, unless it, or another one of the same trouble, was the last one."""
        said, self._said = self._said, trouble or line
        return [line] if said != self._said else []

    def _explain(self, error: Exception) -> str:
        if isinstance(error, APIStatusError):
            return explain.refused(error, f"list and watch {self.scope}", self._server)
        if isinstance(error, TransportError):
            return explain.unreachable(error, self._server)
        return f"cannot read the {self.scope} that {self._server} sends: {' '.join(str(error).split())}"


def _scope(resource: str, namespace: str) -> str:
    return f'{resource} in namespace "{namespace}"' if namespace else resource


def _register_output(poll: select.poll) -> None:
    """Let `poll` end when the reader of this process's output goes away, if that is something that can."""
    try:
        descriptor = sys.stdout.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):
        return
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        poll.register(descriptor, 0)  # 0: only what is always reported, POLLERR and POLLHUP
