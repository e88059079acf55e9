"""Label and field selectors, with the grammar and the errors of apimachinery.

A selector is parsed once a request into a list of requirements; a record matches iff it meets all of them. Labels:
``k``, ``!k``, ``k=v``, ``k==v``, ``k!=v``, ``k in (a,b)``, ``k notin (a,b)``, ``k>5``, ``k<5``. Fields: ``=``, ``==``,
``!=`` only, values escaped with a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kubeinformer.testing.errors import StatusError, bad_request

_TOKEN = re.compile(r"\s*(==|!=|=|!|<|>|\(|\)|,|[^\s=!<>(),]+)")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SYMBOLS = frozenset(["==", "!=", "=", "!", "<", ">", "(", ")", ","])
_END = ""


@dataclass(frozen=True)
class LabelRequirement:
    """One term of a label selector. ``operator`` is one of: exists, !, in, notin, >, <."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()
    bound: int = 0

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels meets the term."""
        value = labels.get(self.key)
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        number = _integer(value)
        if number is None:
            return False
        return number > self.bound if self.operator == ">" else number < self.bound


@dataclass(frozen=True)
class FieldRequirement:
    """One term of a field selector: the field equals the value, or does not."""

    field: str
    equal: bool
    value: str

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object with these fields meets the term; a field that is not there is the empty string."""
        return (fields.get(self.field, "") == self.value) is self.equal


def parse_label_selector(text: str) -> tuple[LabelRequirement, ...]:
    """Parse a label selector. Raises StatusError 400 for one that apimachinery refuses."""
    return _LabelParser(text).parse()


def parse_field_selector(text: str, supported: Collection[str], what: str) -> tuple[FieldRequirement, ...]:
    """Parse a field selector over the supported field labels.

    Raises StatusError 400 for bad syntax and for a field label that the resource does not support.
    """
    requirements = []
    for term in _split_unescaped(text, ","):
        if not term:
            continue
        field, equal, value = _field_term(term, text)
        if field not in supported:
            raise bad_request(
                f'Unable to find {what} that match label selector "", field selector "{text}": '
                f"field label not supported: {field}"
            )
        requirements.append(FieldRequirement(field, equal, value))
    return tuple(requirements)


class _LabelParser:
    """A recursive-descent parser over the tokens of one label selector."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._tokenize(text)
        self._position = 0

    def parse(self) -> tuple[LabelRequirement, ...]:
        requirements: list[LabelRequirement] = []
        if self._peek() == _END:
            return ()
        while True:
            requirements.append(self._requirement())
            token = self._next()
            if token == _END:
                return tuple(requirements)
            if token != ",":
                raise self._expected(token, "',' or 'end of string'")
            if self._peek() == _END:
                raise self._expected(_END, "identifier after ','")

    def _requirement(self) -> LabelRequirement:
        if self._peek() == "!":
            self._next()
            return LabelRequirement(self._key(), "!")
        key = self._key()
        if self._peek() in (_END, ","):
            return LabelRequirement(key, "exists")
        operator = self._next()
        if operator in ("in", "notin"):
            return LabelRequirement(key, operator, self._value_set())
        if operator in ("=", "=="):
            return LabelRequirement(key, "in", frozenset([self._exact_value()]))
        if operator == "!=":
            return LabelRequirement(key, "notin", frozenset([self._exact_value()]))
        if operator in (">", "<"):
            value = self._exact_value()
            bound = _integer(value)
            if bound is None:
                raise self._error(f"for 'Gt', 'Lt' operators, the value must be an integer: {value!r}")
            return LabelRequirement(key, operator, bound=bound)
        raise self._expected(operator, "in, notin, =, ==, !=, gt, lt")

    def _key(self) -> str:
        token = self._next()
        if token == _END or token in _SYMBOLS or token in ("in", "notin"):
            raise self._expected(token, "identifier")
        prefix, slash, name = token.rpartition("/")
        bad_prefix = slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix))
        if bad_prefix or len(name) > 63 or not _NAME.fullmatch(name):
            raise self._error(f"key: Invalid value: {token!r}: name part must be a qualified name")
        return token

    def _exact_value(self) -> str:
        if self._peek() in (_END, ","):
            return ""
        return self._value(self._next())

    def _value_set(self) -> frozenset[str]:
        opening = self._next()
        if opening != "(":
            raise self._expected(opening, "'('")
        values: list[str] = []
        value = ""
        while True:
            token = self._next()
            if token == _END:
                raise self._expected(_END, "',', ')' or identifier")
            if token in (",", ")"):
                values.append(value)
                value = ""
                if token == ")":
                    return frozenset(values)
            elif value:
                raise self._expected(token, "',' or ')'")
            else:
                value = self._value(token)

    def _value(self, token: str) -> str:
        if token in _SYMBOLS:
            raise self._expected(token, "identifier")
        if len(token) > 63 or not _NAME.fullmatch(token):
            raise self._error(f"values: Invalid value: {token!r}: a valid label must be an empty string or a name")
        return token

    def _tokenize(self, text: str) -> list[str]:
        tokens = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error("cannot be tokenized")
            tokens.append(match.group(1))
            position = match.end()
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else _END

    def _next(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def _expected(self, found: str, expected: str) -> StatusError:
        return self._error(f"found '{found}', expected: {expected}")

    def _error(self, why: str) -> StatusError:
        return bad_request(f"unable to parse requirement: {why}")


def _integer(value: str | None) -> int | None:
    if value is None or not re.fullmatch(r"[+-]?[0-9]+", value):
        return None
    return int(value)


def _split_unescaped(text: str, separator: str) -> list[str]:
    parts = [""]
    escaped = False
    for char in text:
        if not escaped and char == separator:
            parts.append("")
            continue
        escaped = not escaped and char == "\\"
        parts[-1] += char
    return parts


def _field_term(term: str, selector: str) -> tuple[str, bool, str]:
    position = 0
    while position < len(term):
        if term[position] == "\\":
            position += 2
            continue
        for operator in ("!=", "==", "="):
            if term.startswith(operator, position):
                value = _unescape(term[position + len(operator) :])
                return _unescape(term[:position]), operator != "!=", value
        position += 1
    raise bad_request(f"invalid selector: '{selector}'; can't understand '{term}'")


def _unescape(text: str) -> str:
    out = ""
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 1
            following = text[position : position + 1]
            if following not in ("\\", ",", "=") or not following:
                raise bad_request(f"invalid field selector: invalid escape sequence: \\{following}")
            char = following
        elif char in ",=":
            raise bad_request(f"invalid field selector: unescaped character in value: {char}")
        out += char
        position += 1
    return out
