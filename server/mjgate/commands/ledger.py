"""`mjgate ledger`: the book of all money, read, proved and corrected."""

from datetime import UTC, datetime
from typing import Any

import click

from mjgate.commands.frame import asked_wrong, json_option, print_json, print_table, with_data
from mjgate.domain.money import dollars, signed_micros
from mjgate.errors import CommandError
from mjgate.store.audit import Audit, Breach, Fault, audit
from mjgate.store.ledger import Entry, adjust, list_entries

_MOST_REASON = 200
_MOST_ID = 2**63 - 1


@click.group()
def ledger() -> None:
    """Prove, list and correct what tokens hold and have spent."""


@ledger.command(name="audit")
@click.option("--token", metavar="LABEL", help="Only of this token.")
@json_option
def audit_(token: str | None, as_json: bool) -> None:
    """Recompute every balance and hold every row to the rules of money.

    Works beside a running server. Lists the tasks whose outcome is unknown. Exits with 1 where
    a rule does not hold.
    """
    found = with_data(lambda pool, _cipher: audit(pool, token))
    if as_json:
        print_json(_report(found))
    else:
        _print_report(found)
    if found.breaches:
        raise SystemExit(1)


@ledger.command(name="list")
@click.option("--token", metavar="LABEL", help="Only of this token.")
@click.option("--task", type=click.IntRange(0, _MOST_ID), help="Only of this task.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def list_(token: str | None, task: int | None, limit: int, as_json: bool) -> None:
    """List entries, the newest first."""
    entries = with_data(lambda pool, _cipher: list_entries(pool, limit, token, task))
    if as_json:
        print_json([_shown(entry) for entry in entries])
        return
    rows = [
        [
            entry.id,
            _time(entry.created_at),
            entry.token or "",
            entry.task or "",
            entry.kind,
            dollars(entry.held),
            dollars(entry.spent),
            entry.reason or "",
        ]
        for entry in entries
    ]
    headers = ["ENTRY", "AT", "TOKEN", "TASK", "KIND", "HELD $", "SPENT $", "REASON"]
    print_table(headers, rows, "No entries.")


# A sum below zero is no option.
@ledger.command(name="adjust", context_settings={"ignore_unknown_options": True})
@click.argument("label")
@click.argument("correction", metavar="DOLLARS")
@click.option("--reason", required=True, help="Why; it stays in the ledger.")
@json_option
def adjust_(label: str, correction: str, reason: str, as_json: bool) -> None:
    """Correct what a token has spent in its budget period at hand.

    DOLLARS such as 0.50 are added to it, such as -0.50 taken back. An entry that says so is
    added to the ledger; none is ever changed.
    """
    _check_reason(reason)
    with asked_wrong():
        amount = signed_micros(correction)
    if not amount:
        raise CommandError("0 dollars correct nothing")
    spent = with_data(lambda pool, _cipher: adjust(pool, label, amount, reason))
    _say_adjusted(label, amount, spent, as_json)


def _say_adjusted(label: str, amount: int, spent: int, as_json: bool) -> None:
    if as_json:
        print_json({"label": label, "adjusted": dollars(amount), "spent": dollars(spent)})
    else:
        click.echo(f"{label!r} has spent {dollars(spent)} dollars in this period.")


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > _MOST_REASON or not reason.isprintable():
        raise CommandError(f"a reason is 1 to {_MOST_REASON} printable characters, not {reason!r}")


def _report(found: Audit) -> dict[str, Any]:
    return {
        "ok": not found.breaches,
        "tokens": found.tokens,
        "tasks": found.tasks,
        "entries": found.entries,
        "breaches": [_breach(breach) for breach in found.breaches],
        "notes": [
            {"token": each.token, "budget": dollars(each.budget), "used": dollars(each.used)}
            for each in found.lowered
        ],
        "unknown": [
            {
                "task": str(each.task),
                "token": each.token,
                "channel": each.channel,
                "since": each.since,
                "deadline": each.deadline,
            }
            for each in found.unknown
        ],
        "unknown_total": found.unknown_total,
    }


def _breach(breach: Breach) -> dict[str, Any]:
    return {
        "rule": breach.rule.name,
        "holds": breach.rule.holds,
        "total": breach.total,
        "rows": [
            {
                "wrong": fault.wrong,
                "token": fault.token,
                "token_id": fault.token_id,
                "task": None if fault.task is None else str(fault.task),
                "entry": fault.entry,
                "expected": fault.expected,
                "found": fault.found,
            }
            for fault in breach.faults
        ],
    }


def _print_report(found: Audit) -> None:
    for breach in found.breaches:
        click.echo(f"{breach.rule.name}: not always {breach.rule.holds}.\n")
        headers = ["WRONG", "TOKEN", "TASK", "ENTRY", "EXPECTED", "FOUND"]
        print_table(headers, [_cells(fault) for fault in breach.faults], "")
        _say_more(len(breach.faults), breach.total)
    for each in found.lowered:
        click.echo(
            f"Note: the budget of {each.token!r} was set to {dollars(each.budget)} after it had "
            f"used {dollars(each.used)}.\n"
        )
    if found.unknown:
        click.echo("The outcome of these sends is unknown; each is released at its deadline.\n")
        rows = [
            [
                each.task,
                each.token or "",
                each.channel or "",
                _time(each.since),
                _time(each.deadline),
            ]
            for each in found.unknown
        ]
        print_table(["TASK", "TOKEN", "CHANNEL", "SINCE", "DEADLINE"], rows, "")
        _say_more(len(rows), found.unknown_total)
    verdict = f"{len(found.breaches)} rules do not hold" if found.breaches else "every rule holds"
    click.echo(
        f"{found.tokens:,} tokens, {found.tasks:,} tasks, {found.entries:,} entries: {verdict}."
    )


def _cells(fault: Fault) -> list[Any]:
    token = fault.token if fault.token is not None else fault.token_id
    ids = [token, fault.task, fault.entry]
    return [
        fault.wrong,
        *("" if each is None else each for each in ids),
        fault.expected,
        fault.found,
    ]


def _say_more(named: int, total: int) -> None:
    click.echo(f"and {total - named:,} more\n" if total > named else "")


def _shown(entry: Entry) -> dict[str, Any]:
    return {
        "entry": entry.id,
        "at": entry.created_at,
        "token": entry.token,
        "task": None if entry.task is None else str(entry.task),
        "kind": entry.kind,
        "held": dollars(entry.held),
        "spent": dollars(entry.spent),
        "period": entry.period,
        "reason": entry.reason,
    }


def _time(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""
