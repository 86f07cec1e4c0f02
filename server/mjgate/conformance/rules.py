"""Every rule that a server is held to: its name, one sentence, and where the contract has it.

A rule of one exchange is a pure function of it and of what the contract expects. It never raises:
an answer that it cannot read is an answer that breaks it. Rules of several exchanges are applied
by the stories and the memory; here they have their sentence.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property, partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from mjgate.conformance.contract_view import FETCH, KEY, LIST, USAGE, Contract, Response
from mjgate.conformance.exchange import Answer, Exchange
from mjgate.conformance.memory import TIMES, is_time, percent
from mjgate.conformance.oracle import Expectation, json_of

ERROR = "#/components/schemas/Error"
_DESCRIPTION = "#/info/description"
MOST_ID = 2**53 - 1
ACCEPTED = (1, 22)
"""Codes of a submit that made a task."""
EXISTS = 21
"""Has an id where the upstream names the task."""
_TASK = "#/components/schemas/Task"
_DRAWING = ("IMAGINE", "UPSCALE", "VARIATION", "REROLL", "BLEND")
"""Actions that make a picture."""
_PLAUSIBLE = range(1_577_836_800_000, 4_102_444_800_000)
"""2020 to 2100, in milliseconds."""
_ID = re.compile(r"[1-9][0-9]{0,15}")
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")
_MOST_POINTER = 1000
"""Signs of a place, after which a server may cut it."""
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]{0,5}[1-9])?")
SLUGS: Mapping[int, frozenset[str]] = {
    400: frozenset({"invalid_request"}),
    401: frozenset({"unauthorized"}),
    402: frozenset({"budget_spent"}),
    403: frozenset({"forbidden"}),
    404: frozenset({"not_found"}),
    405: frozenset({"method_not_allowed"}),
    409: frozenset({"in_flight"}),
    413: frozenset({"too_large"}),
    415: frozenset({"not_json"}),
    422: frozenset({"key_reused"}),
    429: frozenset({"rate_limited", "too_many_in_flight"}),
    500: frozenset({"internal"}),
    502: frozenset({"upstream_refused", "outcome_unknown"}),
    503: frozenset({"unavailable"}),
    504: frozenset({"outcome_unknown"}),
}
NEEDED_HEADERS = {
    401: "www-authenticate",
    405: "allow",
    409: "retry-after",
    429: "retry-after",
    503: "retry-after",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """How an answer breaks a rule; `text` is the same for the same fault."""

    text: str
    where: str = ""
    """A pointer into the contract, where it is not the rule's own."""


@dataclass(frozen=True)
class Sight:
    """All that a rule of one exchange may look at."""

    exchange: Exchange
    answer: Answer
    expected: Expectation
    contract: Contract
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def body(self) -> Any:
        """The answer's body as JSON; `UNREADABLE` where it is none."""
        try:
            return json_of(self.answer.body)
        except ValueError:
            return UNREADABLE

    @property
    def documented(self) -> Response | None:
        """What the contract says of this status; for a path of none, that errors are errors."""
        operation = self.expected.operation
        return operation.responses.get(self.answer.status) if operation else None

    @property
    def is_bodiless(self) -> bool:
        """Whether HTTP allows no body here."""
        return self.exchange.request.method == "HEAD" or self.answer.status in (204, 304)

    @property
    def path(self) -> str:
        """The template of the operation; empty for none."""
        return self.expected.operation.path if self.expected.operation else ""

    @cached_property
    def tasks(self) -> list[Mapping[str, Any]]:
        """The tasks that an answer to a fetch or a list holds."""
        if self.answer.status != 200 or self.path not in (FETCH, LIST):
            return []
        found = self.body if isinstance(self.body, list) else [self.body]
        return [task for task in found if isinstance(task, dict)]

    def at(self, *path: str) -> Any:
        """What stands in the body; None where nothing does."""
        return at(self.body, *path)


UNREADABLE = object()
"""In place of a body that is no JSON."""
Judge = Callable[[Sight], Iterator[Broken | None]]
"""Yields None for each time the rule was applied and held."""


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    says: str
    """What a server must do, in one sentence."""
    where: str
    """A JSON pointer into the contract."""
    judge: Judge | None = None
    """None for a rule of several exchanges."""


def at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def is_id(text: Any) -> bool:
    return isinstance(text, str) and bool(_ID.fullmatch(text)) and int(text) <= MOST_ID


