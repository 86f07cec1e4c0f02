"""`mjgate db`: dumps of the data, and how it is."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from mjgate.commands.frame import json_option, json_text, print_json, print_table
from mjgate.config import Config, read_config
from mjgate.errors import CommandError
from mjgate.serve import Base, open_base
from mjgate.store.checkup import Checkup, check_up
from mjgate.store.draft import draft_of
from mjgate.store.dump import Dump, write_dump
from mjgate.store.restore import restore_dump
from mjgate.store.secrets import unreadable

_LITTLE_ROOM = 1 << 30
_STANDARD = "-"
_SEALED = {
    "channels": ("keys", "mjgate channel set {} --key-file FILE"),
    "signing_secrets": ("signing secrets", "mjgate webhook secret {} --rotate"),
}
"""What is encrypted in which table, and how it is set anew."""


@click.group()
def db() -> None:
    """Dump, restore and check the database."""


@db.command()
@click.argument("file")
@json_option
def dump(file: str, as_json: bool) -> None:
    """Write all data to FILE; - is stdout.

    It is the data of one moment, also beside a running server. Channel keys stay encrypted in
    it: keep MJGATE_SECRET_KEY, or the file secret.key of MJGATE_DATA_DIR, apart from it.
    """
    with open_base(read_config()) as base, _written(file) as out:
        dumped = write_dump(base.uri, out, _progress)
    said = _shown(dumped) | {"file": file}
    _say(file, as_json, said, f"Wrote {file}: {_counted(dumped)}.")


@db.command()
@click.argument("file")
@click.option("--force", is_flag=True, help="Replace all data of a database that is not empty.")
@json_option
def restore(file: str, force: bool, as_json: bool) -> None:
    """Read FILE into an empty database; - is stdin.

    It goes into the database of this configuration, MJGATE_DATA_DIR or DATABASE_URL, wherever
    it was dumped. No server may run on it.
    """
    with _read(file) as source, open_base(read_config()) as base:
        name = "stdin" if file == _STANDARD else file
        restored = restore_dump(base.uri, source, name, force=force, progress=_progress)
        problems = _closed(base)
    said = _shown(restored.dump) | {
        "file": file,
        "migrated": restored.migrated,
        "problems": problems,
    }
    if as_json:
        print_json(said)
    else:
        click.echo(f"Restored {file}: {_counted(restored.dump)}.")
    _say_problems(problems)


@db.command()
@json_option
def check(as_json: bool) -> None:
    """Read all data and say how it is.

    Exits with 1 where something is wrong.
    """
    config = read_config()
    with open_base(config) as base:
        found = check_up(base.uri)
        problems = [*found.problems, *_closed(base)]
    free = _free(config)
    if free is not None and free < _LITTLE_ROOM:
        problems.append(f"only {_size(free)} are free under {config.data_dir}")
    if as_json:
        print_json(_report(found, free) | {"ok": not problems, "problems": problems})
    else:
        _print_report(found, free)
        _say_problems(problems)
    if problems:
        raise SystemExit(1)


@contextmanager
def _written(file: str) -> Iterator[BinaryIO]:
    """Where a dump goes: what is there and is no file, a pipe or a device, stays one."""
    if file == _STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file).resolve()
    try:
        special = path.exists() and not path.is_file()
        with path.open("wb") if special else draft_of(path) as out:
            yield out
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None


@contextmanager
def _read(file: str) -> Iterator[BinaryIO]:
    """A dump that can be read twice: to see that it is whole, then to restore it."""
    with _opened(file) as source:
        if source.seekable():
            yield source
            return
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(source, kept)
            yield kept


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == _STANDARD:
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            source = stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from None
        yield source


def _progress(table: str, rows: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{table}: {rows:,} rows\r", nl=False, err=True)


def _say(file: str, as_json: bool, said: dict[str, Any], text: str) -> None:
    """On stderr where the dump itself went to stdout."""
    to_stderr = file == _STANDARD
    if not as_json:
        click.echo(text, err=to_stderr)
    elif to_stderr:
        click.echo(json_text(said), err=True)
    else:
        print_json(said)


def _say_problems(problems: Sequence[str]) -> None:
    for problem in problems:
        click.echo(f"mjgate: {problem}", err=True)


def _shown(dumped: Dump) -> dict[str, Any]:
    header = dumped.header
    return {
        "made_at": header.made_at,
        "program": header.program,
        "postgresql": header.postgresql,
        "schema": header.migrations[-1],
        "rows": dumped.rows,
    }


def _counted(dumped: Dump) -> str:
    """Such as `tasks 12, tokens 1`."""
    return ", ".join(f"{table} {count}" for table, count in sorted(dumped.rows.items()))


def _closed(base: Base) -> list[str]:
    """What to say of channels and tokens whose secrets were written with another secret key."""
    return [
        f"{base.key_file or 'MJGATE_SECRET_KEY'} does not open the {_SEALED[table][0]} of "
        f"{', '.join(map(repr, owners))}; add what they were written with behind a comma, or "
        f"set each anew with: {_SEALED[table][1].format(owners[0])}"
        for table, owners in unreadable(base.uri, base.cipher).items()
    ]


def _free(config: Config) -> int | None:
    """Bytes free for the embedded database; of another machine's disk nothing is known."""
    return shutil.disk_usage(config.data_dir.expanduser()).free if config.embedded else None


def _report(found: Checkup, free: int | None) -> dict[str, Any]:
    return {
        "postgresql": found.postgresql,
        "schema": found.schema,
        "size": found.size,
        "free": free,
        "oldest_transaction": found.oldest,
        "indexes_compared": found.indexes_read,
        "rows": found.rows,
    }


def _print_report(found: Checkup, free: int | None) -> None:
    facts = [
        ["PostgreSQL", found.postgresql],
        ["schema", found.schema],
        ["size", _size(found.size)],
        ["free disk", "not known" if free is None else _size(free)],
        ["oldest transaction", f"{found.oldest:.0f} s"],
        ["indexes", "compared with their tables" if found.indexes_read else "valid"],
        *([f"rows of {table}", f"{count:,}"] for table, count in sorted(found.rows.items())),
    ]
    print_table(["WHAT", "HOW"], facts, "")


def _size(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB"
