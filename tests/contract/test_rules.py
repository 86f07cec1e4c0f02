"""The contract keeps openapi/rules.yaml, and each of those rules can be broken.

Every rule has at least one break: a smallest change of the contract that this rule, and no
other, finds. All broken contracts are linted in one run of Spectral, since a run costs a second.
"""

import json
import subprocess
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OPENAPI = ROOT / "openapi"
SPECTRAL = ROOT / ".tools" / "bin" / "spectral"
CONTRACT = OPENAPI / "mjgate.yaml"
RULES = OPENAPI / "rules.yaml"

Document = dict[str, Any]
Findings = dict[str, set[str]]


@dataclass(frozen=True)
class Break:
    """A change of the contract, with the rule it breaks and those of spectral:oas it must break."""

    rule: str
    also: frozenset[str]
    change: Callable[[Document], object]

    @property
    def name(self) -> str:
        return self.change.__name__


BREAKS: list[Break] = []

Change = Callable[[Document], object]


def breaks(rule: str, *also: str) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        BREAKS.append(Break(rule, frozenset(also), change))
        return change

    return register


@cache
def contract() -> Document:
    """The contract with nothing shared, so that a change behind one YAML alias stays behind it.

    It comes without examples: to check them takes longer than all other rules together.
    """
    loaded: Document = without_examples(yaml.safe_load(CONTRACT.read_text()))
    return loaded


def without_examples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_examples(part) for name, part in value.items() if name != "examples"}
    return [without_examples(part) for part in value] if isinstance(value, list) else value


def imagine(document: Document) -> Document:
    found: Document = document["paths"]["/mj/submit/imagine"]["post"]
    return found


def fetch(document: Document) -> Document:
    found: Document = document["paths"]["/mj/task/{id}/fetch"]["get"]
    return found


def schemas(document: Document) -> Document:
    found: Document = document["components"]["schemas"]
    return found


def request_field(document: Document, schema: Document) -> None:
    schemas(document)["ImagineRequest"]["properties"]["added"] = schema


def response_field(document: Document, schema: Document) -> None:
    schemas(document)["SubmitProperties"]["properties"]["added"] = schema


def name_schema(document: Document, schema: Document) -> None:
    schemas(document)["Added"] = schema
    request_field(document, {"$ref": "#/components/schemas/Added"})


# The document


@breaks("openapi-3-0", "typed-enum")
def openapi_is_3_1(document: Document) -> None:
    document["openapi"] = "3.1.0"


@breaks("no-template-markers")
def a_text_holds_an_expression(document: Document) -> None:
    document["info"]["description"] += "{{ host }}"


@breaks("no-template-markers")
def a_text_holds_a_statement(document: Document) -> None:
    document["info"]["description"] += "{% if host %}"


@breaks("no-template-markers")
def a_text_holds_a_template_comment(document: Document) -> None:
    document["info"]["description"] += "{# host #}"


@breaks("one-file")
def a_reference_leaves_the_file(document: Document) -> None:
    request_field(document, {"$ref": "contract.json#/components/schemas/State"})


@breaks("no-server-extensions")
def a_security_scheme_names_a_function(document: Document) -> None:
    document["components"]["securitySchemes"]["secret"]["x-apikeyInfoFunc"] = "mjgate.security"


@breaks("no-server-extensions")
def an_operation_names_a_module(document: Document) -> None:
    imagine(document)["x-openapi-router-controller"] = "mjgate.handlers.tasks"


@breaks("no-root-security")
def security_stands_at_the_root(document: Document) -> None:
    document["security"] = [{"secret": []}]


@breaks("oas3-unused-component")
def a_component_is_not_used(document: Document) -> None:
    schemas(document)["Added"] = {"type": "string"}


@breaks("oas3-valid-media-example")
def an_example_is_not_true(document: Document) -> None:
    body = imagine(document)["requestBody"]["content"]["application/json"]
    body["examples"] = {"added": {"value": {"prompt": 7}}}


@breaks("oas3-valid-schema-example")
def an_example_of_a_schema_is_not_true(document: Document) -> None:
    schemas(document)["State"]["example"] = 7


