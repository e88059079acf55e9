"""`kubeinformer demo`: an informer at work on a cluster that changes all the time, all of it on this machine.

Two processes: the embedded API server with a workload that changes its pods, and this one, with the informer. It ends
well iff cache, indices and handler have at the end what the server lists.
"""

from __future__ import annotations

from kubeinformer.cli.errors import require


def run(*, pods: int, seconds: float, rate: float) -> int:
    """Run the demo; blocks until its end or Ctrl-C.

    Args:
        pods: how many the cluster has.
        seconds: for how long they change.
        rate: changes a second.

    Returns:
        Exit status: 0, or 1 if something is not as the server lists it.

    Raises:
        CommandError: a package is missing, or a process failed.
        KeyboardInterrupt: Ctrl-C; everything was ended.
    """
    require("the demo", "rich", "aiohttp")
    from kubeinformer.cli.demo.play import Play

    return Play(pods=pods, seconds=seconds, rate=rate).run()
