"""Servers that break the contract, each in one way, and the rule that has to find it out."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.conformance.bodies import CHANGE, FETCH, IMAGINE, KEY, LIST, USAGE
from tests.conformance.honest import (
    LIFE,
    TOKEN,
    Body,
    Call,
    Entry,
    Life,
    Manners,
    Post,
    Reply,
    Task,
    error,
    result,
    who,
)

SUBMITS = (IMAGINE, CHANGE)
_TIMES = ("submitTime", "startTime", "finishTime")
Hand = Callable[[Call, Reply], Reply]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault. Finding it means that a rule among `rules` was broken."""

    name: str
    wrong: str
    rules: tuple[str, ...]
    manners: Manners
    missed: str = ""
    """Why no run finds it, where none does."""


# What an answer says on its way out


def leaving(
    hand: Hand, operations: Sequence[str | None] = (), statuses: Sequence[int] = ()
) -> Manners:
    """A hand at the answers of these operations with these statuses; nothing given is all."""

    def last(call: Call, reply: Reply) -> Reply:
        asked = not operations or call.operation in operations
        answered = not statuses or reply.status in statuses
        return hand(call, reply) if asked and answered else reply

    return Manners(leaving=last)


def without(*names: str) -> Hand:
    return lambda call, reply: replace(reply, body=_lacking(reply.body, *names))


def with_(**values: Any) -> Hand:
    return lambda call, reply: replace(reply, body={**reply.body, **values})


def header(name: str, value: str) -> Hand:
    return lambda call, reply: reply.having(name, value)


def no_header(name: str) -> Hand:
    return lambda call, reply: reply.lacking(name)


def html(call: Call, reply: Reply) -> Reply:
    page = f"<html><h1>{reply.status}</h1></html>".encode()
    return replace(reply, body=page).having("content-type", "text/html")


def status(number: int) -> Hand:
    return lambda call, reply: replace(reply, status=number)


def _lacking(body: Body, *names: str) -> Body:
    return {name: value for name, value in body.items() if name not in names}


def _properties(**values: Any) -> Hand:
    def hand(call: Call, reply: Reply) -> Reply:
        return with_(properties={**reply.body["properties"], **values})(call, reply)

    return hand


def _twice(name: str) -> Hand:
    def hand(call: Call, reply: Reply) -> Reply:
        same = [each for each in reply.headers if each[0] == name]
        return replace(reply, headers=(*reply.headers, *same))

    return hand


def _numeric_result(call: Call, reply: Reply) -> Reply:
    given = reply.body["result"]
    return replace(reply, body={**reply.body, "result": given and int(given)})


def _cut(call: Call, reply: Reply) -> Reply:
    return replace(reply, body=json.dumps(reply.body).encode()[:-1])


def _echoes_badly(call: Call, reply: Reply) -> Reply:
    given = call.header("x-request-id")
    return reply.having("x-request-id", given) if given else reply


FORM = (
    Mutant(
        "numeric result",
        "`result` of a submit is a number",
        ("body_matches_schema",),
        leaving(_numeric_result, SUBMITS, (200,)),
    ),
    Mutant(
        "no properties",
        "a submit is answered without `properties`",
        ("body_matches_schema",),
        leaving(without("properties"), SUBMITS, (200,)),
    ),
    Mutant(
        "no code",
        "a submit is answered without `code`",
        ("body_matches_schema",),
        leaving(without("code"), SUBMITS, (200,)),
    ),
    Mutant(
        "code as text",
        "`code` of a submit is a string",
        ("body_matches_schema",),
        leaving(with_(code="1"), SUBMITS, (200,)),
    ),
    Mutant(
        "code 1 without a result",
        "a submit is accepted and names no task",
        ("task_ids", "body_matches_schema"),
        leaving(with_(result=None), (IMAGINE,), (200,)),
    ),
    Mutant(
        "no failReason",
        "a task has no `failReason`",
        ("task_keys", "body_matches_schema"),
        Manners(shown=lambda task, body: _lacking(body, "failReason")),
    ),
    Mutant(
        "no promptEn once done",
        "a task that succeeded has no `promptEn`",
        ("task_keys", "body_matches_schema"),
        Manners(
            shown=lambda task, body: (
                _lacking(body, "promptEn") if task.status == "SUCCESS" else body
            )
        ),
    ),
    Mutant(
        "times as text",
        "`submitTime` is a string",
        ("body_matches_schema",),
        Manners(shown=lambda task, body: {**body, "submitTime": str(body["submitTime"])}),
    ),
    Mutant(
        "progress as a number",
        "`progress` is a whole number",
        ("body_matches_schema",),
        Manners(
            shown=lambda task, body: {**body, "progress": int(str(body["progress"]).strip("%"))}
        ),
    ),
    Mutant(
        "pictures as text",
        "`imageUrls` holds strings",
        ("body_matches_schema",),
        Manners(shown=lambda task, body: {**body, "imageUrls": ["https://example.org/1.png"]}),
    ),
    Mutant(
        "no resetAt",
        "the limits of a token have no `resetAt`",
        ("body_matches_schema",),
        leaving(without("resetAt"), (KEY,), (200,)),
    ),
    Mutant(
        "no cursor",
        "a usage has no `cursor`",
        ("body_matches_schema",),
        leaving(without("cursor"), (USAGE,), (200,)),
    ),
    Mutant(
        "202",
        "an imagine is answered 202",
        ("status_documented",),
        leaving(status(202), (IMAGINE,), (200,)),
    ),
    Mutant(
        "418",
        "an unknown task is answered 418",
        ("status_documented",),
        leaving(status(418), (FETCH,), (404,)),
    ),
    Mutant(
        "JSON as text",
        "a task is sent as text/plain",
        ("content_type",),
        leaving(header("content-type", "text/plain"), (FETCH,), (200,)),
    ),
    Mutant(
        "half a body",
        "the JSON of a list is cut",
        ("body_matches_schema", "content_type"),
        leaving(_cut, (LIST,), (200,)),
    ),
    Mutant(
        "GBK",
        "bodies are not in UTF-8",
        ("body_matches_schema", "content_type"),
        Manners(written=lambda body: json.dumps(body, ensure_ascii=False).encode("gbk", "replace")),
    ),
    Mutant(
        "no X-Request-Id",
        "an answer has no `X-Request-Id`",
        ("headers_match", "request_id_echoed"),
        leaving(no_header("x-request-id"), (LIST,)),
    ),
    Mutant(
        "X-Request-Id made anew",
        "a good `X-Request-Id` does not come back",
        ("request_id_echoed",),
        leaving(header("x-request-id", "mine")),
    ),
    Mutant(
        "X-Request-Id unread",
        "an `X-Request-Id` of two words comes back",
        ("request_id_echoed",),
        leaving(_echoes_badly),
    ),
    Mutant(
        "X-Request-Id twice",
        "`X-Request-Id` stands twice",
        ("request_id_echoed", "headers_match"),
        leaving(_twice("x-request-id"), (KEY,)),
    ),
)


