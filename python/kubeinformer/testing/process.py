"""A server in a process of its own, driven through a pipe.

The child serves HTTP with a GIL of its own, so that it takes no time from what is measured or tested. Calls are made
one at a time, in the order in which they come; the child ends iff it is told to or its parent is gone.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from multiprocessing.connection import Connection
from typing import Any, cast

from kubeinformer.testing.faults import Faults
from kubeinformer.testing.instance import Instance, InstanceOptions

START_SECONDS = 30.0
STOP_SECONDS = 5.0


def start_process(options: InstanceOptions) -> Instance:
    """Start a process with a server; what is returned is used like an Instance in this process.

    Blocks until the server listens. Raises RuntimeError when the process ends or takes longer than 30 s.
    """
    return cast(Instance, _RemoteInstance(options))


class _Remote:
    """Passes on calls of the public methods of a class, under a dotted name."""

    def __init__(self, pipe: _Pipe, interface: type, prefix: str) -> None:
        self._pipe = pipe
        self._interface = interface
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not callable(getattr(self._interface, name, None)):
            raise AttributeError(f"{self._interface.__name__} has no method {name!r}")

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._pipe.call(self._prefix + name, args, kwargs)

        return call


class _RemoteInstance(_Remote):
    """The parent's end of an Instance in a child. Thread-safe."""

    def __init__(self, options: InstanceOptions) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, options), name="kubeinformer-apiserver", daemon=True
        )
        self._process.start()
        theirs.close()
        super().__init__(_Pipe(ours), Instance, "")
        try:
            self.url: str = self._pipe.receive(START_SECONDS)
        except BaseException:
            self.close()
            raise
        self.faults = _Remote(self._pipe, Faults, "faults.")

    def close(self) -> None:
        """End the process. Idempotent."""
        # The end of the pipe is what tells the child to stop.
        if not self._pipe.close():
            return
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


class _Pipe:
    """One call at a time over a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._closed = False

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call by name and return the result, or raise what it raised."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is closed")
            try:
                self._connection.send((name, args, kwargs))
            except OSError:
                raise RuntimeError("the API server process is gone") from None
            return self.receive()

    def receive(self, timeout: float | None = None) -> Any:
        """Receive one reply. Raises what the other end raised, RuntimeError when the time is up or it is gone."""
        try:
            if not self._connection.poll(timeout):
                raise RuntimeError(f"the API server process did not answer within {timeout} s")
            succeeded, result = self._connection.recv()
        except (EOFError, ConnectionError):
            raise RuntimeError("the API server process is gone") from None
        if not succeeded:
            raise result
        return result

    def close(self) -> bool:
        """Close the connection. Returns whether it was open."""
        with self._lock:
            was_open, self._closed = not self._closed, True
            self._connection.close()
            return was_open


def serve(connection: Connection, options: InstanceOptions) -> None:
    """Run an Instance and do what comes through the pipe until its end: the main function of the child."""
    # Ctrl-C goes to the whole process group; when to stop is for the parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        instance = Instance(options)
    except Exception as error:
        connection.send((False, error))
        return
    try:
        connection.send((True, instance.url))
        while True:
            name, args, kwargs = connection.recv()
            connection.send(_reply(instance, name, args, kwargs))
    except (EOFError, OSError):
        pass
    finally:
        instance.close()


def _reply(instance: Instance, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bool, Any]:
    try:
        target: Any = instance
        for part in name.split("."):
            target = getattr(target, part)
        return True, target(*args, **kwargs)
    except Exception as error:
        return False, error
