"""One run over a server: asks whether it can be asked, asks, and says the verdict."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from mjgate.conformance.allowance import NOWHERE, Withheld
from mjgate.conformance.contract_view import FETCH, IMAGINE, LIST, Contract
from mjgate.conformance.corners import corners
from mjgate.conformance.exchange import Request
from mjgate.conformance.generate import generate
from mjgate.conformance.likeness import described, is_foreign
from mjgate.conformance.profile import Profile
from mjgate.conformance.receiver import receiving
from mjgate.conformance.redact import redacted
from mjgate.conformance.session import Ended, Habits, Session
from mjgate.conformance.stories import STORIES, Stage, tell, tell_all, wants
from mjgate.conformance.verdict import CannotRun, Verdict
from mjgate.conformance.wire import NoAnswer, Tokens

DEFAULT_EXAMPLES = 50
_NO_NAMES = (
    "the address may not hold a name or a password before an @, since every report would show it"
)
_OTHER = "does not look like the Midjourney Proxy API"
_RIGHT = "is the address right?"
_PROBES = 5
_PROBE_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is asked to do."""

    url: str
    token: str = ""
    second_token: str = ""
    max_examples: int = DEFAULT_EXAMPLES
    """Cases drawn by chance for each operation."""
    seed: int = 0
    allow_submits: int | None = None
    receiver: str | None = None
    max_time_s: float | None = None
    timeout_s: float = 30.0
    patience_s: float = 900.0
    """How long a task may take to its end, and a callback to come."""
    stories: bool = True
    least: float = 100.0
    """Percent of the judged answers that must be right."""


def run(options: Options, profile: Profile, habits: Habits | None = None) -> Verdict:
    """The verdict on a server; a KeyboardInterrupt ends it early.

    Raises:
        CannotRun: nothing can be said of it.
    """
    started = time.monotonic()
    session = open_session(options, Contract.load(), profile, habits)
    try:
        probe(session, bool(options.token))
        ended = _ask(session, options)
        if not (session.recognised or ended.why):
            raise CannotRun(
                f"{session.target} {_OTHER}: nothing was answered in its form; {_RIGHT}"
            )
        _look_back(session, whole=not ended.interrupted)
        verdict = _verdict(session, options, round(1000 * (time.monotonic() - started)))
        verdict = replace(verdict, ended=ended.why, interrupted=ended.interrupted)
        return redacted(verdict, (options.token, options.second_token))
    except KeyboardInterrupt:
        raise CannotRun("interrupted before there was anything to say") from None
    finally:
        session.close()


def open_session(
    options: Options, contract: Contract, profile: Profile, habits: Habits | None = None
) -> Session:
    """A session that is to be closed. Raises CannotRun where the address is none."""
    return Session(
        base_of(options.url),
        contract,
        profile,
        Tokens(options.token, options.second_token),
        options.allow_submits,
        options.receiver,
        habits,
        options.timeout_s,
        options.max_time_s,
    )


def base_of(url: str) -> str:
    """The address of a server without a slash at its end, its host in small letters.

    So it is what every request to it begins with, and what a stored case has for it.

    Raises:
        CannotRun: it is none.
    """
    wrong = f"{url!r} is no address of a server, such as http://localhost:8080"
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise CannotRun(wrong if "@" not in url else _NO_NAMES) from None
    if "@" in parts.netloc:
        raise CannotRun(_NO_NAMES)
    if not is_one or parts.query:
        raise CannotRun(wrong)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def probe(session: Session, has_token: bool) -> None:
    """Asks for one task, before thousands are asked for in vain.

    Raises:
        CannotRun: the server is not there, is none of HTTP, or refuses the token.
    """
    path = FETCH.replace("{id}", str(NOWHERE.start))
    status = 401
    # A server that takes one form alone can be asked, and has failed.
    for form in session.contract.operation(FETCH).forms:
        if status == 401:
            status = _status(session, session.request("GET", path, form=form))
    if status in (401, 403):
        word = "refuses the token" if has_token else "wants a token; give it with --token"
        raise CannotRun(f"{session.target} {word} ({status})")


def _status(session: Session, request: Request) -> int:
    """The first status that is none of a server that is busy or not up yet."""
    why = ""
    for number in range(_PROBES):
        if number:
            time.sleep(_PROBE_PAUSE_S)
        try:
            status = session.peek(request).status
        except NoAnswer as error:
            why = str(error)
            continue
        if status not in (429, 502, 503):
            return status
        why = f"it says {status}"
    raise CannotRun(f"{session.target} does not answer: {why}")


@dataclass(frozen=True, slots=True)
class _End:
    """How the asking came to its end; `why` is empty where all was asked."""

    why: str = ""
    interrupted: bool = False


def _ask(session: Session, options: Options) -> _End:
    try:
        _recognise(session)
        # Pictures cost money: the stories make more of the first than chance does.
        if options.stories:
            _tell_stories(session, options)
        for request in corners(session):
            try:
                session.ask(request)
            except Withheld:
                continue
        generate(session, options.seed, options.max_examples)
    except Ended as early:
        return _ended(session, "the server went away" if early.gone else str(early))
    except KeyboardInterrupt:
        return _ended(session, "interrupted", interrupted=True)
    return _End()


def _recognise(session: Session) -> None:
    """Asks for what every server of this API knows, and which costs nothing.

    Raises:
        CannotRun: all that came is plainly of something else.
    """
    came = []
    for request in _introductions(session):
        with suppress(Withheld):
            came.append(session.ask(request))
        if session.recognised:
            return
    if came and all(map(is_foreign, came)):
        raise CannotRun(f"{session.target} {_OTHER}: {described(came[-1])}; {_RIGHT}")


