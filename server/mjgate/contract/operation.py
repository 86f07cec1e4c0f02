"""Operations of the contract, each compiled once at start.

What the compiled form does not support is refused at start, never ignored.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mjgate.contract.document import resolved
from mjgate.contract.forms import check_document, check_operation, check_schema
from mjgate.contract.parameter import Parameters, compile_parameters
from mjgate.contract.schema import Schema
from mjgate.contract.send import BODILESS
from mjgate.errors import ConfigError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
JSON = "application/json"
_NOTHING = Schema({"enum": [None]}, {})


@dataclass(frozen=True, slots=True)
class Scheme:
    """Where a key stands: a header, and what comes before the key in it."""

    header: bytes
    prefix: str
    challenge: str


@dataclass(frozen=True, slots=True)
class Operation:
    """All that a request to one operation is held to.

    `answers` are the bodies by status; where a status has none in HTTP only None will do.
    """

    id: str
    tag: str
    method: str
    path: str
    schemes: tuple[Scheme, ...]
    parameters: Parameters | None
    body: Schema | None
    answers: Mapping[int, Schema]

    @property
    def challenge(self) -> str:
        """What a 401 of it says in WWW-Authenticate."""
        return ", ".join(dict.fromkeys(scheme.challenge for scheme in self.schemes))

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(self.path.split("/"))


def compile_operations(spec: Mapping[str, Any]) -> tuple[Operation, ...]:
    """Every operation of a contract.

    Raises:
        ConfigError: the contract uses what is not supported; says where.
    """
    check_document(spec)
    operations = tuple(
        _compile(spec, path, method, raw)
        for path, item in spec["paths"].items()
        for method, raw in _methods(path, item)
    )
    _check_ids(operations)
    return operations


def _check_ids(operations: Sequence[Operation]) -> None:
    counted = Counter(operation.id for operation in operations)
    for name, count in counted.items():
        if count > 1:
            raise ConfigError(f"the contract has {count} operations with the id {name}")


def _methods(path: str, item: Mapping[str, Any]) -> list[tuple[str, Any]]:
    other = item.keys() - set(METHODS)
    if other:
        raise ConfigError(f"the contract's path {path} has {sorted(other)}: not supported")
    return list(item.items())


def _compile(spec: Mapping[str, Any], path: str, method: str, raw: Mapping[str, Any]) -> Operation:
    place = f"{method.upper()} {path}"
    components = spec.get("components", {})
    check_operation(place, raw)
    _check_segments(place, path, raw)
    return Operation(
        id=raw["operationId"],
        tag=raw["tags"][0],
        method=method.upper(),
        path=path,
        schemes=_schemes(place, raw, components.get("securitySchemes", {})),
        parameters=compile_parameters(place, raw.get("parameters", ()), components),
        body=_body(place, raw.get("requestBody"), components),
        answers={
            _status(place, status): _answer(place, status, resolved(spec, response), components)
            for status, response in raw["responses"].items()
        },
    )


def _check_segments(place: str, path: str, raw: Mapping[str, Any]) -> None:
    """Routing takes whole segments; each needs its parameter, and each parameter one."""
    braced = [segment for segment in path.split("/") if {"{", "}"} & set(segment)]
    given = raw.get("parameters", ())
    named = [f"{{{each.get('name')}}}" for each in given if each.get("in", "path") == "path"]
    if sorted(braced) != sorted(named):
        raise ConfigError(f"{place} has other parameters than its path: {named} for {braced}")


def _schemes(place: str, raw: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[Scheme, ...]:
    if not raw.get("security"):
        raise ConfigError(f"{place} has no security of its own")
    if any(len(alternative) != 1 for alternative in raw["security"]):
        raise ConfigError(f"{place} wants several schemes at once, or none: not supported")
    names = [name for alternative in raw["security"] for name in alternative]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"{place} wants the security scheme {unknown[0]}: there is none")
    return tuple(_scheme(place, known[name]) for name in names)


def _scheme(place: str, raw: Mapping[str, Any]) -> Scheme:
    if raw["type"] == "apiKey" and raw["in"] == "header":
        return Scheme(raw["name"].lower().encode(), "", f'ApiKey header="{raw["name"]}"')
    if raw["type"] == "http" and raw["scheme"].lower() == "bearer":
        return Scheme(b"authorization", "bearer ", "Bearer")
    raise ConfigError(f"{place} has a security scheme of type {raw['type']}: not supported")


def _body(
    place: str, raw: Mapping[str, Any] | None, components: Mapping[str, Any]
) -> Schema | None:
    if raw is None:
        return None
    if not raw.get("required") or list(raw["content"]) != [JSON]:
        raise ConfigError(f"{place} has a body that is optional or no {JSON}: not supported")
    return _schema(f"the body of {place}", raw["content"][JSON], components)


def _status(place: str, status: str) -> int:
    if not status.isdigit():
        raise ConfigError(f"{place} answers {status}: only exact statuses are supported")
    return int(status)


def _answer(
    place: str, status: str, raw: Mapping[str, Any], components: Mapping[str, Any]
) -> Schema:
    if int(status) in BODILESS:
        if "content" in raw:
            raise ConfigError(f"{place} answers {status} with a body: HTTP has none there")
        return _NOTHING
    if list(raw.get("content", ())) != [JSON]:
        raise ConfigError(f"{place} answers {status} without one body of {JSON}: not supported")
    return _schema(f"the {status} of {place}", raw["content"][JSON], components)


def _schema(place: str, holder: Mapping[str, Any], components: Mapping[str, Any]) -> Schema:
    check_schema(place, holder["schema"], components)
    return Schema(holder["schema"], components)
