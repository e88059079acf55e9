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
_NAME_RULE = "letters, digits, '-', '_' and '.', with a letter or digit at both ends"
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


def parse_field_selector(text: str, supported: Collection[str], *, known: bool) -> tuple[FieldRequirement, ...]:
    """Parse a field selector over the supported field labels.

    Raises StatusError 400 for bad syntax and for a field label that the resource does not support; ``known`` says
    whether the resource has field labels of its own, which decides the words.
    """
    # The syntax of all terms comes first, and the terms in alphabetical order: so a real server does, and so it says.
    terms = [_field_term(term, text) for term in sorted(_split_unescaped(text, ",")) if term]
    requirements = []
    for field, equal, value in terms:
        if field not in supported:
            if known:
                raise bad_request(f"field label not supported: {field}")
            only = ", ".join(f'"{label}"' for label in sorted(supported))
            raise bad_request(f'"{field}" is not a known field selector: only {only}')
        requirements.append(FieldRequirement(field, equal, value))
    return tuple(requirements)


class _LabelParser:
    """A recursive-descent parser over the tokens of one label selector."""

    def __init__(self, text: str) -> None:
        self._tokens = self._tokenize(text)
        self._position = 0

    def parse(self) -> tuple[LabelRequirement, ...]:
        requirements: list[LabelRequirement] = []
        if self._peek() == _END:
            return ()
        if self._peek() in _SYMBOLS - {"!"}:
            raise _expected(self._peek(), "!, identifier, or 'end of string'")
        while True:
            requirements.append(self._requirement())
            token = self._next()
            if token == _END:
                return tuple(requirements)
            if token != ",":
                raise _expected(token, "',' or 'end of string'")
            if self._peek() == _END or self._peek() in _SYMBOLS - {"!"}:
                raise _expected(self._peek(), "identifier after ','")

    def _requirement(self) -> LabelRequirement:
        if self._peek() == "!":
            self._next()
            return LabelRequirement(self._key(), "!")
        key = self._key()
        if self._peek() in (_END, ","):
            return LabelRequirement(key, "exists")
        operator = self._next()
        if operator in ("in", "notin"):
            return LabelRequirement(key, operator, self._value_set(key))
        if operator in ("=", "=="):
            return LabelRequirement(key, "in", frozenset([self._exact_value(key)]))
        if operator == "!=":
            return LabelRequirement(key, "notin", frozenset([self._exact_value(key)]))
        if operator in (">", "<"):
            value = self._exact_value(key)
            bound = _integer(value)
            if bound is None:
                why = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise _unparsable(f'values[0]: Invalid value: "{value}": {why}')
            return LabelRequirement(key, operator, bound=bound)
        raise _unexpected(operator, "in, notin, =, ==, !=, gt, lt")

    def _key(self) -> str:
        token = self._next()
        if token == _END or token in _SYMBOLS:
            raise _unexpected(token, "identifier")
        prefix, slash, name = token.rpartition("/")
        bad_prefix = slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix))
        if bad_prefix or len(name) > 63 or not _NAME.fullmatch(name):
            raise _unparsable(f'<nil>: Invalid value: "{token}": must be a name of at most 63 bytes, {_NAME_RULE}')
        return token

    def _exact_value(self, key: str) -> str:
        if self._peek() in (_END, ","):
            return ""
        return self._value(key, self._next())

    def _value_set(self, key: str) -> frozenset[str]:
        opening = self._next()
        if opening != "(":
            raise _unparsable(f"found '{opening}' expected: '('")
        values: list[str] = []
        value = ""
        while True:
            token = self._next()
            if token == _END:
                raise _unexpected(_END, "',' or ')'")
            if token in (",", ")"):
                values.append(value)
                value = ""
                if token == ")":
                    return frozenset(values)
            elif value:
                raise _unexpected(token, "',' or ')'")
            else:
                value = self._value(key, token)

    def _value(self, key: str, token: str) -> str:
        if token in _SYMBOLS:
            raise _unexpected(token, "identifier")
        if len(token) > 63 or not _NAME.fullmatch(token):
            why = f"a valid label must be an empty string or at most 63 bytes, {_NAME_RULE}"
            raise _unparsable(f'values[0][{key}]: Invalid value: "{token}": {why}')
        return token

    def _tokenize(self, text: str) -> list[str]:
        tokens = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise _unparsable("cannot be tokenized")
            tokens.append(match.group(1))
            position = match.end()
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else _END

    def _next(self) -> str:
        token = self._peek()
        self._position += 1
        return token


def _expected(found: str, expected: str) -> StatusError:
    """Between the requirements."""
    return bad_request(f"found '{found}', expected: {expected}")


def _unexpected(found: str, expected: str) -> StatusError:
    """Within a requirement."""
    return _unparsable(f"found '{found}', expected: {expected}")


def _unparsable(why: str) -> StatusError:
    return bad_request(f"unable to parse requirement: {why}")


def _integer(value: str | None) -> int | None:
    """Return a number of 64 bits; anything else is none."""
    if value is None or not re.fullmatch(r"[+-]?[0-9]+", value):
        return None
    number = int(value)
    return number if -(2**63) <= number < 2**63 else None


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
            raise bad_request(f"invalid field selector: unescaped character in value: {ord(char)}")
        out += char
        position += 1
    return out
