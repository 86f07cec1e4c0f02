"""Sends stored cases again, and says whether the same rule breaks."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mjgate.conformance.allowance import Withheld, costly
from mjgate.conformance.cases import Filler, StoredCase, read_case
from mjgate.conformance.contract_view import Contract
from mjgate.conformance.exchange import Answer
from mjgate.conformance.profile import Profile
from mjgate.conformance.rules import RULES
from mjgate.conformance.run import Options, base_of, open_session, probe, tell_story
from mjgate.conformance.session import OF_FORM, Ended, Session
from mjgate.conformance.verdict import CannotRun

_OF_STORIES = frozenset(rule.name for rule in RULES if rule.judge is None) - {"nothing_bought"}
"""Rules that are applied, and so hold, where stories say. What was not bought is never counted."""
_LOOKS = 5
_LOOK_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a case; `again` is whether the same rule broke.

    `sent` is false where that cannot be said: it was not sent to its end or put off, or its rule
    was not applied.
    """

    path: Path
    case: StoredCase
    again: bool
    text: str
    """How it broke, or what is to be said where it did not."""
    sent: bool = True


def replay(
    paths: Sequence[Path], options: Options, profiles: Mapping[str, Profile]
) -> list[Replayed]:
    """Sends each case to the server it was found on, or to that of the options.

    Each is judged by the profile it was found with, or by the whole contract.

    Raises:
        CannotRun: a case cannot be read, or the server cannot be asked.
    """
    cases = [(path, read_case(path)) for path in paths]
    whole = Profile("mjgate", "the whole contract")
    return [
        _replayed(path, case, options, profiles.get(case.profile, whole)) for path, case in cases
    ]


def _replayed(path: Path, case: StoredCase, options: Options, profile: Profile) -> Replayed:
    if case.submits > (options.allow_submits or 0):
        return Replayed(path, case, False, f"needs --allow-submits {case.submits}", sent=False)
    options = replace(options, url=base_of(options.url or case.target), seed=case.seed)
    session = open_session(options, Contract.load(), profile)
    try:
        probe(session, bool(options.token))
        if case.story:
            wanted = tell_story(session, options, case.story)
            untold = f"needs {wanted}" if wanted else _unapplied(session, case)
        else:
            untold = _send(session, case)
        return _result(session, case, path, untold)
    except Ended as why:
        raise CannotRun(f"{path}: {why}") from None
    finally:
        session.close()


def _unapplied(session: Session, case: StoredCase) -> str | None:
    """Why a story that was told says nothing of its rule; None where it does.

    A rule of one exchange that was not applied has had nothing to find fault with, unless what it
    was found in was withheld.
    """
    applied = any(rule == case.rule for rule, _ in session.findings.applied)
    whole = not session.allowance.withheld and case.rule not in _OF_STORIES
    if applied or whole:
        return None
    if case.rule.startswith("callback_"):
        return "no callback came: needs --receiver, where the server can call"
    return "its rule was not applied"


def _send(session: Session, case: StoredCase) -> str | None:
    """Sends the steps of a case; why its rule cannot be said to hold, where that is so."""
    filler = Filler(session.target)
    request, answer = None, None
    for step in case.steps:
        try:
            request = filler.fill(step)
        except KeyError:
            return "an earlier step was not answered as it was when the case was found"
        try:
            answer = session.ask(request).answer
        except Withheld as why:
            return f"it was not sent to its end: {why}"
        filler.learn(step, answer)
    # What a server does only now and then shows when it is looked at again.
    for _ in range(_LOOKS):
        if request is None or costly(request) or _broken(session, case):
            break
        time.sleep(_LOOK_PAUSE_S)
        try:
            answer = session.ask(request).answer
        except Withheld as why:
            return f"it was not looked at to the end: {why}"
    return _unsaid(case, answer)


def _unsaid(case: StoredCase, answer: Answer | None) -> str | None:
    """Why the last answer says nothing of the rule; None where it does."""
    if answer is None:
        return "its last request was not answered"
    found = case.steps[-1].answer
    as_found = case.rule in OF_FORM and found is not None and found.status == 429
    if answer.status == 429 and not as_found:
        return "its last request was turned away (429)"
    return None


def _broken(session: Session, case: StoredCase) -> str | None:
    """How the rule of a case broke; of several ways its own.

    What was bought unasked is so again, though this time it was allowed.
    """
    if case.rule == "nothing_bought" and session.allowance.unasked:
        return case.text
    ways = [
        failure.text
        for failure in session.findings.failures()
        if (failure.rule, failure.operation) == (case.rule, case.operation)
    ]
    return case.text if case.text in ways else next(iter(ways), None)


def _result(session: Session, case: StoredCase, path: Path, untold: str | None) -> Replayed:
    broken = _broken(session, case)
    if broken is not None:
        return Replayed(path, case, True, broken)
    said = "; ".join(session.findings.said())
    if untold is not None:
        text = f"{untold} ({said})" if said else untold
        return Replayed(path, case, False, text, sent=False)
    return Replayed(path, case, False, said or "the rule was kept")
