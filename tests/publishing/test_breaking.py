"""A change of the contract that breaks somebody is named, one that breaks nobody is not.

Each entry is the smallest change of its kind, made to the contract as it stands. What cannot be
compared is never called unbroken.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from openapi.breaking import Incomparable, compare, main, parse, read_base
from openapi.compare import breaks
from openapi.versions import CONTRACT, precedence, releases

ROOT = CONTRACT.parents[1]
Document = dict[str, Any]
Change = Callable[[Document], object]


@dataclass(frozen=True)
class Broken:
    """A change, and the line that names it."""

    line: str
    change: Change

    @property
    def name(self) -> str:
        return self.change.__name__


BROKEN: list[Broken] = []
HARMLESS: list[Change] = []


def breaking_as(line: str) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        BROKEN.append(Broken(line, change))
        return change

    return register


def harmless(change: Change) -> Change:
    HARMLESS.append(change)
    return change


SOURCE = json.dumps(yaml.load(CONTRACT.read_bytes(), Loader=yaml.CSafeLoader))


def contract() -> Document:
    """The contract with nothing shared, so that a change behind one YAML alias stays behind it."""
    loaded: Document = json.loads(SOURCE)
    return loaded


def operation(document: Document, name: str) -> Document:
    found: Document = next(
        operation
        for item in document["paths"].values()
        for operation in item.values()
        if operation["operationId"] == name
    )
    return found


def schema(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def parameter(document: Document, name: str, of: str = "fetch_usage") -> Document:
    found: Document = next(p for p in operation(document, of)["parameters"] if p["name"] == name)
    return found


def ok(document: Document, name: str) -> Document:
    found: Document = operation(document, name)["responses"]["200"]
    return found


def callback(document: Document) -> tuple[Document, str]:
    found = operation(document, "submit_imagine")["callbacks"]["taskChanged"]
    return found, next(iter(found))


# Operations


@breaking_as("GET /v1/key: is gone")
def an_operation_is_gone(document: Document) -> None:
    del document["paths"]["/v1/key"]


@breaking_as("GET /v1/key: is gone")
def an_operation_has_another_method(document: Document) -> None:
    item = document["paths"]["/v1/key"]
    item["post"] = item.pop("get")


@breaking_as("GET /v1/key: operationId was 'fetch_key', is 'read_key'")
def an_operation_has_another_id(document: Document) -> None:
    operation(document, "fetch_key")["operationId"] = "read_key"


@breaking_as("GET /v1/key: tags was ['statements'], is ['tasks']")
def an_operation_has_another_tag(document: Document) -> None:
    operation(document, "fetch_key")["tags"] = ["tasks"]


@breaking_as("servers /: is gone")
def the_server_moves(document: Document) -> None:
    document["servers"] = [{"url": "/v2"}]


@breaking_as("GET /v1/key: security bearer does not suffice")
def a_way_of_authentication_is_gone(document: Document) -> None:
    operation(document, "fetch_key")["security"] = [{"secret": []}]


@breaking_as("GET /v1/key: security secret does not suffice")
def two_tokens_are_asked_for(document: Document) -> None:
    operation(document, "fetch_key")["security"] = [{"secret": [], "bearer": []}]


@breaking_as("securitySchemes secret: is another")
def a_token_goes_into_another_header(document: Document) -> None:
    document["components"]["securitySchemes"]["secret"]["name"] = "x-api-key"


# Parameters


@breaking_as("GET /v1/usage query from: is gone")
def a_parameter_is_gone(document: Document) -> None:
    parameters = operation(document, "fetch_usage")["parameters"]
    parameters.remove(parameter(document, "from"))


@breaking_as("GET /v1/usage query from: is required now")
def a_parameter_becomes_required(document: Document) -> None:
    parameter(document, "from")["required"] = True


@breaking_as("GET /v1/usage query zone: is new and required")
def a_required_parameter_is_new(document: Document) -> None:
    new = {"name": "zone", "in": "query", "required": True, "schema": {"type": "string"}}
    operation(document, "fetch_usage")["parameters"].append(new)


@breaking_as("GET /v1/usage query zone: is new and required")
def a_required_parameter_is_new_for_a_whole_path(document: Document) -> None:
    new = {"name": "zone", "in": "query", "required": True, "schema": {"type": "string"}}
    document["paths"]["/v1/usage"]["parameters"] = [new]


@breaking_as("GET /v1/usage query limit: maximum is 500, and 1000 is given")
def a_parameter_takes_less(document: Document) -> None:
    parameter(document, "limit")["schema"]["maximum"] = 500


@breaking_as("GET /v1/usage query limit: default was 100, is 50")
def a_parameter_has_another_default(document: Document) -> None:
    parameter(document, "limit")["schema"]["default"] = 50


@breaking_as("GET /v1/usage query from: explode differs")
def a_parameter_is_written_otherwise(document: Document) -> None:
    parameter(document, "from")["explode"] = False


@breaking_as("GET /mj/task/{id}/fetch path id: is gone")
def a_parameter_of_the_path_has_another_name(document: Document) -> None:
    item = document["paths"].pop("/mj/task/{id}/fetch")
    item["get"]["parameters"][0]["name"] = "task"
    document["paths"]["/mj/task/{task}/fetch"] = item


@breaking_as("POST /mj/submit/imagine header Idempotency-Key: maxLength is 64, and 255 is given")
def a_header_takes_less(document: Document) -> None:
    parameter(document, "Idempotency-Key", "submit_imagine")["schema"]["maxLength"] = 64


# Requests


@breaking_as("POST /mj/submit/imagine request /size: is required, and may be left out")
def a_required_field_is_new(document: Document) -> None:
    request = schema(document, "ImagineRequest")
    request["properties"]["size"] = {"type": "string"}
    request["required"].append("size")


@breaking_as("POST /mj/submit/imagine request /state: is required, and may be left out")
def a_field_becomes_required(document: Document) -> None:
    schema(document, "ImagineRequest")["required"].append("state")


@breaking_as("POST /mj/submit/imagine request /base64: is gone")
def a_field_of_a_request_is_gone(document: Document) -> None:
    del schema(document, "ImagineRequest")["properties"]["base64"]


@breaking_as("POST /mj/submit/imagine request /state: type null is not taken, only string")
def a_field_of_a_request_is_not_null_any_more(document: Document) -> None:
    del schema(document, "State")["nullable"]


@breaking_as("POST /mj/submit/imagine request /prompt: maxLength is 4096, and 65536 is given")
def a_field_of_a_request_is_shorter(document: Document) -> None:
    schema(document, "Prompt")["maxLength"] = 4096


@breaking_as("POST /mj/submit/imagine request /base64: pattern is '^data:', and None is given")
def a_field_of_a_request_gets_a_pattern(document: Document) -> None:
    schema(document, "ImagineRequest")["properties"]["base64"]["pattern"] = "^data:"


@breaking_as("POST /mj/task/list-by-condition request /ids: maxItems is 100, and 10000 is given")
def a_list_of_a_request_is_shorter(document: Document) -> None:
    schema(document, "ListRequest")["properties"]["ids"]["maxItems"] = 100


@breaking_as("POST /mj/submit/change request /index: maximum is 3, and 4 is given")
def a_branch_of_a_request_takes_less(document: Document) -> None:
    schema(document, "UpscaleOrVary")["properties"]["index"]["maximum"] = 3


@breaking_as("POST /mj/submit/change request /action: the value 'VARIATION' is not taken")
def a_value_of_a_request_is_gone(document: Document) -> None:
    schema(document, "PictureAction")["enum"].remove("VARIATION")


@breaking_as("POST /mj/submit/change request /taskId: type integer is not taken, only string")
def a_field_of_a_request_takes_one_type_less(document: Document) -> None:
    del schema(document, "TaskRef")["oneOf"][1]


@breaking_as("POST /mj/submit/change request /taskId: two branches of oneOf may take one value")
def a_branch_overlaps_another(document: Document) -> None:
    schema(document, "TaskRef")["oneOf"].append({"type": "number"})


@breaking_as("POST /mj/submit/change request /action: the value 'REROLL' is not taken")
def a_branch_of_a_request_is_gone(document: Document) -> None:
    change = schema(document, "ChangeRequest")
    del change["oneOf"][1]
    del change["discriminator"]["mapping"]["REROLL"]


@breaking_as("POST /mj/submit/imagine request /*: is not taken")
def unknown_fields_are_refused(document: Document) -> None:
    schema(document, "ImagineRequest")["additionalProperties"] = False


@breaking_as("POST /mj/submit/imagine request content application/json: is gone")
def a_request_has_another_media_type(document: Document) -> None:
    body = operation(document, "submit_imagine")["requestBody"]
    body["content"]["text/json"] = body["content"].pop("application/json")


@breaking_as("GET /v1/key request: is required now")
def a_request_has_a_body_now(document: Document) -> None:
    body = operation(document, "list_tasks")["requestBody"]
    operation(document, "fetch_key")["requestBody"] = body


@breaking_as("POST /mj/task/list-by-condition request: is gone")
def a_request_has_no_body_any_more(document: Document) -> None:
    del operation(document, "list_tasks")["requestBody"]


# Answers


@breaking_as("GET /mj/task/{id}/fetch responses 404: is gone")
def a_status_is_gone(document: Document) -> None:
    del operation(document, "fetch_task")["responses"]["404"]


@breaking_as("GET /mj/task/{id}/fetch 202: is new, and no error")
def a_status_of_success_is_new(document: Document) -> None:
    responses = operation(document, "fetch_task")["responses"]
    responses["202"] = responses["200"]


@breaking_as("GET /mj/task/{id}/fetch 200 /promptEn: is required, and may be left out")
def a_field_of_an_answer_may_be_absent(document: Document) -> None:
    schema(document, "Task")["required"].remove("promptEn")


@breaking_as("GET /mj/task/{id}/fetch 200 /imageUrl: is gone")
def a_field_of_an_answer_is_gone(document: Document) -> None:
    del schema(document, "Task")["properties"]["imageUrl"]
    schema(document, "Task")["required"].remove("imageUrl")


@breaking_as("GET /mj/task/{id}/fetch 200 /properties/finalPrompt: is gone")
def a_field_that_may_be_absent_is_gone(document: Document) -> None:
    del schema(document, "TaskProperties")["properties"]["finalPrompt"]


@breaking_as("GET /mj/task/{id}/fetch 200 /id: type null is not taken, only string")
def a_field_of_an_answer_may_be_null(document: Document) -> None:
    schema(document, "Task")["properties"]["id"]["nullable"] = True


@breaking_as("GET /mj/task/{id}/fetch 200 /id: type integer is not taken, only string")
def a_field_of_an_answer_has_another_type(document: Document) -> None:
    limits = {"minimum": 0, "maximum": 9007199254740991}
    schema(document, "Task")["properties"]["id"] = {"type": "integer", **limits}


@breaking_as("GET /mj/task/{id}/fetch 200 /id: maxLength is 64, and 128 is given")
def a_field_of_an_answer_is_longer(document: Document) -> None:
    schema(document, "Task")["properties"]["id"]["maxLength"] = 128


@breaking_as("GET /v1/key 200 /inFlight: maximum is 2147483647, and 9007199254740991 is given")
def a_number_of_an_answer_grows(document: Document) -> None:
    field = schema(document, "Key")["properties"]["inFlight"]
    field |= {"format": "int64", "maximum": 9007199254740991}


@breaking_as("GET /v1/key 200 /spent: pattern is '^-?[0-9]', and None is given")
def a_text_of_an_answer_has_no_form(document: Document) -> None:
    del schema(document, "Dollars")["pattern"]


@breaking_as("GET /v1/usage 200 /days/*/day: minLength is 10, and 1 is given")
def a_field_deep_in_an_answer_changes(document: Document) -> None:
    schema(document, "Day")["minLength"] = 1


@breaking_as("POST /mj/task/list-by-condition 200: type object is not taken, only array")
def an_answer_is_wrapped(document: Document) -> None:
    tasks = schema(document, "TaskList").copy()
    schema(document, "TaskList").clear()
    schema(document, "TaskList").update({"type": "object", "properties": {"tasks": tasks}})


@breaking_as("GET /v1/key 401 /properties: is required, and may be left out")
def an_error_has_another_shape(document: Document) -> None:
    schema(document, "Error")["required"].remove("properties")


@breaking_as("GET /v1/key 200 content application/json: is gone")
def an_answer_has_another_media_type(document: Document) -> None:
    content = ok(document, "fetch_key")["content"]
    content["text/json"] = content.pop("application/json")


@breaking_as("POST /mj/submit/imagine 200 headers Idempotency-Replayed: is gone")
def a_header_of_an_answer_is_gone(document: Document) -> None:
    del ok(document, "submit_imagine")["headers"]["Idempotency-Replayed"]


@breaking_as("GET /v1/key 200 header X-Request-Id: may be absent now")
def a_header_of_an_answer_may_be_absent(document: Document) -> None:
    del document["components"]["headers"]["RequestId"]["required"]


@breaking_as("GET /v1/key 503 header Retry-After: maximum is 86400, and none is given")
def a_header_of_an_answer_grows(document: Document) -> None:
    del document["components"]["headers"]["RetryAfter"]["schema"]["maximum"]


@breaking_as("POST /mj/submit/imagine 200 link FetchTask: is gone or leads elsewhere")
def a_link_is_gone(document: Document) -> None:
    del ok(document, "submit_imagine")["links"]["FetchTask"]


# Callbacks: the gateway sends, the client answers


@breaking_as("POST /mj/submit/imagine callbacks taskChanged: is gone")
def a_callback_is_gone(document: Document) -> None:
    del operation(document, "submit_imagine")["callbacks"]


@breaking_as("POST /mj/submit/imagine callback POST {$request.body#/notifyHook}: is gone")
def a_callback_goes_elsewhere(document: Document) -> None:
    callbacks, key = callback(document)
    callbacks["{$request.body#/hook}"] = callbacks.pop(key)


@breaking_as(
    "POST /mj/submit/imagine callback POST {$request.body#/notifyHook}: type array is not taken"
)
def a_callback_sends_another_body(document: Document) -> None:
    callbacks, key = callback(document)
    content = callbacks[key]["post"]["requestBody"]["content"]["application/json"]
    content["schema"] = {"$ref": "#/components/schemas/TaskList"}


@breaking_as(
    "POST /mj/submit/imagine callback POST {$request.body#/notifyHook} responses 200: is gone"
)
def an_answer_to_a_callback_is_not_taken(document: Document) -> None:
    callbacks, key = callback(document)
    callbacks[key]["post"]["responses"] = {"204": {"description": "Received."}}


# Names in generated code


@breaking_as("schemas TaskList: is gone")
def a_schema_has_another_name(document: Document) -> None:
    schemas = document["components"]["schemas"]
    schemas["Tasks"] = schemas.pop("TaskList")
    media = ok(document, "list_tasks")["content"]["application/json"]
    media["schema"] = {"$ref": "#/components/schemas/Tasks"}


@breaking_as("schemas TaskStatus CANCEL: is gone")
def a_value_of_an_open_enum_is_gone(document: Document) -> None:
    schema(document, "TaskStatus")["enum"].remove("CANCEL")


# What breaks nobody


@harmless
def nothing_changes(document: Document) -> None:
    """The contract is compared with itself."""


@harmless
def an_operation_is_new(document: Document) -> None:
    new = operation(document, "fetch_key") | {"operationId": "fetch_other"}
    document["paths"]["/v1/other"] = {"get": new}


@harmless
def a_field_of_a_request_is_new(document: Document) -> None:
    schema(document, "ImagineRequest")["properties"]["size"] = {"type": "string"}


@harmless
def a_field_of_an_answer_is_new(document: Document) -> None:
    schema(document, "Task")["properties"]["width"] = {"type": "integer"}
    schema(document, "Task")["required"].append("width")


@harmless
def a_parameter_that_may_be_absent_is_new(document: Document) -> None:
    new = {"name": "zone", "in": "query", "schema": {"type": "string"}}
    operation(document, "fetch_usage")["parameters"].append(new)


@harmless
def an_open_enum_of_answers_gets_a_value(document: Document) -> None:
    for name in ("TaskStatus", "TaskAction", "ErrorSlug", "UsageKind"):
        schema(document, name)["enum"].append("NEW")


@harmless
def an_enum_of_requests_gets_a_value(document: Document) -> None:
    schema(document, "PictureAction")["enum"].append("PAN")


@harmless
def an_error_is_new(document: Document) -> None:
    responses = operation(document, "fetch_task")["responses"]
    responses["429"] = {"$ref": "#/components/responses/RateLimited"}


@harmless
def an_answer_may_be_not_modified(document: Document) -> None:
    responses = operation(document, "fetch_key")["responses"]
    responses["304"] = {"description": "As the client knows it."}


@harmless
def a_request_takes_more(document: Document) -> None:
    schema(document, "Prompt")["maxLength"] = 100000
    del schema(document, "ImagineRequest")["required"]
    schema(document, "TaskRef")["oneOf"].append({"type": "boolean"})
    parameter(document, "limit")["schema"]["maximum"] = 5000


@harmless
def an_answer_promises_more(document: Document) -> None:
    schema(document, "Task")["properties"]["id"]["maxLength"] = 16
    del schema(document, "Task")["properties"]["prompt"]["nullable"]
    document["components"]["headers"]["RetryAfter"]["required"] = True


@harmless
def words_and_examples_change(document: Document) -> None:
    document["info"]["description"] = "Other words."
    operation(document, "fetch_task")["summary"] = "Other words"
    schema(document, "Prompt")["description"] = "Other words."
    schema(document, "Prompt")["x-violation"] = "must be other"
    del ok(document, "fetch_task")["content"]["application/json"]["examples"]


@harmless
def another_way_of_authentication_is_taken(document: Document) -> None:
    document["components"]["securitySchemes"]["cookie"] = {
        "type": "apiKey",
        "in": "cookie",
        "name": "token",
    }
    operation(document, "fetch_key")["security"].append({"cookie": []})


@harmless
def a_link_a_header_and_a_server_are_new(document: Document) -> None:
    answer = ok(document, "fetch_key")
    answer["headers"]["X-New"] = {"schema": {"type": "string"}}
    answer["links"] = {"Key": {"operationId": "fetch_key"}}
    document["servers"].append({"url": "/mirror"})


@harmless
def a_shared_part_is_written_in_place(document: Document) -> None:
    body = operation(document, "fetch_task")["responses"]
    body["404"] = document["components"]["responses"]["NotFound"]
    schema(document, "Task")["properties"]["properties"] = schema(document, "TaskProperties")


# The tests


def found(change: Change) -> list[str]:
    old, new = contract(), contract()
    change(new)
    return [str(one) for one in breaks(old, new)]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_breaking_change_is_named(broken: Broken) -> None:
    lines = found(broken.change)
    assert any(line.startswith(broken.line) for line in lines), lines


@pytest.mark.parametrize("change", HARMLESS, ids=lambda change: change.__name__)
def test_a_harmless_change_is_not_named(change: Change) -> None:
    assert [] == found(change)


@pytest.mark.parametrize("change", [*HARMLESS, *(broken.change for broken in BROKEN)])
def test_every_change_leaves_a_valid_contract(change: Change) -> None:
    document = contract()
    change(document)
    parse("changed", json.dumps(document).encode())


def test_a_change_has_a_name_of_its_own() -> None:
    names = [broken.name for broken in BROKEN] + [change.__name__ for change in HARMLESS]
    assert sorted(set(names)) == sorted(names)


# The command


def written(folder: Path, change: Change) -> Path:
    document = contract()
    change(document)
    path = folder / "changed.yaml"
    path.write_text(json.dumps(document))
    return path


def test_the_command_ends_with_0_where_nothing_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, an_operation_is_new)
    assert 0 == main(["--base", str(CONTRACT), str(path)])
    assert f"Nothing broken since {CONTRACT}\n" == capsys.readouterr().out


def test_the_command_names_each_break_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, an_operation_is_gone)
    assert 1 == main(["--base", str(CONTRACT), str(path)])
    lines = capsys.readouterr().out.splitlines()
    assert ["GET /v1/key: is gone", f"1 broken since {CONTRACT}"] == lines


UNREADABLE = [
    ("", "is no OpenAPI 3.0; its `openapi` is None"),
    ("[]", "is no OpenAPI 3.0; its `openapi` is None"),
    ("a: [", "is no YAML"),
    ("\x00", "is no YAML"),
    ("swagger: '2.0'", "is no OpenAPI 3.0"),
    ("openapi: 3.1.0\ninfo: {title: A, version: '1'}\npaths: {}", "its `openapi` is '3.1.0'"),
    ("openapi: 3.0.3\npaths: {}", 'is no valid OpenAPI: "info" is a required property at /'),
]


@pytest.mark.parametrize(("text", "message"), UNREADABLE)
@pytest.mark.parametrize("side", ["old", "new"])
def test_the_command_ends_with_2_where_a_side_is_no_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str, side: str
) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(text)
    old, new = (path, CONTRACT) if side == "old" else (CONTRACT, path)
    assert 2 == main(["--base", str(old), str(new)])
    captured = capsys.readouterr()
    assert ("", True) == (captured.out, message in captured.err), captured.err


@pytest.mark.parametrize("base", ["no-such-revision", "--output=x", "HEAD^{tree}:openapi"])
def test_a_base_that_is_nowhere_cannot_be_compared_with(base: str) -> None:
    with pytest.raises(Incomparable, match="is no file and no revision with a contract"):
        read_base(base)


def test_a_contract_that_is_not_there_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(Incomparable, match="cannot be read"):
        compare(str(CONTRACT), tmp_path / "gone.yaml")


def test_a_schema_that_is_beyond_comparison_is_not_called_unbroken(tmp_path: Path) -> None:
    def parts_differ(document: Document) -> None:
        schema(document, "State").update(allOf=[{"maxLength": 1}, {"maxLength": 2}])

    with pytest.raises(Incomparable, match="say maxLength differently"):
        compare(str(CONTRACT), written(tmp_path, parts_differ))


def test_without_a_base_the_last_release_is_compared_with(tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0", "0.10.0-rc.1"):
        (tmp_path / f"{version}.yaml").write_text(version)
    assert (str(tmp_path / "0.10.0.yaml"), b"0.10.0") == read_base("", tmp_path)


def test_without_a_release_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(Incomparable, match="holds no released contract"):
        read_base("", tmp_path)


def test_a_release_that_is_not_named_by_its_version_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "latest.yaml").touch()
    with pytest.raises(Incomparable, match="'latest' is no version"):
        read_base("", tmp_path)


def test_versions_are_ordered_as_semver_orders_them(tmp_path: Path) -> None:
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"]
    ordered += ["1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]
    assert ordered == sorted(set(ordered), key=precedence)
    for version in ordered:
        (tmp_path / f"{version}.yaml").touch()
    assert ordered == [path.stem for path in releases(tmp_path)]


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0+1", "1.0.0\n", ""])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="no version of SemVer"):
        precedence(version)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of its own whose only commit has a contract, changed since."""
    folder = tmp_path / "repository"
    (folder / "openapi").mkdir(parents=True)
    for name in ("breaking.py", "compare.py", "cover.py", "versions.py", "mjgate.yaml"):
        shutil.copy(CONTRACT.parent / name, folder / "openapi" / name)
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (
        ["init", "-q"],
        ["add", "."],
        [*author, "commit", "-q", "-m", "Add a contract"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    written(folder, an_operation_is_gone).rename(folder / "openapi" / "mjgate.yaml")
    return folder


def test_the_base_may_be_a_revision(repository: Path) -> None:
    command = [sys.executable, "-m", "openapi.breaking", "--base"]
    options: dict[str, Any] = {"cwd": repository, "capture_output": True, "text": True}
    told = subprocess.run([*command, "HEAD"], **options)
    assert (1, "GET /v1/key: is gone\n1 broken since HEAD\n") == (told.returncode, told.stdout)
    told = subprocess.run([*command, "HEAD~1"], **options)
    assert (2, "") == (told.returncode, told.stdout)


def test_make_says_so_too(repository: Path) -> None:
    makefile = ROOT / "Makefile"
    variables = [f"BIN={Path(sys.executable).parent}", "BASE=HEAD"]
    command = ["make", "-s", "-f", str(makefile), "-o", "install", "breaking", *variables]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    told = subprocess.run(command, cwd=repository, capture_output=True, text=True, env=clean)
    assert "GET /v1/key: is gone\n1 broken since HEAD\n" == told.stdout
    assert told.returncode


def test_the_released_contracts_say_the_version_of_their_names() -> None:
    for path in releases():
        assert path.stem == parse(path.name, path.read_bytes())["info"]["version"]
    assert releases()