# Errors


def _misplaced(call: Call, reply: Reply) -> Reply:
    errors = [{**each, "pointer": "/elsewhere"} for each in reply.body["properties"]["errors"]]
    return _properties(errors=errors)(call, reply)


ERRORS = (
    Mutant(
        "HTML on an unknown path",
        "404 of an unknown path is a page",
        ("error_shape", "content_type"),
        leaving(html, (None,), (404,)),
    ),
    Mutant(
        "HTML on 405",
        "405 is a page",
        ("error_shape", "content_type"),
        leaving(html, (), (405,)),
    ),
    Mutant(
        "HTML on 401",
        "401 is a page",
        ("error_shape", "content_type"),
        leaving(html, (), (401,)),
    ),
    Mutant(
        "HTML on 413",
        "413 is a page",
        ("error_shape", "content_type"),
        leaving(html, (), (413,)),
    ),
    Mutant(
        "another error shape",
        'an error is `{"error": ...}`',
        ("error_shape", "body_matches_schema"),
        leaving(
            lambda call, reply: replace(reply, body={"error": reply.body["description"]}),
            (),
            (400, 404),
        ),
    ),
    Mutant(
        "code 4 on 404",
        "an unknown task has `code` 4",
        ("error_shape",),
        leaving(with_(code=4), (FETCH,), (404,)),
    ),
    Mutant(
        "wrong slug",
        "a refusal by 400 says `bad_request`",
        ("error_shape",),
        leaving(_properties(error="bad_request"), (), (400,)),
    ),
    Mutant(
        "an error with a result",
        "`result` of an error is an empty string",
        ("error_shape", "body_matches_schema"),
        leaving(with_(result=""), (), (400, 404)),
    ),
    Mutant(
        "400 without a place",
        "a refusal by 400 does not say where",
        ("refusal_says_where",),
        leaving(_properties(errors=[]), (), (400,)),
    ),
    Mutant(
        "400 with another place",
        "a refusal by 400 names a field that is not there",
        ("refusal_says_where",),
        leaving(_misplaced, (), (400,)),
    ),
    Mutant(
        "400 says 422",
        "a bad body is answered 422",
        ("bad_refused", "error_shape", "status_documented"),
        leaving(status(422), (LIST, *SUBMITS), (400,)),
    ),
    Mutant(
        "errors are 200",
        "a bad body is answered 200 with code 4",
        ("bad_refused",),
        leaving(
            lambda call, reply: replace(reply, status=200, body=result(4, "no", None)),
            SUBMITS,
            (400,),
        ),
    ),
    Mutant(
        "401 without a challenge",
        "401 has no `WWW-Authenticate`",
        ("headers_match", "error_shape", "token_needed"),
        leaving(no_header("www-authenticate"), (), (401,)),
    ),
    Mutant(
        "403 for 401",
        "a bad token is answered 403",
        ("token_needed", "bad_token_refused"),
        leaving(
            lambda call, reply: replace(
                reply,
                status=403,
                body={
                    **reply.body,
                    "properties": {"error": "forbidden", "errors": []},
                },
            ),
            (),
            (401,),
        ),
    ),
    Mutant(
        "405 without Allow",
        "405 does not say what is allowed",
        ("methods_refused", "headers_match", "error_shape"),
        leaving(no_header("allow"), (), (405,)),
    ),
    Mutant(
        "405 with a wrong Allow",
        "405 of a fetch allows POST",
        ("methods_refused",),
        leaving(header("allow", "POST"), (FETCH,), (405,)),
    ),
    Mutant(
        "404 for 405",
        "a wrong method is answered 404",
        ("methods_refused",),
        leaving(
            lambda call, reply: replace(error(404, "no such path"), headers=reply.headers),
            (),
            (405,),
        ),
    ),
    Mutant(
        "any method",
        "PUT and DELETE of a known path are answered 200",
        ("methods_refused",),
        leaving(
            lambda call, reply: replace(reply, status=200, body=result(1, "提交成功", None)),
            (LIST, FETCH),
            (405,),
        ),
    ),
    Mutant(
        "any path",
        "an unknown path is answered 200",
        ("unknown_paths_refused",),
        leaving(status(200), (None,), (404,)),
    ),
    Mutant(
        "empty 200",
        "an unknown task is answered 200 without a body",
        ("body_matches_schema", "content_type"),
        leaving(lambda call, reply: replace(reply, status=200, body=b""), (FETCH,), (404,)),
    ),
    Mutant(
        "429 without Retry-After",
        "a limit on submits does not say when to come back",
        ("headers_match", "error_shape"),
        Manners(
            hasty=lambda call: (
                error(429, "too fast").lacking("retry-after")
                if call.operation == IMAGINE and "red fox" in _prompt(call.json)
                else None
            )
        ),
    ),
    Mutant(
        "503 without Retry-After",
        "a full server does not say when to come back",
        ("headers_match", "error_shape", "no_server_error"),
        Manners(
            hasty=lambda call: (
                error(503, "full").lacking("retry-after")
                if call.operation == LIST and not call.json.get("ids")
                else None
            )
        ),
    ),
)


