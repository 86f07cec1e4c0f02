"""Failures in files, so that each can be sent again.

A case holds the requests that led to a failure. What an earlier answer gave and a later request
names, such as the id of a task, is a placeholder, filled with what the server gives when the case
is sent again. No token is in it.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mjgate.conformance.allowance import costly, draws, harmless
from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.oracle import json_of
from mjgate.conformance.rules import at
from mjgate.conformance.verdict import CannotRun, Failure, Verdict

FORMAT = 1
FOLDER = "cases"
MOST_PAUSE_MS = 5_000
_LEAST_PAUSE_MS = 300
"""A shorter one between two requests is that of the network."""
_SOURCES = (("result",), ("id",), ("properties", "taskId"))
_LEAST_ID = 6
"""Letters of an id; what is shorter stands in other words by chance."""


@dataclass(frozen=True, slots=True)
class Step:
    """A request, and what of its answer later ones name."""

    request: Request
    """Its address begins with `{{target}}`."""
    gives: Mapping[str, str]
    """Placeholder -> what it is in the answer: a JSON pointer, or `header etag`."""
    pause_ms: int = 0
    """That passed before it."""
    answer: Answer | None = None
    """What came when the case was found."""

    @property
    def orders(self) -> bool:
        """Whether its request may draw a picture."""
        return costly(self.request) and not harmless(self.request)

    @property
    def unasked(self) -> bool:
        """Whether it has drawn one though it orders none."""
        if self.orders or not costly(self.request):
            return False
        return self.answer is not None and draws(self.request, self.answer)


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A failure, and how to come to it."""

    rule: str
    operation: str
    text: str
    where: str
    story: str
    target: str
    profile: str
    seed: int
    steps: tuple[Step, ...]

    @property
    def submits(self) -> int:
        """How many of its steps may draw a picture; a story knows itself how many it orders."""
        ordered = 0 if self.story else sum(step.orders for step in self.steps)
        return ordered + sum(step.unasked for step in self.steps)


def store(verdict: Verdict, folder: Path) -> Verdict:
    """Writes each failure to `folder`/cases, and says where.

    Raises:
        OSError: it cannot be written.
    """
    place = folder / FOLDER
    failures = []
    for failure in verdict.failures:
        if not failure.exchanges:
            failures.append(failure)
            continue
        place.mkdir(parents=True, exist_ok=True)
        name = f"{FOLDER}/{_name(failure)}.json"
        text = json.dumps(to_json(case_of(failure, verdict)), ensure_ascii=True, indent=2)
        (folder / name).write_text(text + "\n", "utf-8")
        failures.append(replace(failure, case=name))
    return replace(verdict, failures=tuple(failures))


def case_of(failure: Failure, verdict: Verdict) -> StoredCase:
    return StoredCase(
        failure.rule,
        failure.operation,
        failure.text,
        failure.where,
        failure.story,
        verdict.target,
        verdict.profile,
        verdict.seed,
        tuple(_steps(failure.exchanges, verdict.target)),
    )


def to_json(case: StoredCase) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "rule": case.rule,
        "operation": case.operation,
        "text": case.text,
        "where": case.where,
        "story": case.story,
        "target": case.target,
        "profile": case.profile,
        "seed": case.seed,
        "steps": [
            {
                "request": step.request.to_json(),
                "gives": dict(step.gives),
                "pause_ms": step.pause_ms,
                "answer": None if step.answer is None else step.answer.to_json(),
            }
            for step in case.steps
        ],
    }


def read_case(path: Path) -> StoredCase:
    """A stored case.

    Raises:
        CannotRun: it cannot be read, or is none.
    """
    try:
        stored = json.loads(path.read_text("utf-8"))
        if at(stored, "format") != FORMAT:
            raise CannotRun(f"{path} is no case of this program")
        return StoredCase(
            **{name: str(stored[name]) for name in _TEXTS},
            seed=int(stored["seed"]),
            steps=tuple(
                Step(
                    Request.from_json(each["request"]),
                    {str(key): str(value) for key, value in each["gives"].items()},
                    min(MOST_PAUSE_MS, int(each["pause_ms"])),
                    _answer(each.get("answer")),
                )
                for each in stored["steps"]
            ),
        )
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotRun(f"{path} is no case: {type(error).__name__}") from None


