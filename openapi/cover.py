"""Tells which values one schema gives that another does not take: for OpenAPI 3.0, fail-safe.

A request is given by the old contract and must be taken by the new one; a response is given by the
new contract and must be taken by whoever knows the old one. So one question serves both ways.
What cannot be decided counts as a gap: a keyword that is not known, a pattern, a `not`. So does
what the old schema said and the new one does not: a property that is gone, another default.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]
Document = Mapping[str, Any]

KINDS = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
FLOORS = ("minLength", "minItems", "minProperties")
CEILINGS = ("maxLength", "maxItems", "maxProperties")
EQUAL = ("pattern", "multipleOf", "not", "format")
CHOICES = ("oneOf", "anyOf")
JUDGED = frozenset(
    {"type", "nullable", "enum", "required", "properties", "additionalProperties", "items"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems", "allOf"}
    | {"default", "discriminator", *FLOORS, *CEILINGS, *EQUAL, *CHOICES}
)
SAID = frozenset({"title", "description", "example", "externalDocs", "xml", "deprecated"})


@dataclass(frozen=True)
class Gap:
    """A place in a value, as a JSON Pointer, and what is given there that is not taken."""

    pointer: str
    text: str


@dataclass(frozen=True)
class Side:
    """A schema with the document that its references point into."""

    document: Document
    schema: Schema

    def resolved(self) -> "Side":
        side = self
        while reference := side.schema.get("$ref"):
            side = side.at(target(side.document, reference))
        return side

    def at(self, schema: Schema) -> "Side":
        return Side(self.document, schema)

    def part(self, keyword: str) -> "Side":
        return self.at(self.schema[keyword])

    def get(self, keyword: str, default: Any = None) -> Any:
        return self.schema.get(keyword, default)

    @property
    def key(self) -> tuple[int, int]:
        return id(self.document), id(self.schema)


def target(document: Document, reference: str) -> Any:
    """What a reference within the document points to.

    Raises:
        KeyError: nothing is there, or it leaves the document.
    """
    found: Any = document
    if not reference.startswith("#/"):
        raise KeyError(f"{reference} leaves the document")
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def gaps(giver: Side, taker: Side, old: Document) -> list[Gap]:
    """What `giver` may give that `taker` does not take; `old` is the document of one of them.

    Raises:
        KeyError: a reference leads nowhere, or out of its document.
        NotImplementedError: the parts of an allOf say one keyword differently.
    """
    return list(dict.fromkeys(_Look(old).gaps(giver, taker, "")))


@dataclass
class _Look:
    """One comparison; pairs that are being compared already are taken as covered."""

    old: Document
    open: set[tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=set)

    def gaps(self, giver: Side, taker: Side, at: str) -> Iterator[Gap]:
        giver, taker = giver.resolved(), taker.resolved()
        pair = giver.key, taker.key
        if pair in self.open:
            return
        self.open.add(pair)
        try:
            yield from self._choice(_merged(giver), _merged(taker), at)
        finally:
            self.open.discard(pair)

    def _choice(self, giver: Side, taker: Side, at: str) -> Iterator[Gap]:
        """Every branch of the giver must be taken; of the taker's, one branch is enough."""
        if "default" in self._old(giver, taker).schema:
            yield from self._default(giver, taker, at)
        for number, branch in enumerate(_given(giver)):
            if any(choice in branch.schema for choice in CHOICES):
                yield from self.gaps(branch, taker, at)
                continue
            plain = _without_choice(taker)
            yield from self._plain(branch, plain, at)
            if plain.schema == taker.schema:
                yield from self._gone(branch, taker, at)
            for choice in [choice for choice in CHOICES if choice in taker.schema]:
                yield from self._nearest(branch, taker, choice, number, at)
        yield from _overlaps(giver, taker, at)

    def _nearest(
        self, giver: Side, taker: Side, choice: str, number: int, at: str
    ) -> Iterator[Gap]:
        """Gaps to the branch with the fewest of them; among equals, to that of the same place."""
        takers = [taker.at(schema) for schema in taker.get(choice)]
        ranked = sorted(enumerate(takers), key=lambda pair: pair[0] != number)
        yield from min((list(self.gaps(giver, taker, at)) for _, taker in ranked), key=len)

    def _old(self, giver: Side, taker: Side) -> Side:
        return giver if giver.document is self.old else taker

    def _default(self, giver: Side, taker: Side, at: str) -> Iterator[Gap]:
        old = self._old(giver, taker)
        new = taker if old is giver else giver
        if old.get("default") != new.get("default"):
            yield Gap(at, f"default was {old.get('default')!r}, is {new.get('default')!r}")

    def _gone(self, giver: Side, taker: Side, at: str) -> Iterator[Gap]:
        old = self._old(giver, taker)
        new = taker if old is giver else giver
        for name in old.get("properties", {}):
            if name not in new.get("properties", {}):
                yield Gap(f"{at}/{_escaped(name)}", "is gone")

    def _plain(self, giver: Side, taker: Side, at: str) -> Iterator[Gap]:
        if lost := _types(giver) - _types(taker):
            yield Gap(at, f"type {_words(lost)} is not taken, only {_words(_types(taker))}")
            return
        yield from _values(giver, taker, at)
        yield from _limits(giver, taker, at)
        yield from _equals(giver, taker, at)
        yield from self._object(giver, taker, at)
        yield from self._items(giver, taker, at)

    def _object(self, giver: Side, taker: Side, at: str) -> Iterator[Gap]:
        mine, theirs = giver.get("properties", {}), taker.get("properties", {})
        given = set(giver.get("required", []))
        for name in taker.get("required", []):
            if name not in given:
                yield Gap(f"{at}/{_escaped(name)}", "is required, and may be left out")
        for name in [name for name in mine if name in theirs]:
            place = f"{at}/{_escaped(name)}"
            yield from self.gaps(giver.at(mine[name]), taker.at(theirs[name]), place)
        yield from self._others(giver, taker, at)

    def _others(self, giver: Side, taker: Side, at: str) -> Iterator[Gap]:
        """What is given under names that the taker does not list."""
        taken, given = (side.get("additionalProperties", True) for side in (taker, giver))
        if taken is True or taken == {} or "object" not in _types(giver):
            return
        unlisted = giver.get("properties", {}).keys() - taker.get("properties", {}).keys()
        if taken is False:
            names = sorted(unlisted) if given is False else ["*"]
            yield from (Gap(f"{at}/{_escaped(name)}", "is not taken") for name in names)
            return
        for name in sorted(unlisted):
            place = f"{at}/{_escaped(name)}"
            yield from self.gaps(giver.at(giver.get("properties")[name]), taker.at(taken), place)
        if given is not False:
            schema = {} if given is True else given
            yield from self.gaps(giver.at(schema), taker.at(taken), f"{at}/*")

    def _items(self, giver: Side, taker: Side, at: str) -> Iterator[Gap]:
        if "array" in _types(giver) and taker.get("items"):
            yield from self.gaps(giver.at(giver.get("items", {})), taker.part("items"), f"{at}/*")


