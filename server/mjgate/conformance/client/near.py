"""Replies one step beside what the contract allows, and one step within it."""

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mjgate.conformance.client.reply import Kind
from mjgate.conformance.contract_view import Contract

NEWER = "NEWER_THAN_THE_CLIENT"
_MOST_ITEMS = 2
_NEW_KEYS = ("newer", "new-er", "class", "self", "to_dict", "")
_WRONG: tuple[Any, ...] = (7, -1, 1.5, "text", "", True, [], ["text"], {}, {"a": 1}, [[]])


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a value something stands, and what the contract says of it."""

    path: tuple[Any, ...]
    value: Any
    open: bool
    """Whether the contract says that values may be added."""
    closed: bool
    """Whether it has an enum that says all."""


@dataclass(frozen=True, slots=True)
class Near:
    name: str
    kind: Kind
    value: Any


def near(contract: Contract, schema: str, value: Any, chance: random.Random) -> Near:
    """The value with one change, by chance; `valid` where the contract allows it still."""
    spots = list(_spots(contract, schema, value))
    change = chance.choice(list(dict.fromkeys(change for change, _ in spots)))
    place = chance.choice([place for each, place in spots if each is change])
    return _changed(contract, schema, value, change, place, chance)


def near_everywhere(
    contract: Contract, schema: str, value: Any, chance: random.Random
) -> Iterator[Near]:
    """The value with each change at each place that has it, one at a time."""
    for change, place in _spots(contract, schema, value):
        yield _changed(contract, schema, value, change, place, chance)


def _spots(contract: Contract, schema: str, value: Any) -> Iterator[tuple["_Change", "Place"]]:
    for place in _places(contract, schema, value, ()):
        yield from ((change, place) for change in _CHANGES if change.fits(place))


def _changed(
    contract: Contract,
    schema: str,
    value: Any,
    change: "_Change",
    place: "Place",
    chance: random.Random,
) -> Near:
    root = [copy.deepcopy(value)]
    holder: Any = root
    *steps, key = 0, *place.path
    for step in steps:
        holder = holder[step]
    change.make(holder, key, chance)
    kind: Kind = "valid" if contract.accepts(schema, root[0]) else "odd"
    return Near(f"a valid reply with {change.name}", kind, root[0])


@dataclass(frozen=True, slots=True)
class _Change:
    name: str
    fits: Callable[[Place], bool]
    make: Callable[[Any, Any, random.Random], None]
    """Changes what stands in a holder at a key."""


def _drop(holder: Any, key: Any, _: random.Random) -> None:
    del holder[key]


def _retype(holder: Any, key: Any, chance: random.Random) -> None:
    holder[key] = chance.choice(_WRONG)


def _null(holder: Any, key: Any, _: random.Random) -> None:
    holder[key] = None


def _renew(holder: Any, key: Any, _: random.Random) -> None:
    holder[key] = NEWER


def _add(holder: Any, key: Any, chance: random.Random) -> None:
    holder[key][chance.choice(_NEW_KEYS)] = {"a": [1]}


def _anything(place: Place) -> bool:
    return True


_CHANGES = (
    _Change("a key less", lambda it: bool(it.path) and isinstance(it.path[-1], str), _drop),
    _Change("a value of another type", _anything, _retype),
    _Change("a null", _anything, _null),
    _Change("a value newer than the contract", lambda it: it.open, _renew),
    _Change("a value not of its enum", lambda it: it.closed, _renew),
    _Change("a key more", lambda it: isinstance(it.value, dict), _add),
)


def _places(contract: Contract, schema: str, value: Any, path: tuple[Any, ...]) -> Iterator[Place]:
    """Every place of a value that the contract knows, the value itself first."""
    node, home = contract.at(schema), contract.home(schema)
    yield Place(path, value, _is_open(contract, home, node), "enum" in node)
    if isinstance(value, dict):
        for name in node.get("properties", {}):
            if name in value:
                yield from _places(
                    contract, f"{home}/properties/{name}", value[name], (*path, name)
                )
    if isinstance(value, list) and "items" in node:
        for number, item in enumerate(value[:_MOST_ITEMS]):
            yield from _places(contract, f"{home}/items", item, (*path, number))


def _is_open(contract: Contract, home: str, node: Any) -> bool:
    """Whether it is an enum, or any text."""
    branches = [contract.at(f"{home}/anyOf/{each}") for each in range(len(node.get("anyOf", ())))]
    return any("enum" in each for each in branches) and any("enum" not in each for each in branches)
