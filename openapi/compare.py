"""Names what a new contract breaks for those who built on an old one, both OpenAPI 3.0.

Broken is who sends what was right, or reads what was promised: over the wire, or by a name that
generated code bears (an operationId, a tag, a schema). Words and examples are nobody's to break.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openapi.cover import Side, gaps, target

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
NOT_MODIFIED = "304"

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Break:
    """A place in the contract and what is broken there."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def breaks(old: Node, new: Node) -> list[Break]:
    """Everything that is broken, each once.

    Raises:
        KeyError: a reference leads nowhere.
        NotImplementedError: a schema cannot be compared.
    """
    return list(dict.fromkeys(_Pair(old, new).breaks()))


@dataclass(frozen=True)
class _Pair:
    """Two whole documents; every method compares one kind of node of both."""

    old: Node
    new: Node

    def breaks(self) -> Iterator[Break]:
        yield from self._servers()
        yield from self._schemes()
        yield from self._paths("", self.old["paths"], self.new["paths"], self._operation)
        yield from self._names()

    def _servers(self) -> Iterator[Break]:
        old, new = ([server["url"] for server in _servers(one)] for one in (self.old, self.new))
        yield from _missing("servers", old, new)

    def _schemes(self) -> Iterator[Break]:
        old, new = (_components(one, "securitySchemes") for one in (self.old, self.new))
        for name in old.keys() & new.keys():
            if _bare(old[name]) != _bare(new[name]):
                yield Break(f"securitySchemes {name}", "is another")

    def _names(self) -> Iterator[Break]:
        """Schemas and values of enums have names in generated code, wherever they are used."""
        old, new = (_components(one, "schemas") for one in (self.old, self.new))
        yield from _missing("schemas", old, new)
        for name in [name for name in old if name in new]:
            values = new[name].get("enum", [])
            yield from _missing(f"schemas {name}", old[name].get("enum", []), values)

    def _paths(self, at: str, old: Node, new: Node, operation: "Comparison") -> Iterator[Break]:
        known = {_shape(path): path for path in new}
        for path, item in old.items():
            other = new.get(known.get(_shape(path), ""), {})
            for method in [method for method in METHODS if method in item]:
                place = f"{at}{method.upper()} {path}"
                if method not in other:
                    yield Break(place, "is gone")
                    continue
                both = _whole(item, method), _whole(other, method)
                yield from operation(place, *both)

    def _operation(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        for name in ("operationId", "tags"):
            if old.get(name) != new.get(name):
                yield Break(at, f"{name} was {old.get(name)!r}, is {new.get(name)!r}")
        yield from self._security(at, old, new)
        yield from self._parameters(at, old, new)
        yield from self._request(f"{at} request", old, new)
        yield from self._responses(at, old["responses"], new["responses"])
        yield from self._callbacks(at, old.get("callbacks", {}), new.get("callbacks", {}))

    def _security(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        before, now = (
            old.get("security", self.old.get("security")),
            new.get("security", self.new.get("security")),
        )
        for way in before or [{}]:
            if not any(set(one) <= set(way) for one in now or [{}]):
                yield Break(at, f"security {' and '.join(way) or 'none'} does not suffice")

    def _parameters(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        before, now = self._named(self.old, old), self._named(self.new, new)
        for key, parameter in before.items():
            place = f"{at} {' '.join(map(str, key))}"
            if key not in now:
                yield Break(place, "is gone")
            else:
                yield from self._parameter(place, parameter, now[key])
        for key, parameter in now.items():
            if key not in before and parameter.get("required"):
                yield Break(f"{at} {' '.join(map(str, key))}", "is new and required")

    def _named(self, document: Node, operation: Node) -> dict[tuple[str, Any], Node]:
        """Parameters by their place and name."""
        parameters = [_at(document, one) for one in operation["parameters"]]
        return {(one["in"], one["name"]): one for one in parameters}

    def _parameter(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        if new.get("required") and not old.get("required"):
            yield Break(at, "is required now")
        for name in ("style", "explode", "allowReserved", "content"):
            if old.get(name) != new.get(name):
                yield Break(at, f"{name} differs")
        yield from self._sent(at, old.get("schema", {}), new.get("schema", {}))

    def _request(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        before = _at(self.old, old.get("requestBody", {}))
        now = _at(self.new, new.get("requestBody", {}))
        if before and not now:
            yield Break(at, "is gone")
        if now.get("required") and not before.get("required"):
            yield Break(at, "is required now")
        yield from self._content(at, before, now, self._sent)

    def _responses(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        yield from _missing(f"{at} responses", old, new)
        for status in new:
            if status not in old and status < "4" and status != NOT_MODIFIED:
                yield Break(f"{at} {status}", "is new, and no error")
        for status in [status for status in old if status in new]:
            before, now = _at(self.old, old[status]), _at(self.new, new[status])
            yield from self._response(f"{at} {status}", before, now)

    def _response(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        yield from self._content(at, old, new, self._answered)
        yield from self._headers(at, old.get("headers", {}), new.get("headers", {}))
        for name, link in old.get("links", {}).items():
            now = new.get("links", {}).get(name, {})
            if link.get("operationId") != now.get("operationId"):
                yield Break(f"{at} link {name}", "is gone or leads elsewhere")

    def _headers(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        yield from _missing(f"{at} headers", old, new)
        for name in [name for name in old if name in new]:
            before, now = _at(self.old, old[name]), _at(self.new, new[name])
            if before.get("required") and not now.get("required"):
                yield Break(f"{at} header {name}", "may be absent now")
            yield from self._answered(f"{at} header {name}", before["schema"], now["schema"])

    def _callbacks(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        """In a callback the gateway sends and the client answers: each direction is the other."""
        yield from _missing(f"{at} callbacks", old, new)
        for name in [name for name in old if name in new]:
            before, now = _at(self.old, old[name]), _at(self.new, new[name])
            yield from self._paths(f"{at} callback ", before, now, self._callback)

    def _callback(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        before = _at(self.old, old.get("requestBody", {}))
        now = _at(self.new, new.get("requestBody", {}))
        yield from self._content(at, before, now, self._answered)
        yield from _missing(f"{at} responses", old["responses"], new["responses"])

    def _content(self, at: str, old: Node, new: Node, schemas: "Comparison") -> Iterator[Break]:
        before, now = old.get("content", {}), new.get("content", {})
        yield from _missing(f"{at} content", before, now)
        for name in [name for name in before if name in now]:
            both = (one[name].get("schema", {}) for one in (before, now))
            yield from schemas(at, *both)

    def _sent(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        """Clients send what the old contract says, and the new one must take it."""
        yield from self._gaps(at, Side(self.old, old), Side(self.new, new))

    def _answered(self, at: str, old: Node, new: Node) -> Iterator[Break]:
        """Clients read what the old contract says, and the new one must give no other."""
        yield from self._gaps(at, Side(self.new, new), Side(self.old, old))

    def _gaps(self, at: str, giver: Side, taker: Side) -> Iterator[Break]:
        for gap in gaps(giver, taker, self.old):
            yield Break(f"{at} {gap.pointer}".rstrip(), gap.text)


Comparison = Callable[[str, Node, Node], Iterator[Break]]


def _servers(document: Node) -> list[Node]:
    return document.get("servers") or [{"url": "/"}]


def _components(document: Node, kind: str) -> Node:
    return document.get("components", {}).get(kind, {})  # type: ignore[no-any-return]


def _bare(node: Node) -> Node:
    return {name: value for name, value in node.items() if name != "description"}


def _missing(at: str, old: Any, new: Any) -> Iterator[Break]:
    """What the old names, in its order, and the new does not."""
    for name in old:
        if name not in new:
            yield Break(f"{at} {name}", "is gone")


def _shape(path: str) -> str:
    """A path as it looks over the wire, where its parameters have no names."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def _whole(item: Node, method: str) -> Node:
    """An operation with the parameters that its path gives to each."""
    shared, own = item.get("parameters", []), item[method].get("parameters", [])
    return {**item[method], "parameters": [*shared, *own]}


def _at(document: Node, node: Node) -> Node:
    while "$ref" in node:
        node = target(document, node["$ref"])
    return node
