"""`mjgate secrets`: the key that encrypts other keys."""

import click

from mjgate.store.cipher import new_secret_key


@click.group()
def secrets() -> None:
    """Make keys for MJGATE_SECRET_KEY."""


@secrets.command()
def new() -> None:
    """Print a new key."""
    click.echo(new_secret_key())
