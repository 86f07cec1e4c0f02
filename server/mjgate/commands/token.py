"""`mjgate token`: who may use the gateway, and how much."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from mjgate.commands.frame import asked_wrong, json_option, print_json, print_table, with_data
from mjgate.domain.hook import parse_hook
from mjgate.domain.money import dollars, micros
from mjgate.domain.token import (
    MOST_IN_FLIGHT,
    MOST_RATE,
    Account,
    Period,
    new_key,
    parse_count,
    parse_model,
    parse_moment,
    parse_network,
)
from mjgate.errors import CommandError
from mjgate.store.tokens import add_token, list_tokens, revoke_token, set_token

_MOST_LABEL = 100
_NONE = "none"
_HEADERS = [
    *("LABEL", "TOKEN", "BUDGET $", "PERIOD", "RESETS", "SPENT $", "HELD $", "LEFT $"),
    *("IN FLIGHT", "A MINUTE", "MODELS", "EXPIRES", "ADDRESSES", "SINCE", "STATE"),
]
Words = tuple[str, ...]


def _limits(command: Callable[..., None]) -> Callable[..., None]:
    """The options of what a token may do; each takes `none` for no limit."""
    options = (
        click.option("--budget", metavar="DOLLARS", help="What it may spend, such as 2.00."),
        click.option(
            "--period",
            type=click.Choice([*map(str, Period), _NONE]),
            help="When its budget begins anew.",
        ),
        click.option("--rpm", metavar="COUNT", help="Submits a minute."),
        click.option("--in-flight", metavar="COUNT", help="Pictures at once."),
        click.option(
            "--models", metavar="NAME,...", multiple=True, help="Such as mj_imagine,mj_up*."
        ),
        click.option("--expires", metavar="DAY", help="Such as 2027-01-01, in UTC."),
        click.option(
            "--allow-ip", metavar="NETWORK,...", multiple=True, help="Such as 10.0.0.0/8."
        ),
        click.option(
            "--notify-hook", metavar="URL", help="Called when a request names no notifyHook."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def token() -> None:
    """Make, change, list and revoke tokens."""


@token.command()
@click.argument("label")
@_limits
@json_option
def create(label: str, as_json: bool, **options: Any) -> None:
    """Make a token. It is shown once."""
    _check_label(label)
    limits = _columns(options)
    key = new_key()
    account = with_data(lambda pool, _cipher: add_token(pool, label, key, **limits))
    if as_json:
        print_json({"token": key, **_shown(account)})
    else:
        click.echo(f"{key}\n\nThe token of {label!r}. It is shown only now.")


@token.command(name="set")
@click.argument("label")
@_limits
@json_option
def set_(label: str, as_json: bool, **options: Any) -> None:
    """Change what a token may do; `none` takes a limit off."""
    limits = _columns(options)
    if not limits:
        raise CommandError("nothing to set; see: mjgate token set --help")
    account = with_data(lambda pool, _cipher: set_token(pool, label, limits))
    if as_json:
        print_json(_shown(account))
    else:
        click.echo(f"Set {label!r}.")


@token.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List tokens: what they may do, have spent and hold."""
    accounts = with_data(lambda pool, _cipher: list_tokens(pool))
    if as_json:
        print_json([_shown(account) for account in accounts])
        return
    rows = [_row(account) for account in accounts]
    print_table(_HEADERS, rows, "No tokens. Make one with: mjgate token create LABEL")


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


def _columns(options: Mapping[str, Any]) -> dict[str, Any]:
    """The limits that were given, as columns of a token; None takes one off.

    Raises:
        CommandError: one is none; says which word, and why.
    """
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "budget": ("budget", micros),
        "period": ("period", Period),
        "rpm": ("rate_per_minute", partial(parse_count, most=MOST_RATE)),
        "in_flight": ("most_in_flight", partial(parse_count, most=MOST_IN_FLIGHT)),
        "models": ("models", partial(_each, parse_model)),
        "expires": ("expires_at", parse_moment),
        "allow_ip": ("addresses", partial(_each, parse_network)),
        "notify_hook": ("notify_hook", _hook),
    }
    given = {name: value for name, value in options.items() if value not in (None, ())}
    with asked_wrong():
        return {
            column: None if given[name] in (_NONE, (_NONE,)) else read(given[name])
            for name, (column, read) in readers.items()
            if name in given
        }


def _hook(text: str) -> str:
    try:
        return parse_hook(text)
    except ValueError as error:
        raise ValueError(f"--notify-hook {text!r}: {error}") from None


def _each(read: Callable[[str], Any], lists: Words) -> list[Any]:
    """What stands in lists, each parted by commas."""
    words = [word.strip() for text in lists for word in text.split(",")]
    if not all(words):
        raise ValueError(f"{','.join(lists)!r} names nothing in a place")
    if _NONE in words:
        raise ValueError(f"{','.join(lists)!r}: none stands alone")
    return [read(word) for word in dict.fromkeys(words)]


def _row(account: Account) -> list[str]:
    return [
        account.label,
        account.hint,
        _dollars(account.budget) or _NONE,
        account.period or "",
        _day(account.resets_ms),
        dollars(account.spent),
        dollars(account.held),
        _dollars(account.remaining) or "",
        f"{account.in_flight}/{account.most_in_flight or _NONE}",
        str(account.rate_per_minute or _NONE),
        _joined(account.models),
        _day(account.expires_ms),
        _joined(account.addresses),
        _day(account.created_ms),
        _state(account),
    ]


def _shown(account: Account) -> dict[str, Any]:
    return {
        "label": account.label,
        "hint": account.hint,
        "budget": _dollars(account.budget),
        "period": account.period,
        "resets_ms": account.resets_ms,
        "spent": dollars(account.spent),
        "held": dollars(account.held),
        "remaining": _dollars(account.remaining),
        "in_flight": account.in_flight,
        "most_in_flight": account.most_in_flight,
        "rate_per_minute": account.rate_per_minute,
        "models": account.models,
        "expires_ms": account.expires_ms,
        "addresses": account.addresses,
        "notify_hook": account.notify_hook,
        "created_ms": account.created_ms,
        "revoked": account.revoked_ms is not None,
    }


def _state(account: Account) -> str:
    if account.revoked_ms:
        return "revoked"
    now_ms = datetime.now(UTC).timestamp() * 1000
    return "expired" if account.expires_ms and account.expires_ms <= now_ms else "good"


def _dollars(amount: int | None) -> str | None:
    return None if amount is None else dollars(amount)


def _joined(names: Iterable[str] | None) -> str:
    return "any" if names is None else ",".join(names)


def _day(ms: int | None) -> str:
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")
