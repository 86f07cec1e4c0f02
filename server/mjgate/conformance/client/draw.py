"""Values that the contract allows, drawn by Schemathesis: bodies of answers, bodies, parameters."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode

from mjgate.conformance.contract_view import JSON, Contract, Operation

_ALL_AT_ONCE = 500
"""Values of one component that are drawn before they come again."""
_WHOLE = "-whole"
NO_BODY: Any = object()


@dataclass(frozen=True, slots=True)
class Question:
    """What a call says: its body, or NO_BODY, and its parameters by the contract's names."""

    body: Any
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Drawing:
    """Draws the same for the same seed."""

    def __init__(self, contract: Contract, seed: int) -> None:
        self.contract = contract
        self.seed = seed
        self._document = _document(contract)
        self._drawn: dict[str, list[Any]] = {}

    def answers(self, schema: str, count: int) -> list[Any]:
        """Values that the schema at a pointer allows; many come several times."""
        return self._values(_name(self.contract, schema), count)

    def questions(self, operation: Operation, count: int) -> list[Question]:
        """Good calls of an operation, the first with all of its parameters."""
        asked: list[Any] = [{}]
        if operation.parameters:
            whole = self._values(f"{operation.id}{_WHOLE}", 1)
            asked = [*whole, *self._values(operation.id, count)]
        bodies = self.answers(operation.body, count) if operation.body else [NO_BODY]
        return [
            Question(
                bodies[number % len(bodies)],
                self._sendable(operation, asked[number % len(asked)]),
            )
            for number in range(count)
        ]

    def _sendable(self, operation: Operation, values: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with the contract's example where no header can carry what was drawn."""
        examples = {
            each.name: self.contract.at(each.where)["example"]
            for each in operation.parameters
            if each.place == "header"
        }
        return {
            name: examples[name] if name in examples and not _fits(value) else value
            for name, value in values.items()
        }

    def _values(self, name: str, count: int) -> list[Any]:
        wanted = min(count, _ALL_AT_ONCE)
        found = self._drawn.get(name, [])
        if len(found) < wanted:
            found = self._drawn[name] = _examples(self._strategy(name), wanted, self.seed)
        return [found[number % len(found)] for number in range(count)]

    def _strategy(self, name: str) -> SearchStrategy[Any]:
        cases = self._document[f"/{name}"]["POST"].as_strategy(
            generation_mode=GenerationMode.POSITIVE
        )
        return cases.map(lambda case: case.body)  # type: ignore[no-any-return]


def _document(contract: Contract) -> Any:
    """A document that takes as a body each component, and the parameters of each operation as one
    object: Schemathesis draws nothing but requests."""
    components = contract.spec["components"]
    bodies: dict[str, Any] = {
        name: {"$ref": f"#/components/schemas/{name}"} for name in components["schemas"]
    }
    for operation in contract.operations:
        bodies[operation.id] = _as_object(contract, operation, whole=False)
        bodies[f"{operation.id}{_WHOLE}"] = _as_object(contract, operation, whole=True)
    return schemathesis.openapi.from_dict(
        {
            "openapi": contract.spec["openapi"],
            "info": contract.spec["info"],
            "components": {"schemas": components["schemas"]},
            "paths": {f"/{name}": {"post": _taking(schema)} for name, schema in bodies.items()},
        }
    )


def _as_object(contract: Contract, operation: Operation, *, whole: bool) -> dict[str, Any]:
    """`whole` asks for all parameters, also for those that may be left out."""
    required = [each.name for each in operation.parameters if each.required or whole]
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": {each.name: contract.at(each.schema) for each in operation.parameters},
    }


def _taking(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
        "responses": {"200": {"description": "Taken."}},
    }


def _name(contract: Contract, schema: str) -> str:
    """The component that a pointer stands for."""
    return contract.home(schema).removeprefix("#/components/schemas/")


def _examples(strategy: SearchStrategy[Any], count: int, seed: int) -> list[Any]:
    found: list[Any] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return found


def _fits(value: Any) -> bool:
    text = str(value)
    return text.isascii() and text.isprintable() and text == text.strip() and bool(text)
