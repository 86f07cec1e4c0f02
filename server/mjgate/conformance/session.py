"""Asks a server and judges each answer; every request of a run goes through here.

A session keeps the allowance, waits where a server asks for it, asks again what may be asked
again, and remembers as much of earlier answers as later ones are held to.
"""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import orjson

from mjgate.conformance.allowance import NOWHERE, Allowance, Withheld, costly, harmless
from mjgate.conformance.contract_view import FETCH, JSON, LIST, Contract
from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.findings import Findings
from mjgate.conformance.likeness import is_of_api
from mjgate.conformance.memory import Memory, keep
from mjgate.conformance.oracle import Expectation, expect
from mjgate.conformance.profile import Profile
from mjgate.conformance.rules import MOST_ID, RULES, Broken, Rule, Sight, at, submitted
from mjgate.conformance.wire import NoAnswer, Tokens, Wire

MOST_STEPS = 400
"""Exchanges of a story that are kept."""
MOST_ORIGINS = 500
"""Submits that are remembered by the id they gave."""
MOST_ORIGIN_BODY = 4096
MOST_WAIT_S = 60.0
"""That is waited at one time, whatever a server asks for."""
MOST_WAITS_S = 300.0
"""That is waited in all."""
MOST_MUTE: Final = 3
"""Requests in a row that one operation leaves without an answer, before it is asked no more."""
MOST_SILENT: Final = 8
"""Requests in a row without an answer, after which the server is taken for gone."""
_PAUSES_S: Final = (0.1, 0.3, 1.0)
OF_FORM: Final = (
    "content_type",
    "body_matches_schema",
    "headers_match",
    "error_shape",
    "request_id_echoed",
)
"""Rules that hold for every answer, also for one that only puts the question off."""
_ABSENT = object()
Listener = Callable[[Exchange, Expectation], None]


class Ended(Exception):
    """Raised where a run must end early; says why. `gone` is whether the server went away."""

    def __init__(self, why: str, *, gone: bool) -> None:
        super().__init__(why)
        self.gone = gone


@dataclass(frozen=True, slots=True)
class Habits:
    """What one who runs this on a server of his own knows better."""

    expects_faults: Callable[[Request], bool] = lambda request: False
    """Whether a request asks for a fault of the upstream: 502 to 504 are then right."""
    more_rules: tuple[Rule, ...] = ()
    listen: Listener = lambda exchange, expected: None
    """Told of every judged exchange."""
    bend: Callable[[Request, int], Request] = lambda request, number: request
    """Changes what was drawn before it is sent; the number is drawn with it."""
    deck: Sequence[Any] | None = None
    """Cases of `generate.deck`, sent in place of newly drawn ones."""
    enough: Callable[[Findings], bool] = lambda findings: False
    """Whether so much was found that the run may end."""


@dataclass(slots=True)
class _Story:
    name: str
    steps: deque[Exchange] = field(default_factory=lambda: deque(maxlen=MOST_STEPS))