def _types(side: Side) -> frozenset[str]:
    """The types of JSON that a schema lets pass; an integer is a number too."""
    if "type" not in side.schema:
        return KINDS
    types = {side.get("type")} | ({"null"} if side.get("nullable") else set())
    return frozenset(types | ({"integer"} if "number" in types else set()))


def _values(giver: Side, taker: Side, at: str) -> Iterator[Gap]:
    if taker.get("enum") is None:
        return
    if giver.get("enum") is None:
        yield Gap(at, f"only {_words(map(str, taker.get('enum')))} are taken")
        return
    for value in giver.get("enum"):
        if value not in taker.get("enum"):
            yield Gap(at, f"the value {value!r} is not taken")


def _limits(giver: Side, taker: Side, at: str) -> Iterator[Gap]:
    for keyword in FLOORS:
        if taker.get(keyword, 0) > giver.get(keyword, 0):
            yield _narrowed(keyword, giver, taker, at)
    for keyword in CEILINGS:
        if keyword in taker.schema and taker.get(keyword) < giver.get(keyword, float("inf")):
            yield _narrowed(keyword, giver, taker, at)
    for keyword, sign in (("minimum", 1), ("maximum", -1)):
        if _edge(taker, keyword, sign) > _edge(giver, keyword, sign):
            yield _narrowed(keyword, giver, taker, at)
    if taker.get("uniqueItems") and not giver.get("uniqueItems"):
        yield Gap(at, "items must be unique")