# Requests that a server cannot take


def hasty(refuses: Callable[[Call, Any], Any], reply: Reply) -> Manners:
    """Answers so what `refuses` finds in a good request with a JSON object."""

    def answer(call: Call) -> Reply | None:
        body = call.json
        return reply if isinstance(body, dict) and refuses(call, body) else None

    return Manners(hasty=answer)


def _faulty(finds: Callable[[Call, Body], Any]) -> Manners:
    return hasty(finds, error(500, "Internal Server Error"))


def _no(finds: Callable[[Call, Body], Any], place: str = "") -> Manners:
    wrong = [{"pointer": place, "message": "is not taken here"}]
    reply = error(400, "no")
    properties = {**reply.body["properties"], "errors": wrong}
    return hasty(finds, replace(reply, body={**reply.body, "properties": properties}))


def _is_emoji(sign: str) -> bool:
    return ord(sign) > 0xFFFF


def _prompt(body: Body) -> str:
    return str(body.get("prompt", ""))


CRASHES = (
    Mutant(
        "500 on a long prompt",
        "a prompt of more than 4,000 characters is answered 500",
        ("no_server_error", "text_kept"),
        _faulty(lambda call, body: len(_prompt(body)) > 4000),
    ),
    Mutant(
        "500 on an emoji",
        "a prompt with a sign beyond U+FFFF is answered 500",
        ("no_server_error", "text_kept"),
        _faulty(lambda call, body: any(map(_is_emoji, _prompt(body)))),
    ),
    Mutant(
        "500 on a numeric id",
        "a list by numbers is answered 500",
        ("no_server_error",),
        _faulty(
            lambda call, body: (
                call.operation == LIST and any(isinstance(x, int) for x in body.get("ids") or [])
            )
        ),
    ),
    Mutant(
        "500 on malformed JSON",
        "a body that is no JSON is answered 500",
        ("no_server_error",),
        leaving(
            lambda call, reply: (
                replace(error(500, "Internal Server Error"), headers=reply.headers)
                if call.json is None
                else reply
            ),
            SUBMITS,
            (400,),
        ),
    ),
    Mutant(
        "500 on an array",
        "a body that is no object is answered 500",
        ("no_server_error",),
        leaving(
            lambda call, reply: (
                replace(error(500, "Internal Server Error"), headers=reply.headers)
                if isinstance(call.json, list)
                else reply
            ),
            (IMAGINE, CHANGE, LIST),
            (400,),
        ),
    ),
)

