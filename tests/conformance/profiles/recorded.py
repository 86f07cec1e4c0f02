"""Recorded exchanges as a run would have them, and how the rules judge one."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mjgate.conformance.contract_view import Contract
from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.oracle import expect
from mjgate.conformance.profiles.deviation import Kind
from mjgate.conformance.profiles.lax import contract
from mjgate.conformance.rules import RULES, Sight
from tests.sandbox.recordings import Call, read
from tests.sandbox.recordings import Exchange as Recorded

ORIGIN = "http://recorded"
SECRETS = ("novice-secret", "sk-XXXX")
_SILENT = ("mj-api-secret", "authorization")
Broken = tuple[str, str]
"""A rule, and how it was broken."""


def all_of(dialect: str) -> list[Exchange]:
    """What was recorded of paths that a run asks for."""
    return [exchange_of(each) for each in read(dialect) if _is_asked(each.call)]


def one_of(dialect: str, method: str, path: str, body: str | None = None, **more: str) -> Exchange:
    """The first that was recorded of a request; `more` are headers it had, or a `sender`."""
    wanted = {name.replace("_", "-"): value for name, value in more.items()}
    for each in read(dialect):
        call = each.call
        if (call.method, call.path) == (method, path) and body in (None, call.body):
            exchange = exchange_of(each)
            if all(_has(exchange.request, *pair) for pair in wanted.items()):
                return exchange
    raise LookupError(f"{dialect} has no {method} {path} {body}")


def exchange_of(recorded: Recorded) -> Exchange:
    call, reply = recorded.call, recorded.reply
    answer = Answer(reply.status, reply.headers, reply.body)
    return labelled(request_of(call), answer)


def labelled(request: Request, answer: Answer) -> Exchange:
    """An exchange with the operation that it is of."""
    operation = expect(contract(), request).operation
    return Exchange(request, answer, operation.label if operation else None)


def request_of(call: Call) -> Request:
    given = {name.lower(): value for name, value in call.headers}
    bearer = given.get("authorization", "").removeprefix("Bearer ")
    token = given.get("mj-api-secret", bearer)
    return Request(
        call.method,
        ORIGIN + call.path,
        tuple(pair for pair in call.headers if pair[0].lower() not in _SILENT),
        None if call.body is None else call.body.encode(),
        "none" if not token else "token" if token in SECRETS else "bad",
        "Authorization" if bearer else "mj-api-secret",
    )


def asking(exchange: Exchange, *, body: bytes | None = None, **changes: Any) -> Exchange:
    """The same answer to another request; `changes` are of its attributes or, in JSON, its body."""
    request = exchange.request
    attributes = {name: changes.pop(name) for name in [*changes] if hasattr(request, name)}
    if changes:
        body = json.dumps(json.loads(request.body or b"{}") | changes).encode()
    return labelled(
        replace(request, body=request.body if body is None else body, **attributes),
        exchange.answer or Answer(0),
    )


def answering(
    exchange: Exchange,
    http: int | None = None,
    headers: Mapping[str, str | None] | None = None,
    body: bytes | None = None,
    **changes: Any,
) -> Exchange:
    """Another answer to the same request, with another status or body.

    None takes a header out; `changes` are of fields of the body, `...` takes one out.
    """
    answer = exchange.answer or Answer(0)
    if changes:
        value = json.loads(answer.body) | changes
        body = json.dumps({k: v for k, v in value.items() if v is not ...}).encode()
    kept = [pair for pair in answer.headers if pair[0] not in (headers or {})]
    kept += [(name, value) for name, value in (headers or {}).items() if value is not None]
    return replace(
        exchange,
        answer=Answer(
            answer.status if http is None else http,
            tuple(kept),
            answer.body if body is None else body,
        ),
    )


def broken(exchange: Exchange) -> list[Broken]:
    """What the rules of one exchange find."""
    assert exchange.answer is not None
    known: Contract = contract()
    sight = Sight(exchange, exchange.answer, expect(known, exchange.request), known)
    return [
        (rule.name, found.text)
        for rule in RULES
        if rule.judge is not None
        for found in rule.judge(sight)
        if found is not None
    ]


def left(exchange: Exchange, kind: Kind) -> list[Broken]:
    """What the profile of a kind does not let pass."""
    profile = kind.profile
    return [
        (rule, text)
        for rule, text in broken(exchange)
        if rule not in profile.unasked
        and not any(
            waiver.rule == rule and waiver.applies(exchange, text) for waiver in profile.waivers
        )
    ]


def shown(exchange: Exchange, kind: Kind) -> set[str]:
    """The deviations that let something of an exchange pass."""
    found = broken(exchange)
    return {
        waiver.name
        for waiver in kind.profile.waivers
        for rule, text in found
        if waiver.rule == rule and waiver.applies(exchange, text)
    }


def _is_asked(call: Call) -> bool:
    path = call.path.partition("?")[0]
    ours = contract().match(path) is not None
    return ours or path in ("/mj", "/mj/nope", "/mj/task/list", "/mj/submit/nope")


def _has(request: Request, name: str, value: str) -> bool:
    return getattr(request, name, None) == value or request.header(name) == value


def lets_pass(kind: Kind, rule: str, exchange: Exchange, text: str) -> set[str]:
    """The deviations that let a failure of a rule pass, such as one that a story finds."""
    return {
        waiver.name
        for waiver in kind.profile.waivers
        if waiver.rule == rule and waiver.applies(exchange, text)
    }
