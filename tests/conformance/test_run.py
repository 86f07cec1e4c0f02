"""A run says 0 only of a server that was asked, 2 where nothing can be said of it."""

import itertools
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.oracle import Expectation
from mjgate.conformance.profile import Profile
from mjgate.conformance.profiles import PROFILES
from mjgate.conformance.report.words import sentence
from mjgate.conformance.rules import at
from mjgate.conformance.run import Options, base_of, run
from mjgate.conformance.session import Habits
from mjgate.conformance.verdict import CannotRun, Verdict
from tests.conformance.bodies import FETCH
from tests.conformance.exchanges import CONTRACT, TASK
from tests.conformance.honest import Manners, serving
from tests.conformance.judge import SMALL, told
from tests.conformance.scripted import Arrival, refusal, reply, scripted
from tests.harness import free_port

# Hypothesis says so of a failure with a large body, in place of the failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
PLAIN = Profile("plain", "a server")
CORNERS = replace(SMALL, max_examples=0, stories=False, allow_submits=None)
"""Only what every run asks, and the edges of the schemas."""


def asked(options: Options, profile: Profile = PLAIN, habits: Habits | None = None) -> Verdict:
    return run(options, profile, habits)


def empty_list(arrival: Arrival) -> bytes:
    """By which a server is known that refuses all else."""
    return reply(200, [], {"X-Request-Id": "one"}) if "list" in arrival.path else b""


def notes(verdict: Verdict) -> str:
    return "\n".join(verdict.notes)


@pytest.mark.parametrize(
    "url", ["", "localhost:8080", "ftp://example.org", "http://", "http://a.example/?b"]
)
def test_what_is_no_address_cannot_be_asked(url: str) -> None:
    with pytest.raises(CannotRun, match="is no address of a server"):
        base_of(url)


@pytest.mark.parametrize("who", ["user", "user:secret", ":secret", ""])
def test_an_address_may_not_hold_what_no_report_may_show(who: str) -> None:
    with pytest.raises(CannotRun, match="may not hold a name or a password") as why:
        base_of(f"https://{who}@a.example")
    assert "secret" not in str(why.value)


@pytest.mark.parametrize("url", ["http://[::1", "http://a.example:port", "http://a.example:99999"])
def test_an_address_that_nothing_can_have_cannot_be_asked(url: str) -> None:
    with pytest.raises(CannotRun, match="is no address of a server"):
        base_of(url)


def test_an_address_may_have_a_path_and_a_slash() -> None:
    assert "https://a.example/mj-fast" == base_of("https://a.example/mj-fast/")
    assert "https://a.example/mj-Fast" == base_of("HTTPS://A.example/mj-Fast")


def test_a_server_that_is_not_there_cannot_be_asked() -> None:
    with pytest.raises(CannotRun, match="does not answer: connection refused"):
        asked(replace(CORNERS, url=f"http://127.0.0.1:{free_port()}"))


def test_a_server_of_something_else_cannot_be_asked() -> None:
    with (
        scripted(lambda _: b"220 mail.example.org ESMTP\r\n") as server,
        pytest.raises(CannotRun, match="does not answer: it does not speak HTTP"),
    ):
        asked(replace(CORNERS, url=server.url, timeout_s=5.0))


@pytest.mark.parametrize(
    ("status", "token", "said"),
    [
        (401, "wrong", "refuses the token"),
        (403, "wrong", "refuses the token"),
        (401, "", "wants a token; give it with --token"),
    ],
)
def test_a_wrong_token_cannot_be_asked_with(status: int, token: str, said: str) -> None:
    with (
        scripted(lambda _: refusal(status, "unauthorized")) as server,
        pytest.raises(CannotRun, match=said),
    ):
        asked(replace(CORNERS, url=server.url, token=token))
    # One form may be taken where the other is not.
    assert (2 if status == 401 else 1) == len(server.arrivals)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_server_that_is_never_up_cannot_be_asked(status: int) -> None:
    with (
        scripted(lambda _: refusal(status, "unavailable")) as server,
        pytest.raises(CannotRun, match=f"does not answer: it says {status}"),
    ):
        asked(replace(CORNERS, url=server.url))