def submitted(sight: Sight) -> str | None:
    """The id of the task that a submit has made, or may have made; else nothing."""
    operation = sight.expected.operation
    if operation is None or not operation.submits:
        return None
    if sight.answer.status in (200, 201):
        code, result = sight.at("code"), sight.at("result")
        return result if code in (*ACCEPTED, EXISTS) and isinstance(result, str) else None
    if sight.at("properties", "error") == "outcome_unknown":
        found = sight.at("properties", "taskId")
        return found if isinstance(found, str) else None
    return None


def _status_documented(sight: Sight) -> Iterator[Broken | None]:
    operation, status = sight.expected.operation, sight.answer.status
    if operation is None:
        return
    known = status in operation.responses
    yield None if known else Broken(f"{status} is not documented", f"{operation.where}/responses")


def _no_server_error(sight: Sight) -> Iterator[Broken | None]:
    status = sight.answer.status
    yield None if status < 500 else Broken(f"{status}")


def _content_type(sight: Sight) -> Iterator[Broken | None]:
    if sight.is_bodiless or not _has_say(sight):
        return
    given = sight.answer.all("content-type")
    if not given:
        yield Broken(f"{sight.answer.status} has no Content-Type")
        return
    kind = given[0].partition(";")[0].strip().lower()
    good = kind == "application/json" and len(given) == 1
    yield None if good else Broken(f"{sight.answer.status} is not sent as JSON")


def _body_matches_schema(sight: Sight) -> Iterator[Broken | None]:
    documented, status = sight.documented, sight.answer.status
    if documented is None or sight.exchange.request.method == "HEAD":
        return
    if documented.schema is None:
        empty = not sight.answer.body
        yield None if empty else Broken(f"{status} has a body", documented.where)
        return
    if sight.body is UNREADABLE:
        yield Broken(f"{status} is no JSON", documented.schema)
        return
    faults = sight.contract.faults(documented.schema, sight.body)
    if not faults:
        yield None
    for fault in faults:
        text = f"{status}: {fault.steady or 'the body'} breaks {fault.keyword}"
        yield Broken(text, fault.where)


def _headers_match(sight: Sight) -> Iterator[Broken | None]:
    documented = sight.documented
    for name, where in documented.headers.items() if documented else ():
        raw = sight.contract.at(where)
        given = sight.answer.all(name)
        if not given and raw.get("required"):
            yield Broken(f"{sight.answer.status} has no {name}", where)
        for text in given:
            value = _value(text, raw["schema"].get("type"))
            good = sight.contract.accepts(f"{sight.contract.home(where)}/schema", value)
            yield None if good else Broken(f"{name} does not fit its schema", where)


def _error_shape(sight: Sight) -> Iterator[Broken | None]:
    status = sight.answer.status
    if status < 400 or sight.exchange.request.method == "HEAD":
        return
    if sight.body is UNREADABLE:
        yield Broken(f"{status} is no JSON")
        return
    faults = sight.contract.faults(ERROR, sight.body)
    yield from (Broken(f"{status}: {each.steady} breaks {each.keyword}") for each in faults)
    if faults:
        return
    code = 3 if status == 404 else 4 if status < 500 else 9
    if code != sight.at("code"):
        yield Broken(f"{status} has another code than {code}", f"{ERROR}/properties/code")
    if status in SLUGS and sight.at("properties", "error") not in SLUGS[status]:
        where = "#/components/schemas/ErrorSlug"
        yield Broken(f"{status} has the slug of another status", where)
    needed = NEEDED_HEADERS.get(status)
    missing = needed is not None and not sight.answer.all(needed)
    yield Broken(f"{status} has no {needed}") if missing else None


def _request_id_echoed(sight: Sight) -> Iterator[Broken | None]:
    given = sight.exchange.request.header("X-Request-Id") or ""
    got = sight.answer.all("x-request-id")
    if len(got) != 1:
        yield Broken("X-Request-Id is not there" if not got else "X-Request-Id came twice")
    elif _REQUEST_ID.fullmatch(given):
        yield None if got == [given] else Broken("a good X-Request-Id did not come back")
    else:
        good = _REQUEST_ID.fullmatch(got[0])
        yield None if good else Broken("X-Request-Id is not 1 to 128 visible ASCII characters")


def _good_accepted(sight: Sight) -> Iterator[Broken | None]:
    expected, status = sight.expected, sight.answer.status
    if expected.says != "good":
        return
    wrong = status in expected.wrong or (300 <= status < 400 and status != 304)
    operation = expected.operation
    yield (
        Broken(f"a good request got {status}", operation.where if operation else "")
        if (wrong)
        else None
    )


