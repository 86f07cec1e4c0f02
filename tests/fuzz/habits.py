"""What is asked of our own gateway beside what `mjgate conformance` asks of any server."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from mjgate.conformance.contract_view import IMAGINE
from mjgate.conformance.exchange import Exchange, Request
from mjgate.conformance.oracle import Expectation
from mjgate.conformance.profiles import PROFILES
from mjgate.conformance.rules import Broken, Rule, Sight, is_id, submitted
from mjgate.conformance.session import Habits
from tests.conformance.exchanges import CONTRACT
from tests.fuzz.faults import WORD, failing

UPSTREAM_KEY = "the-upstream-s-own-key"
"""The key of the channel that is fuzzed; nobody but the upstream may see it."""
PROFILE = PROFILES["mjgate"]
_SECRETS = (b"mjgate:", UPSTREAM_KEY.encode())
_NUMBER = re.compile(rb"(?<![0-9])[0-9]{13,20}(?![0-9])")


def _nothing_leaks(sight: Sight) -> Iterator[Broken | None]:
    answer, request = sight.answer, sight.exchange.request
    shown = answer.body + repr(answer.headers).encode()
    sent = (request.body or b"") + repr((request.url, request.headers)).encode()
    leaks = any(secret in shown and secret not in sent for secret in _SECRETS)
    yield Broken("an answer shows what is between us and an upstream") if leaks else None


NOTHING_LEAKS = Rule(
    "nothing_leaks",
    "No marker that we send upstream, and no key of an upstream, shows in an answer.",
    "#/info/description",
    _nothing_leaks,
)


@dataclass
class Ledger:
    """What an audit needs to know of a run, heard while it goes."""

    submitted: set[int] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    """What in an answer may be an id."""
    answered: int = 0
    faulty: int = 0
    """Answers to requests that asked the sandbox for a fault."""

    def listen(self, exchange: Exchange, expected: Expectation) -> None:
        answer = exchange.answer
        if answer is None:
            return
        self.answered += 1
        self.faulty += expects_faults(exchange.request)
        self.numbers.update(map(int, _NUMBER.findall(answer.body)))
        made = submitted_in(exchange, expected)
        if is_id(made):
            self.submitted.add(int(str(made)))


def submitted_in(exchange: Exchange, expected: Expectation) -> str | None:
    assert exchange.answer is not None
    return submitted(Sight(exchange, exchange.answer, expected, CONTRACT))


def expects_faults(request: Request) -> bool:
    """Whether the sandbox behind the gateway is asked for a fault."""
    return WORD.encode() in (request.body or b"")


def habits(ledger: Ledger, words: Sequence[str]) -> Habits:
    """`words` ask for faults of the sandbox; every other drawn prompt has one."""

    def bend(request: Request, number: int) -> Request:
        if not words or number % 2 or not request.url.endswith(IMAGINE):
            return request
        try:
            body = json.loads(request.body or b"")
        except (ValueError, RecursionError):
            return request
        if not isinstance(body, dict) or not isinstance(body.get("prompt"), str):
            return request
        word = words[number // 2 % len(words)]
        return replace(request, body=json.dumps(failing(body, word)).encode())

    return Habits(
        expects_faults=expects_faults,
        more_rules=(NOTHING_LEAKS,),
        listen=ledger.listen,
        bend=bend,
    )
