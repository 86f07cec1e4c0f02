"""The contract as a run reads it: operations, what they take, and where each word of it stands."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

from jsonschema.validators import extend
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from mjgate.contract.document import Document, load_document

JSON = "application/json"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
IMAGINE, CHANGE = "/mj/submit/imagine", "/mj/submit/change"
FETCH, LIST = "/mj/task/{id}/fetch", "/mj/task/list-by-condition"
KEY, USAGE = "/v1/key", "/v1/usage"
_URN = "urn:contract"
MOST_FAULTS = 50
_MOST_ITEMS = 3
"""Items of a list that are looked at for what they keep; all are looked at for what they break."""
_OF_TYPE: Mapping[str, type | tuple[type, ...]] = {
    "required": dict,
    "minLength": str,
    "maxLength": str,
    "pattern": str,
    "minimum": (int, float),
    "maximum": (int, float),
    "minItems": list,
    "maxItems": list,
}
_APPLIED = frozenset({"type", "enum", *_OF_TYPE})


@dataclass(frozen=True, slots=True)
class Fault:
    """What a value breaks: where in the value, and which word of the contract."""

    place: str
    """A JSON pointer into the value, at a missing field its own."""
    where: str
    """A JSON pointer into the contract, to the keyword."""
    keyword: str

    @property
    def steady(self) -> str:
        """The place without the numbers of items."""
        return "/".join("*" if part.isdecimal() else part for part in self.place.split("/"))


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    """`path`, `query` or `header`."""
    required: bool
    whole: bool
    """Whether its text stands for a whole number."""
    lines: bool
    """Whether a header may stand on several lines."""
    schema: str
    """A pointer to its schema."""
    where: str

    @property
    def label(self) -> str:
        return f"{self.place} {self.name}"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    schema: str | None
    """A pointer to the schema of the body; None where there is none."""
    headers: Mapping[str, str]
    """Lower case name -> pointer to the header."""
    where: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `where` points to it."""

    id: str
    method: str
    path: str
    where: str
    parameters: tuple[Parameter, ...]
    body: str | None
    """A pointer to the schema of the body; None where it takes none."""
    responses: Mapping[int, Response]
    forms: tuple[str, ...]
    """The headers that may carry the token."""

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def submits(self) -> bool:
        """Whether it may draw a picture, and cost money."""
        return self.path in (IMAGINE, CHANGE)


@dataclass(frozen=True, slots=True)
class Match:
    """What a path of a request names."""

    operations: Mapping[str, Operation]
    """By method."""
    values: Mapping[str, str]
    """Of the parameters in the path, decoded; lone bytes are surrogates."""


