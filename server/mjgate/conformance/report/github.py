"""What GitHub Actions shows: annotations, a summary of the job, and a log that obeys nobody else.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

import re
import secrets
from collections.abc import Iterator

from mjgate.conformance.report.coverage import coverage
from mjgate.conformance.report.text import told
from mjgate.conformance.report.words import block, count, line, outcome, sentence, title
from mjgate.conformance.verdict import CannotRun, Failure, Verdict

MOST_ANNOTATIONS = 10
"""GitHub shows no more errors of one step."""
MOST_SUMMARY = 500_000
"""Signs, at two bytes each less than the MiB that GitHub takes of one step."""
_MOST_ROWS = 100
_MARKUP = re.compile(r"[^\w\s]|_")
_TICKS = re.compile("`+")


def annotations(verdict: Verdict) -> str:
    """One command of the workflow for each of the first failures."""
    return "".join(f"{each}\n" for each in _annotations(verdict))


def summary(verdict: Verdict) -> str:
    """Markdown, as much as fits."""
    text = "\n\n".join(_head(verdict)) + "\n"
    for number, failure in enumerate(verdict.failures):
        part = "\n" + _unfolded(failure, verdict.sentences.get(failure.rule, ""))
        if len(text) + len(part) > MOST_SUMMARY:
            left = len(verdict.failures) - number
            return f"{text}\n{count(left, 'more failure')} in the report.\n"
        text += part
    return text


def fenced(text: str) -> str:
    """A text for the log, in which no line is taken for a command of the workflow."""
    end = secrets.token_hex(16)
    return f"::stop-commands::{end}\n{text.rstrip()}\n::{end}::\n"


def fault(why: str) -> str:
    """The annotation of a run that could not be."""
    return f"::error title=mjgate conformance::could not run: {_data(line(why))}\n"


def add_summary(verdict: Verdict, path: str | None) -> None:
    """Add the summary to the file that the job names; nothing where it names none.

    Raises:
        CannotRun: it cannot be written.
    """
    if path:
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(summary(verdict))
        except OSError as error:
            raise CannotRun(f"GITHUB_STEP_SUMMARY cannot be written: {error.strerror}") from error


def _annotations(verdict: Verdict) -> Iterator[str]:
    for failure in verdict.failures[:MOST_ANNOTATIONS]:
        said = verdict.sentences.get(failure.rule, "")
        text = f"{line(failure.text)}\n{block(failure, said)}"
        yield f"::error title={_property(title(failure))}::{_data(text)}"
    left = len(verdict.failures) - MOST_ANNOTATIONS
    if left > 0:
        yield f"::notice title=mjgate conformance::{count(left, 'more failure')} in the report"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _head(verdict: Verdict) -> Iterator[str]:
    mark = {"passed": "✅", "failed": "❌"}.get(outcome(verdict), "⚠️")
    yield f"## {mark} mjgate conformance"
    yield f"**{_inert(sentence(verdict))}**"
    yield (
        f"{_inert(verdict.target)}, profile {_inert(verdict.profile)}, "
        f"contract {_inert(verdict.contract)}"
    )
    if shares := coverage(verdict):
        rows = [f"| {_inert(s.kind)} | {s.covered} | {s.total} |" for s in shares]
        yield "\n".join(["| asked about | covered | of |", "|---|--:|--:|", *rows])
    if verdict.failures:
        rows = [_row(each) for each in verdict.failures[:_MOST_ROWS]]
        yield "\n".join(
            ["| rule | operation | what was wrong | times |", "|---|---|---|--:|", *rows]
        )
    excused = [
        *(f"- known until {k.expires}: {_inert(title(k.failure))}" for k in verdict.known),
        *(f"- let pass: {_inert(w.name)}, {w.times} times" for w in verdict.waived if w.times),
        *(f"- {_inert(note)}" for note in told(verdict)),
    ]
    yield "\n".join(excused)


def _row(failure: Failure) -> str:
    cells = map(_inert, (failure.rule, failure.operation, failure.text, str(failure.times)))
    return f"| {' | '.join(cells)} |"


def _unfolded(failure: Failure, said: str) -> str:
    body = block(failure, said)
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(body)), default=0))
    shown = _inert(title(failure))
    return f"<details><summary>{shown}</summary>\n\n{fence}text\n{body}\n{fence}\n\n</details>\n"


def _inert(text: str) -> str:
    """One line in which no sign is markup, be it of Markdown or of HTML."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", line(text))
