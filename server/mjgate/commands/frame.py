"""What commands share: opening the data, tables and JSON, errors of one line."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

import click
import orjson
import psycopg
from psycopg_pool import AsyncConnectionPool
from tabulate import tabulate

from mjgate.config import read_config
from mjgate.errors import CommandError, ConfigError, MjgateError
from mjgate.serve import Base, open_base
from mjgate.store.cipher import Cipher
from mjgate.store.database import open_pool

T = TypeVar("T")
NEWLINE = "\n"
Work = Callable[[AsyncConnectionPool, Cipher], Awaitable[T]]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


class Frame(click.Group):
    """A group whose commands fail with one line and an exit code: 1 asked wrong, 2 set wrong."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for word in args:
            if not is_text(word):
                raise click.UsageError(f"{word!r} is not UTF-8")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            _fail(str(error), 2)
        except MjgateError as error:
            _fail(str(error), 1)
        except psycopg.OperationalError as error:
            _fail(f"the database went away: {' '.join(str(error).split())}", 1)
        except psycopg.Error as error:
            _fail(f"the database refuses: {str(error).partition(NEWLINE)[0]}", 1)


def with_data(work: Work[T]) -> T:
    """Runs `work` on the database of this configuration, beside a running server or alone."""
    with open_base(read_config()) as base:
        return on_pool(base, work)


def on_pool(base: Base, work: Work[T]) -> T:
    """Runs `work` on a pool of its own."""
    return asyncio.run(_on_pool(base, work))


def print_json(value: Any) -> None:
    click.echo(json_text(value))


def json_text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """A table; `empty` says what to do where there is nothing to show."""
    if rows:
        click.echo(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))
    else:
        click.echo(empty)


def is_text(word: str) -> bool:
    """Whether it can be stored: bytes that were not UTF-8 arrive as lone surrogates."""
    return not any("\ud800" <= sign <= "\udfff" for sign in word)


def read_text(file: TextIO) -> str | None:
    """All of a file; None where it is not UTF-8."""
    try:
        return file.read()
    except UnicodeDecodeError:
        return None


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given."""
    return {name: value for name, value in settings.items() if value is not None}


@contextmanager
def asked_wrong() -> Iterator[None]:
    """Turns a ValueError into the one line that a command fails with."""
    try:
        yield
    except ValueError as error:
        raise CommandError(str(error)) from None


async def _on_pool(base: Base, work: Work[T]) -> T:
    async with open_pool(base.uri, size=2) as pool:
        return await work(pool, base.cipher)


def _fail(message: str, code: int) -> None:
    for line in message.splitlines():
        click.echo(f"mjgate: {line}", err=True)
    sys.exit(code)