class Contract:
    """The contract, judged by a library that the gateway does not use."""

    def __init__(self, document: Document) -> None:
        self.spec = document.spec
        self._at: dict[str, Any] = {}
        self._home: dict[str, str] = {}
        self.version: str = document.spec["info"]["version"]
        self.operations = tuple(self._operations())
        self._registry: Registry[Any] = Registry().with_resource(
            _URN, DRAFT4.create_resource(document.spec)
        )
        self._validators: dict[str, Any] = {}
        self._by_path: dict[str, dict[str, Operation]] = {}
        for operation in self.operations:
            self._by_path.setdefault(operation.path, {})[operation.method] = operation

    @classmethod
    def load(cls) -> "Contract":
        """Raises ConfigError where the installed contract cannot be read."""
        return cls(load_document())

    @cached_property
    def task_keys(self) -> frozenset[str]:
        return frozenset(self.at("#/components/schemas/Task")["required"])

    def operation(self, path: str, method: str = "") -> Operation:
        """The operation of a template such as `/mj/task/{id}/fetch`.

        Raises:
            KeyError: there is none.
        """
        methods = self._by_path[path]
        return methods[method] if method else next(iter(methods.values()))

    def match(self, path: str) -> Match | None:
        """What a path on the wire names, percent signs and all; None for a path of none."""
        parts = [_unescaped(part) for part in path.removesuffix("/").split("/")]
        for template, operations in self._by_path.items():
            values = _filled(template.split("/"), parts)
            if values is not None:
                return Match(operations, values)
        return None

    def at(self, pointer: str) -> Any:
        """What stands at a pointer, references followed; a run asks for few, and often."""
        if pointer not in self._at:
            self._at[pointer] = self._looked_up(pointer)
        return self._at[pointer]

    def faults(self, schema: str, value: Any) -> list[Fault]:
        """What of a value the schema at a pointer refuses; of a oneOf by its discriminator.

        Where there is too much to tell, the last one stands for the rest, anywhere in the value.
        """
        found = [*islice(self._faults(schema, value, ""), MOST_FAULTS + 1)]
        if len(found) > MOST_FAULTS:
            found[-1] = replace(found[-1], place="")
        return list(dict.fromkeys(found))

    def accepts(self, schema: str, value: Any) -> bool:
        return next(self._faults(schema, value, ""), None) is None

    def applied(self, schema: str, value: Any) -> Iterator[str]:
        """Pointers to the keywords of a schema that have a say in a value."""
        schema = self.home(schema)
        node = self.at(schema)
        for branch in _branches(node):
            target = f"{schema}/{branch}"
            if self.accepts(target, value):
                yield from self.applied(target, value)
        for keyword in node:
            if keyword in _APPLIED and isinstance(value, _OF_TYPE.get(keyword, object)):
                yield f"{schema}/{keyword}"
        if isinstance(value, dict):
            for name in node.get("properties", {}):
                if name in value:
                    yield from self.applied(f"{schema}/properties/{_escaped(name)}", value[name])
        if isinstance(value, list) and "items" in node:
            for item in value[:_MOST_ITEMS]:
                yield from self.applied(f"{schema}/items", item)

    def keywords(self, schema: str) -> Iterator[str]:
        """Pointers to every keyword that a schema and what it is made of have."""
        schema = self.home(schema)
        node = self.at(schema)
        yield from (f"{schema}/{keyword}" for keyword in node if keyword in _APPLIED)
        for branch in _branches(node):
            yield from self.keywords(f"{schema}/{branch}")
        for name in node.get("properties", {}):
            yield from self.keywords(f"{schema}/properties/{_escaped(name)}")
        if "items" in node:
            yield from self.keywords(f"{schema}/items")

    def home(self, pointer: str) -> str:
        """Where what stands at a pointer is written, its references followed."""
        if pointer not in self._home:
            place = pointer
            while isinstance(node := self._plain(place), dict) and "$ref" in node:
                place = node["$ref"]
            self._home[pointer] = place
        return self._home[pointer]

    def named(self, pointer: str) -> str:
        """A pointer to a keyword for reading, such as `ImagineRequest/prompt minLength`.

        Of the schema of a parameter it is `query limit maximum`.
        """
        place, _, keyword = pointer.rpartition("/")
        if place.endswith("/schema") and "/parameters/" in place:
            parameter = self.at(place.removesuffix("/schema"))
            return f"{parameter['in']} {parameter['name']} {keyword}"
        short = place.removeprefix("#/components/schemas/").removeprefix("#/paths/")
        return f"{short.replace('/properties', '').replace('~1', '/')} {keyword}"

    def _looked_up(self, pointer: str) -> Any:
        found: Any = self.spec
        for part in pointer.removeprefix("#").split("/")[1:]:
            found = self._resolved(found)
            part = part.replace("~1", "/").replace("~0", "~")
            found = found[int(part)] if isinstance(found, list) else found[part]
        return self._resolved(found)

    def _plain(self, pointer: str) -> Any:
        """What stands at a pointer whose last part may be a reference."""
        parent, _, last = pointer.rpartition("/")
        holder = self.at(parent)
        last = last.replace("~1", "/").replace("~0", "~")
        return holder[int(last)] if isinstance(holder, list) else holder[last]

    def _faults(self, schema: str, value: Any, place: str) -> Iterator[Fault]:
        schema = self.home(schema)
        if "discriminator" in self.at(schema):
            yield from self._branch(schema, value, place)
            return
        for error in self._validator(schema).iter_errors(value):
            yield from self._told(schema, error, place)

    def _told(self, schema: str, error: Any, place: str) -> Iterator[Fault]:
        place += "".join(f"/{_escaped(str(part))}" for part in error.absolute_path)
        where = self._where(schema, error.absolute_schema_path)
        if error.validator == "required":
            # This error comes once for each missing field, and does not say which.
            missing = (name for name in error.validator_value if name not in error.instance)
            yield from (Fault(f"{place}/{_escaped(name)}", where, "required") for name in missing)
        elif error.validator == "oneOf":
            yield from self._nearest(where, error.instance, place)
        else:
            yield Fault(place, where, str(error.validator))

    def _nearest(self, where: str, value: Any, place: str) -> Iterator[Fault]:
        """What is wrong by the branch whose type a value has; else that it has none of them."""
        for number in range(len(self.at(where))):
            faults = [*self._faults(f"{where}/{number}", value, place)]
            if all(fault.keyword != "type" for fault in faults):
                yield from faults
                return
        yield Fault(place, where, "oneOf")

    def _branch(self, schema: str, value: Any, place: str) -> Iterator[Fault]:
        """Of a oneOf, the faults of the branch that its discriminator names."""
        discriminator = self.at(schema)["discriminator"]
        name, mapping = discriminator["propertyName"], discriminator["mapping"]
        first = next(iter(mapping.values()))
        if not isinstance(value, dict):
            yield Fault(place, f"{first}/type", "type")
        elif name not in value:
            yield Fault(f"{place}/{name}", f"{first}/required", "required")
            yield from self._shared(mapping.values(), value, place, name)
        elif isinstance(value[name], str) and value[name] in mapping:
            yield from self._faults(mapping[value[name]], value, place)
        else:
            keyword = "enum" if isinstance(value[name], str) else "type"
            where = self.home(f"{first}/properties/{name}")
            yield Fault(f"{place}/{name}", f"{where}/{keyword}", keyword)
            yield from self._shared(mapping.values(), value, place, name)

    def _shared(
        self, branches: Iterable[str], value: Any, place: str, name: str
    ) -> Iterator[Fault]:
        """What every branch of a oneOf refuses, beside the field that chooses between them."""
        first, *others = ([*self._faults(each, value, place)] for each in branches)
        for fault in first:
            same = fault.place, fault.keyword
            elsewhere = fault.place != f"{place}/{name}"
            if elsewhere and all(
                any(same == (x.place, x.keyword) for x in each) for each in others
            ):
                yield fault

    def _where(self, schema: str, path: Any) -> str:
        """The pointer of a path through a schema that went through references."""
        pointer = schema
        for part in path:
            pointer = f"{self.home(pointer)}/{_escaped(str(part))}"
        return pointer

    def _validator(self, schema: str) -> Any:
        found = self._validators.get(schema)
        if found is None:
            found = _Validator(self._inlined({"$ref": schema}, ()), registry=self._registry)
            self._validators[schema] = found
        return found

    def _inlined(self, node: Any, within: tuple[str, ...]) -> Any:
        """A schema with what its references lead to in their place: to follow them takes longest.

        One that leads to where it stands in stays a reference.
        """
        if isinstance(node, list):
            return [self._inlined(each, within) for each in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return {key: self._inlined(value, within) for key, value in node.items()}
        home = self.home(reference)
        if home in within:
            return {"$ref": f"{_URN}{home}"}
        return self._inlined(self.at(home), (*within, home))

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            node = self.at(node["$ref"])
        return node

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.spec["paths"].items():
            for method in METHODS:
                if method in item:
                    yield self._operation(path, method, item[method])

    def _operation(self, path: str, method: str, raw: Mapping[str, Any]) -> Operation:
        where = f"#/paths/{_escaped(path)}/{method}"
        body = f"{where}/requestBody/content/{_escaped(JSON)}/schema"
        return Operation(
            id=raw["operationId"],
            method=method.upper(),
            path=path,
            where=where,
            parameters=tuple(
                self._parameter(f"{where}/parameters/{number}")
                for number in range(len(raw.get("parameters", ())))
            ),
            body=body if "requestBody" in raw else None,
            responses={
                int(status): self._response(f"{where}/responses/{status}", int(status))
                for status in raw["responses"]
            },
            forms=tuple(self._form(name) for each in raw.get("security", ()) for name in each),
        )

    def _parameter(self, where: str) -> Parameter:
        raw = self.at(where)
        schema = f"{where}/schema"
        return Parameter(
            name=raw["name"],
            place=raw["in"],
            required=raw.get("required", False),
            whole=self.at(schema).get("type") == "integer",
            lines=raw.get("x-lines", False),
            schema=schema,
            where=where,
        )

    def _response(self, where: str, status: int) -> Response:
        where = self.home(where)
        raw = self.at(where)
        schema = f"{where}/content/{_escaped(JSON)}/schema"
        headers = {name.lower(): f"{where}/headers/{name}" for name in raw.get("headers", ())}
        return Response(status, schema if "content" in raw else None, headers, where)

    def _form(self, name: str) -> str:
        scheme = self.spec["components"]["securitySchemes"][name]
        return str(scheme["name"]) if scheme["type"] == "apiKey" else "Authorization"


def _items(validator: Any, items: Any, instance: Any, _: Any) -> Iterator[Any]:
    """`items`, where each of thousands of equal ones is looked at once."""
    good: set[tuple[type, Any]] = set()
    for index, item in enumerate(instance if isinstance(instance, list) else ()):
        key = (type(item), item) if isinstance(item, str | int | float) else None
        if key is not None and key in good:
            continue
        wrong = False
        for error in validator.descend(item, items, path=index):
            wrong = True
            yield error
        if key is not None and not wrong:
            good.add(key)


_Validator: Any = extend(OAS30Validator, {"items": _items})  # type: ignore[no-untyped-call]


def _branches(node: Mapping[str, Any]) -> Iterator[str]:
    for name in ("oneOf", "anyOf", "allOf"):
        yield from (f"{name}/{number}" for number in range(len(node.get(name, ()))))


def _filled(template: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(template) != len(parts):
        return None
    values: dict[str, str] = {}
    for wanted, part in zip(template, parts, strict=True):
        if wanted.startswith("{") and part:
            values[wanted[1:-1]] = part
        elif wanted != part:
            return None
    return values


def _unescaped(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
