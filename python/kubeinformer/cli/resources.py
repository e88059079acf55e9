"""Which resource a name means, by kubectl's rules: the built-in ones without asking, all others by discovery.

A name is a plural, singular, kind or short name in any case, alone or with its group (`deploy.apps`) or its version and
group (`deployments.v1.apps`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from kubeinformer.cli.connection import Cluster
from kubeinformer.cli.discovery import Candidate, discover
from kubeinformer.cli.errors import USAGE, CommandError
from kubeinformer.informers.generated.resources import BUILT_IN, SHORT_NAMES
from kubeinformer.resource import Resource

_VERSION = re.compile(r"v[0-9]+((alpha|beta)[0-9]+)?")


def find(name: str, cluster: Cluster) -> Resource:
    """The resource that `name` means. Sends requests, and blocks for them, only if it is no built-in one.

    Raises:
        CommandError: there is no such resource, it cannot be watched, or the server could not be asked.
    """
    if not name or "/" in name:
        advice = "; for one object, add --field-selector metadata.name=NAME" if "/" in name else ""
        raise CommandError(f"not the name of a resource: {name!r}{advice}", USAGE)
    known = list(_built_in())
    found = _match(name, known)
    if found is None:
        served = discover(cluster)
        found = _match(name, served)
        known += served
    if found is None:
        raise CommandError(
            f'unknown resource "{name}": the server at {cluster.server} has none of that name{_advice(name, known)}',
            USAGE,
        )
    if not found.watchable:
        raise CommandError(f"{found.resource.group_resource} can be neither listed nor watched", USAGE)
    return found.resource


def _built_in() -> Iterator[Candidate]:
    for resource in BUILT_IN:
        words = (resource.plural, resource.kind.lower(), *SHORT_NAMES.get(resource.group_resource, ()))
        yield Candidate(resource, frozenset(words))


def _match(name: str, candidates: Iterable[Candidate]) -> Candidate | None:
    """The first candidate that the name fits; what could be a version is read as one before it is read as a group."""
    candidates = list(candidates)
    for word, version, group in _readings(name.lower()):
        for candidate in candidates:
            resource = candidate.resource
            if (
                word in candidate.words
                and (version is None or resource.version == version)
                and (group is None or resource.group == group)
            ):
                return candidate
    return None


def _readings(name: str) -> Iterator[tuple[str, str | None, str | None]]:
    """Word, version and group that a name may consist of; None = any."""
    word, dot, rest = name.partition(".")
    if not dot:
        yield word, None, None
        return
    first, _, group = rest.partition(".")
    if _VERSION.fullmatch(first):
        yield word, first, group
    yield word, None, rest


def _advice(name: str, candidates: Iterable[Candidate]) -> str:
    word = name.lower().partition(".")[0]
    by_word = {word: candidate.resource.group_resource for candidate in candidates for word in candidate.words}
    close = difflib.get_close_matches(word, by_word, n=3, cutoff=0.7)
    names = list(dict.fromkeys(by_word[match] for match in close))
    return f"; did you mean {' or '.join(names)}?" if names else ""
