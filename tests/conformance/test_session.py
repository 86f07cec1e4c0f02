"""A session keeps the allowance, waits where it is told to, and judges what it gets."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from mjgate.conformance.allowance import Withheld
from mjgate.conformance.contract_view import CHANGE, IMAGINE, LIST, Contract
from mjgate.conformance.exchange import Exchange
from mjgate.conformance.profile import Profile, Waiver
from mjgate.conformance.rules import Broken, Rule, Sight
from mjgate.conformance.session import MOST_MUTE, MOST_SILENT, Ended, Habits, Session
from mjgate.conformance.wire import Tokens
from tests.conformance.exchanges import CONTRACT, TASK
from tests.conformance.scripted import Arrival, Scripted, refusal, reply, scripted

ID = "1795408020562001"
PROMPT = {"prompt": "a red fox"}
PLAIN = Profile("plain", "a server")
MADE = {"code": 1, "description": "", "properties": {}, "result": ID}


@dataclass
class Asked:
    session: Session
    server: Scripted

    @property
    def failures(self) -> dict[str, str]:
        return {each.rule: each.text for each in self.session.findings.failures()}

    @property
    def notes(self) -> str:
        return "\n".join(self.session.findings.said())


@contextmanager
def asking(
    script: Callable[[Arrival], bytes], profile: Profile = PLAIN, **more: Any
) -> Iterator[Asked]:
    with scripted(script) as server:
        session = Session(server.url, CONTRACT, profile, Tokens("token-one", "token-two"), **more)
        try:
            yield Asked(session, server)
        finally:
            session.close()


def headers(**more: str) -> dict[str, str]:
    return {"X-Request-Id": "one", "ETag": 'W/"1"', **more}


def honest(arrival: Arrival) -> bytes:
    """Makes one task, and knows it."""
    if arrival.path.endswith("/fetch"):
        known = ID in arrival.path
        task = dict(TASK) | {"id": ID}
        return reply(200, task, headers()) if known else refusal(404, "not_found")
    if arrival.path == LIST:
        asked = [str(each) for each in arrival.json["ids"]]
        tasks = [dict(TASK) | {"id": each} for each in asked if each == ID]
        return reply(200, tasks, headers())
    return reply(200, MADE, headers())


def scripts(*answers: bytes) -> Callable[[Arrival], bytes]:
    """These in a row, the last one for ever."""
    left = itertools.chain(answers, itertools.repeat(answers[-1]))
    return lambda _: next(left)


def test_a_request_of_a_story_is_built_in_few_words() -> None:
    with asking(honest) as asked:
        session = asked.session
        session.post(LIST, {"ids": []}, sender="second", form="Authorization")
        session.get("/v1/key", headers={"X-Request-Id": "mine"})
        session.fetch("a/b", sender="none")
        session.ask(
            session.request("POST", "/v1/key", b"{", headers=[("Content-Type", "text/plain")])
        )
        listed, key, fetched, raw = asked.server.arrivals
    assert ("Bearer token-two", b'{"ids":[]}') == (listed.header("authorization"), listed.body)
    assert "application/json" == listed.header("content-type")
    assert ("mine", "token-one") == (key.header("x-request-id"), key.header("mj-api-secret"))
    assert "/mj/task/a%2Fb/fetch" == fetched.path
    assert ("text/plain", b"{") == (raw.header("content-type"), raw.body)


def test_the_task_of_a_submit_is_fetched_and_listed_at_once() -> None:
    with asking(honest, allow_submits=2) as asked:
        asked.session.post(IMAGINE, PROMPT)
        asked.session.post(IMAGINE, PROMPT)
        ways = [(each.method, each.path, each.body) for each in asked.server.arrivals]
        assert {} == asked.failures
        assert [ID] == asked.session.memory.ids("token")
        totals = asked.session.findings.totals()
    fetch = ("GET", f"/mj/task/{ID}/fetch", b"")
    listed = ("POST", LIST, b'{"ids":[%s]}' % ID.encode())
    # It is the same task the second time, and known.
    assert [fetch, listed] == [each for each in ways if each[1] != IMAGINE]
    assert (1, 1) == (totals["submitted_fetchable"], totals["submitted_listed"])


def test_a_submit_that_cannot_be_found_breaks_two_rules() -> None:
    def forgets(arrival: Arrival) -> bytes:
        if arrival.path == IMAGINE:
            return honest(arrival)
        return reply(200, [], headers()) if arrival.path == LIST else refusal(404, "not_found")

    with asking(forgets, allow_submits=1) as asked:
        asked.session.post(IMAGINE, PROMPT)
        found = {each.rule: each for each in asked.session.findings.failures()}
    assert {"submitted_fetchable", "submitted_listed"} == set(found)
    assert [IMAGINE, f"/mj/task/{ID}/fetch"] == [
        each.request.path for each in found["submitted_fetchable"].exchanges
    ]
    assert f"GET /mj/task/{'{id}'}/fetch" == found["submitted_fetchable"].operation


def test_a_submit_that_is_found_as_a_page_is_not_found() -> None:
    def pages(arrival: Arrival) -> bytes:
        return honest(arrival) if arrival.path == IMAGINE else reply(200, b"<html>", headers())

    with asking(pages, allow_submits=1) as asked:
        asked.session.post(IMAGINE, PROMPT)
        assert {"submitted_fetchable", "submitted_listed"} <= set(asked.failures)


def test_operations_that_a_profile_has_not_are_not_asked_for() -> None:
    absent = frozenset({"GET /mj/task/{id}/fetch", f"POST {LIST}"})
    with asking(honest, Profile("few", "few", absent=absent), allow_submits=1) as asked:
        asked.session.post(IMAGINE, PROMPT)
        assert [IMAGINE] == [each.path for each in asked.server.arrivals]


def test_nothing_that_might_be_accepted_is_sent_without_an_allowance() -> None:
    with asking(honest) as asked:
        for body in (PROMPT, {"prompt": 1}, b'{"prompt": "a"'):
            with pytest.raises(Withheld):
                asked.session.post(IMAGINE, body)
        with pytest.raises(Withheld):
            asked.session.post(CHANGE, {"action": "REROLL", "taskId": ID})
        assert not asked.session.may_submit()
        assert [] == asked.server.arrivals


def test_a_server_that_accepts_what_must_be_refused_gets_no_submit_more() -> None:
    with asking(honest) as asked:
        asked.session.post(IMAGINE, {"prompt": ""})
        with pytest.raises(Withheld):
            asked.session.post(IMAGINE, {"prompt": ""})
        assert {"nothing_bought", "bad_refused"} <= set(asked.failures)
        assert 1 == len(asked.server.paths("submit"))
        assert 1 == asked.session.allowance.accepted
        assert "No more submits were sent" in asked.notes


def test_429_is_waited_for_and_not_judged() -> None:
    wait = refusal(429, "rate_limited", Retry_After="0")
    with asking(scripts(wait, wait, reply(200, TASK, headers()))) as asked:
        seen = asked.session.fetch(str(TASK["id"]))
        assert seen.answer is not None
        assert 200 == seen.answer.status
        assert {} == asked.failures
        assert 1 == asked.session.findings.cases
        assert "2 times the server asked to wait (429)" in asked.notes


@pytest.mark.parametrize("seconds", ["0", "100000", "9999999"])
def test_who_asks_to_wait_for_ever_is_not_waited_for(seconds: str) -> None:
    with asking(scripts(refusal(429, "rate_limited", Retry_After=seconds))) as asked:
        seen = asked.session.fetch(ID)
        assert seen.answer is not None
        assert 429 == seen.answer.status
        assert (0, {}) == (asked.session.findings.cases, asked.failures)
        assert "1 requests were turned away to the end (429)" in asked.notes
        assert 1 <= len(asked.server.arrivals) <= 4


def test_503_is_asked_again_where_nothing_can_be_bought() -> None:
    down = refusal(503, "unavailable", Retry_After="0")
    up = reply(200, TASK, headers())
    with asking(scripts(down, down, up)) as asked:
        asked.session.fetch(str(TASK["id"]))
        assert {} == asked.failures
        assert "2 requests were sent again after 503" in asked.notes
    with asking(scripts(down)) as asked:
        asked.session.fetch(ID)
        assert {"no_server_error"} == set(asked.failures)
        assert 4 == len(asked.server.arrivals)


def test_an_answer_that_only_puts_off_has_its_form_too() -> None:
    down = reply(502, b"<html>", {"Content-Type": "text/html"})
    with asking(scripts(down, reply(200, TASK, headers()))) as asked:
        asked.session.fetch(str(TASK["id"]))
        assert "error_shape" in asked.failures
        assert "no_server_error" not in asked.failures


@pytest.mark.parametrize(
    ("more", "times"), [({}, 1), ({"Idempotency-Key": "a"}, 4)], ids=["no key", "key"]
)
def test_a_submit_is_sent_again_only_with_a_key(more: Mapping[str, str], times: int) -> None:
    for script in (scripts(refusal(502, "upstream_refused")), scripts(b"")):
        with asking(script, allow_submits=9) as asked:
            asked.session.post(IMAGINE, PROMPT, headers=more)
            assert times == len(asked.server.arrivals)
            # Nobody knows whether it was accepted, each time.
            assert 9 - times == asked.session.allowance.left


def test_a_submit_is_not_sent_again_where_no_other_is_allowed() -> None:
    for script in (scripts(refusal(502, "upstream_refused")), scripts(b"")):
        with asking(script, allow_submits=2) as asked:
            asked.session.post(IMAGINE, PROMPT, headers={"Idempotency-Key": "a"})
            assert 2 == len(asked.server.arrivals)


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ({**TASK, "status": {}}, "tasks_go_forward"),
        (
            {"code": 1, "description": "d", "result": "\ud800", "properties": {}},
            "submitted_fetchable",
        ),
    ],
)
def test_what_cannot_be_judged_breaks_a_rule_and_ends_nothing(answer: Any, rule: str) -> None:
    odd = scripts(reply(200, json.dumps(answer).encode(), headers()))
    with asking(odd, allow_submits=3) as asked:
        if rule == "tasks_go_forward":
            asked.session.fetch(str(TASK["id"]))
        else:
            asked.session.post(IMAGINE, PROMPT)
        assert rule in asked.failures


def test_a_request_that_asks_for_a_fault_may_get_one() -> None:
    habits = Habits(expects_faults=lambda request: b"fault" in (request.body or b""))
    with asking(scripts(refusal(502, "upstream_refused")), habits=habits, allow_submits=9) as asked:
        asked.session.post(IMAGINE, {"prompt": "a fault"}, headers={"Idempotency-Key": "a"})
        assert 1 == len(asked.server.arrivals)
        assert {} == asked.failures
    with asking(scripts(refusal(500, "internal")), habits=habits, allow_submits=9) as asked:
        asked.session.post(IMAGINE, {"prompt": "a fault"})
        assert {"no_server_error"} == set(asked.failures)


def test_what_is_not_answered_breaks_a_rule() -> None:
    hung_up = scripts(b"", reply(200, TASK, headers()))
    with asking(hung_up) as asked:
        asked.session.fetch(str(TASK["id"]))
        assert {} == asked.failures
        assert "1 requests were sent again, since no answer came" in asked.notes
    with asking(scripts(b"")) as asked:
        seen = asked.session.fetch(ID)
        assert seen.answer is None
        assert ["answers"] == list(asked.failures)
        assert 0 == asked.session.findings.cases


def test_a_server_that_went_away_ends_the_run() -> None:
    with asking(scripts(b"")) as asked:
        ways = itertools.cycle([LIST, "/v1/key", "/v1/usage", f"/mj/task/{ID}/fetch"])
        for path in itertools.islice(ways, MOST_SILENT - 1):
            asked.session.post(path, {}) if path == LIST else asked.session.get(path)
        with pytest.raises(Ended) as why:
            asked.session.fetch(ID)
        assert why.value.gone


def test_an_operation_that_does_not_answer_is_asked_no_more() -> None:
    def hangs_up(arrival: Arrival) -> bytes:
        return b"" if arrival.path.endswith("/fetch") else honest(arrival)

    with asking(hangs_up, allow_submits=1) as asked:
        for _ in range(MOST_MUTE):
            asked.session.fetch(ID)
            asked.session.post(LIST, {"ids": []})
        with pytest.raises(Withheld, match="does not answer"):
            asked.session.fetch(ID)
        # What follows a submit is passed over; the submit itself was judged.
        asked.session.post(IMAGINE, PROMPT)
        assert ["answers"] == list(asked.failures)
        assert "2 requests to GET /mj/task/{id}/fetch were not sent" in asked.notes


def test_what_hangs_is_waited_for_twice() -> None:
    hung = threading.Event()

    def hangs(arrival: Arrival) -> bytes:
        hung.wait(5)
        return b""

    with asking(hangs, timeout_s=1.0) as asked:
        asked.session.fetch(ID)
        hung.set()
        assert 2 == len(asked.server.arrivals)
        assert {"answers": "no answer: no whole answer came in time"} == asked.failures


def test_a_run_ends_when_its_time_is_over() -> None:
    with asking(honest, max_time_s=0.0) as asked:
        with pytest.raises(Ended) as why:
            asked.session.fetch(ID)
        assert not why.value.gone
        assert [] == asked.server.arrivals


def test_a_run_may_end_when_enough_was_found() -> None:
    habits = Habits(enough=lambda findings: bool(findings.found))
    with asking(scripts(reply(200, {}, headers())), habits=habits) as asked, pytest.raises(Ended):
        asked.session.fetch(ID)


def test_a_task_that_goes_back_is_told_with_both_looks() -> None:
    states = iter([("IN_PROGRESS", "50%"), ("IN_PROGRESS", "31%")])

    def going_back(arrival: Arrival) -> bytes:
        status, progress = next(states)
        task = dict(TASK) | {"id": ID, "status": status, "progress": progress}
        return reply(200, task, headers())

    with asking(going_back) as asked:
        asked.session.fetch(ID)
        asked.session.fetch(ID)
        (failure,) = asked.session.findings.failures()
    assert ("tasks_go_forward", "a task went back in its progress") == (failure.rule, failure.text)
    assert 2 == len(failure.exchanges)


def test_a_failure_is_told_with_the_submit_whose_id_it_names() -> None:
    def spoilt(arrival: Arrival) -> bytes:
        return honest(arrival) if arrival.path != "/v1/key" else reply(200, {}, headers())

    with asking(spoilt, allow_submits=1) as asked:
        asked.session.post(IMAGINE, PROMPT)
        asked.session.get(f"/mj/task/{ID}/fetch", headers={"X-Request-Id": "mine"})
        (failure,) = asked.session.findings.failures()
    assert "request_id_echoed" == failure.rule
    assert [IMAGINE, f"/mj/task/{ID}/fetch"] == [each.request.path for each in failure.exchanges]


def test_a_story_is_kept_as_one() -> None:
    with asking(honest, allow_submits=1) as asked:
        session = asked.session
        before = session.post(IMAGINE, PROMPT)
        with session.story("two_looks"):
            first = session.fetch(ID)
            session.fetch(ID)
            session.broke("state_kept", "the state was lost", before, first)
            session.broke("text_kept", "the prompt was lost", before)
            session.broke("key_holds", "nothing was sent")
            session.post(IMAGINE, PROMPT)
        session.broke("etag_holds", "outside")
        found = {each.rule: each for each in session.findings.failures()}
    assert ["two_looks", "two_looks", "two_looks", ""] == [
        found[rule].story for rule in ("state_kept", "text_kept", "key_holds", "etag_holds")
    ]
    assert [IMAGINE, "fetch"] == [short(each) for each in found["state_kept"].exchanges]
    assert ["fetch", "fetch", IMAGINE] == [short(each) for each in found["text_kept"].exchanges]
    assert ["fetch", "fetch"] == [short(each) for each in found["key_holds"].exchanges]
    assert () == found["etag_holds"].exchanges
    assert "two_looks was not told to its end" in asked.notes


def short(exchange: Exchange) -> str:
    return "fetch" if exchange.request.path.endswith("/fetch") else exchange.request.path


def test_a_profile_lets_pass_what_it_names_and_leaves_out_what_it_does_not_ask() -> None:
    waiver = Waiver("no-id", "request_id_echoed", "it has none", "measured")
    other = Waiver("no", "request_id_echoed", "never", "x", lambda exchange, text: False)
    profile = Profile("lax", "lax", frozenset({"headers_match"}), waivers=(other, waiver))
    with asking(scripts(reply(200, TASK)), profile) as asked:
        asked.session.fetch(str(TASK["id"]))
        asked.session.held("headers_match")
        findings = asked.session.findings
        assert {} == asked.failures
        assert [("no", 0), ("no-id", 1)] == [(each.name, each.times) for each in findings.waivers()]
        assert "headers_match" not in findings.totals()
        assert 1 == findings.totals()["request_id_echoed"]


def test_a_rule_that_fails_is_a_failure() -> None:
    def raises(sight: Sight) -> Iterator[Broken | None]:
        yield Broken(str(sight.body["not there"]))

    rule = Rule("more", "More.", "#/info", raises)
    with asking(honest, habits=Habits(more_rules=(rule,))) as asked:
        asked.session.fetch(ID)
        assert {"more": "the answer cannot be judged: KeyError"} == asked.failures


def test_what_was_asked_about_is_counted() -> None:
    with asking(honest, allow_submits=1) as asked:
        session = asked.session
        session.post(IMAGINE, {"prompt": ""}, headers={"Idempotency-Key": "two words"})
        session.post(LIST, {"ids": ["a"]}, form="Authorization")
        session.get("/v1/usage?limit=1&from=today", sender="none")
        session.get("/nothing", sender="bad")
        session.fetch(ID, sender="bad")
        good, bad = session.findings.good, session.findings.bad
    imagine, listed, usage = f"POST {IMAGINE}", f"POST {LIST}", "GET /v1/usage"
    fetch = "GET /mj/task/{id}/fetch"
    assert 1 == bad[imagine, "keyword", "Prompt minLength"]
    assert 1 == good[imagine, "keyword", "ImagineRequest required"]
    assert 1 == bad[imagine, "parameter", "header Idempotency-Key"]
    assert 1 == good[listed, "keyword", "TaskRef/oneOf/0 maxLength"]
    assert 1 == good[listed, "security", "Authorization"]
    assert 2 == good[listed, "status", "200"]
    assert (1, 1) == (
        good[usage, "parameter", "query limit"],
        bad[usage, "parameter", "query from"],
    )
    assert 1 == bad[usage, "security", "no token"]
    assert 1 == bad[fetch, "security", "mj-api-secret"]
    assert 2 == good[fetch, "parameter", "path id"]


def test_others_hear_of_each_judged_exchange() -> None:
    heard: list[str] = []
    habits = Habits(listen=lambda exchange, expected: heard.append(f"{exchange} {expected.says}"))
    with asking(honest, habits=habits) as asked:
        asked.session.fetch(ID)
    assert [f"GET /mj/task/{ID}/fetch: 200 good"] == heard


@pytest.mark.parametrize("prefer", ["wait=30", "respond-async, wait=2; x", "wait=soon", ""])
def test_a_request_that_lets_the_server_wait_is_given_time(prefer: str) -> None:
    with asking(honest, timeout_s=5.0) as asked:
        seen = asked.session.fetch(ID, headers={"Prefer": prefer})
        assert seen.answer is not None


def test_notes_are_told_once() -> None:
    with asking(honest) as asked:
        asked.session.note("It rains.")
        asked.session.note("It rains.")
        assert "It rains." == asked.notes
        assert Contract.load().version == CONTRACT.version
        assert json.loads(json.dumps(asked.session.nowhere)).startswith("90071")


def test_wrong_requests_are_not_waited_for_where_one_stayed_unavailable() -> None:
    with asking(scripts(refusal(503, "unavailable"))) as asked:
        for wrong in ({"ids": 5}, {"ids": 6}):
            asked.session.post(LIST, wrong)
        assert 4 + 1 == len(asked.server.arrivals)
        asked.session.post(LIST, {"ids": []})
        assert 4 + 1 + 4 == len(asked.server.arrivals), "a good one may find it up again"


def test_a_key_is_not_relied_on_where_it_is_not_known() -> None:
    unknown = Profile("x", "x", unasked=frozenset({"key_holds"}))
    with asking(scripts(b""), unknown, allow_submits=9) as asked:
        asked.session.post(IMAGINE, PROMPT, headers={"Idempotency-Key": "a"})
        assert 1 == len(asked.server.arrivals)