def _bad_refused(sight: Sight) -> Iterator[Broken | None]:
    expected, status = sight.expected, sight.answer.status
    if expected.says != "bad" or status >= 500 or _is_own_rule(expected):
        return
    yield (
        None
        if status in expected.statuses
        else Broken(f"{expected.why} got {status}", expected.where)
    )


def _refusal_says_where(sight: Sight) -> Iterator[Broken | None]:
    expected = sight.expected
    if sight.answer.status != 400 or expected.says == "good" or expected.operation is None:
        return
    errors = sight.at("properties", "errors")
    told = [at(each, "pointer") for each in errors] if isinstance(errors, list) else []
    if not told:
        yield Broken("a 400 does not say what was wrong", f"{ERROR}Properties/properties/errors")
    elif not all(_is_near(each, expected.places) for each in told):
        yield Broken(
            f"a 400 for {expected.why} names another place",
            "#/components/schemas/Violation/properties/pointer",
        )
    else:
        yield None


def _token_needed(sight: Sight) -> Iterator[Broken | None]:
    if sight.exchange.request.sender not in ("none", "bad") or sight.expected.says != "bad":
        return
    status = sight.answer.status
    what = "no token" if sight.exchange.request.sender == "none" else "a wrong token"
    good = status in sight.expected.statuses or status >= 500
    yield None if good else Broken(f"{what} got {status}")


def _both_forms_taken(sight: Sight) -> Iterator[Broken | None]:
    request = sight.exchange.request
    if sight.expected.operation is None or request.sender not in ("token", "second"):
        return
    refused = sight.answer.status == 401
    yield Broken(f"a good token in {request.form} got 401") if refused else None


def _methods_refused(sight: Sight) -> Iterator[Broken | None]:
    if sight.expected.says == "bad" and 405 in sight.expected.statuses:
        status = sight.answer.status
        good = status in sight.expected.statuses
        yield None if good else Broken(f"{sight.expected.why} got {status}", sight.expected.where)
        if status == 405 and sight.answer.all("allow"):
            yield None if _allows_right(sight) else Broken("Allow does not name what is allowed")


def _allows_right(sight: Sight) -> bool:
    """Whether Allow has the methods of the path (RFC 9110, 10.2.1), and not the refused one."""
    request = sight.exchange.request
    match = sight.contract.match(urlsplit(request.url).path)
    told = {each.strip() for text in sight.answer.all("allow") for each in text.split(",")}
    return match is not None and match.operations.keys() <= told and request.method not in told


def _unknown_paths_refused(sight: Sight) -> Iterator[Broken | None]:
    if (
        sight.expected.says == "bad"
        and sight.expected.operation is None
        and (405 not in sight.expected.statuses)
    ):
        status = sight.answer.status
        yield None if status in sight.expected.statuses else Broken(f"an unknown path got {status}")


def _task_keys(sight: Sight) -> Iterator[Broken | None]:
    for task in sight.tasks:
        missing = sorted(sight.contract.task_keys - task.keys())
        yield Broken(f"a task without {', '.join(missing)}") if missing else None


def _task_ids(sight: Sight) -> Iterator[Broken | None]:
    for task in sight.tasks:
        yield None if is_id(task.get("id")) else Broken("the id of a task is not 1 to 16 digits")
    if sight.path == FETCH and sight.tasks:
        asked = (sight.expected.path or {}).get("id")
        same = sight.tasks[0].get("id") == asked
        yield None if same else Broken("a fetch gave a task of another id")
    made = submitted(sight)
    if made is not None:
        yield None if is_id(made) else Broken("the id of a submit is not 1 to 16 digits")
    elif _is_submitted(sight):
        yield Broken("an accepted submit names no task", "#/components/schemas/SubmitResult")


def _progress_is_true(sight: Sight) -> Iterator[Broken | None]:
    for task in sight.tasks:
        early = task.get("progress") == "100%" and task.get("status") != "SUCCESS"
        yield Broken(f"100% at {_word(task.get('status'))}") if early else None
        beyond = percent(task.get("progress")) > 100
        yield Broken("progress is beyond 100%") if beyond else None


def _picture_shown(sight: Sight) -> Iterator[Broken | None]:
    for task in sight.tasks:
        if task.get("status") == "SUCCESS" and task.get("action") in _DRAWING:
            good = _is_address(task.get("imageUrl"))
            yield None if good else Broken("a finished picture has no absolute http(s) imageUrl")


