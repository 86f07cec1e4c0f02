"""A whole run over a server of ours, as small as it may be to find what is wrong."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from mjgate.conformance.cases import store
from mjgate.conformance.contract_view import Contract
from mjgate.conformance.findings import Findings
from mjgate.conformance.generate import deck
from mjgate.conformance.profile import Profile
from mjgate.conformance.replay import Replayed, replay
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
    patience_s=6,
)
PATIENT = replace(SMALL, patience_s=30)
"""For servers whose tasks end: nothing is waited for in vain."""


@cache
def habits() -> Habits:
    """Cases drawn once for all runs: they are the same, and to draw them takes longest."""
    return Habits(deck=deck(Contract.load(), SMALL.seed, SMALL.max_examples))


def judged(
    manners: Manners | None = None,
    options: Options = SMALL,
    protocol: type[asyncio.Protocol] = Protocol,
    chance: bool = True,
) -> Verdict:
    """The verdict of a run, which leaves nothing to chance where that is not wanted."""
    with serving(manners, protocol) as address:
        given = habits() if chance else Habits(deck=())
        return run(replace(options, url=address), PROFILE, given)


def judged_again(
    manners: Manners, rules: Sequence[str], folder: Path
) -> tuple[Verdict, Sequence[Replayed]]:
    """The verdict of a run that ends once one of these rules is broken, and its cases sent again.

    The cases are stored in the folder.
    """

    def enough(findings: Findings) -> bool:
        return any(rule in rules for rule, _, _ in findings.found)

    with serving(manners) as address:
        options = replace(SMALL, url=address)
        verdict = run(options, PROFILE, replace(habits(), enough=enough))
        cases = [folder / each.case for each in store(verdict, folder).failures if each.case]
        return verdict, replay(cases, options, {PROFILE.name: PROFILE})


def told(verdict: Verdict) -> str:
    """Its failures, for whoever reads a test that failed."""
    return "\n".join(
        f"{each.rule}: {each.operation}: {each.text} ({each.times})" for each in verdict.failures
    )
