"""A stage before a server whose manners a test chooses."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mjgate.conformance.contract_view import Contract
from mjgate.conformance.profile import Profile
from mjgate.conformance.receiver import receiving
from mjgate.conformance.session import Session
from mjgate.conformance.stories import Stage
from mjgate.conformance.wire import Tokens
from tests.conformance.honest import SECOND, TOKEN, Manners, serving

PROFILE = Profile("mjgate", "mjgate itself")
PATIENCE_S = 20.0
Open = Callable[..., Stage]


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.load()


@pytest.fixture
def staged(contract: Contract) -> Iterator[Open]:
    """Opens a stage; `allow` are the submits, `hooks` whether callbacks can be heard."""
    with ExitStack() as stack:

        def open_(
            manners: Manners | None = None,
            allow: int | None = 50,
            profile: Profile = PROFILE,
            hooks: bool = True,
            second: str = SECOND,
        ) -> Stage:
            target = stack.enter_context(serving(manners))
            session = Session(target, contract, profile, Tokens(TOKEN, second), allow)
            stack.callback(session.close)
            receiver = stack.enter_context(receiving("http://127.0.0.1:0", target))
            return Stage(session, receiver if hooks else None, PATIENCE_S)

        yield open_


def broken(stage: Stage) -> list[tuple[str, str]]:
    """(rule, text) of every failure so far."""
    return [(each.rule, each.text) for each in stage.session.findings.failures()]


def applied(stage: Stage) -> dict[str, int]:
    """How often each rule was applied so far."""
    return stage.session.findings.totals()


def notes(stage: Stage) -> str:
    return "\n".join(stage.session.findings.said())
