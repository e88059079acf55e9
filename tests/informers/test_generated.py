"""The generated accessors: as the generator makes them now, complete against the paths that `kubernetes` requests,
under client-go's names, precise to a type checker, and free of `kubernetes` at run time.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client
from mypy import api as mypy_api

from kubeinformer import filter
from kubeinformer.cache.listers import ClusterLister, NamespacedLister
from kubeinformer.informers import generate
from kubeinformer.informers._built_in import accessor, discover, group_name
from kubeinformer.informers.generated.groups import Groups
from kubeinformer.informers.generated.resources import BUILT_IN, SHORT_NAMES
from kubeinformer.resource import Resource

# client-go 0.37: the accessor, and the path of the collection that it watches.
CLIENT_GO_ACCESSORS = {
    "core.v1.config_maps": "/api/v1/configmaps",
    "core.v1.endpoints": "/api/v1/endpoints",
    "core.v1.limit_ranges": "/api/v1/limitranges",
    "core.v1.namespaces": "/api/v1/namespaces",
    "core.v1.nodes": "/api/v1/nodes",
    "core.v1.persistent_volume_claims": "/api/v1/persistentvolumeclaims",
    "core.v1.pods": "/api/v1/pods",
    "core.v1.services": "/api/v1/services",
    "apps.v1.daemon_sets": "/apis/apps/v1/daemonsets",
    "apps.v1.deployments": "/apis/apps/v1/deployments",
    "apps.v1.stateful_sets": "/apis/apps/v1/statefulsets",
    "autoscaling.v1.horizontal_pod_autoscalers": "/apis/autoscaling/v1/horizontalpodautoscalers",
    "autoscaling.v2.horizontal_pod_autoscalers": "/apis/autoscaling/v2/horizontalpodautoscalers",
    "batch.v1.cron_jobs": "/apis/batch/v1/cronjobs",
    "coordination.v1.leases": "/apis/coordination.k8s.io/v1/leases",
    "discovery.v1.endpoint_slices": "/apis/discovery.k8s.io/v1/endpointslices",
    "events.v1.events": "/apis/events.k8s.io/v1/events",
    "flowcontrol.v1.priority_level_configurations": (
        "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
    ),
    "internal.v1alpha1.storage_versions": "/apis/internal.apiserver.k8s.io/v1alpha1/storageversions",
    "networking.v1.ingresses": "/apis/networking.k8s.io/v1/ingresses",
    "networking.v1.ip_addresses": "/apis/networking.k8s.io/v1/ipaddresses",
    "networking.v1.network_policies": "/apis/networking.k8s.io/v1/networkpolicies",
    "networking.v1.service_cidrs": "/apis/networking.k8s.io/v1/servicecidrs",
    "policy.v1.pod_disruption_budgets": "/apis/policy/v1/poddisruptionbudgets",
    "rbac.v1.cluster_role_bindings": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "resource.v1.resource_claim_templates": "/apis/resource.k8s.io/v1/resourceclaimtemplates",
    "storage.v1.csi_drivers": "/apis/storage.k8s.io/v1/csidrivers",
    "storage.v1.csi_storage_capacities": "/apis/storage.k8s.io/v1/csistoragecapacities",
    "storagemigration.v1.storage_version_migrations": "/apis/storagemigration.k8s.io/v1/storageversionmigrations",
    "apiextensions.v1.custom_resource_definitions": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "apiregistration.v1.api_services": "/apis/apiregistration.k8s.io/v1/apiservices",
}


class RecordingFactory(Groups):
    """Gives back what an accessor asks a factory for: the informer's class and the scope."""

    def _resource_informer(self, informer_class: type[Any], **scope: object) -> tuple[type[Any], dict[str, object]]:
        return informer_class, scope


def methods(instance: object) -> list[str]:
    return [name for name, _ in inspect.getmembers(instance, inspect.ismethod) if not name.startswith("_")]


