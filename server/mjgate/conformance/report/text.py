"""The report on a terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tabulate import tabulate

from mjgate.conformance.report.coverage import coverage, operations_of
from mjgate.conformance.report.words import block, count, line, sentence, title
from mjgate.conformance.verdict import Verdict

CLASSES = ("2xx", "3xx", "4xx", "5xx", "other")


def text_report(verdict: Verdict, folder: Path | None = None) -> str:
    """All that a person needs to judge and to repeat; `folder` is where cases are stored."""
    parts = [
        *_head(verdict),
        *_waived(verdict),
        *_known(verdict),
        *_notes(verdict),
        *_failures(verdict, folder),
        sentence(verdict),
    ]
    return "\n\n".join(parts) + "\n"


def class_of(status: int) -> str:
    """`2xx` to `5xx`, else `other`."""
    name = f"{status // 100}xx"
    return name if name in CLASSES else "other"


def by_class(verdict: Verdict) -> Mapping[tuple[str, str], int]:
    """(operation, class of status) -> answers."""
    counted: Counter[tuple[str, str]] = Counter()
    for (operation, status), times in verdict.by_status.items():
        counted[operation, class_of(status)] += times
    return counted


def used_classes(verdict: Verdict) -> list[str]:
    """The classes that a table of answers has; `other` where there was such an answer."""
    met = {name for _, name in by_class(verdict)}
    return [name for name in CLASSES if name != "other" or name in met]


def unmet(verdict: Verdict) -> list[str]:
    """The names of deviations that the profile lets pass and the server does not have."""
    met = {each.name for each in verdict.waived if each.times}
    return [line(name) for name in dict.fromkeys(w.name for w in verdict.waived) if name not in met]


def told(verdict: Verdict) -> list[str]:
    """What a reader must know of a run: its notes, what it may have cost, what it did not ask."""
    unasked = [rule for rule, times in verdict.rules.items() if not times]
    allowance = f" of {verdict.allowance} allowed" if verdict.allowance is not None else ""
    bought = [f"{count(verdict.submits, 'submit')} accepted{allowance}"]
    silent = [f"rules that nothing was asked of: {', '.join(sorted(unasked))}"] if unasked else []
    return [line(note) for note in [*verdict.notes, *bought, *silent]]


def _head(verdict: Verdict) -> Iterator[str]:
    yield (
        f"{line(verdict.target)}\nprofile {line(verdict.profile)}, "
        f"contract {line(verdict.contract)}, seed {verdict.seed}, "
        f"{count(verdict.cases, 'answer')} in {verdict.took_ms / 1000:,.1f} s"
    )
    counted, used = by_class(verdict), used_classes(verdict)
    rows = [
        [line(label) or "(no operation)", *(counted.get((label, name)) or "." for name in used)]
        for label in operations_of(verdict)
    ]
    if rows:
        align = ["left", *("right" for _ in used)]
        yield tabulate(rows, ["operation", *used], tablefmt="simple", colalign=align)
    shares = [f"{line(each.kind)} {each.covered} of {each.total}" for each in coverage(verdict)]
    if shares:
        yield f"covered: {', '.join(shares)}"


def _waived(verdict: Verdict) -> Iterator[str]:
    rows = [
        f"  {each.times} x {line(each.name)} ({line(each.rule)}): "
        f"{line(each.reason)} [{line(each.source)}]"
        for each in verdict.waived
        if each.times
    ]
    if names := unmet(verdict):
        rows.append(f"  not met: {', '.join(names)}")
    if rows:
        yield "\n".join([f"let pass by the profile {line(verdict.profile)}:", *rows])


def _known(verdict: Verdict) -> Iterator[str]:
    if rows := [
        f"  {each.failure.times} x {title(each.failure)}: {line(each.failure.text)}\n"
        f"      until {each.expires}: {line(each.reason)}"
        for each in verdict.known
    ]:
        yield "\n".join(["known, and not counted:", *rows])


def _notes(verdict: Verdict) -> Iterator[str]:
    yield "\n".join(["notes:", *(f"  - {note}" for note in told(verdict))])


def _failures(verdict: Verdict, folder: Path | None) -> Iterator[str]:
    for number, failure in enumerate(verdict.failures, 1):
        said = verdict.sentences.get(failure.rule, "")
        yield f"failure {number}: {title(failure)}\n{block(failure, said)}"
    if folder and any(failure.case for failure in verdict.failures):
        yield f"send a stored case again: mjgate conformance replay {line(str(folder))}/CASE"