# Operations


@breaks("operation-operationId-unique")
def two_operations_have_one_id(document: Document) -> None:
    document["paths"]["/mj/submit/change"]["post"]["operationId"] = "submit_imagine"
    del imagine(document)["responses"]["200"]["links"]["ChangeTask"]
    del document["paths"]["/mj/submit/change"]["post"]["responses"]["200"]["links"]["ChangeTask"]


@breaks("operation-one-tag", "operation-singular-tag")
def an_operation_has_two_tags(document: Document) -> None:
    document["tags"] = [*document["tags"], {"name": "uploads", "description": "Added."}]
    fetch(document)["tags"].append("uploads")


@breaks("operation-one-tag", "operation-tags")
def an_operation_has_no_tag(document: Document) -> None:
    del fetch(document)["tags"]


@breaks("operation-id-snake-case")
def an_operation_id_is_in_camel_case(document: Document) -> None:
    operation = document["paths"]["/mj/task/list-by-condition"]["post"]
    operation["operationId"] = "listTasks"
    for path in ("imagine", "change"):
        submit = document["paths"][f"/mj/submit/{path}"]["post"]
        submit["responses"]["200"]["links"]["ListTask"]["operationId"] = "listTasks"


@breaks("operation-security")
def an_operation_has_no_security(document: Document) -> None:
    del fetch(document)["security"]


@breaks("operation-security")
def an_operation_lets_everyone_in(document: Document) -> None:
    fetch(document)["security"].append({})


@breaks("operation-statuses")
def an_operation_declares_no_503(document: Document) -> None:
    del fetch(document)["responses"]["503"]


@breaks("body-statuses")
def an_operation_with_a_body_declares_no_415(document: Document) -> None:
    del imagine(document)["responses"]["415"]


@breaks("no-default-response")
def an_operation_has_a_default_response(document: Document) -> None:
    responses = fetch(document)["responses"]
    responses["default"] = {"$ref": "#/components/responses/Fault"}


@breaks("no-status-ranges")
def an_operation_has_a_range_of_statuses(document: Document) -> None:
    responses = fetch(document)["responses"]
    responses["5XX"] = {"$ref": "#/components/responses/Fault"}


@breaks("request-json")
def a_request_has_two_media_types(document: Document) -> None:
    content = imagine(document)["requestBody"]["content"]
    content["text/plain"] = content["application/json"]


@breaks("request-json")
def a_request_is_anything(document: Document) -> None:
    content = imagine(document)["requestBody"]["content"]
    content["*/*"] = content.pop("application/json")


@breaks("request-schema-named")
def a_request_has_a_schema_without_a_name(document: Document) -> None:
    imagine(document)["requestBody"]["content"]["application/json"] = {"schema": {}}
    unused = ("ImagineRequest", "Prompt")
    for name in unused:
        del schemas(document)[name]


# Responses


@breaks("response-content")
def a_response_has_no_content(document: Document) -> None:
    del imagine(document)["responses"]["201"]["content"]


@breaks("not-modified-bare")
def a_304_has_a_body(document: Document) -> None:
    responses = fetch(document)["responses"]
    responses["304"]["content"] = responses["200"]["content"]


@breaks("not-modified-bare")
def a_304_has_no_tag(document: Document) -> None:
    del fetch(document)["responses"]["304"]["headers"]["ETag"]


@breaks("response-json")
def a_response_has_two_media_types(document: Document) -> None:
    content = fetch(document)["responses"]["200"]["content"]
    content["text/plain"] = content["application/json"]


@breaks("response-json")
def a_response_is_anything(document: Document) -> None:
    content = document["components"]["responses"]["Fault"]["content"]
    content["*/*"] = content.pop("application/json")


@breaks("response-schema-named")
def a_response_has_a_schema_without_a_name(document: Document) -> None:
    list_tasks = document["paths"]["/mj/task/list-by-condition"]["post"]
    content = list_tasks["responses"]["200"]["content"]["application/json"]
    content["schema"] = schemas(document).pop("TaskList")


@breaks("response-request-id")
def a_response_carries_no_request_id(document: Document) -> None:
    del fetch(document)["responses"]["200"]["headers"]


