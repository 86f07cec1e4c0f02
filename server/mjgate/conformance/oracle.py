"""What the contract says of a request as it was really sent.

Schemathesis means a request to be good or bad; what goes out may be otherwise, since a link mends
a spoilt body, a header loses its spaces, a path is read in another way. So a request is judged by
its own bytes: it must be accepted, or must be refused, or the contract leaves it open.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import unquote_to_bytes, urlsplit

from mjgate.conformance import words
from mjgate.conformance.contract_view import (
    CHANGE,
    FETCH,
    IMAGINE,
    JSON,
    USAGE,
    Contract,
    Operation,
    Parameter,
)
from mjgate.conformance.exchange import Request

Says = Literal["good", "bad", "open"]
IN_WORDS = "#/info/description"
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_MOST_PLAIN = 1024 * 1024
"""Bytes of a body that no server may find too large."""
_NEVER_PLAIN = frozenset((400, 401, 404, 405, 409, 413, 415, 422))
"""Refusals that blame the request: of a good one they are wrong, but for the reasons below."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request may be refused: with which statuses, and naming which place."""

    statuses: frozenset[int]
    text: str
    """One stable line, such as `a body that breaks ImagineRequest/prompt minLength`."""
    where: str
    """A pointer into the contract."""
    place: str | None = None
    """What the refusal has to name: a JSON pointer into the body, or `#` and a parameter's name."""
    keyword: str = ""
    """A pointer to the keyword that was broken; empty where it was none."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The contract's word on one request."""

    says: Says
    operation: Operation | None
    reasons: tuple[Reason, ...] = ()
    """Of a bad request, why; of an open one, why it may be refused."""
    wrong: frozenset[int] = frozenset()
    """Statuses that a good or open request must not get."""
    body: words.Parsed | None = None
    """The parsed body of an operation that takes one; None where it is no JSON."""
    path: Mapping[str, str] | None = None
    """The values of the parameters in the path."""

    @property
    def statuses(self) -> frozenset[int]:
        """What a bad request may get."""
        return frozenset().union(*(reason.statuses for reason in self.reasons))

    @property
    def places(self) -> frozenset[str]:
        """What a refusal may name."""
        return frozenset(each.place for each in self.reasons if each.place is not None)

    @property
    def why(self) -> str:
        return self.reasons[0].text if self.reasons else ""

    @property
    def where(self) -> str:
        if self.reasons:
            return self.reasons[0].where
        return self.operation.where if self.operation else "#/paths"


def expect(contract: Contract, request: Request) -> Expectation:
    """The contract's word on a request."""
    path = urlsplit(request.url).path
    match = contract.match(path)
    nobody = [*_nobody(request)]
    if match is None:
        reasons = (_refusal("a path that the contract does not have", "#/paths", 404), *nobody)
        return Expectation("bad" if _is_plain(path) else "open", None, reasons)
    operation = match.operations.get(request.method)
    if operation is None:
        return _other_method(request, next(iter(match.operations.values())), nobody)
    return _judged(contract, operation, request, match.values, nobody)


def _judged(
    contract: Contract,
    operation: Operation,
    request: Request,
    values: Mapping[str, str],
    nobody: list[Reason],
) -> Expectation:
    bad, open_ = list(nobody), list(_strange_path(values))
    for sure, reason in _parameters(contract, operation, request, values):
        (bad if sure else open_).append(reason)
    parsed = None
    if operation.body is not None:
        parsed, told = _body(contract, operation, request)
        for sure, reason in told:
            (bad if sure else open_).append(reason)
    says: Says = "bad" if bad else "open" if open_ else "good"
    return Expectation(
        says,
        operation,
        tuple(bad + open_),
        _wrong(operation, request, open_),
        parsed,
        values,
    )


def _wrong(operation: Operation, request: Request, open_: list[Reason]) -> frozenset[int]:
    right: set[int] = set().union(*(reason.statuses for reason in open_))
    if operation.path in (FETCH, CHANGE):
        right.add(404)
    if request.header("Idempotency-Key") is not None:
        right |= {409, 422}
    return _NEVER_PLAIN - right


