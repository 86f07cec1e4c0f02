"""The words that several reports use: a verdict in one line, a failure as a block to read."""

import math
from collections.abc import Iterator
from dataclasses import replace

from mjgate.conformance.exchange import Answer, Exchange, text_of
from mjgate.conformance.verdict import COULD_NOT_RUN, PASSED, Failure, Verdict
from mjgate.domain.display import harmless

MOST_STEPS = 6
"""Exchanges of a failure that a block shows; a stored case has all of them."""
MOST_CURL = 8_000
"""Signs of a command that a block shows."""
_MARGIN = 10


def line(text: str) -> str:
    """A text of others on one line."""
    return harmless(" ".join(text.split()))


def count(number: int, one: str, many: str = "") -> str:
    """Such as `1 answer` or `1,234 answers`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """Rounded down, so that 100 % is all."""
    return f"{math.floor(share * 100) / 100:g} %"


def outcome(verdict: Verdict) -> str:
    """`passed`, `failed` or `could not run`."""
    return {PASSED: "passed", COULD_NOT_RUN: "could not run"}.get(verdict.exit_code, "failed")


def sentence(verdict: Verdict) -> str:
    """The verdict on one line, with what it takes to have it again."""
    if not verdict.cases:
        return "could not run: nothing was checked"
    broken = len({failure.rule for failure in verdict.failures})
    found = (
        f"{count(broken, 'rule')} broken in {count(len(verdict.failures), 'way')}, "
        f"{count(sum(each.times for each in verdict.failures), 'time')} in "
        f"{count(verdict.cases, 'answer')}"
        if broken
        else f"{count(verdict.cases, 'answer')}, {count(_applied(verdict), 'rule')}, none broken"
    )
    known = f", {count(len(verdict.known), 'known failure')}" if verdict.known else ""
    least = (
        f", {percent(verdict.right)} right where {percent(verdict.least)} is asked for"
        if verdict.least < 100
        else ""
    )
    ended = f"; {line(verdict.ended)}, the rest was not asked" if verdict.ended else ""
    return f"{outcome(verdict)}: {found}{known}{least}{ended} (--seed {verdict.seed})"


def title(failure: Failure) -> str:
    return line(f"{failure.rule} at {failure.operation or 'no operation'}")


def block(failure: Failure, said: str) -> str:
    """All of a failure but its title; what others wrote stands behind a bar.

    `said` is the sentence of its rule.
    """
    return "\n".join(_rows(failure, said))


def command(exchange: Exchange) -> tuple[str, bool]:
    """The curl of an exchange, and whether it is whole."""
    request = exchange.request
    # What is cut anyway is not quoted first: a body may have millions of bytes.
    body = None if request.body is None else request.body[:MOST_CURL]
    shown = replace(request, body=body).curl()
    if body == request.body and len(shown) <= MOST_CURL:
        return shown, True
    return f"{shown[:MOST_CURL]}... (and more, in the stored case)", False


def answer_lines(answer: Answer | None) -> list[str]:
    """Status, headers and body, each line harmless."""
    if answer is None:
        return ["no answer"]
    head = [f"HTTP {answer.status} after {answer.after_ms:,} ms"]
    head += [line(f"{name}: {value}") for name, value in answer.headers]
    body = harmless(text_of(answer.body)).split("\n") if answer.body else []
    return [*head, *(["", *body] if body else [])]


def steps(failure: Failure) -> tuple[int, tuple[Exchange, ...]]:
    """How many of its exchanges are left out, and those that are shown."""
    shown = failure.exchanges[-MOST_STEPS:]
    return len(failure.exchanges) - len(shown), shown


def _applied(verdict: Verdict) -> int:
    return sum(1 for times in verdict.rules.values() if times)


def _rows(failure: Failure, said: str) -> Iterator[str]:
    if said:
        yield from _row("rule", [line(said)])
    yield from _row("broken", [f"{line(failure.text)} ({count(failure.times, 'time')})"])
    if failure.detail:
        yield from _row("in detail", [line(failure.detail)], bar=True)
    if failure.where:
        yield from _row("contract", [line(failure.where)])
    left_out, shown = steps(failure)
    if left_out:
        yield from _row("before", [f"{count(left_out, 'request')} more, in the stored case"])
    for exchange in shown:
        yield from _row("sent", [command(exchange)[0]], bar=True)
        last = exchange is shown[-1]
        yield from _row("came", answer_lines(exchange.answer)[: None if last else 1], bar=True)
    if failure.case:
        yield from _row("stored", [line(failure.case)])


def _row(name: str, lines: list[str], *, bar: bool = False) -> Iterator[str]:
    for at, text in enumerate(lines):
        margin = (name if not at else "").ljust(_MARGIN)
        yield f"{margin}{'| ' if bar else ''}{text}".rstrip()