@breaks("response-request-id")
def an_error_carries_no_request_id(document: Document) -> None:
    del document["components"]["responses"]["Unauthorized"]["headers"]["X-Request-Id"]


@breaks("error-schema")
def an_error_has_a_shape_of_its_own(document: Document) -> None:
    content = document["components"]["responses"]["Fault"]["content"]["application/json"]
    content["schema"] = {"$ref": "#/components/schemas/SubmitResult"}


@breaks("unauthorized-challenge")
def a_401_carries_no_challenge(document: Document) -> None:
    headers = document["components"]["responses"]["Unauthorized"]["headers"]
    headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    del headers["WWW-Authenticate"]
    del document["components"]["headers"]["WwwAuthenticate"]


@breaks("retry-after")
def a_503_does_not_say_when_to_retry(document: Document) -> None:
    del document["components"]["responses"]["Unavailable"]["headers"]["Retry-After"]


# Links and callbacks


@breaks("link-operation")
def a_link_leads_nowhere(document: Document) -> None:
    links = imagine(document)["responses"]["200"]["links"]
    links["ChangeTask"]["operationId"] = "nothing"


@breaks("link-operation")
def a_link_fills_a_parameter_that_does_not_exist(document: Document) -> None:
    links = imagine(document)["responses"]["200"]["links"]
    links["FetchTask"]["parameters"]["taskId"] = "$response.body#/result"


@breaks("submit-link")
def a_submit_has_no_link_to_fetch(document: Document) -> None:
    del imagine(document)["responses"]["200"]["links"]["FetchTask"]


@breaks("submit-callback")
def a_submit_has_no_callback(document: Document) -> None:
    del imagine(document)["callbacks"]


@breaks("callback-task")
def a_callback_sends_something_else(document: Document) -> None:
    (callback,) = imagine(document)["callbacks"]["taskChanged"].values()
    body = callback["post"]["requestBody"]["content"]["application/json"]
    body["schema"] = {"$ref": "#/components/schemas/TaskList"}


# Schemas


@breaks("draft-4-only", "oas3-schema")
def a_schema_has_a_const(document: Document) -> None:
    request_field(document, {"type": "string", "const": "fast"})


@breaks("draft-4-only", "oas3-schema")
def a_schema_has_a_condition(document: Document) -> None:
    reroll = schemas(document)["Reroll"]
    reroll["if"] = {"required": ["index"]}
    reroll["then"] = {"required": ["state"]}


@breaks("draft-4-only", "oas3-schema")
def a_bound_is_excluded_by_a_number(document: Document) -> None:
    request_field(document, {"type": "number", "exclusiveMinimum": 0})


@breaks("draft-4-only", "oas3-schema")
def a_list_contains_something(document: Document) -> None:
    strings = {"type": "string"}
    request_field(document, {"type": "array", "items": strings, "contains": strings})


@breaks("draft-4-only", "oas3-schema")
def field_names_have_a_pattern(document: Document) -> None:
    schemas(document)["Reroll"]["patternProperties"] = {"^a": {"type": "string"}}


@breaks("draft-4-only", "oas3-schema")
def field_names_have_a_schema(document: Document) -> None:
    schemas(document)["Reroll"]["propertyNames"] = {"maxLength": 64}


@breaks("draft-4-only", "oas3-schema")
def a_schema_has_two_types(document: Document) -> None:
    request_field(document, {"type": ["string", "boolean"]})


@breaks("integer-bounds")
def an_integer_has_no_maximum(document: Document) -> None:
    del schemas(document)["UpscaleOrVary"]["properties"]["index"]["maximum"]


@breaks("integer-bounds")
def an_integer_in_a_header_has_no_minimum(document: Document) -> None:
    del document["components"]["headers"]["RetryAfter"]["schema"]["minimum"]


@breaks("integer-bounds")
def an_integer_may_be_larger_than_its_format(document: Document) -> None:
    schemas(document)["SubmitResult"]["properties"]["code"]["maximum"] = 2147483648


