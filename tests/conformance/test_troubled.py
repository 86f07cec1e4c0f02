"""Servers that are slow, or stumble, or ask to wait, get a verdict that is true of them."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from mjgate.conformance.run import Options
from mjgate.conformance.verdict import Verdict
from mjgate.contract.protocol import Protocol
from tests.conformance.bodies import IMAGINE, LIST
from tests.conformance.honest import Call, Manners, Reply, error
from tests.conformance.judge import PATIENT, judged, told


def troubled(
    manners: Manners | None = None,
    options: Options = PATIENT,
    protocol: type[asyncio.Protocol] = Protocol,
) -> Verdict:
    """Of the stories and the corners alone: each of these servers takes its time."""
    return judged(manners, options, protocol, chance=False)


class Resetting(Protocol):
    """Cuts a connection in place of every ninth answer, whatever it was."""

    numbers = itertools.count(1)

    def on_message_complete(self) -> None:
        if next(self.numbers) % 9 == 0:
            self.transport.abort()
        else:
            super().on_message_complete()


def said(count: str, notes: tuple[str, ...]) -> bool:
    return any(count in note for note in notes)


def test_a_slow_server_passes() -> None:
    verdict = troubled(Manners(pause_s=lambda call: 0.02))
    assert (0, "") == (verdict.exit_code, told(verdict))


def test_a_server_that_answers_too_late_does_not_answer() -> None:
    def late(call: Call) -> float:
        return 0.5 if call.operation == LIST and call.method == "POST" else 0

    impatient = replace(PATIENT, timeout_s=0.2, max_time_s=60, allow_submits=None)
    verdict = troubled(Manners(pause_s=late), impatient)
    assert 1 == verdict.exit_code
    assert {"answers"} <= {each.rule for each in verdict.failures} <= {"answers", "coverage"}
    assert said("requests to POST /mj/task/list-by-condition were not sent", verdict.notes)


def test_a_server_that_cuts_connections_is_asked_again_and_named() -> None:
    verdict = troubled(protocol=Resetting)
    assert {"answers"} >= {each.rule for each in verdict.failures}, told(verdict)
    assert said("sent again, since no answer came", verdict.notes)


def test_a_server_that_fails_now_and_then_is_asked_again_where_nothing_can_be_bought() -> None:
    def failing(call: Call) -> Reply | None:
        return error(502, "upstream") if call.number % 9 == 0 else None

    verdict = troubled(Manners(hasty=failing))
    assert {"no_server_error"} >= {each.rule for each in verdict.failures}, told(verdict)
    assert said("sent again after 502", verdict.notes)


@pytest.mark.parametrize("wait", ["1", "0"])
def test_a_server_that_asks_to_wait_is_waited_for(wait: str) -> None:
    numbers = itertools.count(1)

    def limiting(call: Call) -> Reply | None:
        if call.operation != IMAGINE or next(numbers) not in (2, 5):
            return None
        return error(429, "too fast").having("retry-after", wait)

    verdict = troubled(Manners(hasty=limiting))
    assert (0, "") == (verdict.exit_code, told(verdict))
    assert said("2 times the server asked to wait (429)", verdict.notes)


def test_a_server_that_always_asks_to_wait_is_not_waited_for_for_ever() -> None:
    always = Manners(
        hasty=lambda call: (
            error(429, "no").having("retry-after", "3600") if call.operation == IMAGINE else None
        )
    )
    verdict = troubled(always)
    assert 1 == verdict.exit_code
    assert said("waits were too long", verdict.notes)
