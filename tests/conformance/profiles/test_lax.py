"""A bad request is taken for a good one by all that a server does not look at, and only so."""

import json
from typing import Any

import pytest

from mjgate.conformance.exchange import Exchange, Request
from mjgate.conformance.profiles import lax
from mjgate.conformance.profiles.lax import HOOKS, KEYS, LENGTHS, TEXTS, VALUES, taken_for

ALL = (KEYS, VALUES, TEXTS, LENGTHS, HOOKS)
HEADERS = (("Content-Type", "application/json"),)


def sent(body: Any, path: str = "/mj/submit/imagine", **changes: Any) -> Exchange:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    changes.setdefault("headers", HEADERS)
    return Exchange(Request("POST", "http://x" + path, body=raw, **changes), None)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"prompt": "a"}, set()),
        ({"prompt": {}}, set()),
        ({"prompt": 5}, {"scalars-are-text"}),
        ({"prompt": 5, "state": True}, {"scalars-are-text"}),
        ({"prompt": 5, "notifyHook": "x"}, {"scalars-are-text", "hooks-not-checked"}),
        ({"prompt": 5, "state": {}}, set()),
        ({"prompt": "a", "base64Array": [1, None]}, {"scalars-are-text"}),
        ({"prompt": "a\0" * 65_537}, {"odd-values-taken", "lengths-not-limited"}),
        ({"prompt": "a", "more": 10**30}, {"odd-values-taken"}),
        (b'{"prompt": "a", "more": 1e400}', set()),
        (b'{"prompt": "a", "more": ' + b"9" * 5000 + b"}", {"odd-values-taken"}),
        (b"\xff", set()),
        (b"{", set()),
        (b"[]", set()),
        (b'{"prompt": NaN}', set()),
    ],
)
def test_what_is_not_looked_at_is_named(body: Any, names: set[str]) -> None:
    assert names == taken_for(sent(body), ALL)


def test_a_laxity_that_was_not_needed_is_not_named() -> None:
    good_key = (*HEADERS, ("Idempotency-Key", "good"))
    assert {"scalars-are-text"} == taken_for(sent({"prompt": 5}, headers=good_key), ALL)
    bad_key = (*HEADERS, ("Idempotency-Key", "two words"))
    assert {"idempotency-key-unread"} == taken_for(sent({"prompt": "a"}, headers=bad_key), ALL)


@pytest.mark.parametrize("ids", [["x" * 65], [""], ["1"] * 10_001, [True], [1.5, None], [2**60]])
def test_lists_have_their_own_limits(ids: list[Any]) -> None:
    assert taken_for(sent({"ids": ids}, "/mj/task/list-by-condition"), ALL)
    assert not taken_for(sent({"ids": [{}]}, "/mj/task/list-by-condition"), ALL)


def test_another_media_type_is_taken_where_it_is_known() -> None:
    plain = lax.of_media("plain", lambda media: media == "text/plain")
    for given, taken in (("text/plain; a=b", True), ("text/html", False), ("", False)):
        headers = (("Content-Type", given),) if given else ()
        assert taken == bool(taken_for(sent({"prompt": "a"}, headers=headers), (plain,)))


def test_a_true_is_no_one() -> None:
    flag = lax.of_body("flag", lambda body: {**body, "state": 1})
    request = sent({"prompt": "a", "state": True}).request
    assert b"1" in (flag.mend(request).body or b"")
