"""Our verdicts are stock Connexion's, but for the differences that are named here."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from starlette.types import ASGIApp

from tests.contract.corpus import PATHS, USAGE, Request, corpus
from tests.contract.inprocess import ask, ours, stock


@dataclass(frozen=True)
class Difference:
    """Requests that the two judge differently on purpose, and why."""

    reason: str
    stock: frozenset[int]
    ours: frozenset[int]
    holds: Callable[[Request], bool]


def not_utf8(request: Request) -> bool:
    try:
        request.body.decode()
    except UnicodeDecodeError:
        return True
    return False


def parsed(request: Request) -> Any:
    """The body as nested lists, keys that stand twice included; None for no JSON."""
    try:
        return json.loads(request.body.decode(), parse_int=_integer, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None


def _integer(text: str) -> int:
    return int(text) if len(text) < 4000 else 10**4000


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def depth(request: Request) -> int:
    """How deep brackets stand, strings aside: none of the corpus holds any in a string there."""
    deepest = level = 0
    for byte in request.body:
        level += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, level)
    return deepest


def with_leaf(wrong: Callable[[Any], bool]) -> Callable[[Request], bool]:
    return lambda request: (
        depth(request) <= 128 and any(wrong(leaf) for leaf in leaves(parsed(request)))
    )


def is_infinite(leaf: Any) -> bool:
    return isinstance(leaf, float) and not math.isfinite(leaf)


def is_huge(leaf: Any) -> bool:
    return isinstance(leaf, int) and not -(2**63) <= leaf < 2**63


def has_nul(leaf: Any) -> bool:
    return isinstance(leaf, str) and "\0" in leaf


def has_surrogate(leaf: Any) -> bool:
    return isinstance(leaf, str) and any("\ud800" <= each <= "\udfff" for each in leaf)


def other_charset(request: Request) -> bool:
    kind = request.header("content-type") or ""
    return "charset" in kind and "utf-8" not in kind


def query(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.path.partition("?")[2], keep_blank_values=True)


def has_odd_number(request: Request) -> bool:
    """Whether a parameter is a number to Python, and none of at most 19 ASCII digits."""
    texts = [text for name, text in query(request) if name in ("limit", "cursor")]
    return any(_is_number(text) and not re.fullmatch("-?[0-9]{1,19}", text) for text in texts)


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def has_repetition(request: Request) -> bool:
    names = [name for name, _ in query(request)]
    return len(names) > len(set(names))


def statuses(*given: int) -> frozenset[int]:
    return frozenset(given)


DIFFERENCES = {
    "not UTF-8": Difference(
        "stock raises UnicodeDecodeError", statuses(500), statuses(400), not_utf8
    ),
    "deep nesting": Difference(
        "stock passes it on, or raises RecursionError",
        statuses(200, 500),
        statuses(400),
        lambda request: depth(request) > 128,
    ),
    "NaN, Infinity and numbers beyond doubles": Difference(
        "stock takes what is no JSON, or what no parser after it can write",
        statuses(200),
        statuses(400),
        with_leaf(is_infinite),
    ),
    "integers outside 64 bits": Difference(
        "stock keeps them, or raises ValueError from 4,300 digits; others round them",
        statuses(200, 500),
        statuses(400),
        with_leaf(is_huge),
    ),
    "U+0000": Difference(
        "PostgreSQL cannot hold it", statuses(200), statuses(400), with_leaf(has_nul)
    ),
    "U+0000 in the path": Difference(
        "PostgreSQL cannot hold it",
        statuses(200),
        statuses(400),
        lambda request: "\0" in unquote(request.path),
    ),
    "lone surrogates": Difference(
        "UTF-8 cannot hold them", statuses(200), statuses(400), with_leaf(has_surrogate)
    ),
    "no Content-Type": Difference(
        "stock takes the bytes for JSON here, and the handler cannot read them",
        statuses(200),
        statuses(415),
        lambda request: request.method == "POST" and request.header("content-type") is None,
    ),
    "a charset other than UTF-8": Difference(
        "stock overlooks it; JSON is UTF-8 (RFC 8259)", statuses(200), statuses(415), other_charset
    ),
    "a trailing slash": Difference(
        "stock redirects, and clients lose the body",
        statuses(307),
        statuses(200),
        lambda request: request.path.endswith("/"),
    ),
    "a body in chunks": Difference(
        "stock takes a missing length for a missing body",
        statuses(400),
        statuses(200),
        lambda request: request.chunked,
    ),
    "numbers that only Python reads": Difference(
        "stock takes blanks, signs, underscores and digits of any alphabet, and any length",
        statuses(200),
        statuses(400),
        has_odd_number,
    ),
    "a parameter that stands twice": Difference(
        "stock takes the last one", statuses(200), statuses(400), has_repetition
    ),
    "a line break in the path": Difference(
        "stock's routes do not match it",
        statuses(404),
        statuses(200, 400),
        lambda request: "\n" in unquote(request.path),
    ),
    "OPTIONS": Difference(
        "stock has no answer that is not a preflight's",
        statuses(405),
        statuses(204),
        lambda request: request.method == "OPTIONS",
    ),
    "HEAD": Difference(
        "stock answers what the contract does not have",
        statuses(200),
        statuses(405),
        lambda request: request.method == "HEAD",
    ),
}


async def verdict(app: ASGIApp, request: Request) -> int:
    """The status that an application answers; 500 where it raises, as its server would."""
    headers = dict(request.headers)
    if request.method == "POST" and not request.chunked:
        headers["content-length"] = str(len(request.body))
    try:
        answered = await ask(app, request.method, request.path, request.body, headers)
    except (ValueError, RecursionError):
        return 500
    return answered.status


@dataclass(frozen=True)
class Judged:
    """One request of the corpus with both verdicts."""

    request: Request
    stock: int
    ours: int

    @property
    def differences(self) -> set[str]:
        """The named differences that explain this one."""
        return {
            name
            for name, known in DIFFERENCES.items()
            if self.stock in known.stock and self.ours in known.ours and known.holds(self.request)
        }


@pytest.fixture(scope="module")
async def judged() -> list[Judged]:
    theirs, mine = stock(), ours()
    return [
        Judged(request, await verdict(theirs, request), await verdict(mine, request))
        for request in corpus()
    ]


def test_every_difference_to_stock_connexion_is_named(judged: list[Judged]) -> None:
    unexplained = [
        (each.stock, each.ours, each.request)
        for each in judged
        if each.stock != each.ours and not each.differences
    ]
    assert [] == unexplained


def test_every_named_difference_occurs(judged: list[Judged]) -> None:
    seen = {name for each in judged if each.stock != each.ours for name in each.differences}
    assert set(DIFFERENCES) == seen


def test_the_corpus_holds_to_the_contract_and_breaks_it_in_each_operation(
    judged: list[Judged],
) -> None:
    for path in PATHS:
        verdicts = [each.ours for each in judged if each.request.path == path]
        assert min(verdicts.count(200), verdicts.count(400)) >= 50, path
    fetches = [each.ours for each in judged if each.request.path.startswith("/mj/task/")]
    assert min(fetches.count(200), fetches.count(400)) >= 10
    usages = [each.ours for each in judged if each.request.path.startswith(USAGE)]
    assert min(usages.count(200), usages.count(400)) >= 50
    keyed = [each.ours for each in judged if each.request.header("idempotency-key") is not None]
    assert min(keyed.count(200), keyed.count(400)) >= 30
    for name in ("if-none-match", "prefer"):
        given = {each.ours for each in judged if each.request.header(name) is not None}
        assert given == {200}, name


def test_ours_never_answers_with_a_fault(judged: list[Judged]) -> None:
    assert [] == [each.request for each in judged if each.ours >= 500]