REFUSALS = (
    Mutant(
        "no pictures",
        "`base64Array` is refused",
        ("good_accepted",),
        _no(lambda call, body: body.get("base64Array"), "/base64Array"),
    ),
    Mutant(
        "no nulls",
        "an optional field that is null is refused",
        ("good_accepted",),
        _no(
            lambda call, body: any(
                name in body and body[name] is None
                for name in ("state", "notifyHook", "base64", "base64Array", "ids")
            )
        ),
    ),
    Mutant(
        "no unknown fields",
        "a field that is not in the contract is refused",
        ("good_accepted",),
        _no(
            lambda call, body: (
                body.keys()
                - {"prompt", "state", "notifyHook", "base64", "base64Array"}
                - {"action", "index", "taskId", "ids"}
            )
        ),
    ),
    Mutant(
        "no trailing slash",
        "a path with a slash at its end is unknown",
        ("good_accepted",),
        leaving(
            lambda call, reply: (
                replace(error(404, "no such path"), headers=reply.headers)
                if call.path.endswith("/")
                else reply
            ),
            (IMAGINE, CHANGE, LIST, FETCH, KEY, USAGE),
        ),
    ),
    Mutant(
        "no charset",
        "`application/json; charset=utf-8` is refused",
        ("good_accepted",),
        hasty(
            lambda call, body: "charset" in call.header("content-type"),
            error(415, "must be application/json"),
        ),
    ),
    Mutant(
        "no numeric taskId",
        "a change of a task by number is refused",
        ("good_accepted",),
        _no(lambda call, body: isinstance(body.get("taskId"), int), "/taskId"),
    ),
    Mutant(
        "no numeric ids",
        "a list by numbers is refused",
        ("good_accepted", "list_in_order"),
        _no(lambda call, body: any(isinstance(x, int) for x in body.get("ids") or []), "/ids/0"),
    ),
    Mutant(
        "no blank hook",
        "a blank `notifyHook` is refused",
        ("good_accepted",),
        _no(lambda call, body: not str(body.get("notifyHook", "x")).strip(), "/notifyHook"),
    ),
    Mutant(
        "short prompts only",
        "a prompt of more than 4,000 characters is refused",
        ("good_accepted", "text_kept"),
        _no(lambda call, body: len(_prompt(body)) > 4000, "/prompt"),
    ),
    Mutant(
        "no empty list",
        "a list of nothing is refused",
        ("good_accepted",),
        _no(lambda call, body: call.operation == LIST and not body.get("ids"), "/ids"),
    ),
    Mutant(
        "no index for a reroll",
        "a REROLL with an `index` is refused",
        ("good_accepted",),
        _no(lambda call, body: body.get("action") == "REROLL" and "index" in body, "/index"),
    ),
    Mutant(
        "a hundred lines",
        "a usage of more than 100 lines is refused",
        ("good_accepted",),
        Manners(
            hasty=lambda call: (
                error(400, "too many")
                if int("".join(call.query.get("limit", ["1"]))) > 100
                else None
            )
        ),
    ),
)


# Requests that a server has to refuse

_OVERLOOKED: Mapping[str, str] = {
    "prompt missing": "an imagine without a prompt",
    "prompt blank": "a blank prompt",
    "prompt type": "a prompt that is no string",
    "prompt long": "a prompt of more than 65,536 characters",
    "base64 type": "a `base64` that is no string",
    "base64Array type": "a `base64Array` that is no array",
    "base64Array item": "a picture in `base64Array` that is no string",
    "notifyHook type": "a `notifyHook` that is no string",
    "notifyHook form": "a `notifyHook` that is no address",
    "state type": "a `state` that is no string",
    "state long": "a `state` of more than 16,384 characters",
    "action missing": "a change without an action",
    "action unknown": "an action that is none",
    "index missing": "an UPSCALE without an index",
    "index low": "an index below 1",
    "index high": "an index above 4",
    "index type": "an index that is no whole number",
    "taskId missing": "a change without a task",
    "taskId form": "a `taskId` that is none",
    "ids type": "`ids` that are no array",
    "ids item": "an id that is neither text nor a number",
    "ids many": "a list of more than 10,000 ids",
    "body type": "a body that is no object",
    "json": "a body that is no JSON",
    "trailing": "JSON with bytes after it",
    "media": "a body that is not sent as JSON",
    "nul": "U+0000 in a string",
    "surrogate": "a lone surrogate in a string",
    "huge": "a whole number of more than 64 bits",
    "deep": "nesting deeper than 128 levels",
    "key": "an Idempotency-Key that is none",
    "limit": "a `limit` that is no number from 1 to 1,000",
    "from": "a `from` that is no day",
    "cursor": "a `cursor` that was never answered",
}


ACCEPTED = tuple(
    Mutant(
        f"{kind} taken",
        f"{what} is accepted",
        ("bad_refused",),
        Manners(overlooks=frozenset([kind])),
    )
    for kind, what in _OVERLOOKED.items()
)


# Tokens


def _only(form: str) -> Callable[[Call, str | None], str | None]:
    """Knows a token in one of its two forms alone."""

    def asker(call: Call, honest: str | None) -> str | None:
        return who(replace(call, headers=tuple(each for each in call.headers if each[0] == form)))

    return asker


def _unchecked(form: str) -> Callable[[Call, str | None], str | None]:
    return lambda call, honest: honest or ("first" if call.header(form) else None)


