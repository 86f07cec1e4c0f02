"""One generated corpus: requests that hold to the contract and requests that break it."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

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
KEY_PAGE, USAGE = "/v1/key", "/v1/usage"
PATHS = (IMAGINE, CHANGE, LIST)
GOOD = {"mj-api-secret": KEY}
DRAWN_HEADERS = ("Idempotency-Key",)
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
        *_queries(),
        *_idempotency_keys(),
        *_conditions(),
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
    path = case.formatted_path
    if case.method == "GET":
        query = urlencode(dict(case.query or {}), doseq=True)
        return Request("GET", f"{path}?{query}" if query else path, b"", tuple(GOOD.items()))
    body = case.body if isinstance(case.body, bytes) else _encoded(case.body)
    named = {name: text for name, text in (case.headers or {}).items() if name in DRAWN_HEADERS}
    return post(path, body, {**JSON, **named})


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
    for path in (*PATHS, FETCH.format(1), KEY_PAGE, USAGE):
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
            yield Request(method, path, b"", good)
    for path in ("/", "/mj", "/nowhere", "/mj/task//fetch", "/mj/task/1/2/fetch", "/mj/task/1"):
        yield Request("GET", path, b"", good)
    for wanted in ("1", "x" * 64, "x" * 65, "%00", "%ff", "1%2F2", "%20", "名", "."):
        yield Request("GET", FETCH.format(wanted), b"", good)


NUMBERS = (
    *("", "0", "1", "100", "1000", "1001", "-1", "007", "-0", "1.0", "1e2", "1_0", " 1", "1 "),
    *("+1", "0x1", "x", "null", "None", "true", "\u0661", "\u00b2", "1\n", "\0", "9" * 16),
    *("9" * 17, "9" * 19, "9" * 20, "9" * 5000, "0" * 30 + "1", "1,2", "[1]"),
)
DAYS = (
    *("2026-11-24", "2026-02-30", "2026-13-01", "2026-1-1", "1999-12-31", "2026-11-24\n", ""),
    *("2026-11-24T00:00:00Z", "1795408020562", "\u0662\u0660\u0662\u0666-11-24", "yesterday", "\0"),
)
RAW_QUERIES = (
    *("limit", "limit=", "limit=1&limit=1", "limit=1&limit=x", "limit=x&limit=1", "limit=1;to=x"),
    *(
        "limit=%",
        "limit=%zz",
        "limit=%31",
        "%6cimit=x",
        "limit=%ff",
        "from=%ff",
        "from=%zz",
        "from",
    ),
    *("&&limit=1&", "=1", "other=1", "other=%zz&other=%ff&other=%00", "LIMIT=x", "limit[]=x"),
    *("limit=1&&", "limit=1?x", "from=2026-11-24&to=2026-11-24&cursor=1&limit=1", "a=b=c", "%00=1"),
)


def _queries() -> Iterator[Request]:
    """Queries of an operation that has parameters there, and of two that have none."""
    good = tuple(GOOD.items())
    for name, texts in (("limit", NUMBERS), ("cursor", NUMBERS), ("from", DAYS), ("to", DAYS)):
        for text in texts:
            yield Request("GET", f"{USAGE}?{name}={quote(text)}", b"", good)
    for query in RAW_QUERIES:
        for path in (USAGE, KEY_PAGE, FETCH.format(1)):
            yield Request("GET", f"{path}?{query}", b"", good)


def _idempotency_keys() -> Iterator[Request]:
    texts = (
        "a",
        "!~",
        "x" * 255,
        "x" * 256,
        "",
        " ",
        "a b",
        "a\tb",
        "a\x7f",
        "\u00e9",
        "1,2",
        "null",
    )
    for path in (IMAGINE, CHANGE):
        for body in _bodies(path):
            for text in texts:
                yield post(path, json.dumps(body).encode(), {**JSON, "Idempotency-Key": text})


def _conditions() -> Iterator[Request]:
    """Headers that no text can break."""
    tags = ("", "*", '"7"', 'W/"7"', '"a", W/"b"', "7", '"', "\u00e9", "x" * 5000)
    wishes = ("", "wait", "wait=5", "wait=-1", "respond-async, wait=5", ";=,", '"', "\u00e9")
    for name, texts in (("If-None-Match", tags), ("Prefer", wishes)):
        for text in texts:
            yield Request("GET", FETCH.format(1), b"", (*GOOD.items(), (name, text)))
