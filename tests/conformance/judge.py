"""A whole run over a server of ours, as small as it may be to find what is wrong."""

import asyncio
from dataclasses import replace
from functools import cache

from mjgate.conformance.contract_view import Contract
from mjgate.conformance.findings import Findings
from mjgate.conformance.generate import deck
from mjgate.conformance.profile import Profile
from mjgate.conformance.run import Options, run
from mjgate.conformance.session import Habits
from mjgate.conformance.verdict import Verdict
from mjgate.contract.protocol import Protocol
from tests.conformance.honest import SECOND, TOKEN, Manners, serving

PROFILE = Profile("mjgate", "mjgate itself")
SMALL = Options(
    url="",
    token=TOKEN,
    second_token=SECOND,
    max_examples=4,
    seed=7,
    allow_submits=5000,
    receiver="http://127.0.0.1:0",
    patience_s=1.5,
)


@cache
def habits() -> Habits:
    """Cases drawn once for all runs: they are the same, and to draw them takes longest."""
    return Habits(deck=deck(Contract.load(), SMALL.seed, SMALL.max_examples))


def judged(
    manners: Manners | None = None,
    options: Options = SMALL,
    protocol: type[asyncio.Protocol] = Protocol,
    rules: tuple[str, ...] = (),
) -> Verdict:
    """The verdict; a run that has found one of these rules broken ends."""

    def enough(findings: Findings) -> bool:
        return any(rule in rules for rule, _, _ in findings.found)

    with serving(manners, protocol) as address:
        return run(replace(options, url=address), PROFILE, replace(habits(), enough=enough))


def told(verdict: Verdict) -> str:
    """Its failures, for whoever reads a test that failed."""
    return "\n".join(
        f"{each.rule}: {each.operation}: {each.text} ({each.times})" for each in verdict.failures
    )