class Session:
    """One run's way to its server. `ask` may be called by several threads at once."""

    def __init__(
        self,
        target: str,
        contract: Contract,
        profile: Profile,
        tokens: Tokens,
        allow_submits: int | None = None,
        receiver: str | None = None,
        habits: Habits | None = None,
        timeout_s: float = 30.0,
        max_time_s: float | None = None,
    ) -> None:
        self.target = target.rstrip("/")
        self.contract = contract
        self.profile = profile
        self.receiver = receiver
        """Where callbacks of this server can arrive; None where nothing listens."""
        self.has_second = bool(tokens.second)
        self.allowance = Allowance(allow_submits)
        self.memory = Memory()
        self.habits = habits or Habits()
        rules = {rule.name: rule for rule in (*RULES, *self.habits.more_rules)}
        self.findings = Findings(profile, rules)
        self._wire = Wire(tokens, timeout_s)
        self._secrets = tokens.secrets
        self.recognised = False
        """Whether any answer had the form of this API."""
        self._origins: OrderedDict[str, Exchange] = OrderedDict()
        self._began = time.monotonic()
        self._waited_s = 0.0
        self._silent = 0
        self._mute: Counter[str] = Counter()
        """Operation -> requests in a row without an answer."""
        self._stubborn: set[str] = set()
        """Operations that stayed unavailable to wrong requests."""
        self._ends_at = None if max_time_s is None else self._began + max_time_s
        self._lock = threading.RLock()
        self._story: _Story | None = None

    # -- what stories use --

    def request(
        self,
        method: str,
        path: str,
        body: Any = _ABSENT,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        sender: str = "token",
        form: str = "mj-api-secret",
    ) -> Request:
        """A request to a path of the target; `body` is bytes, or a value that is sent as JSON."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        raw = None
        if body is not _ABSENT:
            raw = body if isinstance(body, bytes) else orjson.dumps(body)
            if not any(name.lower() == "content-type" for name, _ in pairs):
                pairs.append(("Content-Type", JSON))
        return Request(method, self.target + path, tuple(pairs), raw, sender, form)

    def get(self, path: str, **more: Any) -> Exchange:
        return self.ask(self.request("GET", path, **more))

    def post(self, path: str, body: Any, **more: Any) -> Exchange:
        return self.ask(self.request("POST", path, body, **more))

    def fetch(self, task_id: str, **more: Any) -> Exchange:
        return self.get(FETCH.replace("{id}", quote(task_id, safe="")), **more)

    def may_submit(self) -> bool:
        """Whether a submit that can be accepted may be sent."""
        return self.allowance.left > 0

    @property
    def nowhere(self) -> str:
        """An id that no task of any server has."""
        return str(NOWHERE.start + len(self.memory.tasks))

    def broke(self, rule: str, text: str, *led: Exchange) -> None:
        """A rule was broken, by the last of `led`; `text` is one line, the same for one fault."""
        known = self.findings.rules[rule]
        operation = led[-1].operation if led else None
        with self._lock:
            story = self._story.name if self._story else ""
            self.findings.broke(rule, operation or "", text, known.where, self._led(led), story)

    def held(self, rule: str, operation: str = "") -> None:
        """A rule of several exchanges was applied once, and held."""
        with self._lock:
            self.findings.held(rule, operation)

    def note(self, text: str) -> None:
        with self._lock:
            self.findings.note(text)

    @contextmanager
    def story(self, name: str) -> Iterator[None]:
        """What is sent inside belongs together: it is stored and replayed as one."""
        self._story = _Story(name)
        try:
            yield
        except Withheld as why:
            self.note(f"{name} was not told to its end: {why}")
        finally:
            self._story = None

    def ask(self, request: Request) -> Exchange:
        """Sends a request and judges the answer by every rule of one exchange.

        An exchange without an answer is one that none came for; it was counted as that.

        Raises:
            Withheld: it might be accepted, and no more submits may be; or its operation is mute.
            Ended: the run is over.
        """
        expected = expect(self.contract, request)
        self._check_mute(_label(expected))
        taken = self.allowance.take(request)
        answer, at_ms = None, round(1000 * (time.monotonic() - self._began))
        try:
            answer = self._answer(request, expected)
        finally:
            beyond = self.allowance.told(request, answer, taken)
        exchange = Exchange(request, answer, _label(expected) or None, at_ms)
        with self._lock:
            self._remember(exchange)
            if beyond:
                self._bought(exchange)
        if answer is not None and answer.status == 429:
            self._count("requests were turned away to the end (429), and not judged")
        elif answer is not None:
            self._judge(exchange, expected, answer)
            with self._judging("submitted_fetchable", exchange):
                self._follow(exchange, expected, answer)
        if self.habits.enough(self.findings):
            raise Ended("enough was found", gone=False)
        return exchange

    # -- how it is sent --

    def close(self) -> None:
        self._wire.close()

    def peek(self, request: Request) -> Answer:
        """The answer to a request, unjudged. Raises NoAnswer where none came."""
        return self._wire.send(request)

    def _answer(self, request: Request, expected: Expectation) -> Answer | None:
        """The last answer of a bounded number of tries; None where none came.

        Where a wrong request stayed unavailable, other wrong ones are not waited for: some servers
        say 503 to what they do not know.
        """
        kept = _has_key(request) and self.findings.asks("key_holds")
        again = not costly(request) or harmless(request) or kept
        label, wrong = _label(expected), expected.says == "bad"
        again = again and not (wrong and label in self._stubborn)
        tried = 0
        while True:
            self._check_time()
            last = tried == len(_PAUSES_S)
            try:
                answer = self._wire.send(request, _waits(request))
            except NoAnswer as why:
                # To wait twice for what hangs says as much as to wait four times.
                given_up = last or (why.slow and tried > 0)
                if given_up or (why.sent and not (again and self._may_again(request))):
                    self._silence(request, label, str(why))
                    return None
                self._count("requests were sent again, since no answer came")
                time.sleep(_PAUSES_S[tried])
            else:
                self._silent = 0
                self._mute.pop(label, None)
                if last or not self._waits_for(request, answer, again, tried):
                    if last and wrong and answer.status >= 500:
                        self._stubborn.add(label)
                    return answer
            tried += 1

    def _waits_for(self, request: Request, answer: Answer, again: bool, tried: int) -> bool:
        """Waits where an answer asks for it; whether to ask again."""
        if answer.status == 429:
            self._count("times the server asked to wait (429)")
            self._judge_form(request, answer)
            return self._pause(_seconds(answer))
        faulty = answer.status in (502, 503, 504) and not self.habits.expects_faults(request)
        if faulty and again and self._may_again(request):
            self._count(f"requests were sent again after {answer.status}")
            self._judge_form(request, answer)
            given = answer.header("retry-after")
            return self._pause(_PAUSES_S[tried] if given is None else _seconds(answer))
        return False

    def _may_again(self, request: Request) -> bool:
        """Whether it may be sent once more: a server that forgets its key would draw another."""
        return not costly(request) or harmless(request) or self.allowance.again()

    def _pause(self, seconds: float) -> bool:
        with self._lock:
            if seconds > MOST_WAIT_S or self._waited_s + seconds > MOST_WAITS_S:
                self.findings.counts["waits were too long, and not waited for"] += 1
                return False
            self._waited_s += seconds
        time.sleep(seconds)
        return True

    def _silence(self, request: Request, label: str, why: str) -> None:
        self.broke("answers", f"no answer: {why}", Exchange(request, None, label or None))
        with self._lock:
            self._silent += 1
            self._mute[label] += 1
            if self._silent >= MOST_SILENT:
                raise Ended("the server does not answer any more", gone=True)

    def _check_mute(self, label: str) -> None:
        """Asks no more where nothing was answered: to wait for each would take hours."""
        if self._mute[label] >= MOST_MUTE:
            self._count(f"requests to {label or 'no operation'} were not sent: it does not answer")
            raise Withheld(f"{label or 'what is no operation'} does not answer")

    def _check_time(self) -> None:
        if self._ends_at is not None and time.monotonic() > self._ends_at:
            raise Ended("the time is over", gone=False)

    def _count(self, what: str) -> None:
        with self._lock:
            self.findings.counts[what] += 1

    # -- how it is judged --

    def _judge(self, exchange: Exchange, expected: Expectation, answer: Answer) -> None:
        sight = Sight(exchange, answer, expected, self.contract, self._secrets)
        with self._lock:
            self.findings.cases += 1
            self.findings.by_status[exchange.operation or "", answer.status] += 1
            self.findings.held("answers", exchange.operation or "")
            self._cover(exchange, expected, answer)
            self.recognised = self.recognised or is_of_api(sight)
            for rule in self.findings.rules.values():
                if rule.judge is not None and self._applies(rule, exchange.request, answer):
                    self._apply(rule, sight)
            with self._judging("tasks_go_forward", exchange):
                self._recall(sight)
        self.habits.listen(exchange, expected)

    def _judge_form(self, request: Request, answer: Answer) -> None:
        """Judges an answer that only put the question off: it need not be right, but well said."""
        expected = expect(self.contract, request)
        operation = expected.operation.label if expected.operation else None
        exchange = Exchange(request, answer, operation)
        sight = Sight(exchange, answer, expected, self.contract, self._secrets)
        with self._lock:
            for name in OF_FORM:
                if self.findings.asks(name):
                    self._apply(self.findings.rules[name], sight)

    def _applies(self, rule: Rule, request: Request, answer: Answer) -> bool:
        wanted = rule.name == "no_server_error" and answer.status > 500
        return self.findings.asks(rule.name) and not (
            wanted and self.habits.expects_faults(request)
        )

    def _apply(self, rule: Rule, sight: Sight) -> None:
        assert rule.judge is not None
        try:
            results = list(rule.judge(sight))
        except Exception as error:
            results = [Broken(unjudged(error))]
        for result in results:
            if result is None:
                self.findings.held(rule.name, sight.exchange.operation or "")
            else:
                self._tell(rule.name, sight.exchange, result.text, result.where or rule.where)

    @contextmanager
    def _judging(self, rule: str, exchange: Exchange) -> Iterator[None]:
        """An answer so odd that it cannot be judged breaks the rule, and does not end the run."""
        try:
            yield
        except (Withheld, Ended):
            raise
        except Exception as error:
            with self._lock:
                self._tell(rule, exchange, unjudged(error), self.findings.rules[rule].where)

    def _tell(self, rule: str, exchange: Exchange, text: str, where: str) -> None:
        story = self._story.name if self._story else ""
        operation = exchange.operation or ""
        self.findings.broke(rule, operation, text, where, self._led((exchange,)), story)

    def _recall(self, sight: Sight) -> None:
        """Holds tasks to what was said of them before."""
        for task in sight.tasks:
            back = self.memory.went_back(task, sight.exchange)
            if back is None:
                self.findings.held("tasks_go_forward", sight.exchange.operation or "")
            else:
                led = [each for each in (back.before, sight.exchange) if each is not None]
                self.broke("tasks_go_forward", f"a task went back {back.text}", *led)
            for each in self.memory.differences(task, sight.exchange):
                if each.text is None:
                    self.findings.held(each.rule, sight.exchange.operation or "")
                else:
                    before = (each.before,) if each.before else ()
                    self.broke(each.rule, each.text, *before, sight.exchange)

    def _follow(self, exchange: Exchange, expected: Expectation, answer: Answer) -> None:
        """Asks at once for the task of a submit, alone and in a list."""
        made = submitted(Sight(exchange, answer, expected, self.contract))
        if not made:
            return
        sender = exchange.request.sender
        with self._lock:
            known = self.memory.owns(sender, made)
            self.memory.submit(sender, made)
            if len(exchange.request.body or b"") <= MOST_ORIGIN_BODY:
                keep(self._origins, made, exchange, MOST_ORIGINS)
        if not known:
            with suppress(Withheld):
                self._look_up(exchange, made, sender)

    def _look_up(self, exchange: Exchange, made: str, sender: str) -> None:
        if self._has(FETCH):
            fetched = self.fetch(made, sender=sender)
            if fetched.answer is not None and fetched.answer.status != 429:
                found = at(_json(fetched), "id") == made
                text = f"a submitted task is {fetched.answer.status} to a fetch"
                self._outcome("submitted_fetchable", found, text, exchange, fetched)
        if self._has(LIST):
            number = made.isascii() and made.isdecimal() and int(made) <= MOST_ID
            ids = [int(made) if number else made]
            listed = self.post(LIST, {"ids": ids}, sender=sender)
            if listed.answer is not None and listed.answer.status != 429:
                found = [at(task, "id") for task in _list(listed)] == [made]
                text = f"a submitted task is not in a list, which is {listed.answer.status}"
                self._outcome("submitted_listed", found, text, exchange, listed)

    def _outcome(self, rule: str, held: bool, text: str, *led: Exchange) -> None:
        if held:
            self.held(rule, led[-1].operation or "")
        else:
            self.broke(rule, text, *led)

    def _has(self, path: str) -> bool:
        return self.contract.operation(path).label not in self.profile.absent

    def _bought(self, exchange: Exchange) -> None:
        text = "a submit was accepted that must be refused, beyond what was allowed"
        self._tell("nothing_bought", exchange, text, self.findings.rules["nothing_bought"].where)
        self.findings.note("No more submits were sent, since the server accepted one too many.")

    # -- what it remembers --

    def _remember(self, exchange: Exchange) -> None:
        if self._story is not None:
            self._story.steps.append(exchange)

    def _led(self, led: Sequence[Exchange]) -> tuple[Exchange, ...]:
        """What led to the last exchange: the whole story, or the submits whose ids it names."""
        if not led:
            return tuple(self._story.steps) if self._story else ()
        if self._story is not None:
            steps = list(self._story.steps)
            told = steps[: steps.index(led[-1]) + 1] if led[-1] in steps else [*steps, led[-1]]
            return (*(each for each in led[:-1] if each not in told), *told)
        text = led[-1].request.url.encode() + (led[-1].request.body or b"")[:MOST_ORIGIN_BODY]
        origins = [
            each
            for task_id, each in self._origins.items()
            if task_id.encode("utf-8", "surrogatepass") in text
        ]
        return (*(each for each in origins if each not in led), *led)

    def _cover(self, exchange: Exchange, expected: Expectation, answer: Answer) -> None:
        operation, request = expected.operation, exchange.request
        if operation is None:
            return
        good, bad, label = self.findings.good, self.findings.bad, operation.label
        good[label, "status", str(answer.status)] += 1
        if request.sender in ("token", "second"):
            good[label, "security", request.form] += answer.status < 400
        else:
            bad[label, "security", request.form if request.sender == "bad" else "no token"] += 1
        broken = {reason.keyword for reason in expected.reasons if reason.keyword}
        places = {reason.place for reason in expected.reasons}
        for parameter in operation.parameters:
            if f"#{parameter.name}" in places:
                bad[label, "parameter", parameter.label] += 1
            elif _gives(request, parameter.place, parameter.name):
                good[label, "parameter", parameter.label] += 1
                for keyword in self.contract.keywords(parameter.schema):
                    good[label, "keyword", self.contract.named(keyword)] += 1
        for keyword in broken:
            bad[label, "keyword", self.contract.named(keyword)] += 1
        if operation.body is not None and expected.body is not None:
            for keyword in self.contract.applied(operation.body, expected.body.value):
                if keyword not in broken:
                    good[label, "keyword", self.contract.named(keyword)] += 1


def _gives(request: Request, place: str, name: str) -> bool:
    if place == "path":
        return True
    if place == "header":
        return request.header(name) is not None
    query = request.url.partition("?")[2]
    return any(piece.partition("=")[0] == name for piece in query.split("&"))


def _label(expected: Expectation) -> str:
    """The operation as a failure names it; empty for none."""
    return expected.operation.label if expected.operation else ""


def unjudged(error: Exception) -> str:
    """What is said of an answer that no rule could read."""
    return f"the answer cannot be judged: {type(error).__name__}"


def _has_key(request: Request) -> bool:
    return bool(request.header("Idempotency-Key"))


def _waits(request: Request) -> float:
    """The seconds that a request asks the server to wait."""
    text = (request.header("Prefer") or "").lower().replace(" ", "")
    digits = text.partition("wait=")[2].partition(",")[0].partition(";")[0].strip('"')
    return float(min(60, int(digits))) if digits.isascii() and digits.isdecimal() else 0.0


def _seconds(answer: Answer) -> float:
    """What Retry-After says; a date, and what cannot be read, is a second."""
    text = answer.header("retry-after") or ""
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1.0


def _json(exchange: Exchange) -> Any:
    try:
        return orjson.loads(exchange.answer.body) if exchange.answer else None
    except orjson.JSONDecodeError:
        return None


def _list(exchange: Exchange) -> list[Any]:
    found = _json(exchange)
    return found if isinstance(found, list) else []