def blank(arrival: Arrival) -> bytes:
    return reply(200, {})


def login(arrival: Arrival) -> bytes:
    return reply(302, b"", {"Location": "/login", "Content-Type": "text/html"})


def files(arrival: Arrival) -> bytes:
    found = 404 if arrival.method == "GET" else 501
    return reply(found, b"<html>", {"Content-Type": "text/html;charset=utf-8"})


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize(
    ("script", "what"),
    [
        (blank, "got 200 as application/json"),
        (login, "got 302 as text/html"),
        (files, "got 501 as text/html"),
        (lambda arrival: refusal(404, "not_found"), "got 404 as application/json"),
        (lambda arrival: reply(200), "got 200 as application/json"),
    ],
)
def test_what_is_something_else_is_not_asked_for_long(
    kind: str, script: Callable[[Arrival], bytes], what: str
) -> None:
    with scripted(script) as server, pytest.raises(CannotRun) as why:
        asked(replace(CORNERS, url=server.url), PROFILES[kind])
    said = f"{server.url} does not look like the Midjourney Proxy API: POST /mj/submit/imagine "
    assert f"{said}{what}; is the address right?" == str(why.value)
    assert len(server.arrivals) <= 5


def test_an_address_of_a_server_with_a_path_that_it_has_not_is_not_asked_for_long() -> None:
    with serving() as address, pytest.raises(CannotRun, match="is the address right"):
        asked(replace(CORNERS, url=f"{address}/mj-fast"))


def test_what_shows_only_at_the_end_that_it_is_something_else_could_not_run() -> None:
    with scripted(lambda _: reply(400, {"error": "no"})) as server:
        options = replace(CORNERS, url=server.url)
        with pytest.raises(CannotRun, match="nothing was answered in its form; is the address"):
            asked(options)
    assert len(server.arrivals) > 100


def test_a_server_that_never_answers_what_counts_cannot_be_judged() -> None:
    def answers_one(arrival: Arrival) -> bytes:
        first = len(server.arrivals) == 1
        return refusal(404, "not_found") if first else b""

    with scripted(answers_one) as server, pytest.raises(CannotRun, match="nothing that could be"):
        asked(replace(CORNERS, url=server.url))


def test_a_server_that_goes_away_in_between_has_not_passed() -> None:
    def ten(arrival: Arrival) -> bytes:
        said = empty_list(arrival) or refusal(404, "not_found")
        return said if len(server.arrivals) < 10 else b""

    with scripted(ten) as server:
        verdict = asked(replace(CORNERS, url=server.url))
    assert 1 == verdict.exit_code
    assert "answers" in {each.rule for each in verdict.failures}
    assert verdict.ended == f"the server went away after {verdict.cases} answers"
    assert f"The run ended early: {verdict.ended}. The rest was not asked." in verdict.notes
    assert f"; {verdict.ended}, the rest was not asked (--seed" in sentence(verdict)


def interrupting(at: int) -> Habits:
    """Interrupts at this answer, as Ctrl-C does."""
    numbers = itertools.count(1)

    def listen(exchange: Exchange, expected: Expectation) -> None:
        if next(numbers) == at:
            raise KeyboardInterrupt

    return Habits(listen=listen)


@pytest.mark.parametrize(("at", "examples"), [(1, 0), (40, 0), (640, 10)])
def test_an_interrupted_run_has_not_passed_and_tells_what_it_has(at: int, examples: int) -> None:
    options = replace(CORNERS, allow_submits=20, max_examples=examples, stories=not examples)
    with serving() as address:
        verdict = asked(replace(options, url=address), PLAIN, interrupting(at))
    assert (2, "", at) == (verdict.exit_code, told(verdict), verdict.cases)
    noun = "answer" if at == 1 else "answers"
    assert f"The run ended early: interrupted after {at:,} {noun}." in notes(verdict)
    assert f"the server accepted {verdict.submits} submits" in notes(verdict)
    assert sentence(verdict).startswith("could not run: ")
    assert f"; interrupted after {at:,} {noun}, the rest was not asked" in sentence(verdict)