def _times_plausible(sight: Sight) -> Iterator[Broken | None]:
    for name, time in _times(sight):
        good = time in _PLAUSIBLE
        what = "0" if time == 0 else "no time in milliseconds between 2020 and 2100"
        yield None if good else Broken(f"{name} is {what}", f"{_TASK}/properties/{name}")


def _times_in_order(sight: Sight) -> Iterator[Broken | None]:
    for task in sight.tasks:
        # A time of 0 is none; of that speaks another rule.
        known = [(name, time) for name in TIMES if is_time(time := task.get(name)) and time]
        for (first, early), (then, late) in pairwise(known):
            yield None if early <= late else Broken(f"{then} lies before {first}")


def _statements_exact(sight: Sight) -> Iterator[Broken | None]:
    if sight.answer.status != 200 or sight.path not in (KEY, USAGE):
        return
    body = sight.body
    amounts = [*_amounts(body)]
    for name, amount in amounts:
        good = isinstance(amount, str) and _AMOUNT.fullmatch(amount) is not None
        yield None if good else Broken(f"{name} is no exact decimal")
    if sight.path == KEY and at(body, "budget") is not None:
        budget, spent, held, left = (
            _decimal(at(body, name)) for name in ("budget", "spent", "held", "remaining")
        )
        if budget is not None and spent is not None and held is not None:
            good = left == max(Decimal(0), budget - spent - held)
            yield None if good else Broken("remaining is not what the budget leaves")
    if sight.path == USAGE:
        lines = at(body, "lines")
        times = [at(line, "time") for line in lines] if isinstance(lines, list) else []
        known = [time for time in times if isinstance(time, int)]
        yield None if known == sorted(known, reverse=True) else Broken("lines are not newest first")
        days = {*map(day_of, known)}
        within = all(str(at(body, "from")) <= day <= str(at(body, "to")) for day in days)
        yield None if within else Broken("a line is of a day that was not asked for")


def day_of(time_ms: int) -> str:
    """The day in UTC, such as `2026-01-31`; of a time that no calendar has, `never`."""
    try:
        return str(datetime.fromtimestamp(time_ms / 1000, UTC).date())
    except (ValueError, OverflowError, OSError):
        return "never"


def _list_in_order(sight: Sight) -> Iterator[Broken | None]:
    parsed = sight.expected.body
    if sight.path != LIST or sight.answer.status != 200 or parsed is None:
        return
    asked = at(parsed.value, "ids")
    wanted = [str(each) for each in asked] if isinstance(asked, list) else []
    places = {task_id: number for number, task_id in reversed([*enumerate(wanted)])}
    if not isinstance(sight.body, list):
        return
    got = [task.get("id") for task in sight.tasks]
    if any(not isinstance(each, str) or each not in places for each in got):
        yield Broken("a list has a task that was not asked for")
    elif len(set(got)) < len(got) and len(set(wanted)) == len(wanted):
        yield Broken("a list has a task twice")
    else:
        order = [places[str(each)] for each in got]
        repeats = len(set(wanted)) < len(wanted)
        good = order == sorted(order) or repeats
        yield None if good else Broken("a list is not in the order asked for")


def _tokens_not_shown(sight: Sight) -> Iterator[Broken | None]:
    shown = sight.answer.body + "\n".join(value for _, value in sight.answer.headers).encode(
        "utf-8", "surrogatepass"
    )
    held = not any(secret and secret.encode() in shown for secret in sight.secrets)
    yield None if held else Broken("an answer shows a token")