def _open(*operations: str) -> Callable[[Call, str | None], str | None]:
    return lambda call, honest: honest or ("first" if call.operation in operations else None)


def _shows_token(call: Call, reply: Reply) -> Reply:
    return reply.having("x-asked-by", TOKEN)


TOKENS = (
    Mutant(
        "no token needed",
        "no operation asks for a token",
        ("token_needed", "bad_token_refused"),
        Manners(asker=lambda call, honest: honest or "first"),
    ),
    Mutant(
        "Bearer refused",
        "a token as `Authorization: Bearer` is refused",
        ("both_forms_taken",),
        Manners(asker=_only("mj-api-secret")),
    ),
    Mutant(
        "mj-api-secret refused",
        "a token as `mj-api-secret` is refused",
        ("both_forms_taken",),
        Manners(asker=_only("authorization")),
    ),
    Mutant(
        "Bearer unchecked",
        "any `Authorization` will do",
        ("token_needed", "bad_token_refused"),
        Manners(asker=_unchecked("authorization")),
    ),
    Mutant(
        "mj-api-secret unchecked",
        "any `mj-api-secret` will do",
        ("token_needed", "bad_token_refused"),
        Manners(asker=_unchecked("mj-api-secret")),
    ),
    Mutant(
        "usage open",
        "a usage can be fetched with any token, and with none",
        ("token_needed", "bad_token_refused"),
        Manners(asker=_open(USAGE)),
    ),
    Mutant(
        "list open to bad tokens",
        "a list needs a token, and does not check it",
        ("token_needed", "bad_token_refused"),
        Manners(
            asker=lambda call, honest: (
                honest
                or (
                    "first"
                    if call.operation == LIST
                    and call.header("mj-api-secret") + call.header("authorization")
                    else None
                )
            )
        ),
    ),
    Mutant(
        "token in a body",
        "the limits of a token show the token",
        ("tokens_not_shown",),
        Manners(statement=lambda body: {**body, "key": TOKEN}),
    ),
    Mutant(
        "token in a header",
        "an answer shows the token in a header",
        ("tokens_not_shown",),
        leaving(_shows_token, (FETCH,)),
    ),
    Mutant(
        "foreign fetch",
        "a task of another token can be fetched",
        ("tenants_apart",),
        Manners(sees=lambda way, task, owned: owned or way == "fetch"),
    ),
    Mutant(
        "foreign list",
        "a task of another token is listed",
        ("tenants_apart",),
        Manners(sees=lambda way, task, owned: owned or way == "list"),
    ),
    Mutant(
        "foreign change",
        "a task of another token can be changed",
        ("tenants_apart",),
        Manners(sees=lambda way, task, owned: owned or way == "change"),
    ),
)


# Tasks and their ways


LONG_S = 0.1
"""A step of those whose fault shows in one stage alone: each is looked at."""


def life(*stages: tuple[str, str]) -> Manners:
    return Manners(life=stages, step_s=LONG_S)


def _says(**changes: Callable[[Task, Any], Any]) -> Manners:
    """Shows these fields of a task otherwise."""

    def shown(task: Task, body: Body) -> Body:
        return {**body, **{name: change(task, body[name]) for name, change in changes.items()}}

    return Manners(shown=shown)


def _mojibake(_: Task, text: Any) -> Any:
    return text and text.encode().decode("latin-1")


def _plane_only(_: Task, text: Any) -> Any:
    return text and "".join("?" if _is_emoji(sign) else sign for sign in text)


def _restated(life: Life) -> Life:
    return (*life, ("FAILURE", "100%"))


