"""The check of dependencies finds what must not be among them."""

from __future__ import annotations

import pytest
from dependencies import REGISTRY, is_allowed, wrong_licences, wrong_pins, wrong_sources


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0", True),
        ("MIT AND GPL-3.0", False),
        ("GPL-3.0 AND MIT OR MIT", True),
        ("(MIT OR GPL-3.0) AND Zlib", True),
        ("(MIT OR Zlib) AND GPL-3.0", False),
        ("MIT/GPL-3.0", True),
        ("GPL-3.0 / AGPL-3.0", False),
        ("Zlib WITH LLVM-exception", False),
        ("", False),
        ("MIT Zlib", False),
    ],
)
def test_licences(licence, allowed):
    assert is_allowed(licence, ["MIT", "Zlib"]) is allowed
    package = {"name": "a", "version": "1", "license": licence, "source": REGISTRY}
    assert bool(list(wrong_licences([package], ["MIT", "Zlib"]))) is not allowed


def test_sources():
    crate = {"name": "a", "version": "1", "source": REGISTRY, "checksum": "0"}
    own = {"name": "kubeinformer-core", "version": "1"}
    git = {**crate, "source": "git+https://example.org/a"}
    unknown = {"name": "b", "version": "1"}
    unchecked = {"name": "c", "version": "1", "source": REGISTRY}
    found = list(wrong_sources({"package": [crate, own, git, unknown, unchecked]}))
    assert [line.split()[0] for line in found] == ["a", "b", "c"]


def test_pins():
    text = "# all\na==1\nb[c,d]==2.0.1 ; python_version > '3'\n\ne>=1\nf\ng @ https://example.org/g.whl\n"
    assert [line.split("'")[1] for line in wrong_pins(text)] == ["e>=1", "f", "g @ https://example.org/g.whl"]
