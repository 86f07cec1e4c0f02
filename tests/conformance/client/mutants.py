"""Clients with one fault each: copies of the generated package with a line changed."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openapi import generate

FETCH = "api/tasks/fetch_task.py"
IMAGINE = "api/tasks/submit_imagine.py"
USAGE = "api/statements/fetch_usage.py"


@dataclass(frozen=True, slots=True)
class Edit:
    file: str
    """A pattern below the package."""
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    rule: str
    """That must be broken."""
    says: str
    """A part of the failure's text."""
    edits: tuple[Edit, ...]
    operation: str = "fetch_task"
    """The one that shows it."""

    def write(self, folder: Path) -> str:
        """Write the package below a folder; its name."""
        package = folder / f"mutant_{self.name}"
        copy_client(package, with_lib=self.rule == "client_waits")
        for edit in self.edits:
            for path in files(package, edit):
                text = path.read_text("utf-8")
                path.write_text(text.replace(edit.old, edit.new), "utf-8")
        return package.name


def files(package: Path, edit: Edit) -> list[Path]:
    """The files that an edit changes; one that changes nothing is no mutant."""
    found = [path for path in package.glob(edit.file) if edit.old in path.read_text("utf-8")]
    assert found, edit
    return found


def copy_client(package: Path, *, with_lib: bool) -> None:
    ignored = ["__pycache__"] if with_lib else ["__pycache__", "lib"]
    shutil.copytree(generate.PACKAGE, package, ignore=shutil.ignore_patterns(*ignored))


