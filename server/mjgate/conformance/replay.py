"""Sends stored cases again, and says whether the same rule breaks."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mjgate.conformance.allowance import Withheld, costly
from mjgate.conformance.cases import Filler, StoredCase, read_case
from mjgate.conformance.contract_view import Contract
from mjgate.conformance.profile import Profile
from mjgate.conformance.run import Options, base_of, open_session, probe, tell_story
from mjgate.conformance.session import Ended, Session
from mjgate.conformance.verdict import CannotRun

_LOOKS = 5
_LOOK_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a case; `again` is whether the same rule broke."""

    path: Path
    case: StoredCase
    again: bool
    text: str
    """How it broke, or what is to be said where it did not."""


def replay(
    paths: Sequence[Path], options: Options, profiles: Mapping[str, Profile]
) -> list[Replayed]:
    """Sends each case to the server it was found on, or to that of the options.

    Each is judged by the profile it was found with, or by the whole contract.

    Raises:
        CannotRun: a case cannot be read or sent, or the server cannot be asked.
    """
    cases = [(path, read_case(path)) for path in paths]
    whole = Profile("mjgate", "the whole contract")
    return [
        _replayed(path, case, options, profiles.get(case.profile, whole)) for path, case in cases
    ]


def _replayed(path: Path, case: StoredCase, options: Options, profile: Profile) -> Replayed:
    if not case.story and case.submits > (options.allow_submits or 0):
        raise CannotRun(
            f"{path} submits what may draw a picture: allow it with --allow-submits {case.submits}"
        )
    options = replace(options, url=base_of(options.url or case.target), seed=case.seed)
    session = open_session(options, Contract.load(), profile)
    try:
        probe(session, bool(options.token))
        if case.story:
            tell_story(session, options, case.story)
        else:
            _send(session, case)
        return _result(session, case, path)
    except Ended as why:
        raise CannotRun(f"{path}: {why}") from None
    finally:
        session.close()


def _send(session: Session, case: StoredCase) -> None:
    filler = Filler(session.target)
    request = None
    for step in case.steps:
        try:
            request = filler.fill(step)
        except KeyError:
            session.note("an earlier step was not answered as it was when the case was found")
            return
        try:
            filler.learn(step, session.ask(request).answer)
        except Withheld as why:
            session.note(f"the case was not sent to its end: {why}")
            return
    # What a server does only now and then shows when it is looked at again.
    for _ in range(_LOOKS):
        if request is None or costly(request) or _broken(session, case):
            return
        time.sleep(_LOOK_PAUSE_S)
        session.ask(request)


def _broken(session: Session, case: StoredCase) -> str | None:
    """How the rule of a case broke; of several ways its own."""
    ways = [
        failure.text
        for failure in session.findings.failures()
        if (failure.rule, failure.operation) == (case.rule, case.operation)
    ]
    return case.text if case.text in ways else next(iter(ways), None)


def _result(session: Session, case: StoredCase, path: Path) -> Replayed:
    broken = _broken(session, case)
    said = "; ".join(session.findings.said()) or "the rule was kept"
    return Replayed(path, case, broken is not None, broken or said)
