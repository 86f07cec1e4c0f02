"""The report as one page that needs nothing else: no network, no other file.

All that others wrote goes through the escaping of the template; and the page's policy lets no
script run but its own, and nothing be loaded.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.report.coverage import coverage, operations_of
from mjgate.conformance.report.text import by_class, told, unmet, used_classes
from mjgate.conformance.report.words import (
    answer_lines,
    command,
    count,
    line,
    outcome,
    percent,
    sentence,
    steps,
    title,
)
from mjgate.conformance.verdict import Failure, Seen, Verdict

_FOLDER = Path(__file__).parent
_MOST_MISSING = 200
"""Things not asked about that the page names of each kind."""


@dataclass(frozen=True, slots=True)
class Step:
    """An exchange as the page shows it."""

    curl: str
    whole: bool
    answer: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A failure as the page shows it."""

    number: int
    failure: Failure
    title: str
    text: str
    said: str
    left_out: int
    steps: tuple[Step, ...]


def html_report(verdict: Verdict) -> str:
    """A whole page."""
    script = (_FOLDER / "page.js").read_text("utf-8")
    style = (_FOLDER / "page.css").read_text("utf-8")
    return _template().render(
        verdict=verdict,
        outcome=outcome(verdict),
        sentence=sentence(verdict),
        script=Markup(script),  # noqa: S704 - ours
        style=Markup(style),  # noqa: S704 - ours
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {_hash(script)}; base-uri 'none'; form-action 'none'",
        classes=used_classes(verdict),
        counted=by_class(verdict),
        operations=operations_of(verdict),
        coverage=coverage(verdict),
        most_missing=_MOST_MISSING,
        seen=_seen(verdict),
        failures=list(_failures(verdict)),
        broken=_broken(verdict),
        unmet=unmet(verdict),
        notes=told(verdict),
    )


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"line": line, "percent": percent, "named": title, "counted": count}
    return environment.get_template("page.html")


def _failures(verdict: Verdict) -> Iterator[Shown]:
    for number, failure in enumerate(verdict.failures, 1):
        left_out, shown = steps(failure)
        yield Shown(
            number,
            failure,
            title(failure),
            line(failure.text),
            line(verdict.sentences.get(failure.rule, "")),
            left_out,
            tuple(map(_step, shown)),
        )


def _step(exchange: Exchange) -> Step:
    curl, whole = command(exchange)
    return Step(curl, whole, "\n".join(answer_lines(exchange.answer)))


def _broken(verdict: Verdict) -> dict[str, int]:
    """Each broken rule, and the number of its first failure."""
    first: dict[str, int] = {}
    for number, failure in enumerate(verdict.failures, 1):
        first.setdefault(failure.rule, number)
    return first


def _seen(verdict: Verdict) -> dict[str, dict[str, list[Seen]]]:
    """Operation -> kind -> what was asked about, in the order of the run."""
    found: dict[str, dict[str, list[Seen]]] = {}
    for each in verdict.seen:
        found.setdefault(each.operation, {}).setdefault(each.kind, []).append(each)
    return found


def _hash(content: str) -> str:
    """A source of a policy: the content of one element, https://www.w3.org/TR/CSP3/."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
