"""Content negotiation: which of the media types that a client accepts the answer has.

The first acceptable clause of the Accept header wins. A type that only a real server can produce (Table, protobuf,
YAML) is passed over for the next clause, and alone it is refused with 501; what no server produces is refused with 406.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kubeinformer.testing.errors import not_acceptable, not_implemented

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = (JSON, YAML, PROTOBUF)
STREAMED = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")
_PEOPLES_PROGRAMS = ("curl", "Wget", "Mozilla/5.0")
_ANY = ("*/*", "application/*", JSON)
_PARTIAL = {"g": "meta.k8s.io", "v": "v1"}


class Form(Enum):
    """The form of an answer."""

    FULL = "full"
    PARTIAL_OBJECT = "PartialObjectMetadata"
    PARTIAL_LIST = "PartialObjectMetadataList"


@dataclass(frozen=True)
class _Clause:
    media_type: str
    params: dict[str, str]
    quality: float


def parse_accept(header: str) -> list[_Clause]:
    """Return the clauses of an Accept header, best first."""
    clauses = []
    for text in header.split(","):
        media_type, *raw = (part.strip() for part in text.split(";"))
        params = dict(part.split("=", 1) for part in raw if "=" in part)
        if media_type:
            clauses.append(_Clause(media_type.lower(), params, _quality(params.pop("q", "1"))))
    return sorted(clauses, key=lambda clause: -clause.quality)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def negotiate(header: str, *, custom: bool, watch: bool) -> Form:
    """Return the form that the answer about a resource has.

    Raises StatusError 406 for what a real server refuses (protobuf for a ``custom`` resource, YAML for a ``watch``) and
    501 for what this one leaves out, each unless another clause can be met.
    """
    beyond = ""
    meant = _ANY if custom else ("*/*", JSON)  # Before built-in resources is a router that knows no application/*.
    for clause in parse_accept(header) or [_Clause("*/*", {}, 1.0)]:
        form = clause.params.get("as", "")
        if clause.media_type in meant and not form:
            return Form.FULL
        if clause.media_type in meant and _is_partial(clause):
            return Form(form)
        if clause.media_type == YAML and watch:
            # The type is found before it turns out that there is no stream of it: later clauses do not count.
            raise not_acceptable(STREAMED)
        if clause.media_type == PROTOBUF and custom:
            continue
        if form == "Table" or clause.media_type in ACCEPTED[1:]:
            beyond = beyond or (form or clause.media_type)
    if beyond:
        raise not_implemented(f"answers as {beyond}")
    raise not_acceptable(ACCEPTED)


def wants_pretty(header: str, pretty: str | None) -> bool:
    """Whether JSON is to be indented: ``?pretty`` says so, or else the User-Agent is that of a person's program."""
    if pretty is not None:
        return pretty.lower() not in ("", "0", "false")
    return header.startswith(_PEOPLES_PROGRAMS)


def _is_partial(clause: _Clause) -> bool:
    if clause.params.get("as") not in (Form.PARTIAL_OBJECT.value, Form.PARTIAL_LIST.value):
        return False
    return all(clause.params.get(name) == value for name, value in _PARTIAL.items())


def wants_aggregated_discovery(header: str, *, offered: bool) -> bool:
    """Whether the client asks for APIGroupDiscoveryList v2 before a type that plain discovery has.

    Raises StatusError 406 when it accepts neither. ``offered`` says whether the path has the aggregated form at all.
    """
    for clause in parse_accept(header) or [_Clause("*/*", {}, 1.0)]:
        if clause.media_type not in _ANY:
            continue
        params = clause.params
        if params.get("as") == "APIGroupDiscoveryList":
            if offered and params.get("g") == "apidiscovery.k8s.io" and params.get("v") == "v2":
                return True
        elif not params.get("as"):
            return False
    raise not_acceptable(ACCEPTED)


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header offers gzip."""
    for text in header.split(","):
        coding, *params = (part.strip().lower() for part in text.split(";"))
        if coding == "gzip" and not any(_is_zero(param) for param in params):
            return True
    return False


def _is_zero(param: str) -> bool:
    name, _, value = param.partition("=")
    return name.strip() == "q" and _quality(value) == 0.0
