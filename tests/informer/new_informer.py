"""A function that makes an informer of one's own, for `SharedInformerFactory.informer_for`."""

from __future__ import annotations

from kubeinformer import ControllerOptions, KubeObject, ListOptions, Resource, SharedIndexInformer
from kubeinformer.cache import Controller
from kubeinformer.transport import Transport

PODS = Resource("", "v1", "pods")


class NewInformer:
    """Makes an informer that sees pods with a label only; notes its calls."""

    def __init__(self, name: str = "my-pods") -> None:
        self.name = name
        self.periods: list[float] = []

    def __call__(self, transport: Transport, resync_period: float) -> SharedIndexInformer[KubeObject]:
        self.periods.append(resync_period)

        def list_options() -> ListOptions:
            return ListOptions(label_selector="app=mine")

        controller = Controller(
            transport, PODS, namespaces=None, list_options=list_options, name=self.name, options=ControllerOptions()
        )
        return SharedIndexInformer(controller, PODS, convert=lambda obj: obj, default_resync_period=resync_period)