TASKS = (
    Mutant(
        "lost at once",
        "the id of a submit cannot be fetched",
        ("submitted_fetchable",),
        Manners(sees=lambda way, task, owned: owned and way != "fetch"),
    ),
    Mutant(
        "not listed",
        "the id of a submit is not listed",
        ("submitted_listed",),
        Manners(sees=lambda way, task, owned: owned and way != "list"),
    ),
    Mutant(
        "progress goes back",
        "`progress` falls from 62% to 31%",
        ("tasks_go_forward", "callback_arrives"),
        life(*LIFE[:2], ("IN_PROGRESS", "62%"), ("IN_PROGRESS", "31%"), LIFE[-1]),
    ),
    Mutant(
        "status goes back",
        "`status` goes from IN_PROGRESS to SUBMITTED",
        ("tasks_go_forward", "callback_arrives"),
        life(*LIFE[:2], ("IN_PROGRESS", "31%"), ("SUBMITTED", "31%"), LIFE[-1]),
    ),
    Mutant(
        "ends twice",
        "a task that succeeded fails later",
        ("tasks_go_forward", "callback_arrives"),
        life(*_restated(LIFE)),
    ),
    Mutant(
        "changes too early",
        "a task that has not ended can be changed",
        ("changes_only_finished",),
        Manners(changes_early=True, life=(*LIFE[:-1], *[LIFE[-2]] * 8, LIFE[-1]), step_s=LONG_S),
    ),
    Mutant(
        "100% too early",
        "`progress` is 100% before the end",
        ("progress_is_true",),
        life(*LIFE[:3], ("IN_PROGRESS", "100%"), LIFE[-1]),
    ),
    Mutant(
        "more than all",
        "`progress` is 150%",
        ("progress_is_true",),
        life(*LIFE[:-1], ("SUCCESS", "150%")),
    ),
    Mutant(
        "never ends",
        "a task is IN_PROGRESS for ever",
        ("every_task_ends",),
        life(*LIFE[:-1]),
    ),
    Mutant(
        "another end",
        "a task ends as DONE, which no client knows for an end",
        ("every_task_ends",),
        life(*LIFE[:-1], ("DONE", "99%")),
    ),
    Mutant(
        "state lost",
        "`state` does not come back",
        ("state_kept",),
        _says(state=lambda task, state: None),
    ),
    Mutant(
        "state trimmed",
        "`state` comes back without the white space around it",
        ("state_kept",),
        _says(state=lambda task, state: state and state.strip()),
    ),
    Mutant(
        "latin-1",
        "a prompt comes back as latin-1 has it",
        ("text_kept",),
        _says(prompt=_mojibake),
    ),
    Mutant(
        "no emoji",
        "signs beyond U+FFFF come back as question marks",
        ("text_kept",),
        _says(prompt=_plane_only),
    ),
    Mutant(
        "prompt cut",
        "a prompt comes back cut at 255 characters",
        ("text_kept",),
        _says(prompt=lambda task, prompt: prompt and prompt[:255]),
    ),
    Mutant(
        "nameless change",
        "a change does not name the task it is of",
        ("change_names_parent",),
        _says(
            description=lambda task, text: text.replace(task.parent.id, "") if task.parent else text
        ),
    ),
    Mutant(
        "wrong action",
        "every task has the action IMAGINE",
        ("change_names_parent",),
        _says(action=lambda task, action: "IMAGINE"),
    ),
    Mutant(
        "list backwards",
        "a list comes in the opposite order",
        ("list_in_order",),
        Manners(listed=lambda tasks, everything: tasks[::-1]),
    ),
    Mutant(
        "list of everything",
        "a list has tasks that were not asked for",
        ("list_in_order",),
        Manners(
            listed=lambda tasks, everything: (
                tasks + [each for each in everything if each not in tasks]
            )
        ),
    ),
    Mutant(
        "ids too large",
        "ids are beyond 2^53",
        ("task_ids",),
        Manners(named=lambda number: str(number + 2**53)),
    ),
    Mutant(
        "ids of letters",
        "ids have letters",
        ("task_ids",),
        Manners(named=lambda number: f"task-{number}"),
    ),
    Mutant(
        "one id for all",
        "every submit has the same id",
        ("task_ids", "text_kept", "state_kept", "key_holds", "change_names_parent"),
        Manners(named=lambda number: "1795400000000001"),
    ),
)


# Callbacks, keys, tags, statements


def _posts(change: Callable[[Task, Post], Sequence[Post]]) -> Manners:
    return Manners(posts=change)


_ANEW = itertools.count()


def _hooked(**values: Any) -> Manners:
    return _posts(lambda task, post: [replace(post, body={**post.body, **values})])


