"""The contract, judged by a library that the gateway does not use."""

from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

CONTRACT = Path(__file__).parents[2] / "openapi" / "mjgate.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(CONTRACT.read_text("utf-8"))
_REGISTRY: Registry[Any] = Registry().with_resource(
    "urn:contract", DRAFT4.create_resource(DOCUMENT)
)


def faults(schema: str, value: Any) -> list[str]:
    """What is wrong with a value of a schema of the components."""
    reference = {"$ref": f"urn:contract#/components/schemas/{schema}"}
    validator = OAS30Validator(reference, registry=_REGISTRY)
    return [error.message for error in validator.iter_errors(value)]