def test_an_interrupted_run_that_found_something_has_failed() -> None:
    with scripted(lambda arrival: empty_list(arrival) or reply(404, {})) as server:
        verdict = asked(replace(CORNERS, url=server.url), PLAIN, interrupting(5))
    assert (1, True) == (verdict.exit_code, verdict.interrupted)
    assert "coverage" not in {each.rule for each in verdict.failures}


@pytest.fixture
def heeding() -> Iterator[None]:
    """SIGINT raises, as it does not in a job of the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding")
def test_a_submit_that_an_interrupt_cut_off_is_told() -> None:
    def answer(arrival: Arrival) -> bytes:
        if len(server.paths("submit")) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            return b""
        return empty_list(arrival) or refusal(404, "not_found")

    with scripted(answer) as server:
        options = replace(CORNERS, url=server.url, allow_submits=1, stories=True)
        verdict = asked(options, Profile("few", "few", unasked=frozenset({"bad_token_refused"})))
    assert verdict.interrupted
    assert "the server accepted 0 submits, of 1 more nobody can say" in notes(verdict)


@pytest.mark.usefixtures("heeding")
def test_what_is_interrupted_before_the_first_answer_could_not_run() -> None:
    def never(arrival: Arrival) -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        return b""

    with scripted(never) as server, pytest.raises(CannotRun, match="interrupted before"):
        asked(replace(CORNERS, url=server.url))


def test_without_an_allowance_an_honest_server_passes_and_draws_nothing() -> None:
    with serving() as address:
        verdict = asked(replace(CORNERS, url=address))
    assert (0, "") == (verdict.exit_code, told(verdict))
    assert (0, None) == (verdict.submits, verdict.allowance)
    assert "No submit was allowed" in notes(verdict)
    assert "was never accepted, since no submit was allowed" in notes(verdict)
    assert "found no task, since none was submitted" in notes(verdict)
    assert "submits were not sent: they could have been accepted" in notes(verdict)
    assert verdict.cases == sum(verdict.by_status.values())
    assert verdict.rules == {
        name: sum(n for (rule, _), n in verdict.applied.items() if rule == name)
        for name in verdict.rules
    }
    keywords = [each for each in verdict.seen if each.kind == "keyword"]
    assert keywords
    assert all(each.covered for each in keywords), [x.name for x in keywords if not x.covered]
    broken = {each.name for each in keywords if each.bad}
    assert {
        "Prompt pattern",
        "NotifyHook pattern",
        "State type",
        "TaskRef/oneOf/1 minimum",
    } < broken


def test_a_server_that_accepts_everything_gets_one_submit_and_fails() -> None:
    def accepts(arrival: Arrival) -> bytes:
        made = {"code": 1, "description": "", "properties": {}, "result": "1795408020562001"}
        if "submit" in arrival.path:
            return reply(200, made, {"X-Request-Id": "one"})
        return reply(200, TASK, {"X-Request-Id": "one", "ETag": 'W/"1"'})

    with scripted(accepts) as server:
        verdict = asked(replace(CORNERS, url=server.url, max_examples=30, stories=True))
        orders = [each for each in server.arrivals if "submit" in each.path]
    assert 1 == verdict.exit_code
    assert 1 == verdict.submits
    assert {"nothing_bought", "bad_refused"} <= {each.rule for each in verdict.failures}
    # Nothing that asks for a picture was sent, and nothing at all after the first was accepted.
    ordering = [each for each in orders if each.method == "POST"]
    assert 1 == len(ordering)
    assert not json.loads(ordering[0].body or b"{}").get("prompt")


def test_an_allowance_is_not_exceeded_in_any_phase() -> None:
    made: list[int] = []

    def count(exchange: Exchange, expected: Expectation) -> None:
        answer = exchange.answer
        ordered = exchange.request.method == "POST" and "submit" in exchange.request.path
        again = answer is not None and answer.header("idempotency-replayed")
        if answer and ordered and not again and at(json.loads(answer.body), "code") == 1:
            made.append(answer.status)

    with serving() as address:
        options = replace(SMALL, url=address, max_examples=30, stories=False, allow_submits=5)
        verdict = asked(options, PLAIN, Habits(listen=count))
    assert (0, "") == (verdict.exit_code, told(verdict))
    assert 5 == verdict.submits == len(made)
    assert "could have been accepted" in notes(verdict)


def test_a_server_that_checks_no_token_is_told_so_once() -> None:
    hint = "The server checks no token: "
    with serving(Manners(asker=lambda call, asker: asker or "first")) as address:
        verdict = asked(replace(CORNERS, url=address))
    assert 1 == verdict.exit_code
    assert {"token_needed"} == {each.rule for each in verdict.failures}
    assert 1 == notes(verdict).count(hint)
    # One that lets some in is no open door.
    some = Manners(asker=lambda call, asker: "first" if call.operation == FETCH else asker)
    with serving(some) as address:
        verdict = asked(replace(CORNERS, url=address))
    assert {"token_needed"} == {each.rule for each in verdict.failures}
    assert hint not in notes(verdict)


def test_an_operation_that_refuses_all_is_a_failure() -> None:
    def refuses(arrival: Arrival) -> bytes:
        return refusal(403, "forbidden") if "list" in arrival.path else b""

    def honest(arrival: Arrival) -> bytes:
        return refuses(arrival) or refusal(404, "not_found")

    with scripted(honest) as server:
        verdict = asked(replace(CORNERS, url=server.url))
    failed = {(each.operation, each.text) for each in verdict.failures if each.rule == "coverage"}
    assert ("POST /mj/task/list-by-condition", "nothing was accepted") in failed
    assert not any("submit" in operation for operation, _ in failed)


def test_a_submit_that_is_never_accepted_though_it_may_be_is_a_failure() -> None:
    def never(arrival: Arrival) -> bytes:
        return refusal(402 if "submit" in arrival.path else 404, "budget_spent")

    with scripted(never) as server:
        verdict = asked(replace(CORNERS, url=server.url, allow_submits=3))
    failed = {each.operation for each in verdict.failures if each.rule == "coverage"}
    assert {"POST /mj/submit/imagine", "POST /mj/submit/change"} <= failed


def test_operations_that_a_profile_has_not_are_not_missed() -> None:
    absent = frozenset({"GET /v1/key", "GET /v1/usage"})
    with serving() as address:
        verdict = asked(replace(CORNERS, url=address), Profile("few", "few", absent=absent))
    assert (0, "") == (verdict.exit_code, told(verdict))
    assert not absent & {operation for operation, _ in verdict.by_status}
    assert not absent & {each.operation for each in verdict.seen}
    assert "GET /v1/key was not asked for: the profile says it is not there." in verdict.notes


def test_an_operation_that_was_never_reached_is_a_failure() -> None:
    with serving(Manners(pause_s=lambda call: 0.2)) as address:
        verdict = asked(replace(CORNERS, url=address, max_time_s=4.0))
    assert 1 == verdict.exit_code
    assert "The run ended early: the time is over after " in notes(verdict)


def test_the_same_seed_asks_the_same() -> None:
    def all_asked(seed: int) -> list[str]:
        heard: list[str] = []

        def listen(exchange: Exchange, expected: Expectation) -> None:
            heard.append(repr(exchange.request))

        with serving() as address:
            options = replace(CORNERS, url=address, max_examples=10, seed=seed)
            asked(options, PLAIN, Habits(listen=listen))
            return [each.replace(address, "") for each in heard]

    first = all_asked(3)
    assert first == all_asked(3)
    assert first != all_asked(4)
    assert CONTRACT.operations