AROUND = (
    Mutant(
        "no callbacks",
        "no hook is ever called",
        ("callback_arrives",),
        _posts(lambda task, post: []),
    ),
    Mutant(
        "no last callback",
        "the end of a task is not posted",
        ("callback_arrives",),
        _posts(lambda task, post: [] if task.status == "SUCCESS" else [post]),
    ),
    Mutant(
        "callbacks of their own",
        "a callback has id and status alone",
        ("callback_is_fetch", "callback_arrives"),
        _posts(
            lambda task, post: [
                replace(post, body={name: post.body[name] for name in ("id", "status")})
            ]
        ),
    ),
    Mutant(
        "callbacks without state",
        "a callback has no `state`, which fetch has",
        ("callback_is_fetch",),
        _hooked(state=None),
    ),
    Mutant(
        "callbacks of others",
        "a callback has the id of another task",
        ("callback_arrives", "callback_is_fetch"),
        _hooked(id="1795400000000000"),
    ),
    Mutant(
        "callbacks elsewhere",
        "a callback goes to the root of its address",
        ("callback_arrives",),
        _posts(
            lambda task, post: [replace(post, address="/".join(post.address.split("/")[:3]) + "/")]
        ),
    ),
    Mutant(
        "callbacks backwards",
        "a callback of the end is followed by one of the beginning",
        ("callback_arrives", "callback_is_fetch"),
        _posts(
            lambda task, post: (
                [post, replace(post, body={**post.body, "status": "SUBMITTED", "progress": "0%"})]
                if task.status == "SUCCESS"
                else [post]
            )
        ),
    ),
    Mutant(
        "keys ignored",
        "the same Idempotency-Key makes a second picture",
        ("key_holds",),
        Manners(recalls=lambda same: "ignored"),
    ),
    Mutant(
        "keys for any body",
        "a key that another body came with is taken",
        ("key_holds",),
        Manners(recalls=lambda same: "replay" if same else "ignored"),
    ),
    Mutant(
        "replays unsaid",
        "a replay has no `Idempotency-Replayed`",
        ("key_holds",),
        leaving(no_header("idempotency-replayed")),
    ),
    Mutant(
        "tags never match",
        "`ETag` is another each time",
        ("etag_holds",),
        Manners(tag=lambda task: f"{task.id}.{next(_ANEW)}"),
    ),
    Mutant(
        "tags unread",
        "an `ETag` given back is answered 200 with itself",
        ("etag_holds",),
        Manners(knows=lambda call: False),
    ),
    Mutant(
        "one tag for all",
        "`ETag` stays when the task changes",
        ("etag_holds",),
        Manners(tag=lambda task: task.id),
    ),
    Mutant(
        "a wait that is none",
        "`Preference-Applied: wait` is said, and 304 comes at once",
        ("etag_holds",),
        Manners(waits=False, step_s=LONG_S),
    ),
    Mutant(
        "no tag",
        "a task has no `ETag`",
        ("headers_match", "etag_holds"),
        leaving(no_header("etag"), (FETCH,), (200,)),
    ),
    Mutant(
        "strong tags",
        "`ETag` is a strong one",
        ("headers_match",),
        leaving(
            lambda call, reply: reply.having(
                "etag", dict(reply.headers)["etag"].removeprefix("W/")
            ),
            (FETCH,),
            (200,),
        ),
    ),
    Mutant(
        "amounts of a float",
        "an amount is 0.30000000000000004",
        ("statements_exact",),
        Manners(statement=lambda body: _spent(body, "0.30000000000000004")),
    ),
    Mutant(
        "amounts as numbers",
        "amounts are JSON numbers",
        ("body_matches_schema", "statements_exact"),
        Manners(statement=lambda body: _spent(body, 0.3)),
    ),
    Mutant(
        "remaining wrong",
        "what remains is not what is left",
        ("statements_exact",),
        Manners(statement=lambda body: {**body, "remaining": "7"} if "remaining" in body else body),
    ),
    Mutant(
        "oldest first",
        "the lines of a usage come oldest first",
        ("statements_exact",),
        Manners(
            statement=lambda body: (
                {**body, "lines": body["lines"][::-1]} if "lines" in body else body
            )
        ),
    ),
)


def _twice_charged(entries: list[Entry]) -> list[Entry]:
    again = [each for each in entries if each.kind == "charge"]
    return sorted(entries + [replace(each, number=each.number + 1) for each in again], key=_age)


def _age(entry: Entry) -> int:
    return entry.time_ms


def _dearer(entries: list[Entry]) -> list[Entry]:
    return [
        replace(each, spent=each.spent + 1) if each.kind == "charge" else each for each in entries
    ]


def _old_lines(body: Body) -> Body:
    old = 400 * 86_400_000
    lines = [{**each, "time": each["time"] - old} for each in body.get("lines", ())]
    return {**body, "lines": lines} if "lines" in body else body


def _more_days(body: Body) -> Body:
    days = body.get("days")
    if not days:
        return body
    return {**body, "days": [{**days[0], "submitted": days[0]["submitted"] + 1}, *days[1:]]}


def _days_always(body: Body) -> Body:
    return {**body, "days": body["days"] or []} if "days" in body else body