RULES: tuple[Rule, ...] = (
    Rule(
        "status_documented",
        "Every answer has a status that the contract has for its operation.",
        "#/paths",
        _status_documented,
    ),
    Rule(
        "no_server_error",
        "No request makes the server fail.",
        "#/components/responses/Fault",
        _no_server_error,
    ),
    Rule(
        "content_type",
        "Every answer with a body is sent as application/json.",
        _DESCRIPTION,
        _content_type,
    ),
    Rule(
        "body_matches_schema",
        "A body is what the contract's schema for its status says.",
        "#/components/schemas",
        _body_matches_schema,
    ),
    Rule(
        "headers_match",
        "Headers that the contract requires are there, and each is as its schema says.",
        "#/components/headers",
        _headers_match,
    ),
    Rule(
        "error_shape",
        "From 400 up every answer is an Error, with the code and the slug of its status.",
        ERROR,
        _error_shape,
    ),
    Rule(
        "request_id_echoed",
        "A good X-Request-Id comes back; in place of any other comes a new one.",
        "#/components/headers/RequestId",
        _request_id_echoed,
    ),
    Rule(
        "good_accepted",
        "What the contract allows is not refused as a wrong request.",
        "#/paths",
        _good_accepted,
    ),
    Rule(
        "bad_refused",
        "What the contract forbids is refused, with the status for its reason.",
        "#/paths",
        _bad_refused,
    ),
    Rule(
        "refusal_says_where",
        "A 400 names the places that are wrong, and no others.",
        "#/components/schemas/ErrorProperties/properties/errors",
        _refusal_says_where,
    ),
    Rule(
        "token_needed",
        "No operation answers without a good token.",
        "#/components/securitySchemes",
        _token_needed,
    ),
    Rule(
        "both_forms_taken",
        "A token is taken as mj-api-secret and as Authorization: Bearer.",
        "#/components/securitySchemes",
        _both_forms_taken,
    ),
    Rule(
        "methods_refused",
        "Another method on a path of the contract is 405.",
        "#/paths",
        _methods_refused,
    ),
    Rule(
        "unknown_paths_refused",
        "A path that the contract does not have is 404.",
        _DESCRIPTION,
        _unknown_paths_refused,
    ),
    Rule("task_keys", "A task has every documented key.", f"{_TASK}/required", _task_keys),
    Rule(
        "task_ids",
        "Ids of tasks are decimal digits that a JavaScript number holds, and are those asked for.",
        f"{_TASK}/properties/id",
        _task_ids,
    ),
    Rule(
        "progress_is_true",
        "Progress is 100% at SUCCESS alone, and never more.",
        f"{_TASK}/properties/progress",
        _progress_is_true,
    ),
    Rule(
        "picture_shown",
        "A task that has drawn a picture has its absolute address.",
        f"{_TASK}/properties/imageUrl",
        _picture_shown,
    ),
    Rule(
        "times_plausible",
        "Times of a task are milliseconds since 1970.",
        f"{_TASK}/properties/submitTime",
        _times_plausible,
    ),
    Rule(
        "times_in_order",
        "A task starts no earlier than it was submitted, and finishes no earlier than it starts.",
        f"{_TASK}/properties/startTime",
        _times_in_order,
    ),
    Rule(
        "statements_exact",
        "Amounts are exact decimals, what remains is what is left, lines come newest first.",
        "#/components/schemas/Dollars",
        _statements_exact,
    ),
    Rule(
        "list_in_order",
        "A list holds tasks that were asked for, in the order asked for.",
        "#/paths/~1mj~1task~1list-by-condition/post/description",
        _list_in_order,
    ),
    Rule(
        "tokens_not_shown",
        "No answer shows a token.",
        "#/paths/~1v1~1key/get/description",
        _tokens_not_shown,
    ),
    Rule(
        "tasks_go_forward",
        "Status and progress of a task never go backwards, and nothing comes after SUCCESS.",
        f"{_TASK}/properties/progress",
    ),
    Rule(
        "times_stay",
        "submitTime of a task never changes, startTime and finishTime never once they are set.",
        f"{_TASK}/properties/submitTime",
    ),
    Rule(
        "views_agree",
        "A list and a fetch show the same task.",
        "#/components/schemas/TaskList",
    ),
    Rule(
        "submitted_fetchable",
        "The id of a submit can be fetched as soon as it is known.",
        "#/paths/~1mj~1submit~1imagine/post/responses/200/links/FetchTask",
    ),
    Rule(
        "submitted_listed",
        "The id of a submit can be listed as soon as it is known, as text and as a number.",
        "#/paths/~1mj~1submit~1imagine/post/responses/200/links/ListTask",
    ),
    Rule(
        "state_kept",
        "A task has the state that was submitted, exactly.",
        f"{_TASK}/properties/state",
    ),
    Rule(
        "text_kept",
        "A prompt comes back as it was sent, in any alphabet and at any length.",
        f"{_TASK}/properties/prompt",
    ),
    Rule(
        "change_names_parent",
        "A change makes a new task that names the one it was made from.",
        "#/paths/~1mj~1submit~1change/post",
    ),
    Rule(
        "changes_only_finished",
        "Only a finished task can be changed.",
        "#/paths/~1mj~1submit~1change/post/description",
    ),
    Rule(
        "tenants_apart",
        "Nobody sees or changes the tasks of another token.",
        "#/paths/~1mj~1task~1list-by-condition/post/description",
    ),
    Rule(
        "bad_token_refused",
        "A wrong token is 401 with a challenge, everywhere and in both forms.",
        "#/components/responses/Unauthorized",
    ),
    Rule(
        "callback_arrives",
        "A task's hook is called when the task changes.",
        "#/paths/~1mj~1submit~1imagine/post/callbacks",
    ),
    Rule(
        "callback_is_fetch",
        "A callback's body is the task exactly as fetch gives it.",
        "#/paths/~1mj~1submit~1imagine/post/callbacks",
    ),
    Rule(
        "key_holds",
        "The same Idempotency-Key and body give the same answer and no second task.",
        "#/paths/~1mj~1submit~1imagine/post/description",
    ),
    Rule(
        "etag_holds",
        "An ETag given back is 304 while the task is the same.",
        "#/paths/~1mj~1task~1{id}~1fetch/get/description",
    ),
    Rule(
        "every_task_ends",
        "Every task ends.",
        f"{_TASK}/properties/status",
    ),
    Rule(
        "pages_whole",
        "Pages of a usage repeat and skip no line, and its totals are those of its lines.",
        "#/paths/~1v1~1usage/get/description",
    ),
    Rule(
        "billed_once",
        "A picture is held once and charged once, any other end releases, at one price.",
        "#/paths/~1v1~1usage/get/description",
    ),
    Rule(
        "answers",
        "Every request is answered, whole and in time.",
        "#/paths",
    ),
    Rule(
        "nothing_bought",
        "Where no submit was allowed, none is accepted.",
        "#/paths/~1mj~1submit~1imagine/post",
    ),
    Rule(
        "coverage",
        "Every operation is asked and accepts something good.",
        "#/paths",
    ),
)
BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}


