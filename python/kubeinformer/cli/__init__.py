"""The command line: `kubeinformer watch` follows a resource of a cluster, `kubeinformer demo` needs no cluster.

`main` returns an exit status and lets no exception out but those of a bug; what a command needs is imported when it
runs.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
import warnings
from collections.abc import Sequence

from kubeinformer import __version__
from kubeinformer.cli.errors import INTERRUPTED, PIPE_CLOSED, CommandError, PipeClosedError

_STATUSES = """
exit status:
  0    it ended as asked for
  1    the server refused or cannot be reached, or the demo's check failed
  2    the command line, kubeconfig, resource or selector is wrong
  130  Ctrl-C
  141  the reader of the output went away
"""
_WATCH_EXAMPLES = """
examples:
  kubeinformer watch pods -A
  kubeinformer watch deploy -n shop -n web -l 'tier in (api, web)'
  kubeinformer watch certificates.cert-manager.io -o json | jq .object.status
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: without the program's name; None = those of this process.

    Raises:
        SystemExit: argparse's, for --help, --version and a command line that it cannot read.
    """
    options = _parser().parse_args(arguments)
    _set_up_logging(options.verbose)
    try:
        status = _run(options)
        sys.stdout.flush()
        return status
    except CommandError as error:
        print(f"kubeinformer: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        _discard_output()
        return INTERRUPTED
    except (PipeClosedError, BrokenPipeError):
        _discard_output()
        return PIPE_CLOSED


def _run(options: argparse.Namespace) -> int:
    if options.command == "demo":
        from kubeinformer.cli.demo import run as run_demo

        return run_demo(pods=options.pods, seconds=options.seconds, rate=options.rate)
    from kubeinformer.cli.watch import run as run_watch

    return run_watch(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "kubeinformer",
        description="client-go's informers for Python, on a Rust core.",
        epilog=_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kubeinformer {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_watch(commands)
    return parser


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="see an informer at work, without a cluster",
        description="Start an embedded API server with pods that change all the time, follow them with an informer, "
        "and check at the end that its cache, indices and handler have what the server lists.",
    )
    demo.add_argument("--pods", type=_count, default=3000, metavar="N", help="pods of 8 KB (default: %(default)s)")
    demo.add_argument(
        "--seconds", type=_seconds, default=15.0, metavar="S", help="how long they change (default: %(default)g)"
    )
    demo.add_argument(
        "--rate", type=_seconds, default=400.0, metavar="R", help="changes a second (default: %(default)g)"
    )
    _add_verbose(demo)


def _add_watch(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    watch = commands.add_parser(
        "watch",
        help="print the objects of a resource, and every change",
        description="Print the objects of a resource, and then every change, a line each. Reconnects repeat nothing.",
        epilog=_WATCH_EXAMPLES + _STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    watch.add_argument(
        "resource",
        metavar="RESOURCE",
        help="plural, singular or short name, plural.group or plural.version.group; custom resources too",
    )
    scope = watch.add_mutually_exclusive_group()
    scope.add_argument(
        "-n",
        "--namespace",
        action="append",
        metavar="NS",
        help="a namespace, or several: repeat it (default: that of the kubeconfig's context)",
    )
    scope.add_argument("-A", "--all-namespaces", action="store_true", help="all namespaces")
    watch.add_argument("-l", "--selector", default="", metavar="SELECTOR", help="label selector")
    watch.add_argument("--field-selector", default="", metavar="SELECTOR", help="field selector")
    watch.add_argument(
        "-o",
        "--output",
        choices=("wide", "json", "name"),
        default="wide",
        help='columns, or {"type": ..., "object": ...} a line, or names (default: %(default)s)',
    )
    watch.add_argument(
        "--show-secrets", action="store_true", help="print the values of Secrets in JSON, which are *** otherwise"
    )
    watch.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, ~/.kube/config, in-cluster")
    watch.add_argument("--context", metavar="NAME", help="context of the kubeconfig")
    watch.add_argument("--seconds", type=_seconds, metavar="S", help="end after so many seconds")
    _add_verbose(watch)


def _add_verbose(command: argparse.ArgumentParser) -> None:
    command.add_argument("-v", "--verbose", action="store_true", help="log to stderr what the informer does")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1: {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"must be above 0: {text}")
    return number


def _set_up_logging(verbose: bool) -> None:
    """Commands say themselves what goes wrong; the library's log would say it twice."""
    import urllib3.exceptions

    # kubectl does not warn about insecure-skip-tls-verify at each request either.
    warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
    for name in ("kubeinformer", "urllib3"):
        logger = logging.getLogger(name)
        logger.propagate = False
        if verbose:
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            logger.addHandler(handler)
            logger.setLevel(logging.DEBUG)
        else:
            logger.addHandler(logging.NullHandler())


def _discard_output() -> None:
    """Let nothing that is buffered still be written: it would block on a reader that waits, or fail at exit."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return  # not a file: nothing of the process's own
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, descriptor)
    os.close(devnull)