@breaks("format-known")
def an_address_has_a_format(document: Document) -> None:
    response_field(document, {"type": "string", "format": "uri"})


@breaks("format-known")
def a_time_has_a_format(document: Document) -> None:
    response_field(document, {"type": "string", "format": "date-time"})


@breaks("no-multiple-of")
def a_number_is_a_multiple(document: Document) -> None:
    request_field(document, {"type": "number", "multipleOf": 0.01})


@breaks("pattern-ascii")
def a_pattern_has_a_class_of_spaces(document: Document) -> None:
    request_field(document, {"type": "string", "pattern": r"[^\s]"})


@breaks("pattern-ascii")
def a_pattern_has_a_class_of_digits(document: Document) -> None:
    request_field(document, {"type": "string", "pattern": r"^\d"})


@breaks("pattern-ascii")
def a_pattern_has_a_class_of_word_characters(document: Document) -> None:
    request_field(document, {"type": "string", "pattern": r"^\w"})


@breaks("pattern-ascii")
def a_pattern_has_a_word_boundary(document: Document) -> None:
    request_field(document, {"type": "string", "pattern": r"cat\b"})


@breaks("pattern-ascii")
def a_pattern_has_a_unicode_property(document: Document) -> None:
    request_field(document, {"type": "string", "pattern": r"^\p{L}"})


@breaks("pattern-ascii")
def a_pattern_looks_ahead(document: Document) -> None:
    request_field(document, {"type": "string", "pattern": "^(?!a)b"})


@breaks("pattern-ascii")
def a_pattern_looks_behind(document: Document) -> None:
    request_field(document, {"type": "string", "pattern": "(?<=a)b"})


@breaks("pattern-ascii")
def a_pattern_holds_a_letter_outside_ascii(document: Document) -> None:
    request_field(document, {"type": "string", "pattern": "^é"})


@breaks("pattern-end")
def a_pattern_ends_before_a_last_newline(document: Document) -> None:
    request_field(document, {"type": "string", "pattern": "^[0-9]+$"})


@breaks("pattern-end")
def a_pattern_in_a_query_ends_before_a_last_newline(document: Document) -> None:
    limit = document["paths"]["/v1/usage"]["get"]["parameters"][-1]
    limit["schema"] = {"type": "string", "pattern": "^[0-9]+$"}


@breaks("object-named")
def an_object_has_no_name(document: Document) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    request_field(document, schema)


@breaks("object-named")
def a_free_object_has_no_name(document: Document) -> None:
    response_field(document, {"type": "array", "items": {"type": "object"}})


@breaks("enum-named")
def an_enum_has_no_name(document: Document) -> None:
    request_field(document, {"type": "string", "enum": ["fast", "relax"]})


@breaks("nullable-enum")
def a_nullable_enum_lists_null(document: Document) -> None:
    name_schema(document, {"type": "string", "nullable": True, "enum": ["fast", None]})


@breaks("nullable-enum")
def a_nullable_enum_does_not_list_null(document: Document) -> None:
    name_schema(document, {"type": "string", "nullable": True, "enum": ["fast"]})


@breaks("nullable-beside-type")
def nullable_stands_beside_a_reference(document: Document) -> None:
    state = {"$ref": "#/components/schemas/State"}
    name_schema(document, {"nullable": True, "allOf": [state]})


@breaks("nullable-beside-type")
def nullable_stands_beside_a_choice(document: Document) -> None:
    request_field(document, {"nullable": True, "anyOf": [{"$ref": "#/components/schemas/TaskRef"}]})


@breaks("no-choice-beside-properties")
def a_choice_only_requires(document: Document) -> None:
    schemas(document)["UpscaleOrVary"]["anyOf"] = [{"required": ["index"]}]


@breaks("no-closed-object")
def a_request_refuses_unknown_fields(document: Document) -> None:
    schemas(document)["ImagineRequest"]["additionalProperties"] = False


@breaks("no-closed-object")
def a_response_refuses_new_fields(document: Document) -> None:
    schemas(document)["Violation"]["additionalProperties"] = False


