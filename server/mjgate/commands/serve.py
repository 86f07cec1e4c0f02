"""`mjgate serve`, `mjgate sandbox`: what runs until it is told to stop."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import click
from psycopg_pool import AsyncConnectionPool

from mjgate.commands.frame import on_pool
from mjgate.config import Config, read_config
from mjgate.domain.action import DOCUMENTED_MODEL
from mjgate.domain.channel import ChannelState, Dialect
from mjgate.domain.token import new_key
from mjgate.errors import CommandError, ConfigError
from mjgate.sandbox import DIALECTS, DialectName, Settings, serve_sandbox
from mjgate.serve import (
    EVERYWHERE,
    Base,
    Signals,
    address_of,
    follow_parent,
    listen,
    open_base,
    run_server,
)
from mjgate.storage import Folder
from mjgate.store.capacity import refuse_crowd
from mjgate.store.channels import add_channel, list_channels, set_channel
from mjgate.store.cipher import Cipher, kept_secret
from mjgate.store.tokens import add_token, renew_token
from mjgate.workers import run_workers

_NAME = "sandbox"
_KEY_FILE = "sandbox.token"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--sandbox", is_flag=True, help="Start a sandbox beside it, as a channel.")
@click.option("--sandbox-port", type=click.IntRange(0, 65535), help="Default: the next port.")
def serve(host: str, port: int, workers: int, sandbox: bool, sandbox_port: int | None) -> None:
    """Run the gateway, its background work and its database."""
    config = read_config()
    with Signals() as signals, listen(host, port) as listener, open_base(config, keep=True) as base:
        if config.embedded and workers > 1:
            refuse_crowd(base.uri, workers)
        if config.pictures:
            Folder(config.pictures_folder).prove()
            _warn_nowhere(config, host)
        on_pool(base, list_channels)  # a secret key that does not open theirs is named at start
        run = partial(_serve, config, base, listener, signals, workers)
        address = address_of(listener)
        if not sandbox:
            run(lambda: _say_ready(address))
            return
        taken = listener.getsockname()[1]
        with _sandbox(taken + 1 if sandbox_port is None else sandbox_port) as beside:
            key = kept_secret(config.data_dir.expanduser() / _KEY_FILE, new_key)
            on_pool(base, lambda pool, cipher: _welcome(pool, cipher, beside, key))
            run(lambda: _say_welcome(address, key))


@click.command(hidden=True)
@click.option("--socket", "descriptor", type=int, required=True)
@click.option("--parent-pipe", type=int, required=True)
def worker_process(descriptor: int, parent_pipe: int) -> None:
    """One of several workers; started by `serve` with its listening socket."""
    config = read_config()
    follow_parent(parent_pipe)
    with (
        Signals() as signals,
        socket.socket(fileno=descriptor) as listener,
        open_base(config) as base,
    ):
        run_server(config, base, listener, signals, lambda: None)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8081, show_default=True)
@click.option("--dialect", type=click.Choice(DIALECTS), default="novicezk", show_default=True)
@click.option("--speed", type=click.FloatRange(0.01, 10000), default=1.0, show_default=True)
@click.option("--secret", help="Ask for this key.")
@click.option("--parent-pipe", type=int, hidden=True)
def sandbox(
    host: str, port: int, dialect: str, speed: float, secret: str | None, parent_pipe: int | None
) -> None:
    """Run a stand-in upstream that draws pictures for nothing."""
    settings = Settings(dialect=cast(DialectName, dialect), speed=speed, secret=secret)
    try:
        serve_sandbox(settings, host, port, ready=_say_sandbox, parent_pipe=parent_pipe)
    except OSError as error:
        raise ConfigError(
            f"{host}:{port} cannot be bound ({error.strerror}); take another --host or --port"
        ) from None


def _serve(
    config: Config,
    base: Base,
    listener: socket.socket,
    signals: Signals,
    workers: int,
    ready: Callable[[], None],
) -> None:
    if workers == 1:
        run_server(config, base, listener, signals, ready)
    else:
        run_workers(base, listener.fileno(), workers, signals, ready)


@contextmanager
def _sandbox(port: int) -> Iterator[str]:
    """A sandbox that lives as long as this process, however this one ends.

    In a process group of its own: a Ctrl-C must not end it before what is in flight.
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "mjgate", "sandbox", "--port", str(port)]
    process = subprocess.Popen(  # noqa: S603
        [*command, "--parent-pipe", str(reading)],
        pass_fds=[reading],
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    os.close(reading)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise ConfigError(f"the sandbox did not start on port {port}; use --sandbox-port")
        yield line.split()[-1]
    finally:
        os.close(writing)
        process.wait()


async def _welcome(pool: AsyncConnectionPool, cipher: Cipher, address: str, key: str) -> None:
    """Makes the sandbox a channel and sees to the token `sandbox`."""
    settings = {
        "base_url": address,
        "dialect": Dialect.NOVICEZK,
        "priority": 0,
        "weight": 1,
        "models": [DOCUMENTED_MODEL],
        "state": ChannelState.ENABLED,
    }
    try:
        await set_channel(pool, cipher, _NAME, {"base_url": address})
    except CommandError:
        await add_channel(pool, cipher, _NAME, settings)
    if not await renew_token(pool, _NAME, key):
        await add_token(pool, _NAME, key, None)


def _warn_nowhere(config: Config, host: str) -> None:
    """One who listens everywhere does not know how its clients call it."""
    if host in EVERYWHERE and config.public_url is None:
        click.echo(
            "Pictures are shown at http://localhost. Set MJGATE_PUBLIC_URL to where clients "
            "reach this gateway, or keep none with MJGATE_PICTURES=off.",
            err=True,
        )


def _say_sandbox(address: str) -> None:
    click.echo(f"sandbox on {address}")
    sys.stdout.flush()


def _say_ready(address: str) -> None:
    click.echo(f"mjgate on {address}  reference pages: {address}/docs", err=True)


def _say_welcome(address: str, key: str) -> None:
    click.echo(
        f"""
mjgate on {address}  reference pages: {address}/docs
token     {key}

Draw a first picture:

  curl -s {address}/mj/submit/imagine -H 'mj-api-secret: {key}' \\
    -H 'Content-Type: application/json' -d '{{"prompt": "a red fox in the snow"}}'

Then fetch it by its id, the "result" of that answer, until "status" is SUCCESS:

  curl -s {address}/mj/task/ID/fetch -H 'mj-api-secret: {key}'
""",
        err=True,
    )
