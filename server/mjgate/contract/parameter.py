"""Parameters of an operation: where they stand in a request, and what they may be.

Texts become values here: a whole number of the contract is an int to its handler. What the
contract does not name is left alone, however it is written.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from mjgate.contract.forms import check_parameter, check_parameters, check_schema
from mjgate.contract.headers import headers
from mjgate.contract.schema import Schema, broken
from mjgate.errors import ConfigError, InvalidRequest, Violation

_WHOLE = re.compile("-?[0-9]{1,19}")
_BAD_ESCAPE = re.compile(b"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `whole` makes its text a number, `default` None is no default.

    `lines` is that of a header which may stand on several: they are one list (RFC 9110, 5.3).
    """

    name: str
    schema: Schema
    whole: bool
    required: bool
    default: Any
    lines: bool = False

    def value(self, text: str) -> Any:
        """What a text means.

        Raises:
            InvalidRequest: the contract does not allow it.
        """
        if "\0" in text:
            raise self.refused("must not hold U+0000")
        value = self._number(text) if self.whole else text
        if not self.schema.accepts(value):
            raise self.refused(*(each.message for each in self.schema.violations(value)))
        return value

    def refused(self, *messages: str) -> InvalidRequest:
        return broken([Violation(f"#{self.name}", message) for message in messages])

    def _number(self, text: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise self.refused("must be a whole number of at most 19 digits")
        return int(text)


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters of an operation, by what finds them in a request.

    `expected` are those whose absence means something: a refusal, or a default.
    """

    path: Mapping[str, Parameter]
    query: Mapping[bytes, Parameter]
    header: Mapping[bytes, Parameter]
    expected: Sequence[Parameter]

    def read(self, scope: Scope) -> dict[str, Any]:
        """The values of a request by name; optional ones that were not given are left out.

        Raises:
            InvalidRequest: one is missing, stands twice, or is not what the contract allows.
        """
        found = {}
        for name, parameter in self.path.items():
            found[name] = parameter.value(scope["path_params"][name])
        if self.query:
            self._read_query(scope["query_string"], found)
        for header, parameter in self.header.items():
            if header in headers(scope):
                found[parameter.name] = parameter.value(_header_text(scope, header, parameter))
        for parameter in self.expected:
            if parameter.name not in found:
                found[parameter.name] = _default(parameter)
        return found

    def _read_query(self, query: bytes, found: dict[str, Any]) -> None:
        for piece in query.split(b"&"):
            name, _, text = piece.partition(b"=")
            parameter = self.query.get(_unescaped(name))
            if parameter is None:
                continue
            if parameter.name in found:
                raise parameter.refused("must be given once")
            found[parameter.name] = parameter.value(_query_text(text, parameter))


def compile_parameters(
    place: str, raw: Sequence[Mapping[str, Any]], components: Mapping[str, Any]
) -> Parameters | None:
    """The parameters of an operation, None for none.

    Raises:
        ConfigError: the contract uses what is not supported; says where.
    """
    check_parameters(place, raw)
    compiled = [(each["in"], _compile(place, each, components)) for each in raw]
    if not compiled:
        return None
    return Parameters(
        path={each.name: each for each in _standing("path", compiled)},
        query={each.name.encode(): each for each in _standing("query", compiled)},
        header={each.name.lower().encode(): each for each in _standing("header", compiled)},
        expected=tuple(
            each
            for where, each in compiled
            if where != "path" and (each.required or each.default is not None)
        ),
    )


def _standing(where: str, compiled: Sequence[tuple[str, Parameter]]) -> Iterator[Parameter]:
    return (parameter for place, parameter in compiled if place == where)


def _compile(place: str, raw: Mapping[str, Any], components: Mapping[str, Any]) -> Parameter:
    place = f"{place} {raw['name']}"
    check_schema(place, raw["schema"], components)
    meant = check_parameter(place, raw, components)
    schema = Schema(raw["schema"], components)
    default = meant.get("default")
    if default is not None and not schema.accepts(default):
        raise ConfigError(f"{place} has the default {default!r}, which its own schema refuses")
    return Parameter(
        raw["name"],
        schema,
        meant["type"] == "integer",
        raw.get("required", False),
        default,
        raw.get("x-lines", False),
    )


def _default(parameter: Parameter) -> Any:
    if parameter.required:
        raise parameter.refused("is required")
    return parameter.default


def _header_text(scope: Scope, header: bytes, parameter: Parameter) -> str:
    texts = [text for name, text in scope["headers"] if name == header]
    if len(texts) > 1 and not parameter.lines:
        raise parameter.refused("must be given once")
    return b", ".join(texts).decode("latin-1")


def _query_text(text: bytes, parameter: Parameter) -> str:
    if _BAD_ESCAPE.search(text):
        raise parameter.refused("must have two hexadecimal digits after each %")
    try:
        return _unescaped(text).decode()
    except UnicodeDecodeError:
        raise parameter.refused("must be UTF-8") from None


def _unescaped(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