@breaks("response-enum-open")
def a_response_refers_to_an_enum_alone(document: Document) -> None:
    schemas(document)["Task"]["properties"]["status"] = {"$ref": "#/components/schemas/TaskStatus"}


@breaks("response-enum-open")
def an_enum_of_a_response_stands_beside_null_alone(document: Document) -> None:
    null = {"type": "string", "nullable": True, "enum": [None]}
    choice = {"oneOf": [{"$ref": "#/components/schemas/TaskStatus"}, null]}
    response_field(document, choice)


@breaks("request-enum-closed")
def an_enum_of_a_request_takes_any_text(document: Document) -> None:
    choice = [{"$ref": "#/components/schemas/SheetAction"}, {"type": "string"}]
    schemas(document)["UpscaleOrVary"]["properties"]["added"] = {"anyOf": choice}


@breaks("discriminator-mapping")
def a_mapping_leaves_a_value_out(document: Document) -> None:
    del schemas(document)["ChangeRequest"]["discriminator"]["mapping"]["VARIATION"]


@breaks("discriminator-mapping")
def a_mapping_sends_a_value_to_the_wrong_branch(document: Document) -> None:
    mapping = schemas(document)["ChangeRequest"]["discriminator"]["mapping"]
    mapping["REROLL"] = mapping["UPSCALE"]


@breaks("discriminator-mapping")
def a_mapping_names_a_value_that_no_branch_takes(document: Document) -> None:
    mapping = schemas(document)["ChangeRequest"]["discriminator"]["mapping"]
    mapping["BLEND"] = mapping["REROLL"]


@breaks("discriminator-mapping")
def a_branch_does_not_require_the_discriminator(document: Document) -> None:
    schemas(document)["Reroll"]["required"] = ["taskId"]


# The tests


def lint(*files: Path) -> Findings:
    """Which rules each file breaks, by the file's stem."""
    assert SPECTRAL.exists(), f"{SPECTRAL} is missing: run `make tools`"
    options = ["--format", "json", "--quiet", "--fail-severity", "warn", "--ruleset", str(RULES)]
    run = subprocess.run(
        [SPECTRAL, "lint", *options, *files], capture_output=True, text=True, timeout=100
    )
    assert run.returncode in (0, 1), run.stderr
    findings: Findings = {file.stem: set() for file in files}
    for finding in json.loads(run.stdout):
        findings[Path(finding["source"]).stem].add(finding["code"])
    return findings


def write_broken(folder: Path, broken: Break) -> Path:
    document = deepcopy(contract())
    broken.change(document)
    path = folder / f"{broken.name}.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = tmp_path_factory.mktemp("broken")
    (folder / "contract.json").write_text(json.dumps(contract()))
    return lint(*(write_broken(folder, broken) for broken in BREAKS))


def rules_in_force() -> dict[str, Any]:
    rules = yaml.safe_load(RULES.read_text())["rules"]
    return {name: rule for name, rule in rules.items() if rule not in (False, "off")}


def test_the_contract_keeps_every_rule() -> None:
    assert {"mjgate": set()} == lint(CONTRACT)


def test_every_rule_has_a_break() -> None:
    assert set(rules_in_force()) == {broken.rule for broken in BREAKS}


def test_every_break_has_a_name_of_its_own() -> None:
    assert len(BREAKS) == len({broken.name for broken in BREAKS})


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_a_break_is_found_by_its_rule_and_no_other(broken: Break, findings: Findings) -> None:
    assert {broken.rule, *broken.also} == findings[broken.name]


def test_a_template_marker_is_found_in_a_comment(tmp_path: Path) -> None:
    commented = tmp_path / "commented.yaml"
    commented.write_text(CONTRACT.read_text() + "# {{ host }}\n")
    assert {"commented": {"no-template-markers"}} == lint(commented)


def test_every_rule_of_ours_says_why_and_what_to_do_instead() -> None:
    ours = [rule for rule in rules_in_force().values() if isinstance(rule, dict)]
    silent = [rule for rule in ours if not (rule.get("message") and rule.get("description"))]
    assert not silent


def test_the_pins_of_the_tools_name_no_address() -> None:
    assert "://" not in (OPENAPI / "package-lock.json").read_text()