def _times(sight: Sight) -> Iterator[tuple[str, int]]:
    """Every time of every task that is set."""
    for task in sight.tasks:
        yield from ((name, time) for name in TIMES if is_time(time := task.get(name)))


def _is_address(value: Any) -> bool:
    """Whether it is an absolute address of http or https."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _is_own_rule(expected: Expectation) -> bool:
    """Whether a rule of its own speaks of this refusal."""
    return expected.operation is None or 401 in expected.statuses


def _has_say(sight: Sight) -> bool:
    """Whether the contract speaks of this answer at all."""
    return sight.expected.operation is not None or sight.answer.status >= 400


def _is_submitted(sight: Sight) -> bool:
    operation = sight.expected.operation
    accepted = sight.answer.status in (200, 201) and sight.at("code") in ACCEPTED
    return operation is not None and operation.submits and accepted


def _is_near(told: Any, places: frozenset[str]) -> bool:
    """Whether a place is one that is wrong, or lies above or below one."""
    if not isinstance(told, str) or not told.startswith(("/", "#")):
        return told == "" and bool(places)
    return any(map(partial(_is_along, _speakable(told)), map(_speakable, places)))


def _is_along(told: str, place: str) -> bool:
    if told.startswith("#") or place.startswith("#"):
        return told == place
    cut = len(told) >= _MOST_POINTER and place.startswith(told)
    return cut or f"{told}/".startswith(f"{place}/") or f"{place}/".startswith(f"{told}/")


def _speakable(place: str) -> str:
    """A place as one can be told who cannot say U+0000 and half of a sign."""
    return _UNSPEAKABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", place)


def _amounts(body: Any) -> Iterator[tuple[str, Any]]:
    """Every amount of a statement."""
    rows = [body]
    for name in ("days", "models", "lines"):
        found = at(body, name)
        rows += found if isinstance(found, list) else []
    for row in rows:
        for name in ("budget", "held", "remaining", "spent"):
            if at(row, name) is not None:
                yield name, at(row, name)


def _decimal(text: Any) -> Decimal | None:
    try:
        return Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        return None


def _value(text: str, kind: str | None) -> Any:
    """What the text of a header stands for."""
    if kind == "integer" and re.fullmatch(r"-?[0-9]{1,19}", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text) if kind == "boolean" else text


def _word(value: Any) -> str:
    """A word of an answer, where it is one that the contract knows."""
    known = ("NOT_START", "SUBMITTED", "IN_PROGRESS", "FAILURE", "MODAL", "CANCEL")
    return value if isinstance(value, str) and value in known else "another status"
