"""What a call must have made of a reply, and what it must have sent: the rules of a client."""

import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from mjgate.conformance.client.draw import NO_BODY, Question
from mjgate.conformance.client.mock import Arrival
from mjgate.conformance.client.package import TOKEN, Called, Package, is_transport
from mjgate.conformance.client.reply import NOTHING, Reply, canonical
from mjgate.conformance.contract_view import Contract, Operation, Parameter

RULES: Mapping[str, str] = {
    "client_has_operation": "Every operation has a function in each of the four ways, with an "
    "argument for each parameter.",
    "client_sends_the_contract": "What a call sends is what it was given: method, path, query, "
    "headers, type and body, and the token.",
    "client_escapes_ids": "A parameter of the path stays one segment of it, and can be read back.",
    "client_parses": "What the contract allows is parsed as the class it names.",
    "client_keeps_all": "What is parsed says the same JSON again: nothing is lost or changed.",
    "client_tells_the_answer": "A detailed answer has the status, the headers and the content that "
    "came.",
    "client_raises_its_own": "What cannot be parsed is told without an error, or by one of the "
    "client's own with status and content; never by a bare KeyError or such.",
    "client_hides_token": "No repr and no error shows the token.",
    "client_keeps_token_home": "The token goes to no other host, whatever a redirect says.",
    "client_times_out": "A call ends when nobody answers, without being told a time.",
    "client_waits": "wait_for goes on past what may pass, and ends with the task or one of the "
    "client's own errors.",
}
_MOST_TOLD = 300
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a call broke. `text` is steady; `detail` has what was drawn."""

    rule: str
    text: str
    where: str
    detail: str


Said = tuple[str, str]
"""The steady text, and the detail."""


def judged(
    package: Package, contract: Contract, operation: Operation, reply: Reply, called: Called
) -> Iterator[tuple[str, list[Broken]]]:
    """Every rule that has a say in a reply, and what of it was broken."""
    schema = _schema(operation, reply)
    where = _where(operation, reply)
    for rule, found in (
        ("client_parses", _parses(package, contract, schema, reply, called)),
        ("client_keeps_all", _keeps(reply, called)),
        ("client_tells_the_answer", _tells(reply, called)),
        ("client_raises_its_own", _raises(package, reply, called)),
        ("client_hides_token", _hides(reply, called)),
    ):
        if found is not None:
            yield rule, [Broken(rule, text, where, detail) for text, detail in found]


def sent(
    operation: Operation, asked: Question, header: str, called: Called
) -> Iterator[tuple[str, list[Broken]]]:
    """What a call has sent, held against what it was given. `header` carries the token."""
    rule = "client_sends_the_contract"
    if len(called.arrivals) != 1:
        text = (
            f"sends {len(called.arrivals) or 'no'} requests" if called.arrivals else "sends nothing"
        )
        yield rule, [Broken(rule, text, operation.where, told(called))]
        return
    arrival = called.arrivals[0]
    found = list(_sent(operation, asked, header, arrival))
    yield rule, [Broken(rule, text, operation.where, detail) for text, detail in found]
    if "{" in operation.path:
        rule = "client_escapes_ids"
        wrong = _segments(operation, asked, arrival)
        yield rule, [Broken(rule, text, operation.where, detail) for text, detail in wrong]


def told(called: Called) -> str:
    """How a call went, for a person."""
    strict = ", raise_on_unexpected_status=True" if called.strict else ""
    if called.error is None:
        return f"{called.way}(...{strict}) gave {_short(called.parsed)}"
    last = traceback.extract_tb(called.error.__traceback__)[-1:]
    place = "".join(f" at {_file(each.filename)}:{each.lineno}" for each in last)
    return f"{called.way}(...{strict}) raised {type(called.error).__name__}: " + _cut(
        f"{called.error}{place}"
    )


def _parses(
    package: Package, contract: Contract, schema: str | None, reply: Reply, called: Called
) -> list[Said] | None:
    if reply.kind != "valid":
        return None
    if called.error is not None and not package.is_own(called.error):
        return [(f"raises {type(called.error).__name__} for {reply.name}", told(called))]
    if called.error is not None:
        return [(f"does not parse {reply.name}", told(called))]
    if schema is None:
        parsed = called.parsed is not None
        return (
            [(f"makes something of {reply.name}, which has no body", told(called))]
            if parsed
            else []
        )
    if called.parsed is None:
        return [(f"does not parse {reply.name}", told(called))]
    wrong = _wrong_class(contract, schema, called.parsed)
    return [(f"{wrong} of {reply.name}", told(called))] if wrong else []


def _wrong_class(contract: Contract, schema: str, parsed: Any) -> str | None:
    home = contract.home(schema)
    node = contract.at(home)
    if node.get("type") == "array" and isinstance(parsed, list):
        items = (_wrong_class(contract, f"{home}/items", item) for item in parsed)
        return next((each for each in items if each), None)
    wanted, found = home.rpartition("/")[2], type(parsed).__name__
    return (
        None
        if node.get("type") == "object" and wanted == found
        else f"makes a {found}, not a {wanted},"
    )


def _keeps(reply: Reply, called: Called) -> list[Said] | None:
    if called.error is not None or called.parsed is None:
        return None
    value = reply.value
    if value is NOTHING:
        return [(f"makes something of {reply.name}", told(called))]
    try:
        said = _plain(called.parsed)
        kept, came = canonical(said), canonical(value)
    except Exception as error:
        text = f"cannot say again what it parsed of {reply.name}: {type(error).__name__}"
        return [(text, f"{told(called)}; to_dict() raised {error!r}")]
    if kept == came:
        return []
    pointer = _difference(value, said, "")
    return [(f"does not keep {pointer or 'the value'}", f"of {reply.name}, {told(called)}")]


def _plain(parsed: Any) -> Any:
    if isinstance(parsed, list):
        return [_plain(item) for item in parsed]
    return parsed.to_dict() if hasattr(parsed, "to_dict") else parsed


def _difference(came: Any, kept: Any, pointer: str) -> str:
    """The first place where two values differ, items as `*`; not looked for very deep."""
    if pointer.count("/") > _DEEPEST:
        return ""
    if isinstance(came, dict) and isinstance(kept, dict):
        for name in sorted({*came, *kept}):
            if name not in came or name not in kept:
                return f"{pointer}/{name}"
            if found := _difference(came[name], kept[name], f"{pointer}/{name}"):
                return found
        return ""
    if isinstance(came, list) and isinstance(kept, list) and len(came) == len(kept):
        pairs = zip(came, kept, strict=True)
        return next(filter(None, (_difference(a, b, f"{pointer}/*") for a, b in pairs)), "")
    return "" if canonical(came) == canonical(kept) else pointer or "/"


def _tells(reply: Reply, called: Called) -> list[Said] | None:
    if called.error is not None or not called.detailed or reply.kind == "broken":
        return None
    answer = called.answer
    found: list[Said] = []
    if getattr(answer, "status_code", None) != reply.status:
        found.append(("does not tell the status", told(called)))
    if getattr(answer, "content", None) != reply.content:
        found.append((f"does not tell the content of {reply.name}", told(called)))
    headers = getattr(answer, "headers", None) or {}
    lost = [name for name, value in reply.headers if headers.get(name) != value.strip()]
    if lost:
        found.append((f"does not tell the header {lost[0]} of {reply.name}", told(called)))
    return found


def _raises(package: Package, reply: Reply, called: Called) -> list[Said] | None:
    if reply.kind == "valid":
        return None
    error = called.error
    own = error is not None and package.is_own(error)
    if error is None or (reply.kind == "broken" and (own or is_transport(error))):
        return []
    if not own:
        return [(f"raises a bare {type(error).__name__}", f"for {reply.name}, {told(called)}")]
    has = getattr(error, "status_code", None), getattr(error, "content", None)
    if has != (reply.status, reply.content):
        return [(f"raises {type(error).__name__} without status and content", told(called))]
    return []


def _hides(reply: Reply, called: Called) -> list[Said] | None:
    if reply.kind == "valid":
        return None
    shown = called.error if called.error is not None else called.answer
    if shown is None or TOKEN not in _shown(shown):
        return []
    return [(f"shows the token in a {type(shown).__name__}", told(called))]


def _shown(value: Any) -> str:
    """What a client's object says of itself; what cannot be said is a name."""
    try:
        return f"{value!r}{value}"
    except Exception as error:
        return f"{type(value).__name__}, whose repr raises {type(error).__name__}"