def _introductions(session: Session) -> Iterator[Request]:
    contract, absent = session.contract, session.profile.absent
    if contract.operation(LIST).label not in absent:
        yield session.request("POST", LIST, {"ids": [session.nowhere]})
    yield session.request("GET", FETCH.replace("{id}", session.nowhere))
    # Without a prompt: it is refused, and each server has its own words for that.
    yield session.request("POST", IMAGINE, {})


def _ended(session: Session, why: str, *, interrupted: bool = False) -> _End:
    """Notes that not all was asked, and what may have been bought until then."""
    cases, allowance = session.findings.cases, session.allowance
    why = f"{why} after {cases:,} {'answer' if cases == 1 else 'answers'}"
    session.note(f"The run ended early: {why}. The rest was not asked.")
    if interrupted:
        unknown = allowance.spent - allowance.accepted
        more = f", of {unknown} more nobody can say" if unknown > 0 else ""
        session.note(f"Until then the server accepted {allowance.accepted} submits{more}.")
    return _End(why, interrupted)


def _tell_stories(session: Session, options: Options) -> None:
    """Every story whose rules the profile asks for."""
    with receiving(options.receiver, session.target) as receiver:
        tell_all(Stage(session, receiver, options.patience_s))


def tell_story(session: Session, options: Options, name: str) -> str | None:
    """One story, by its name; what it wants, where it cannot be told.

    Raises:
        CannotRun: there is none of this name.
    """
    story = next((each for each in STORIES if each.name == name), None)
    if story is None:
        raise CannotRun(f"there is no story {name}")
    with receiving(options.receiver, session.target) as receiver:
        stage = Stage(session, receiver, options.patience_s)
        wanted = wants(stage, story)
        if wanted is None:
            tell(stage, story)
        return wanted


def _look_back(session: Session, *, whole: bool) -> None:
    """Nothing checked, nothing accepted: a run that could not fail has not passed.

    One that is not whole, since it was interrupted, is not held to have asked for all.
    """
    findings = session.findings
    if not findings.cases:
        why = "has answered nothing that could be judged"
        raise CannotRun(f"{session.target} {why}{'' if whole else ' until it was interrupted'}")
    _note_open_door(session)
    if not whole:
        return
    for operation in session.contract.operations:
        label = operation.label
        if label in session.profile.absent:
            session.note(f"{label} was not asked for: the profile says it is not there.")
            continue
        statuses = [s for (name, s) in findings.by_status if name == label]
        where = operation.where
        if not statuses:
            findings.broke("coverage", label, "it was never checked", where, ())
        elif any(200 <= status < 300 for status in statuses):
            findings.held("coverage", label)
        elif operation.submits and not session.allowance.most:
            session.note(
                f"{label} was never accepted, since no submit was allowed (--allow-submits N)."
            )
        elif operation.path == FETCH and not session.memory.submitted:
            session.note(f"{label} found no task, since none was submitted (--allow-submits N).")
        elif operation.submits and not session.allowance.left:
            session.note(f"{label} was never accepted; all submits that were allowed are used up.")
        else:
            findings.broke("coverage", label, "nothing was accepted", where, ())


def _note_open_door(session: Session) -> None:
    """Many failures have one cause where nobody is asked for a token; a reader should see it."""
    found, refused = session.findings.found, {401, 403}
    open_ = any(rule in ("token_needed", "bad_token_refused") for rule, _, _ in found)
    if open_ and not any(status in refused for _, status in session.findings.by_status):
        session.note(
            "The server checks no token: whoever asks is answered, and each failure of "
            "token_needed and bad_token_refused comes of it. Start it with one (mjgate sandbox: "
            "--secret; novicezk: mj.api-secret), and give it with --token."
        )


def _verdict(session: Session, options: Options, took_ms: int) -> Verdict:
    findings, allowance = session.findings, session.allowance
    if allowance.most is None:
        session.note(
            "No submit was allowed: only what no server of this kind can accept was submitted. "
            "--allow-submits N lets the server draw N pictures."
        )
    if allowance.withheld:
        session.note(f"{allowance.withheld} submits were not sent: they could have been accepted.")
    return Verdict(
        target=session.target,
        profile=session.profile.name,
        contract=session.contract.version,
        seed=options.seed,
        cases=findings.cases,
        by_status=dict(findings.by_status),
        rules=findings.totals(),
        applied=dict(findings.applied),
        sentences={name: rule.says for name, rule in findings.rules.items() if findings.asks(name)},
        failures=findings.failures(),
        waived=findings.waivers(),
        seen=findings.seen(_all_seen(session)),
        submits=allowance.accepted,
        allowance=allowance.most,
        notes=findings.said(),
        took_ms=took_ms,
        least=options.least,
    )


def _all_seen(session: Session) -> Iterator[tuple[str, str, str]]:
    """All of the contract that a run can ask about."""
    contract = session.contract
    for operation in contract.operations:
        if operation.label in session.profile.absent:
            continue
        yield from ((operation.label, "status", str(status)) for status in operation.responses)
        yield from ((operation.label, "parameter", each.label) for each in operation.parameters)
        yield from ((operation.label, "security", form) for form in operation.forms)
        schemas = [parameter.schema for parameter in operation.parameters]
        for schema in filter(None, (*schemas, operation.body)):
            for keyword in contract.keywords(schema):
                yield operation.label, "keyword", contract.named(keyword)