def _edge(side: Side, keyword: str, sign: int) -> tuple[float, bool]:
    """How far a bound reaches inward; one that is itself excluded reaches further."""
    if keyword not in side.schema:
        return float("-inf"), False
    return sign * side.get(keyword), bool(side.get(f"exclusive{keyword.capitalize()}"))


def _narrowed(keyword: str, giver: Side, taker: Side, at: str) -> Gap:
    return Gap(at, f"{keyword} is {_limit(taker, keyword)}, and {_limit(giver, keyword)} is given")


def _limit(side: Side, keyword: str) -> str:
    excluded = side.get(f"exclusive{keyword.capitalize()}")
    return f"{side.get(keyword, 'none')}{' excluded' if excluded else ''}"


def _equals(giver: Side, taker: Side, at: str) -> Iterator[Gap]:
    for keyword in EQUAL:
        mine, theirs = giver.get(keyword), taker.get(keyword)
        if theirs not in (None, mine) and (mine, theirs) != ("int32", "int64"):
            yield Gap(at, f"{keyword} is {theirs!r}, and {mine!r} is given")
    for keyword in sorted(_unknown(giver) | _unknown(taker)):
        if giver.get(keyword) != taker.get(keyword):
            yield Gap(at, f"{keyword} differs, and cannot be judged")


def _unknown(side: Side) -> set[str]:
    named = {keyword for keyword in side.schema if not keyword.startswith("x-")}
    return named - JUDGED - SAID


def _merged(side: Side) -> Side:
    """A schema with its allOf written into it.

    Raises:
        NotImplementedError: two parts say one keyword differently.
    """
    if "allOf" not in side.schema:
        return side
    whole = {name: value for name, value in side.schema.items() if name != "allOf"}
    for part in side.schema["allOf"]:
        for name, value in _merged(side.at(part).resolved()).schema.items():
            whole[name] = _joined(name, whole[name], value) if name in whole else value
    return side.at(whole)


def _joined(keyword: str, one: Any, other: Any) -> Any:
    if one == other or keyword in SAID:
        return one
    if keyword == "required":
        return [*one, *(name for name in other if name not in one)]
    if keyword == "properties" and not one.keys() & other.keys():
        return one | other
    raise NotImplementedError(f"the parts of an allOf say {keyword} differently")


def _without_choice(side: Side) -> Side:
    return side.at({name: side.schema[name] for name in side.schema if name not in CHOICES})


def _given(giver: Side) -> Iterator[Side]:
    """The branches of a choice, each with what stands beside it, unless it says that itself."""
    for choice in CHOICES:
        if choice in giver.schema:
            beside = {name: value for name, value in giver.schema.items() if name != choice}
            beside.pop("default", None)
            for schema in giver.get(choice):
                yield giver.at(beside | dict(_merged(giver.at(schema).resolved()).schema))
            return
    yield giver


def _overlaps(giver: Side, taker: Side, at: str) -> Iterator[Gap]:
    """A value that two branches of a oneOf take is taken by none."""
    branches = [taker.at(schema).resolved() for schema in taker.get("oneOf", [])]
    same = giver.get("oneOf") == taker.get("oneOf")
    if not same and not taker.get("discriminator") and not _apart(branches):
        yield Gap(at, "two branches of oneOf may take one value, and then neither does")


def _apart(branches: list[Side]) -> bool:
    """Whether any two branches share no type of JSON, or list values and share none."""
    return not any(
        _types(one) & _types(other) and not _unlike(one.get("enum"), other.get("enum"))
        for number, one in enumerate(branches)
        for other in branches[:number]
    )


def _unlike(some: list[Any] | None, others: list[Any] | None) -> bool:
    return some is not None and others is not None and not any(one in others for one in some)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
