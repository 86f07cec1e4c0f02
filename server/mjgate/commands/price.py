"""`mjgate price`: the fixed prices (`seed`, the price chapter)."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, TextIO

import click
from psycopg_pool import AsyncConnectionPool

from mjgate.commands.frame import (
    asked_wrong,
    is_text,
    json_option,
    print_json,
    print_table,
    read_text,
    with_data,
)
from mjgate.domain.money import dollars
from mjgate.domain.price import PriceTable, parse_prices
from mjgate.errors import CommandError
from mjgate.store.cipher import Cipher
from mjgate.store.prices import current_prices, price_history, set_prices


@click.group()
def price() -> None:
    """Show and set the price of each model, in dollars."""


@price.command()
@json_option
def show(as_json: bool) -> None:
    """Show the prices in force; the JSON is the form that `set` takes."""
    table = with_data(lambda pool, _cipher: current_prices(pool))
    if as_json:
        click.echo(_documented(table))
    else:
        rows = [[name, cost] for name, cost in table.documented().items()]
        print_table(["MODEL", "$"], rows, "")


@price.command(name="set")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@json_option
def set_(file: TextIO, dry_run: bool, as_json: bool) -> None:
    """Put a whole new table in force. FILE is JSON, names to dollars; - is stdin.

    Says what it changes. Tasks keep the price that they were quoted.
    """
    prices = _read(file)

    async def work(pool: AsyncConnectionPool, _cipher: Cipher) -> tuple[PriceTable, int]:
        if dry_run:
            before = await current_prices(pool)
            return before, before.version
        return await set_prices(pool, prices)

    before, version = with_data(work)
    changes = _difference(before.prices, prices)
    if as_json:
        print_json({"version": version, "changes": changes, "set": version != before.version})
        return
    rows = [[c["name"], c["before"] or "-", c["after"] or "-"] for c in changes]
    print_table(["MODEL", "BEFORE $", "AFTER $"], rows, "No price changed.")
    verb = "is" if version != before.version else "stays"
    click.echo(f"Version {version} {verb} in force.")


@price.command()
@json_option
def history(as_json: bool) -> None:
    """Show every version, when it was set, and what it changed."""
    versions = with_data(lambda pool, _cipher: price_history(pool))
    tables = [table for table, _ in versions]
    changed = [[], *(_difference(a.prices, b.prices) for a, b in pairwise(tables))]
    if as_json:
        print_json(
            [
                {"version": table.version, "at": at, "prices": table.documented(), "changes": each}
                for (table, at), each in zip(versions, changed, strict=True)
            ]
        )
        return
    rows: list[list[Any]] = [[0, "documented", "", "", ""]]
    for (table, at), changes in zip(versions[1:], changed[1:], strict=True):
        for place, each in enumerate(changes):
            head = ["", ""] if place else [table.version, _time(at)]
            rows.append([*head, each["name"], each["before"] or "-", each["after"] or "-"])
    print_table(["VERSION", "SET", "MODEL", "BEFORE $", "AFTER $"], rows, "")


@price.command()
@click.argument("name")
@json_option
def quote(name: str, as_json: bool) -> None:
    """Say what a model costs."""
    table = with_data(lambda pool, _cipher: current_prices(pool))
    cost = table.quote(name)
    if cost is None:
        raise CommandError(f"no price fits {name!r}: its submits are refused")
    if as_json:
        print_json({"name": name, "price": dollars(cost), "version": table.version})
    else:
        click.echo(dollars(cost))


def _read(file: TextIO) -> dict[str, int]:
    text = read_text(file)
    if text is None:
        raise CommandError(f"{file.name} is not JSON: it is not UTF-8")
    try:
        table = json.loads(text, parse_float=Decimal, object_pairs_hook=_unique)
    except ValueError as error:
        raise CommandError(f"{file.name} is not JSON: {error}") from None
    except RecursionError:
        raise CommandError(f"{file.name} is not JSON: it is nested too deep") from None
    except ArithmeticError:
        raise CommandError(f"{file.name} holds a number beyond all bounds") from None
    with asked_wrong():
        return parse_prices(table)


def _time(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise CommandError(f"{double!r} stands twice in the table")
    untold = next((name for name in names if not is_text(name)), None)
    if untold is not None:
        raise CommandError(f"{untold!r} is no text")
    return dict(pairs)


def _difference(before: Mapping[str, int], after: Mapping[str, int]) -> list[dict[str, Any]]:
    names = [*after, *(name for name in before if name not in after)]
    return [
        {"name": name, "before": _cost(before, name), "after": _cost(after, name)}
        for name in names
        if before.get(name) != after.get(name)
    ]


def _cost(prices: Mapping[str, int], name: str) -> str | None:
    return dollars(prices[name]) if name in prices else None


def _documented(table: PriceTable) -> str:
    lines = [f"  {json.dumps(name)}: {cost}" for name, cost in table.documented().items()]
    return "{\n" + ",\n".join(lines) + "\n}"
