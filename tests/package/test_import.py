"""What `import kubeinformer` brings with it, and that names which are imported later are there all the same.

Modules are counted here, not milliseconds: a program that only imports must not pay for a server, a command line or
the models of every resource.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

PACKAGES = ["kubeinformer", "kubeinformer.cache", "kubeinformer.informers", "kubeinformer.workqueue"]
MODULES = {"cache", "index", "transform", "workqueue"}

LATER = [
    "kubeinformer.cache.deltas",
    "kubeinformer.cache.expiration_cache",
    "kubeinformer.cache.list_watch",
    "kubeinformer.cache.mutation_cache",
    "kubeinformer.cache.new_informers",
    "kubeinformer.cache.pager",
    "kubeinformer.cache.reflector_store",
    "kubeinformer.cache.status",
    "kubeinformer.cache.undelta_store",
    "kubeinformer.cli",
    "kubeinformer.informers.dynamic",
    "kubeinformer.informers.metadata",
    "kubeinformer.metrics",
    "kubeinformer.testing",
    "kubeinformer.workqueue",
]


def in_a_new_process(program: str) -> list[str]:
    """The list that the program prints as JSON."""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    names: list[str] = json.loads(done.stdout)
    return names


@pytest.fixture(scope="module")
def imported() -> list[str]:
    """The modules that `import kubeinformer` adds to those of `import kubernetes`."""
    return in_a_new_process(
        "import json, sys, kubernetes; before = set(sys.modules)\n"
        "import kubeinformer; print(json.dumps(sorted(set(sys.modules) - before)))"
    )


def test_nothing_is_imported_that_kubernetes_has_not_but_the_json_decoder(imported: list[str]) -> None:
    assert {module.partition(".")[0] for module in imported} == {"kubeinformer", "orjson"}


@pytest.mark.parametrize("module", LATER)
def test_what_few_programs_use_is_imported_later(imported: list[str], module: str) -> None:
    assert module not in imported
    assert importlib.util.find_spec(module) is not None


def test_no_group_of_resources_is_imported(imported: list[str]) -> None:
    generated = [module for module in imported if module.startswith("kubeinformer.informers.generated.")]
    assert generated == ["kubeinformer.informers.generated.groups"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_listed_before_it_is_imported_and_is_there(package: str) -> None:
    program = f"import json, {package} as package; print(json.dumps([dir(package), package.__all__]))"
    listed, public = in_a_new_process(program)
    assert set(public) <= set(listed)
    everything: dict[str, object] = {}
    exec(f"from {package} import *", everything)
    assert set(public) <= set(everything)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_takes_the_place_of_a_name_when_it_is_imported(package: str) -> None:
    program = (
        f"import importlib, json, pkgutil, types, {package} as package\n"
        "for found in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "print(json.dumps([it for it in package.__all__ if isinstance(getattr(package, it), types.ModuleType)]))"
    )
    # Those of `kubeinformer` are modules on purpose.
    assert set(in_a_new_process(program)) <= (MODULES if package == "kubeinformer" else set())


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_missing_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = importlib.import_module(package).nothing
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec(f"from {package} import nothing")


def test_a_name_is_imported_once() -> None:
    cache = importlib.import_module("kubeinformer.cache")
    first = cache.MutationCache
    assert vars(cache)["MutationCache"] is first
    assert first is importlib.import_module("kubeinformer.cache.mutation_cache").MutationCache
