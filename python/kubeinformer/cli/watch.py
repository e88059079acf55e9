"""`kubeinformer watch`: the objects of a resource, and every change, a line each.

It prints what a handler of an informer is told, in that order: every object once, then what changes, and nothing again
after a reconnect.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from kubeinformer import ControllerOptions, KubeObject, Selector, SharedIndexInformer, SharedInformerFactory
from kubeinformer.cli import resources
from kubeinformer.cli.connection import Cluster, connect
from kubeinformer.cli.errors import OK, USAGE, CommandError
from kubeinformer.cli.output import Printer, make_printer
from kubeinformer.cli.supervisor import Supervisor

# All threads end in a moment unless one is connecting, which nothing can interrupt; those left end with the process.
_SHUTDOWN_SECONDS = 0.05


def run(options: argparse.Namespace) -> int:
    """Run the command; blocks until Ctrl-C, the end of its time, or a failure.

    Raises:
        CommandError: see its message.
        PipeClosedError: nobody reads the output any more.
        KeyboardInterrupt: Ctrl-C; every thread was told to end.
    """
    _check_label_selector(options.selector)
    cluster = connect(options.kubeconfig, options.context)
    resource = resources.find(options.resource, cluster)
    namespaces = None if options.all_namespaces else _namespaces(options.namespace, cluster)
    factory = SharedInformerFactory(
        namespaces=namespaces,
        transport=cluster.transport,
        options=ControllerOptions(connect_timeout=5.0, first_byte_timeout=30.0),
    )
    informer = factory.for_resource(
        resource.api_version,
        resource.plural,
        namespaced=resource.namespaced,
        label_selector=options.selector or None,
        field_selector=options.field_selector or None,
    ).informer()
    show = make_printer(options.output, resource, informer.indexer().iter, show_secrets=options.show_secrets)
    _follow(factory, informer, show, Supervisor(informer, cluster.server, options.seconds))
    return OK


def _follow(
    factory: SharedInformerFactory, informer: SharedIndexInformer[KubeObject], show: Printer, supervisor: Supervisor
) -> None:
    with informer.events() as events:
        supervisor.start()
        try:
            factory.start()
            for event in events:
                show(event)
        finally:
            supervisor.close()
            factory.shutdown(_SHUTDOWN_SECONDS)
    supervisor.raise_failure()


def _check_label_selector(selector: str) -> None:
    try:
        Selector(selector)
    except ValueError as error:
        raise CommandError(str(error), USAGE) from error


def _namespaces(given: Sequence[str] | None, cluster: Cluster) -> list[str]:
    if given is None:
        return [cluster.namespace]
    names = [name for argument in given for name in argument.split(",")]
    if not all(names):
        raise CommandError("a namespace must not be empty; -A is for all namespaces", USAGE)
    return list(dict.fromkeys(names))