MONEY = (
    Mutant(
        "charged twice",
        "a picture is charged twice",
        ("billed_once",),
        Manners(ledger=_twice_charged),
    ),
    Mutant(
        "never charged",
        "the hold of a picture stays for ever",
        ("billed_once",),
        Manners(ledger=lambda entries: [each for each in entries if each.kind != "charge"]),
    ),
    Mutant(
        "dearer than held",
        "a picture is charged at another price than was held",
        ("billed_once",),
        Manners(ledger=_dearer),
    ),
    Mutant(
        "pages repeat",
        "the next page begins with the last line of the page before",
        ("pages_whole",),
        Manners(page=lambda cursor, limit: (cursor + 1 if cursor else 0, limit)),
    ),
    Mutant(
        "pages skip",
        "the next page leaves out a line",
        ("pages_whole",),
        Manners(page=lambda cursor, limit: (cursor - 1 if cursor else 0, limit)),
    ),
    Mutant(
        "limit ignored",
        "a page has more lines than were asked for",
        ("pages_whole",),
        Manners(page=lambda cursor, limit: (cursor, max(limit, 100))),
    ),
    Mutant(
        "totals on every page",
        "`days` is not null after the first page",
        ("pages_whole",),
        Manners(statement=_days_always),
    ),
    Mutant(
        "totals wrong",
        "totals count a submit too many",
        ("pages_whole",),
        Manners(statement=_more_days),
    ),
    Mutant(
        "lines of other days",
        "a usage has lines of days that were not asked for",
        ("statements_exact",),
        Manners(statement=_old_lines),
    ),
    Mutant(
        "keys race",
        "the same submit, sent twice at once with one key, makes two pictures",
        ("key_holds",),
        Manners(keeps_keys_after_s=1.0),
    ),
    Mutant(
        "keys of all",
        "a key of another token is answered with its task",
        ("tenants_apart",),
        Manners(keys_of=lambda call: ""),
    ),
    Mutant(
        "keys of operations",
        "a key that an imagine came with is free for a change",
        ("key_holds",),
        Manners(keys_of=lambda call: f"{call.asker} {call.operation}"),
    ),
    Mutant(
        "a hundred ids",
        "a list looks at its first hundred ids",
        ("list_in_order",),
        Manners(looks_at=100),
    ),
    Mutant(
        "one tag alone",
        "an `ETag` among others is not found",
        ("etag_holds",),
        Manners(tags_in=lambda text: [text.removeprefix("W/").strip('"')]),
    ),
    Mutant(
        "state cut",
        "a `state` comes back cut at 255 characters",
        ("state_kept",),
        _says(state=lambda task, state: state and state[:255]),
    ),
    Mutant(
        "no slash after fetch",
        "a fetch with a slash at its end finds nothing",
        ("good_accepted",),
        leaving(
            lambda call, reply: (
                replace(error(404, "no such path"), headers=reply.headers)
                if call.path.endswith("/")
                else reply
            ),
            (FETCH,),
        ),
    ),
    Mutant(
        "no slash after imagine",
        "an imagine with a slash at its end finds nothing",
        ("bad_refused", "good_accepted"),
        leaving(
            lambda call, reply: (
                replace(error(404, "no such path"), headers=reply.headers)
                if call.path.endswith("/")
                else reply
            ),
            (IMAGINE,),
        ),
    ),
)


def _later(task: Task, time_ms: Any) -> Any:
    """A time that moves with the task."""
    return time_ms and time_ms + task.stage


TIMES = (
    Mutant(
        "pictures without address",
        "a finished picture has no `imageUrl`",
        ("picture_shown",),
        _says(imageUrl=lambda task, address: None),
    ),
    Mutant(
        "pictures by path",
        "`imageUrl` is a path without a host",
        ("picture_shown",),
        _says(imageUrl=lambda task, address: address and f"/pictures/{task.id}.png"),
    ),
    Mutant(
        "times in seconds",
        "times are seconds since 1970",
        ("times_plausible",),
        Manners(
            shown=lambda task, body: {
                **body,
                **{name: body[name] and body[name] // 1000 for name in _TIMES},
            }
        ),
    ),
    Mutant(
        "starts before its submit",
        "`startTime` lies before `submitTime`",
        ("times_in_order",),
        _says(startTime=lambda task, time_ms: time_ms and task.submit_ms - 1),
    ),
    Mutant(
        "finishes before its start",
        "`finishTime` lies before `startTime`",
        ("times_in_order",),
        _says(finishTime=lambda task, time_ms: time_ms and (task.start_ms or 0) - 1),
    ),
    Mutant(
        "submitted anew",
        "`submitTime` is that of the last change",
        ("times_stay",),
        replace(_says(submitTime=_later), step_s=LONG_S),
    ),
    Mutant(
        "started anew",
        "`startTime` is that of the last change",
        ("times_stay",),
        replace(_says(startTime=_later), step_s=LONG_S),
    ),
    Mutant(
        "never started in the end",
        "`startTime` is null again at the end",
        ("times_stay",),
        _says(startTime=lambda task, time_ms: None if task.status == "SUCCESS" else time_ms),
    ),
    Mutant(
        "lists are poorer",
        "a list has `promptEn` null, which a fetch has not",
        ("views_agree",),
        Manners(listed=lambda tasks, everything: [{**each, "promptEn": None} for each in tasks]),
    ),
    Mutant(
        "lists are late",
        "a list has no `finishTime`, which a fetch has",
        ("times_stay", "views_agree"),
        Manners(listed=lambda tasks, everything: [{**each, "finishTime": None} for each in tasks]),
    ),
)


def _spent(body: Body, amount: Any) -> Body:
    return {**body, "spent": amount} if "spent" in body else body


MUTANTS: Sequence[Mutant] = (
    *FORM,
    *ERRORS,
    *CRASHES,
    *REFUSALS,
    *ACCEPTED,
    *TOKENS,
    *TASKS,
    *AROUND,
    *MONEY,
    *TIMES,
)


def table() -> str:
    """All of them, for readers; `python -m tests.conformance.mutants > MUTANTS.md` writes it."""
    found = sum(not each.missed for each in MUTANTS)
    lines = [
        "# What a conformance run finds",
        "",
        f"Each of {len(MUTANTS)} servers breaks the contract in one way. A run finds {found}.",
        "`test_mutants.py` holds this table to the truth.",
        "",
        "| what is wrong | found by a rule among |",
        "|---|---|",
    ]
    lines += [
        f"| {each.wrong} | {each.missed or ', '.join(f'`{name}`' for name in each.rules)} |"
        for each in MUTANTS
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