def _sent(operation: Operation, asked: Question, header: str, arrival: Arrival) -> Iterator[Said]:
    if arrival.method != operation.method:
        yield "sends another method", arrival.method
    if "{" not in operation.path and arrival.path != operation.path:
        yield "sends to another path", arrival.path
    yield from _parameters(operation, asked, arrival)
    yield from _body(asked, arrival)
    wanted = f"Bearer {TOKEN}" if header == "authorization" else TOKEN
    if arrival.headers.get(header) != wanted:
        yield f"does not send the token as {header}", ""


def _parameters(operation: Operation, asked: Question, arrival: Arrival) -> Iterator[Said]:
    query = dict(parse_qsl(arrival.query, keep_blank_values=True))
    places: Mapping[str, Callable[[Parameter], str | None]] = {
        "query": lambda it: query.pop(it.name, None),
        "header": lambda it: arrival.headers.get(it.name.lower()),
    }
    for parameter in operation.parameters:
        if parameter.place in places:
            came = places[parameter.place](parameter)
            given = asked.parameters.get(parameter.name)
            if given is not None and came != str(given):
                yield f"does not send {parameter.label} as given", f"{given!r}: {came!r}"
    if query:
        yield "sends a query of its own", arrival.query


def _body(asked: Question, arrival: Arrival) -> Iterator[Said]:
    if asked.body is NO_BODY:
        if arrival.body:
            yield "sends a body where there is none", _short(arrival.body)
        return
    if arrival.headers.get("content-type", "").partition(";")[0] != "application/json":
        yield "does not say application/json", arrival.headers.get("content-type", "no type")
    try:
        came = json.loads(arrival.body)
    except ValueError:
        yield "sends a body that is no JSON", _short(arrival.body)
        return
    if canonical(came) != canonical(asked.body):
        yield f"does not send {_difference(asked.body, came, '')} as given", _short(arrival.body)


