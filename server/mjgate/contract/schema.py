"""A schema compiled once: the verdict by jsonschema-rs, the words by jsonschema.

Connexion reads OpenAPI 3.0 schemas as JSON Schema Draft 4 with `nullable`; so do we. Where
the two libraries disagree the value is refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import jsonschema_rs
from jsonschema import Draft4Validator
from jsonschema.validators import extend

from mjgate.contract.document import resolved
from mjgate.errors import InvalidRequest, Violation

_TYPES = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_WORDS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "maxItems": "must have at most {} items",
    "pattern": "must match {}",
}
_MOST_VIOLATIONS = 20
_MOST_WORDED_ITEMS = 1000


class Schema:
    """One schema of the contract."""

    def __init__(self, schema: Mapping[str, Any], components: Mapping[str, Any]) -> None:
        self._root = {"allOf": [_denull(schema)], "components": _denull(components)}
        self._judge = jsonschema_rs.Draft4Validator(self._root)
        self._words = _Words(self._root)

    def accepts(self, value: Any) -> bool:
        return self._judge.is_valid(value)

    def violations(self, value: Any) -> list[Violation]:
        """What is wrong with a value that was not accepted; never empty."""
        errors = self._words.iter_errors(value)
        worded = _once(violation for error in errors for violation in self._worded(error))
        return list(islice(worded, _MOST_VIOLATIONS)) or [self._bare(value)]

    def _bare(self, value: Any) -> Violation:
        """What the words have no eye for: late items of a long list, or another opinion."""
        error = next(iter(self._judge.iter_errors(value)), None)
        place = error.instance_path if error else ()
        return Violation(pointer(place), "does not have the documented form")

    def _worded(self, error: Any) -> Iterator[Violation]:
        if error.validator == "oneOf" and "discriminator" in error.schema:
            yield from self._branch(error)
        elif error.validator in ("oneOf", "anyOf"):
            choices = " or ".join(
                _described(resolved(self._root, branch)) for branch in error.validator_value
            )
            yield Violation(pointer(error.absolute_path), f"must be {choices}")
        else:
            yield from _simple(error)

    def _branch(self, error: Any) -> Iterator[Violation]:
        """Of a oneOf, the errors of the branch that the discriminator names."""
        discriminator = error.schema["discriminator"]
        name, mapping = discriminator["propertyName"], discriminator["mapping"]
        value, path = error.instance, list(error.absolute_path)
        if not isinstance(value, dict):
            yield Violation(pointer(path), f"must be an object, not {_typed(value)}")
            return
        chosen = value.get(name)
        if name not in value:
            yield Violation(pointer([*path, name]), f"is required; use {_listed(mapping)}")
        elif not isinstance(chosen, str) or chosen not in mapping:
            yield Violation(pointer([*path, name]), f"must be {_listed(mapping)}")
        else:
            branch = self._words.evolve(schema={"$ref": mapping[chosen]})
            for inner in branch.iter_errors(value):
                inner.parent = error
                yield from self._worded(inner)


def _early_items(validator: Any, schema: Any, instance: Any, _: Any) -> Iterator[Any]:
    """`items` for a bounded time: a body of megabytes may hold millions of them."""
    if isinstance(instance, list):
        for index, item in enumerate(instance[:_MOST_WORDED_ITEMS]):
            yield from validator.descend(item, schema, path=index)


_Words = extend(Draft4Validator, {"items": _early_items})  # type: ignore[no-untyped-call]


def broken(violations: Sequence[Violation]) -> InvalidRequest:
    """The refusal of a request for what is wrong in it; the first is said to a person."""
    first = violations[0]
    name = first.pointer.removeprefix("#").removeprefix("/") or "the body"
    return InvalidRequest(f"The request breaks the contract: {name} {first.message}.", violations)


def pointer(path: Any) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _denull(node: Any) -> Any:
    """`nullable` as Draft 4 says it: a list of types."""
    if isinstance(node, list):
        return [_denull(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _denull(value) for key, value in node.items() if not _is_flag(key, value)}
    if node.get("nullable") is True and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
        if "enum" in plain and None not in plain["enum"]:
            plain["enum"] = [*plain["enum"], None]
    return plain


def _is_flag(key: str, value: Any) -> bool:
    """A property may be called `nullable` too."""
    return key == "nullable" and isinstance(value, bool)


def _once(violations: Iterable[Violation]) -> Iterator[Violation]:
    """Without repetition: each missing field is told with all others that are missing."""
    seen: set[Violation] = set()
    for violation in violations:
        if violation not in seen:
            seen.add(violation)
            yield violation


def _simple(error: Any) -> Iterator[Violation]:
    path = list(error.absolute_path)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        yield from (Violation(pointer([*path, name]), "is required") for name in missing)
        return
    own = error.schema.get("x-violation") if error.validator == "pattern" else None
    yield Violation(pointer(path), own or _message(error))


def _message(error: Any) -> str:
    bound = error.validator_value
    if error.validator == "type":
        wanted = bound if isinstance(bound, list) else [bound]
        names = " or ".join(_TYPES[name] for name in wanted)
        return f"must be {names}, not {_typed(error.instance)}"
    if error.validator == "enum":
        return f"must be {_listed(bound)}"
    return _WORDS[error.validator].format(bound)


def _described(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    names = [_TYPES[name] for name in (kind if isinstance(kind, list) else [kind]) if name]
    text = " or ".join(names) or "an allowed value"
    if "maxLength" in schema:
        text += f" of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    if "maximum" in schema:
        text += f" from {schema.get('minimum', 0)} to {schema['maximum']}"
    return text


def _typed(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {dict: "an object", list: "an array", str: "a string", int: "a whole number"}
    return names.get(type(value), "a number with a fraction")


def _listed(values: Any) -> str:
    names = [str(value) for value in values]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