def _mutants() -> Iterator[Mutant]:
    def one(
        name: str,
        rule: str,
        says: str,
        file: str,
        old: str,
        new: str,
        operation: str = "fetch_task",
    ) -> Mutant:
        return Mutant(name, rule, says, (Edit(file, old, new),), operation)

    keeps, parses, raises = "client_keeps_all", "client_parses", "client_raises_its_own"
    sends, has = "client_sends_the_contract", "client_has_operation"
    yield one(
        "drops_a_field", keeps, "does not keep /state", "models/task.py", '"state": state,', ""
    )
    yield one(
        "drops_what_is_new", keeps, "does not keep /", "models/task.py",
        "task.additional_properties = d", "task.additional_properties = {}",
    )  # fmt: skip
    yield one(
        "takes_nan", keeps, "makes something of a body with NaN", "types.py",
        "parse_constant=_no_number", "parse_constant=float",
    )  # fmt: skip
    yield one(
        "reads_an_object_as_a_list", keeps, "does not keep /", "api/tasks/list_tasks.py",
        "if not isinstance(_response_200, list):", "if False:", "list_tasks",
    )  # fmt: skip
    yield one(
        "reads_a_list_as_an_object", keeps, "/properties", "models/*.py",
        "if not isinstance(src_dict, Mapping):", "if False:",
    )  # fmt: skip
    yield Mutant(
        "closes_an_enum", parses, "a value newer than the contract",
        (
            Edit("models/task_status.py", "return member", "return None"),
            Edit("models/task.py", "cast(str | TaskStatus, data)", "TaskStatus(data)"),
        ),
    )  # fmt: skip
    yield one(
        "misses_a_status", parses, "does not parse", FETCH,
        "if response.status_code == 404:", "if response.status_code == 405:",
    )  # fmt: skip
    yield one(
        "mistakes_a_class", parses, "makes a SubmitResult, not a Error", IMAGINE,
        "response_429 = Error.", "response_429 = SubmitResult.", "submit_imagine",
    )  # fmt: skip
    yield one(
        "parses_no_answer", parses, "makes something of", FETCH,
        "    if response.status_code == 304:\n        return None",
        "    if response.status_code == 304:\n        return Task.__new__(Task)",
    )  # fmt: skip
    yield one(
        "raises_an_os_error", parses, "raises OSError", FETCH,
        "response_401 = Error.from_dict(read_json(response.content))", "raise OSError(401)",
    )  # fmt: skip
    yield one("raises_a_key_error", raises, "raises a bare KeyError", FETCH, "LookupError, ", "")
    yield one(
        "raises_what_httpx_decodes", raises, "raises a bare DecodingError", "client.py",
        'return response.is_stream_consumed or "Content-Encoding" not in response.headers',
        "return True",
    )  # fmt: skip
    yield one(
        "raises_without_content", raises, "without status and content", "errors.py",
        "self.content = content", 'self.content = b""',
    )  # fmt: skip
    yield one(
        "mistells_the_status", "client_tells_the_answer", "the status", "types.py",
        "return HTTPStatus(code)", "return HTTPStatus(200)",
    )  # fmt: skip
    yield one(
        "forgets_the_headers", "client_tells_the_answer", "the header Content-Type", FETCH,
        "headers=response.headers", "headers={}",
    )  # fmt: skip
    yield one(
        "shows_the_token", "client_hides_token", "in the client", "client.py",
        "token: str = field(repr=False, validator=_check_token)",
        "token: str = field(validator=_check_token)",
    )  # fmt: skip
    yield one(
        "shows_a_token_with_a_line_break", "client_hides_token", "that no header can carry",
        "client.py", "token: str = field(repr=False, validator=_check_token)",
        "token: str = field(repr=False)",
    )  # fmt: skip
    yield one(
        "shows_the_token_in_an_answer", "client_hides_token", "the token in a Response", FETCH,
        "headers=response.headers", "headers={**response.headers, 'x': client.token}",
    )  # fmt: skip
    yield one(
        "sends_the_token_away", "client_keeps_token_home", "that a redirect names", "client.py",
        "return url.host == api.host and", "return True or",
    )  # fmt: skip
    yield one(
        "waits_for_ever", "client_times_out", "waits for ever", "client.py",
        "httpx.Timeout(60, connect=10)", "httpx.Timeout(None)",
    )  # fmt: skip
    yield one(
        "forgets_the_time", "client_times_out", "raises", FETCH,
        "    response = call(client.get_httpx_client(), kwargs)\n",
        "    try:\n        response = call(client.get_httpx_client(), kwargs)\n"
        "    except httpx.TimeoutException as error:\n        raise OSError() from error\n",
    )  # fmt: skip
    yield one(
        "does_not_escape", "client_escapes_ids", "in its segment", FETCH, "{segment(id)}", "{id}"
    )
    yield one(
        "breaks_async", sends, "another path (asyncio alone)", USAGE,
        "await call_async(client.get_async_httpx_client(), kwargs)",
        'await call_async(client.get_async_httpx_client(), {**kwargs, "url": "/"})',
        "fetch_usage",
    )  # fmt: skip
    yield one("posts", sends, "another method", FETCH, '"method": "get"', '"method": "post"')
    yield one(
        "adds_a_query", sends, "a query of its own", USAGE,
        'params["cursor"] = cursor', 'params["cursor"] = cursor\n    params["v"] = 1',
        "fetch_usage",
    )  # fmt: skip
    yield one(
        "drops_a_header", sends, "header If-None-Match", FETCH,
        'headers["If-None-Match"] = if_none_match', "pass",
    )  # fmt: skip
    yield one(
        "says_another_type", sends, "application/json", IMAGINE,
        '"application/json"', '"text/plain"', "submit_imagine",
    )  # fmt: skip
    yield one(
        "drops_a_field_of_a_body", sends, "/notifyHook", "models/imagine_request.py",
        'field_dict["notifyHook"] = notify_hook', "pass", "submit_imagine",
    )  # fmt: skip
    yield one(
        "sends_no_json", sends, "a body that is no JSON", IMAGINE,
        '_kwargs["json"] = body.to_dict()', '_kwargs["content"] = str(body.to_dict())',
        "submit_imagine",
    )  # fmt: skip
    yield one(
        "sends_a_body_with_a_get", sends, "a body where there is none", FETCH,
        '_kwargs["headers"] = headers', '_kwargs["headers"] = headers\n    _kwargs["json"] = {}',
    )  # fmt: skip
    yield one(
        "sends_another_token", sends, "does not send the token", "client.py",
        'f"{self.prefix} {self.token}" if self.prefix else self.token', "self.token",
    )  # fmt: skip
    yield one(
        "sends_nothing", sends, "sends nothing", FETCH,
        "response = call(client.get_httpx_client(), kwargs)", "response = httpx.Response(200)",
    )  # fmt: skip
    yield one(
        "cannot_say_a_body", sends, "cannot say a good ListRequest: TypeError",
        "models/list_request.py", "d = dict(src_dict)", "d = dict(src_dict, **None)", "list_tasks",
    )  # fmt: skip
    yield one("has_no_argument", has, "no argument for header Prefer", FETCH, "prefer", "wait")
    yield one(
        "has_no_asyncio", has, "has no asyncio", FETCH, "async def asyncio(", "async def aio("
    )
    yield one(
        "has_no_module", has, "has no module", FETCH, "import httpx", "import httpx_that_is_not"
    )
    yield one(
        "has_no_model", sends, "has no model ListRequest", "models/__init__.py",
        "import ListRequest", "import ListRequest as Listing", "list_tasks",
    )  # fmt: skip
    yield one(
        "waits_without_a_status", "client_waits", "raises TypeError", "lib/watch.py",
        " and isinstance(answer.parsed.status, str)", "",
    )  # fmt: skip
    yield one(
        "waits_too_short", "client_waits", "ends too soon", "lib/watch.py",
        'ENDS = frozenset({"SUCCESS", ', 'ENDS = frozenset({"SUCCESS", "IN_PROGRESS", ',
    )  # fmt: skip


MUTANTS = tuple(_mutants())