def _answer(stored: Mapping[str, Any] | None) -> Answer | None:
    return None if stored is None else Answer.from_json(stored)


_TEXTS = ("rule", "operation", "text", "where", "story", "target", "profile")


class Filler:
    """Fills the placeholders of a case while its steps are sent."""

    def __init__(self, target: str) -> None:
        self._values = {"target": target}

    def fill(self, step: Step) -> Request:
        """The step's request, live. Raises KeyError where an earlier answer gave too little."""
        if step.pause_ms:
            time.sleep(step.pause_ms / 1000)
        request = step.request
        headers = tuple((name, self._filled(value)) for name, value in request.headers)
        body = request.body
        if body is not None and b"{{" in body:
            body = self._filled(body.decode("utf-8", "surrogateescape")).encode(
                "utf-8", "surrogateescape"
            )
        return replace(request, url=self._filled(request.url), headers=headers, body=body)

    def learn(self, step: Step, answer: Answer | None) -> None:
        for name, source in step.gives.items():
            value = None if answer is None else _given(answer, source)
            if value is not None:
                self._values[name] = value

    def _filled(self, text: str) -> str:
        return _PLACEHOLDER.sub(lambda found: self._values[found[1]], text)


def _sought(value: str) -> bytes:
    """A value of an answer as a request would have it, also one that is no UTF-8."""
    return value.encode("utf-8", "surrogatepass")


_PLACEHOLDER = re.compile(r"\{\{(target|given [0-9]+)\}\}")


def _steps(exchanges: Sequence[Exchange], target: str) -> Iterator[Step]:
    """The steps, ids of earlier answers in later requests replaced by placeholders."""
    known: dict[str, str] = {}
    plain = [*exchanges]
    gives: list[dict[str, str]] = []
    for number, exchange in enumerate(plain):
        later = [_bytes(each.request) for each in plain[number + 1 :]]
        mine = {}
        for source, value in _sources(exchange.answer):
            if value not in known and any(_sought(value) in each for each in later):
                known[value] = f"given {len(known) + 1}"
                mine[known[value]] = source
        gives.append(mine)
    before = plain[0].at_ms if plain else 0
    told: dict[str, str] = {}
    for exchange, mine in zip(plain, gives, strict=True):
        pause = exchange.at_ms - before
        before = exchange.at_ms
        yield Step(
            _with_places(exchange.request, target, told),
            mine,
            min(MOST_PAUSE_MS, pause) if pause >= _LEAST_PAUSE_MS else 0,
            exchange.answer,
        )
        told.update({value: name for value, name in known.items() if name in mine})


def _with_places(request: Request, target: str, known: Mapping[str, str]) -> Request:
    """A request with the target and known values replaced."""
    url, body = request.url.removeprefix(target), request.body
    headers = list(request.headers)
    for value, name in known.items():
        place = f"{{{{{name}}}}}"
        url = url.replace(quote(value, safe=""), place)
        headers = [(key, text.replace(value, place)) for key, text in headers]
        body = None if body is None else body.replace(value.encode(), place.encode())
    return replace(request, url=f"{{{{target}}}}{url}", headers=tuple(headers), body=body)


def _sources(answer: Answer | None) -> Iterator[tuple[str, str]]:
    """What of an answer a later request may name, and where it stands."""
    if answer is None:
        return
    for path in _SOURCES:
        source = "/" + "/".join(path)
        value = _given(answer, source)
        if value is not None and len(value) >= _LEAST_ID:
            yield source, value
    tag = answer.header("etag")
    if tag is not None:
        yield "header etag", tag


def _given(answer: Answer, source: str) -> str | None:
    if source.startswith("header "):
        return answer.header(source.removeprefix("header "))
    try:
        value = at(json_of(answer.body), *source.split("/")[1:])
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _bytes(request: Request) -> bytes:
    headers = "\n".join(value for _, value in request.headers)
    return f"{request.url}\n{headers}".encode("utf-8", "surrogatepass") + (request.body or b"")


def _name(failure: Failure) -> str:
    digest = hashlib.sha256(repr(failure.key).encode("utf-8", "surrogatepass")).hexdigest()
    place = re.sub("[^a-z0-9]+", "-", failure.operation.lower()).strip("-")
    return "-".join(filter(None, (failure.rule.replace("_", "-"), place, digest[:8])))
