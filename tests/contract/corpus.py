"""One generated corpus: requests that hold to the contract and requests that break it."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

from tests.contract.document import DOCUMENT
from tests.contract.inprocess import KEY
from tests.contract.table import CHANGE, IMAGINE, JSON, LIST, ROWS

SEED = 20_260_101
DRAWN = 60
"""Cases of each operation and mode."""
FETCH = "/mj/task/{}/fetch"
PATHS = (IMAGINE, CHANGE, LIST)
GOOD = {"mj-api-secret": KEY}
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.0, 4.0, 4.5, 5, 2**31, 2**53, 2**53 - 1, 2**63 - 1, 1e300),
    *("", " ", "x", "1", "REROLL", "http://a", "http://a b", "x" * 65, "x" * 2049, "\u2028", "é"),
    *([], {}, [None], ["x"], [1], {"a": 1}),
)


@dataclass(frozen=True)
class Request:
    """A request as a server sees it; `headers` are as the client wrote them."""

    method: str
    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    chunked: bool = False

    def header(self, name: str) -> str | None:
        found = (value for given, value in self.headers if given.lower() == name)
        return next(found, None)


def post(path: str, body: bytes, headers: dict[str, str] | None = None) -> Request:
    return Request("POST", path, body, (*GOOD.items(), *(headers or JSON).items()))


@cache
def corpus() -> tuple[Request, ...]:
    """The same for every run: what is drawn is drawn from one seed."""
    made = [
        *_drawn(),
        *_examples(),
        *_rows(),
        *_mutations(),
        *_media_types(),
        *_tokens(),
        *_lines(),
    ]
    return tuple(dict.fromkeys(made))


def _drawn() -> Iterator[Request]:
    document = schemathesis.openapi.from_dict(copy.deepcopy(DOCUMENT))
    for path, item in DOCUMENT["paths"].items():
        for method in item:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                yield from _cases(document[path][method.upper()], mode)


def _cases(operation: Any, mode: GenerationMode) -> list[Request]:
    found: list[Request] = []

    @seed(SEED)
    @settings(
        max_examples=DRAWN,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        found.append(_request(case))

    collect()
    return found


def _request(case: Any) -> Request:
    """A drawn case with the good token: tokens are a matter of their own."""
    if case.method == "GET":
        return Request("GET", case.formatted_path, b"", tuple(GOOD.items()))
    body = case.body if isinstance(case.body, bytes) else _encoded(case.body)
    return post(case.formatted_path, body)


def _encoded(body: Any) -> bytes:
    """As JSON; nothing where no body was drawn."""
    try:
        return json.dumps(body).encode()
    except TypeError:
        return b""


def _bodies(path: str) -> list[Any]:
    content = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return [example["value"] for example in content["examples"].values()]


def _examples() -> Iterator[Request]:
    for path in PATHS:
        for body in _bodies(path):
            good = post(path, json.dumps(body).encode())
            yield from (good, replace(good, path=path + "/"), replace(good, chunked=True))


def _rows() -> Iterator[Request]:
    for bad in ROWS:
        yield Request("POST", bad.path, bad.body, (*GOOD.items(), *bad.headers.items()))


def _mutations() -> Iterator[Request]:
    for path in PATHS:
        for body in _bodies(path):
            for mutant in _mutants(body):
                yield post(path, json.dumps(mutant).encode())


def _mutants(value: Any) -> Iterator[Any]:
    """`value` with one of its places left out, or replaced by what is odd there."""
    yield from ODD
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {other: kept for other, kept in value.items() if other != key}
            yield from ({**value, key: mutant} for mutant in _mutants(inner))
        yield from ({**value, "more": odd} for odd in ODD)
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], mutant, *value[index + 1 :]] for mutant in _mutants(inner))


def _media_types() -> Iterator[Request]:
    body = b'{"prompt": "x", "action": "REROLL", "taskId": "1"}'
    for path in PATHS:
        for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/json;"):
            yield post(path, body, {"Content-Type": kind})
        for kind in ("application/json; charset=nonsense", "application/json; charset=ascii"):
            yield post(path, body, {"Content-Type": kind})


def _tokens() -> Iterator[Request]:
    for shown in (
        {},
        {"mj-api-secret": "wrong"},
        {"mj-api-secret": ""},
        {"mj-api-secret": "x" * 600},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer {KEY}"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer wrong", **GOOD},
        {"Authorization": "nonsense", **GOOD},
        {"Authorization": f"Bearer {KEY}", "mj-api-secret": "wrong"},
        {"Authorization": "Bearer wrong", "mj-api-secret": "wrong"},
    ):
        yield Request("GET", FETCH.format(1), b"", tuple(shown.items()))
        yield Request("POST", LIST, b"{}", (*shown.items(), *JSON.items()))
        yield Request("POST", LIST, b"[]", (*shown.items(), *JSON.items()))


def _lines() -> Iterator[Request]:
    """Methods and paths."""
    good = tuple(GOOD.items())
    for path in (*PATHS, FETCH.format(1)):
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
            yield Request(method, path, b"", good)
    for path in ("/", "/mj", "/nowhere", "/mj/task//fetch", "/mj/task/1/2/fetch", "/mj/task/1"):
        yield Request("GET", path, b"", good)
    for wanted in ("1", "x" * 64, "x" * 65, "%00", "%ff", "1%2F2", "%20", "名", "."):
        yield Request("GET", FETCH.format(wanted), b"", good)