def _segments(operation: Operation, asked: Question, arrival: Arrival) -> list[Said]:
    template, parts = operation.path.split("/"), arrival.path.split("/")
    if len(template) == len(parts):
        wrong = [
            name
            for name, part in zip(template, parts, strict=True)
            if not _stands_for(name, part, asked.parameters)
        ]
        if not wrong:
            return []
    return [
        ("does not keep a parameter in its segment", f"{dict(asked.parameters)}: {arrival.path}")
    ]


def _stands_for(name: str, part: str, given: Mapping[str, Any]) -> bool:
    if not name.startswith("{"):
        return part == name
    return part not in (".", "..") and unquote(part) == str(given[name[1:-1]])


def _schema(operation: Operation, reply: Reply) -> str | None:
    response = operation.responses.get(reply.status)
    return None if response is None else response.schema


def _where(operation: Operation, reply: Reply) -> str:
    response = operation.responses.get(reply.status)
    return operation.where if response is None else response.schema or response.where


def _file(name: str) -> str:
    return "/".join(name.replace("\\", "/").split("/")[-2:])


def _short(value: Any) -> str:
    try:
        return _cut(repr(value))
    except Exception as error:
        return f"a {type(value).__name__}, whose repr raises {type(error).__name__}"


def _cut(text: str) -> str:
    text = " ".join(text.replace(TOKEN, "***").split())
    return text if len(text) <= _MOST_TOLD else text[:_MOST_TOLD] + "..."
