"""A whole run over a server of ours, as small as it may be to find what is wrong."""

import asyncio
from dataclasses import replace

from mjgate.conformance.profile import Profile
from mjgate.conformance.run import Options, run
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


def judged(
    manners: Manners | None = None,
    options: Options = SMALL,
    protocol: type[asyncio.Protocol] = Protocol,
) -> Verdict:
    with serving(manners, protocol) as address:
        return run(replace(options, url=address), PROFILE)


def told(verdict: Verdict) -> str:
    """Its failures, for whoever reads a test that failed."""
    return "\n".join(
        f"{each.rule}: {each.operation}: {each.text} ({each.times})" for each in verdict.failures
    )
