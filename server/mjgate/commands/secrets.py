"""`mjgate secrets`: the keys that encrypt other keys."""

import click
import psycopg

from mjgate.commands.frame import json_option, print_json
from mjgate.config import read_config
from mjgate.serve import Base, open_base
from mjgate.store.cipher import Cipher, new_secret_key, put_key_first, read_keys
from mjgate.store.secrets import Tally, count_secrets, rotate_secrets, rotating


@click.group()
def secrets() -> None:
    """Make, rotate and check the keys of MJGATE_SECRET_KEY."""


@secrets.command()
def new() -> None:
    """Print a new key."""
    click.echo(new_secret_key())


@secrets.command()
@json_option
def rotate(as_json: bool) -> None:
    """Write all that is encrypted with a new key.

    That is the first of MJGATE_SECRET_KEY: put it before the old one and a comma, and restart
    the servers with both before this. The embedded database gets a new one by this, beside a
    running server too; the old ones stay behind it in its file.
    """
    with open_base(read_config()) as base, rotating(base.uri) as connection:
        cipher = _renewed(base, connection)
        found = rotate_secrets(connection, cipher)
    if as_json:
        file = str(base.key_file) if base.key_file else None
        print_json({"rewritten": found.older, "current": found.current, "file": file})
        return
    click.echo(f"Rewrote {found.older}; {found.current} had the first key already.")
    if base.key_file:
        click.echo(f"{base.key_file} keeps the old keys behind the new one, for older dumps.")
    elif cipher.count == 1:
        click.echo("There is one key: put a new one before it to rotate, NEW,OLD.")


@secrets.command()
@json_option
def check(as_json: bool) -> None:
    """Say which keys open what is encrypted.

    Exits with 1 where none does.
    """
    with open_base(read_config()) as base, rotating(base.uri) as connection:
        found = count_secrets(connection, base.cipher)
    if as_json:
        print_json({"current": found.current, "older": found.older, "closed": found.closed})
    else:
        click.echo(_shown(found))
    if found.closed:
        raise SystemExit(1)


def _renewed(base: Base, connection: psycopg.Connection) -> Cipher:
    """Our keys, and before those of a file a new one.

    Not where an earlier rotation was cut short: then its new key is first already, and this
    one finishes it.
    """
    if not base.key_file:
        return base.cipher
    kept = Cipher(read_keys(base.key_file))
    found = count_secrets(connection, kept)
    if found.older or found.closed:
        return kept
    return Cipher(put_key_first(base.key_file, new_secret_key()))


def _shown(found: Tally) -> str:
    closed = f", with none: {', '.join(found.closed)}" if found.closed else ""
    return f"{found.current} open with the first key, {found.older} with another{closed}."
