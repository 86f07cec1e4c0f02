"""`mjgate token`: who may use the gateway."""

from datetime import UTC, datetime
from typing import Any

import click

from mjgate.commands.frame import asked_wrong, json_option, print_json, print_table, with_data
from mjgate.domain.money import dollars, micros
from mjgate.domain.token import Account, new_key
from mjgate.errors import CommandError
from mjgate.store.tokens import add_token, list_tokens, revoke_token

_MOST_LABEL = 100


@click.group()
def token() -> None:
    """Make, list and revoke tokens."""


@token.command()
@click.argument("label")
@click.option("--budget", metavar="DOLLARS", help="What it may spend, such as 2.00.")
@json_option
def create(label: str, budget: str | None, as_json: bool) -> None:
    """Make a token. It is shown once."""
    _check_label(label)
    with asked_wrong():
        limit = None if budget is None else micros(budget)
    key = new_key()
    account = with_data(lambda pool, _cipher: add_token(pool, label, key, limit))
    if as_json:
        print_json({"token": key, **_shown(account)})
    else:
        click.echo(f"{key}\n\nThe token of {label!r}. It is shown only now.")


@token.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List tokens, what they have spent and what they hold."""
    accounts = with_data(lambda pool, _cipher: list_tokens(pool))
    if as_json:
        print_json([_shown(account) for account in accounts])
        return
    rows = [
        [
            account.label,
            account.hint,
            "none" if account.budget is None else dollars(account.budget),
            dollars(account.spent),
            dollars(account.held),
            _day(account.created_ms),
            "revoked" if account.revoked_ms else "good",
        ]
        for account in accounts
    ]
    headers = ["LABEL", "TOKEN", "BUDGET $", "SPENT $", "HELD $", "SINCE", "STATE"]
    print_table(headers, rows, "No tokens. Make one with: mjgate token create LABEL")


@token.command()
@click.argument("label")
@json_option
def revoke(label: str, as_json: bool) -> None:
    """End a token at once. Its running tasks go on."""
    with_data(lambda pool, _cipher: revoke_token(pool, label))
    if as_json:
        print_json({"label": label, "revoked": True})
    else:
        click.echo(f"Revoked {label!r}.")


def _check_label(label: str) -> None:
    if not label.strip() or len(label) > _MOST_LABEL or not label.isprintable():
        raise CommandError(f"a label is 1 to {_MOST_LABEL} printable characters, not {label!r}")


def _shown(account: Account) -> dict[str, Any]:
    return {
        "label": account.label,
        "hint": account.hint,
        "budget": None if account.budget is None else dollars(account.budget),
        "spent": dollars(account.spent),
        "held": dollars(account.held),
        "created_ms": account.created_ms,
        "revoked": account.revoked_ms is not None,
    }


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")
