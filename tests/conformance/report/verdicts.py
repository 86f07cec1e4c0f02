"""Verdicts made by hand: of every outcome, of a hostile server, and a big one."""

from datetime import date
from typing import Any

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.verdict import Failure, Known, Seen, Verdict, Waived

TARGET = "http://127.0.0.1:8080"
IMAGINE = "POST /mj/submit/imagine"
FETCH = "GET /mj/task/{id}/fetch"
OPERATIONS = (IMAGINE, "POST /mj/submit/change", FETCH, "GET /v1/key")


def exchange(
    status: int | None = 418,
    body: bytes = b'{"code": 1}',
    *headers: tuple[str, str],
    sent: bytes | None = b'{"prompt": ""}',
    operation: str = IMAGINE,
) -> Exchange:
    request = Request("POST", f"{TARGET}/mj/submit/imagine", JSON, sent)
    given = headers or (("content-type", "application/json"),)
    answer = None if status is None else Answer(status, given, body, 12)
    return Exchange(request, answer, operation)


JSON = (("Content-Type", "application/json"),)


def failure(text: str = "418 is not in the contract", **more: Any) -> Failure:
    given: dict[str, Any] = {
        "rule": "status_documented",
        "operation": IMAGINE,
        "text": text,
        "where": "#/paths/~1mj~1submit~1imagine/post/responses",
        "exchanges": (exchange(),),
        "times": 3,
        "case": "cases/status_documented-1.json",
    }
    return Failure(**given | more)


def verdict(**more: Any) -> Verdict:
    """One that passed, unless told otherwise."""
    given: dict[str, Any] = {
        "target": TARGET,
        "profile": "mjgate",
        "contract": "0.3.0",
        "seed": 20,
        "cases": 1234,
        "by_status": {(IMAGINE, 200): 12, (IMAGINE, 400): 1200, (FETCH, 404): 20, ("", 404): 2},
        "rules": {"status_documented": 1234, "error_shape": 1222, "key_holds": 0},
        "applied": {
            ("status_documented", IMAGINE): 1212,
            ("status_documented", FETCH): 20,
            ("status_documented", ""): 2,
            ("error_shape", IMAGINE): 1200,
            ("error_shape", FETCH): 20,
        },
        "sentences": {
            "status_documented": "Every status is one that the contract names.",
            "error_shape": "Every error has the one shape of errors.",
            "key_holds": "A key gives one picture.",
        },
        "seen": (
            Seen(IMAGINE, "status", "200", good=12),
            Seen(IMAGINE, "status", "500"),
            Seen(IMAGINE, "parameter", "header Idempotency-Key", good=3, bad=9),
            Seen(IMAGINE, "keyword", "ImagineRequest/prompt minLength", bad=4),
            Seen(FETCH, "security", "bearer", good=7),
            Seen("GET /v1/key", "status", "200"),
        ),
        "submits": 3,
        "allowance": 5,
        "notes": ("The server asked to wait 2 times.",),
        "took_ms": 61_234,
    }
    return Verdict(**given | more)


WAIVED = Waived(
    name="errors-are-200",
    rule="error_shape",
    reason="errors are HTTP 200 with a code",
    source="novicezk 2.6.3, measured",
    times=14,
)
KNOWN = Known(
    failure("500 is an error of the server", rule="no_server_error"),
    reason="mended in the next version",
    expires=date(2027, 1, 31),
)
PASSED = verdict(waived=(WAIVED,), known=(KNOWN,))
FAILED = verdict(
    waived=(WAIVED,),
    known=(KNOWN,),
    failures=(
        failure(),
        failure("no answer came", exchanges=(exchange(None),), times=1, case=""),
        failure(
            "a state was lost",
            rule="state_kept",
            operation="",
            where="",
            times=1,
            exchanges=tuple(exchange(200, sent=b'{"prompt": "%d"}' % at) for at in range(9)),
        ),
    ),
)
EMPTY = Verdict(TARGET, "mjgate", "0.3.0", 1)
BIG = verdict(
    failures=tuple(
        failure(
            f"fault number {number}",
            rule=f"rule_{number % 25}",
            operation=OPERATIONS[number % 4],
            exchanges=(exchange(500, b"x" * 5000, sent=b"y" * 9000),),
        )
        for number in range(500)
    )
)

ATTACKS = (
    "<script>document.title='owned'</script>",
    "</style><style>body{display:none}</style>",
    "</pre></details><img src=x onerror=\"document.title='owned'\">",
    '" autofocus onfocus="document.title=\'owned\'" x="',
    "' onmouseover='document.title=`owned`",
    "{{ 7 * 7 }}{% raw %}",
    "]]><!-- &amp; <!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "\x1b]0;owned\x07\x1b[2J\x9b31m\x00\x08\x7f",
    "\r::error title=owned::owned\r\n::set-output name=a::b\n##[add-mask]a\n",
    "```\n# owned\n[a](javascript:alert(1)) ![b](https://example.org/b.png) @all | a |",
    "\u202eowned\u2066\ufeff\ufffe\uffff",
    "\ud800 \udcff",
    "owned\u2028owned\u2029owned\x85owned",
)
_ALL = "\n".join(ATTACKS)
_RAW = _ALL.encode(errors="surrogatepass")


def hostile() -> Verdict:
    """One in which everything that a server can write attacks the reader."""
    asked = Request(
        "POST", f"{TARGET}/mj/{ATTACKS[0]}", (("X-A", ATTACKS[6]), *JSON), b"\x00@" + _RAW
    )
    came = Answer(200, (("x-hostile", _ALL), ("content-type", ATTACKS[2])), _RAW)
    bad = failure(
        f"answered {_ALL}",
        operation=f"POST {_ALL}",
        where=_ALL,
        exchanges=(Exchange(asked, came, ATTACKS[0]),) * 2,
        case=f"cases/{ATTACKS[3]}",
    )
    return verdict(
        target=f"http://{_ALL}",
        profile=_ALL,
        contract=_ALL,
        failures=(bad,),
        known=(Known(bad, _ALL, date(2027, 1, 31)),),
        waived=(Waived(_ALL, _ALL, _ALL, _ALL, 1),),
        by_status={(f"POST {_ALL}", 200): 1, (IMAGINE, 99): 1},
        rules={_ALL: 1},
        applied={(_ALL, _ALL): 1},
        sentences={_ALL: _ALL, "status_documented": _ALL},
        seen=(Seen(_ALL, _ALL, _ALL), Seen(_ALL, "keyword", _ALL, good=1)),
        notes=(_ALL,),
    )