def _nobody(request: Request) -> Iterator[Reason]:
    if request.sender in ("none", "bad"):
        text = "no token" if request.sender == "none" else "a wrong token"
        yield _refusal(text, "#/components/securitySchemes", 401)


def _other_method(request: Request, other: Operation, nobody: list[Reason]) -> Expectation:
    where = other.where.rpartition("/")[0]
    reason = _refusal(f"{request.method} where it is not allowed", where, 405)
    if request.method in ("OPTIONS", "HEAD"):
        return Expectation("open", None, (reason, *nobody))
    return Expectation("bad", None, (reason, *nobody))


def _is_plain(path: str) -> bool:
    """Whether all read a path alike, so that nobody takes it for one of the contract's."""
    return re.fullmatch(r"(/[A-Za-z0-9_-]+)+", path) is not None


def _strange_path(values: Mapping[str, str]) -> Iterator[Reason]:
    """Values in a path that servers and what stands before them read in several ways."""
    for name, text in values.items():
        strange = text in (".", "..") or "/" in text or "\\" in text or ";" in text
        if strange or text != text.strip() or any("\udc80" <= sign <= "\udcff" for sign in text):
            yield Reason(frozenset((400, 404)), "a path of many readings", "#/paths", f"#{name}")


def _parameters(
    contract: Contract, operation: Operation, request: Request, values: Mapping[str, str]
) -> Iterator[tuple[bool, Reason]]:
    """What is wrong with the parameters; whether surely."""
    query = [*_query(urlsplit(request.url).query)]
    for parameter in operation.parameters:
        texts = _texts(parameter, request, values, query)
        if len(texts) > 1 and parameter.lines:
            texts = [", ".join(texts)]
        if not texts and parameter.required:
            yield True, _of_parameter(parameter, "a missing", parameter.where)
        if len(texts) > 1:
            yield False, _of_parameter(parameter, "a repeated", parameter.where)
        else:
            yield from _text_faults(contract, operation, parameter, texts)
    if operation.path == USAGE:
        for name in words.odd_questions(dict(query)):
            yield False, _refusal(f"a {name} that may not fit", operation.where, 400, f"#{name}")


def _text_faults(
    contract: Contract, operation: Operation, parameter: Parameter, texts: list[str]
) -> Iterator[tuple[bool, Reason]]:
    for text in texts:
        if "\0" in text:
            yield True, _of_parameter(parameter, "U+0000 in", IN_WORDS)
        elif parameter.place == "query" and _BAD_ESCAPE.search(text):
            yield False, _of_parameter(parameter, "a bad escape in", parameter.where)
        elif parameter.whole and not _WHOLE.fullmatch(text):
            where = f"{contract.home(parameter.schema)}/type"
            reason = _of_parameter(parameter, "no whole number as", where)
            yield True, replace(reason, keyword=where)
        else:
            value = int(text) if parameter.whole else text
            for fault in contract.faults(parameter.schema, value):
                told = f"a {parameter.label} that breaks {fault.keyword}"
                statuses = (400, 404) if parameter.place == "path" else (400,)
                yield (
                    True,
                    Reason(
                        frozenset(statuses),
                        told,
                        fault.where,
                        f"#{parameter.name}",
                        fault.where,
                    ),
                )


def _texts(
    parameter: Parameter,
    request: Request,
    values: Mapping[str, str],
    query: list[tuple[str, str]],
) -> list[str]:
    if parameter.place == "path":
        return [values[parameter.name]]
    if parameter.place == "query":
        return [text for name, text in query if name == parameter.name]
    wanted = parameter.name.lower()
    return [text.strip(" \t") for name, text in request.headers if name.lower() == wanted]


def _query(query: str) -> Iterator[tuple[str, str]]:
    """The names and texts of a query; a text with a bad escape is left as it is."""
    for piece in query.split("&") if query else ():
        name, _, text = piece.partition("=")
        bad = _BAD_ESCAPE.search(text)
        yield _plain(name), text if bad else _plain(text)


