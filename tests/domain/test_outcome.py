"""Reading an upstream's answer: the outcome table as rules."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.domain.outcome import Hold, Reply, clean, read_outcome, upstream_id
from mjgate.errors import Unavailable, UpstreamRefused, UpstreamUnclear

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.just(10**400),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=8,
)
answers = st.fixed_dictionaries(
    {},
    optional={
        "code": st.sampled_from([1, 22, 21, 3, 23, 24, 30, True, "1", 1.0, None, 2**40]) | anything,
        "description": anything,
        "result": st.sampled_from(["17", 17, "", " ", None, [], -1, "1\0", "\ud800"]) | anything,
        "properties": st.dictionaries(
            st.sampled_from(["remix", "finalPrompt", "numberOfQueues", "bannedWord", "discordId"]),
            anything,
        )
        | anything,
    },
)
replies = st.builds(
    Reply,
    status=st.sampled_from([200, 201, 204, 301, 400, 401, 418, 429, 500, 599]),
    body=answers | anything,
    retry_after_s=st.none() | st.integers(0, 3600),
)


@given(replies)
def test_no_answer_is_beyond_the_table(reply: Reply) -> None:
    outcome = read_outcome(reply)

    assert (outcome.result is None) != (outcome.error is None)
    assert (outcome.hold is Hold.KEEP) == (outcome.upstream_id is not None)
    assert not outcome.exists or outcome.hold is Hold.KEEP
    assert not (outcome.exists and outcome.modal)


@given(replies)
def test_what_is_answered_is_text_that_clients_can_read(reply: Reply) -> None:
    outcome = read_outcome(reply)

    if outcome.result is not None:
        assert {"code", "description", "properties", "result"} == outcome.result.keys()
        text = json.dumps(orjson.loads(orjson.dumps(outcome.result)))
        assert "\\u0000" not in text
        assert "discordId" not in outcome.result["properties"]


@given(replies)
def test_money_is_kept_or_given_back_by_status(reply: Reply) -> None:
    outcome = read_outcome(reply)

    if reply.status >= 500:
        assert Hold.UNKNOWN is outcome.hold
    elif reply.status >= 300:
        assert Hold.RELEASE is outcome.hold


@given(st.integers(300, 499))
def test_a_refusal_blames_the_key_at_401_and_403_alone(status: int) -> None:
    assert (status in (401, 403)) == read_outcome(Reply(status, None)).blames_key


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(429, None), Unavailable),
        (Reply(400, {"code": 1, "result": "17"}), UpstreamRefused),
        (Reply(302, None), UpstreamRefused),
        (Reply(500, {"code": 1, "result": "17"}), UpstreamUnclear),
        (Reply(200, {"code": 1, "result": None}), UpstreamUnclear),
    ],
)
def test_the_error_says_what_happened(reply: Reply, kind: type[Exception]) -> None:
    assert kind is type(read_outcome(reply).error)


@pytest.mark.parametrize(
    ("result", "known"),
    [
        ("1795408020557714", "1795408020557714"),
        (1795408020557714, "1795408020557714"),
        (0, "0"),
        (2**64 - 1, str(2**64 - 1)),
        ("x" * 255, "x" * 255),
        ("x" * 256, None),
        (2**64, None),
        (-1, None),
        (True, None),
        (1.0, None),
        ("", None),
        ("1 2", None),
        ("1\n", None),
        ("１", None),
        ("1\0", None),
        (None, None),
        (["1"], None),
    ],
)
def test_an_upstream_id_is_short_visible_ascii(result: Any, known: str | None) -> None:
    assert known == upstream_id(result)


def test_a_number_too_long_to_be_written_is_no_id() -> None:
    assert upstream_id(10**5000) is None


def test_clean_replaces_what_cannot_be_kept() -> None:
    assert "a\ufffdb\ufffdc\ufffd😀" == clean("a\0b\ud800c\udfff😀")
    assert "" == clean(None) == clean(7)


@pytest.mark.parametrize(
    ("given_properties", "shown"),
    [
        ({"numberOfQueues": 3}, {"numberOfQueues": 3}),
        ({"numberOfQueues": -1}, {}),
        ({"numberOfQueues": True}, {}),
        ({"numberOfQueues": "3"}, {}),
        ({"numberOfQueues": 2**31}, {}),
        ({"numberOfQueues": [1]}, {}),
        ({"bannedWord": "a\0", "promptEn": None}, {"bannedWord": "a\ufffd"}),
        ({"discordInstanceId": "1"}, {}),
        ([], {}),
        (None, {}),
    ],
)
def test_of_properties_only_what_is_for_clients_is_shown(
    given_properties: Any, shown: dict[str, Any]
) -> None:
    body = {"code": 1, "description": "", "result": "17", "properties": given_properties}

    outcome = read_outcome(Reply(200, body))

    assert outcome.result is not None
    assert shown == outcome.result["properties"]
