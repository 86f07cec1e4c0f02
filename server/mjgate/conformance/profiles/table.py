"""The kinds of servers as a page for readers, and as JSON for programs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tabulate import tabulate

from mjgate.conformance.profiles.deviation import Kind

INTRO = """\
# Profiles

What `mjgate conformance URL --profile NAME` holds a server to. Written by
`mjgate conformance profiles --markdown`; a test holds this page to it.

Each deviation is let pass where it shows exactly as told here, and is counted in every report with
its reason. What else a server does otherwise is a failure. A deviation that is never seen is none.
"""


def as_json(kinds: Iterable[Kind]) -> list[dict[str, Any]]:
    return [
        {
            "name": kind.name,
            "title": kind.title,
            "deviations": [
                {
                    "name": each.name,
                    "rules": list(each.breaks),
                    "reason": each.reason,
                    "source": each.source,
                }
                for each in kind.deviations
            ],
            "unasked": [
                {"rule": each.what, "reason": each.reason, "source": each.source}
                for each in kind.unasked
            ],
            "absent": [
                {"operation": each.what, "reason": each.reason, "source": each.source}
                for each in kind.absent
            ],
            "not_shown": [
                {"name": each.name, "reason": each.reason, "source": each.source}
                for each in kind.hidden
            ],
        }
        for kind in kinds
    ]


def json_text(kinds: Iterable[Kind]) -> str:
    return json.dumps(as_json(kinds), ensure_ascii=False, indent=2) + "\n"


def as_text(kinds: Iterable[Kind]) -> str:
    """For a terminal: each kind, and the names of what it does otherwise."""
    return "\n".join(line for kind in kinds for line in _lines(kind))


def _lines(kind: Kind) -> Iterator[str]:
    yield f"{kind.name}: {kind.title}"
    rows = [
        *(("not there", each.what, each.reason) for each in kind.absent),
        *(("not asked", each.what, each.reason) for each in kind.unasked),
        *(("let pass", each.name, each.reason) for each in kind.deviations),
        *(("not shown", each.name, each.reason) for each in kind.hidden),
    ]
    yield tabulate(rows, tablefmt="plain", disable_numparse=True) + "\n" if rows else ""


def markdown(kinds: Iterable[Kind]) -> str:
    """The whole page, ending in a line break."""
    return "\n".join([INTRO, *(line for kind in kinds for line in _chapter(kind))])


def _chapter(kind: Kind) -> Iterator[str]:
    yield f"## {kind.name}\n"
    yield f"{kind.title[0].upper()}{kind.title[1:]}.\n"
    if kind.absent:
        yield "Not there, and not asked for:\n"
        yield from _table(
            ("operation", "reason", "source"),
            [(f"`{each.what}`", each.reason, each.source) for each in kind.absent],
        )
    if kind.unasked:
        yield "Rules that are not asked:\n"
        yield from _table(
            ("rule", "reason", "source"),
            [(f"`{each.what}`", each.reason, each.source) for each in kind.unasked],
        )
    if kind.deviations:
        yield "Let pass:\n"
        yield from _table(
            ("deviation", "rules", "reason", "source"),
            [
                (f"`{each.name}`", _words(each.breaks), each.reason, each.source)
                for each in kind.deviations
            ],
        )
    if kind.hidden:
        yield "Known, and not to be seen by a run:\n"
        yield from _table(
            ("deviation", "reason", "source"),
            [(f"`{each.name}`", each.reason, each.source) for each in kind.hidden],
        )


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