def _plain(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "surrogateescape")


def _of_parameter(parameter: Parameter, what: str, where: str) -> Reason:
    statuses = frozenset((400, 404) if parameter.place == "path" else (400,))
    return Reason(statuses, f"{what} {parameter.label}", where, f"#{parameter.name}")


def _body(
    contract: Contract, operation: Operation, request: Request
) -> tuple[words.Parsed | None, list[tuple[bool, Reason]]]:
    """The parsed body, and what is wrong with it; whether surely."""
    assert operation.body is not None
    told: list[tuple[bool, Reason]] = [*_media_type(operation, request)]
    body = request.body or b""
    where = f"{operation.where}/requestBody"
    if len(body) > _MOST_PLAIN:
        told.append((False, _refusal("a body of more than a megabyte", where, 413)))
    if not body:
        told.append((True, _refusal("no body", f"{where}/required", 400, "")))
        return None, told
    try:
        parsed = words.parse(body)
    except words.NotJson:
        told.append((True, _refusal("a body that is no JSON", where, 400, "")))
        return None, told
    if parsed.doubtful:
        told.append((False, _refusal("JSON that is read in two ways", where, 400, "")))
    # What two parsers read in two ways, a server may have read as something good.
    sure = not parsed.doubtful
    if not any(place == "" for place, _ in parsed.refused):
        told += [(sure, each) for each in _schema_faults(contract, operation, parsed)]
        told += [(False, each) for each in _doubts(operation, parsed.value)]
    told += [(sure, each) for each in _refused_in_words(operation, parsed)]
    return parsed, told


def _media_type(operation: Operation, request: Request) -> Iterator[tuple[bool, Reason]]:
    given = request.header("Content-Type")
    where = f"{operation.where}/requestBody/content"
    if given is None:
        # A server that sees no body may say so first.
        yield True, _not_json("no Content-Type", where)
        return
    kind, *parameters = (part.strip().lower() for part in given.split(";"))
    if kind != JSON:
        yield True, _not_json("a body that is not sent as JSON", where)
    elif any(each not in ("", "charset=utf-8", 'charset="utf-8"') for each in parameters):
        yield False, _not_json("parameters of a media type", where)
    lengths = sum(name.lower() == "content-type" for name, _ in request.headers)
    if lengths > 1:
        yield False, _not_json("a repeated Content-Type", where)
    if request.header("Content-Encoding") is not None:
        yield False, _not_json("a body that is encoded", where)


def _refused_in_words(operation: Operation, parsed: words.Parsed) -> Iterator[Reason]:
    """What is refused everywhere, and a prompt that is blank in another alphabet."""
    for place, what in parsed.refused:
        yield _refusal(f"a body with {what}", IN_WORDS, 400, place)
    value = parsed.value
    if (
        operation.path == IMAGINE
        and isinstance(value, dict)
        and words.is_blank(value.get("prompt"))
    ):
        yield _refusal("a blank prompt", "#/components/schemas/Prompt/description", 400, "/prompt")


def _schema_faults(
    contract: Contract, operation: Operation, parsed: words.Parsed
) -> Iterator[Reason]:
    assert operation.body is not None
    for fault in contract.faults(operation.body, parsed.value):
        text = f"a body that breaks {contract.named(fault.where)}"
        yield Reason(frozenset((400,)), text, fault.where, fault.place, fault.where)


def _doubts(operation: Operation, value: Any) -> Iterator[Reason]:
    if operation.submits and isinstance(value, dict) and words.is_odd_hook(value.get("notifyHook")):
        where = "#/components/schemas/NotifyHook/description"
        yield _refusal("an odd address as notifyHook", where, 400, "/notifyHook")


def _not_json(text: str, where: str) -> Reason:
    return Reason(frozenset((400, 415)), text, where, "")


def _refusal(text: str, where: str, status: int, place: str | None = None) -> Reason:
    return Reason(frozenset((status,)), text, where, place)


def json_of(body: bytes) -> Any:
    """An answer's body as JSON; raises ValueError where it is none."""
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("is nested too deep") from None