def accessors() -> dict[str, Any]:
    """Every accessor that a factory leads to, by its way: "core.v1.pods"."""
    factory = RecordingFactory()
    groups = {group: getattr(factory, group)() for group in methods(factory)}
    versions = {f"{way}.{name}": getattr(group, name)() for way, group in groups.items() for name in methods(group)}
    return {f"{way}.{name}": getattr(version, name) for way, version in versions.items() for name in methods(version)}


ACCESSORS = accessors()


def way(resource: Resource) -> str:
    return f"{group_name(resource.group)}.{resource.version}.{accessor(resource)}"


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    return generate.render(discover())


def test_committed_files_are_what_the_generator_makes(rendered: dict[str, str]) -> None:
    assert generate.differing(rendered, generate.PACKAGE) == [], "run `python -m kubeinformer.informers.generate`"


def test_command_repairs_a_package_and_check_only_names_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rendered: dict[str, str]
) -> None:
    monkeypatch.setattr(generate, "PACKAGE", tmp_path)
    monkeypatch.setattr(generate, "render", lambda _resources: rendered)
    for name, text in rendered.items():
        (tmp_path / name).write_bytes(text.encode())
    assert generate.main(["--check"]) == 0
    (tmp_path / "core_v1.py").unlink()
    (tmp_path / "core_v0.py").write_text("")
    (tmp_path / "groups.py").write_text(rendered["groups.py"] + "\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    capsys.readouterr()

    assert generate.main(["--check"]) == 1
    named = capsys.readouterr().out.splitlines()
    assert named == [f"differs: {tmp_path / name}" for name in ("core_v0.py", "core_v1.py", "groups.py")]
    assert sorted(path.name for path in tmp_path.iterdir()) == before

    assert generate.main([]) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == rendered


def test_table_has_every_collection_that_kubernetes_requests() -> None:
    sources = [path.read_text() for path in Path(client.api.__path__[0]).glob("*_v*_api.py")]
    get = re.compile(r"method='GET',\s+resource_path='(/apis?/[^']*)'")
    requested = {path for source in sources for path in get.findall(source)}
    collections = {path for path in requested if "{name}" not in path and not path.endswith("/")}
    table = [resource.path() for resource in BUILT_IN]
    table += [resource.path("ONE").replace("ONE", "{namespace}") for resource in BUILT_IN if resource.namespaced]

    assert len(table) == len(set(table)) > 100
    # The server gives the statuses of its components for a LIST, but has no watch for them.
    assert set(table) == collections - {"/api/v1/componentstatuses"}


def test_every_built_in_resource_has_one_accessor_and_the_other_way_round() -> None:
    reached = {name: method()[0].resource for name, method in ACCESSORS.items()}
    assert reached == {way(resource): resource for resource in BUILT_IN}
    assert Counter(reached.values()) == Counter(BUILT_IN)


@pytest.mark.parametrize(("name", "path"), CLIENT_GO_ACCESSORS.items())
def test_accessors_have_the_names_of_client_go(name: str, path: str) -> None:
    informer_class, _ = ACCESSORS[name]()
    assert informer_class.resource.path() == path


@pytest.mark.parametrize("resource", BUILT_IN, ids=str)
def test_accessor_lister_and_model_fit_the_resource(resource: Resource) -> None:
    selectors = {"label_selector": "app=web", "field_selector": "metadata.name=web", "filter": filter.name("web")}
    scope = {"namespaces": ["a", "b"], **selectors} if resource.namespaced else selectors
    informer_class, passed_on = ACCESSORS[way(resource)](**scope)
    assert passed_on == scope
    assert ACCESSORS[way(resource)]()[1] == dict.fromkeys(scope)
    assert informer_class.__name__ == f"{resource.kind}Informer"

    lister_class = informer_class.lister_class
    assert lister_class.__name__ == f"{resource.kind}Lister"
    assert issubclass(lister_class, NamespacedLister if resource.namespaced else ClusterLister)
    if resource.namespaced:
        by_namespace = SimpleNamespace(by_namespace=lambda namespace: f"lister of {namespace}")
        assert getattr(lister_class, accessor(resource))(by_namespace, "a") == "lister of a"
    else:
        with pytest.raises(TypeError, match="namespaces"):
            ACCESSORS[way(resource)](namespaces=["a"])

    assert {"api_version", "kind", "metadata"} <= getattr(client, resource.model).attribute_map.keys()


def test_short_names_are_those_of_kubectl() -> None:
    by_short_name: dict[str, set[str]] = {}
    for name, short_names in SHORT_NAMES.items():
        for short_name in short_names:
            by_short_name.setdefault(short_name, set()).add(name)
    assert set(SHORT_NAMES) <= {resource.group_resource for resource in BUILT_IN}
    assert by_short_name.pop("ev") == {"events", "events.events.k8s.io"}
    assert [names for names in by_short_name.values() if len(names) > 1] == []
    for short_name, name in {
        "po": "pods",
        "svc": "services",
        "ns": "namespaces",
        "deploy": "deployments.apps",
        "hpa": "horizontalpodautoscalers.autoscaling",
        "netpol": "networkpolicies.networking.k8s.io",
        "crds": "customresourcedefinitions.apiextensions.k8s.io",
    }.items():
        assert by_short_name[short_name] == {name}


def test_first_of_one_plural_is_what_kubectl_takes() -> None:
    first = {resource.plural: resource for resource in reversed(BUILT_IN)}
    assert first["events"].group == ""
    assert first["horizontalpodautoscalers"].version == "v2"
    assert first["resourceclaims"].version == "v1"
    assert first["podgroups"].version == "v1beta1"


def test_embedded_server_serves_exactly_the_built_in_resources() -> None:
    from kubeinformer.testing.resources import Registry

    served = {
        (r.group, r.version, r.plural, r.kind, r.namespaced, r.short_names)
        for versions in Registry().groups().values()
        for resources in versions.values()
        for r in resources
    }
    assert served == {
        (r.group, r.version, r.plural, r.kind, r.namespaced, SHORT_NAMES.get(r.group_resource, ())) for r in BUILT_IN
    }


def test_generated_code_imports_kubernetes_for_type_checkers_only() -> None:
    modules = list(generate.PACKAGE.glob("*.py"))
    assert len(modules) > 30
    for module in modules:
        tree = ast.parse(module.read_text())
        tree.body = [s for s in tree.body if not isinstance(s, ast.If) or ast.unparse(s.test) != "TYPE_CHECKING"]
        imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert [statement for statement in imports if "kubernetes" in statement] == []


def test_type_checker_sees_precise_types(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from kubeinformer import SharedInformerFactory\n"
        "def program(factory: SharedInformerFactory) -> None:\n"
        "    reveal_type(factory.core().v1().pods(namespaces=['a']).informer())\n"
        "    reveal_type(factory.core().v1().pods().lister().pods('a').get('b'))\n"
        "    reveal_type(factory.core().v1().nodes().lister().get('b'))\n"
        "    reveal_type(factory.events().v1().events().typed().informer())\n"
        "    factory.core().v1().nodes(namespaces=['a'])\n"
        "    factory.core().v1().nodes().lister().nodes('a')\n"
        "    factory.core().v1().pods().lister().get('a')\n"
    )
    output, errors, _ = mypy_api.run(["--strict", "--no-error-summary", "--no-pretty", str(program)])
    assert errors == ""
    lines = [line.partition("program.py:")[2] for line in output.splitlines()]
    revealed = {line.partition(":")[0]: line.partition('"')[2] for line in lines if "Revealed type" in line}
    assert re.fullmatch(r'[\w.]*SharedIndexInformer\[[\w.]*KubeObject\]"', revealed["3"]), output
    assert re.fullmatch(r'[\w.]*KubeObject"', revealed["4"]), output
    assert re.fullmatch(r'[\w.]*KubeObject"', revealed["5"]), output
    assert re.fullmatch(r'[\w.]*SharedIndexInformer\[[\w.]*EventsV1Event\]"', revealed["6"]), output
    wrong = [line.partition(":")[0] for line in lines if ": error:" in line]
    assert wrong == ["7", "8", "9"], output
