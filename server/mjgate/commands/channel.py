"""`mjgate channel`: the upstreams (`seed`, the channel chapter)."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TextIO
from urllib.parse import urlsplit

import click
from psycopg_pool import AsyncConnectionPool

from mjgate.commands.frame import (
    given,
    json_option,
    print_json,
    print_table,
    read_text,
    with_data,
)
from mjgate.domain.action import DOCUMENTED_MODEL
from mjgate.domain.channel import Channel, ChannelState, Dialect
from mjgate.errors import CommandError, SendError
from mjgate.store.channels import (
    add_channel,
    count_running,
    list_channels,
    note_fault,
    note_spoken,
    set_channel,
)
from mjgate.store.cipher import Cipher
from mjgate.upstream.probe import probe_dialect
from mjgate.upstream.transport import Transport
from mjgate.upstream.upstreams import DIALECTS

_TEST_S = 10.0
_NONE = "none"
_HEADERS = (
    *("NAME", "URL", "KEY", "DIALECT", "PRIORITY", "WEIGHT", "MODELS", "DEADLINE"),
    *("STATE", "FAULT"),
)
_MOST_DEADLINE_S = 7 * 86400
_MOST_NAME = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """What a test of a channel found; `problem` is None where all is well.

    `told` is the dialect that the operator named, which is in force whatever was found.
    """

    name: str
    dialect: Dialect | None
    ms: int
    problem: str | None
    told: Dialect | None = None

    def shown(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ok": self.problem is None,
            "dialect": self.dialect,
            "ms": self.ms,
            "problem": self.problem,
        }


def _settings(command: Any) -> Any:
    """The options that `add` and `set` share."""
    for option in (
        click.option("--models", metavar="NAME,...", help=f"Default: {DOCUMENTED_MODEL}."),
        click.option(
            "--deadline",
            metavar="SECONDS|none",
            help="What a task has to end; none is MJGATE_TASK_DEADLINE.",
        ),
        click.option("--weight", type=click.IntRange(0, 10**6), help="Share of its priority."),
        click.option("--priority", type=click.IntRange(-(10**6), 10**6), help="Highest first."),
        click.option("--dialect", type=click.Choice([d.value for d in Dialect])),
        click.option(
            "--key-file", type=click.File(encoding="utf-8"), help="A file with the key; - is stdin."
        ),
        click.option("--key", help="The upstream's key (better: --key-file)."),
    ):
        command = option(command)
    return command


@click.group()
def channel() -> None:
    """Add, change, test and remove upstreams."""


@channel.command()
@click.argument("name")
@click.option("--url", required=True, help="Such as http://localhost:8080.")
@_settings
@json_option
def add(
    name: str, url: str, key: str | None, key_file: TextIO | None, as_json: bool, **options: Any
) -> None:
    """Add a midjourney-proxy or another new-api. It is asked which dialect it speaks."""
    _check_name(name)
    settings = {
        "base_url": _address(url),
        "key": _key(key, key_file),
        "dialect": options["dialect"] or Dialect.AUTO,
        "priority": options["priority"] or 0,
        "weight": 1 if options["weight"] is None else options["weight"],
        "models": _models(options["models"]) or [DOCUMENTED_MODEL],
        **_deadline(options["deadline"]),
        "state": ChannelState.ENABLED,
    }

    async def work(pool: AsyncConnectionPool, cipher: Cipher) -> Finding:
        await add_channel(pool, cipher, name, settings)
        return await _test(pool, await _one(pool, cipher, name))

    _report(with_data(work), as_json, f"Added {name!r}.")


@channel.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List channels."""
    channels = with_data(list_channels)
    if as_json:
        print_json([_shown(each) for each in channels])
        return
    rows = [
        [
            each.name,
            each.base_url,
            "yes" if each.key else "none",
            each.dialect if each.dialect is not Dialect.AUTO else f"auto: {each.spoken or '?'}",
            each.priority,
            each.weight,
            ",".join(each.models),
            _NONE if each.deadline_s is None else f"{each.deadline_s:g}",
            each.state,
            each.fault or "",
        ]
        for each in channels
    ]
    print_table(_HEADERS, rows, "No channels. Add one with: mjgate channel add NAME --url URL")


@channel.command(name="set")
@click.argument("name")
@click.option("--url", help="A new address.")
@click.option("--state", type=click.Choice([state.value for state in ChannelState]))
@_settings
@json_option
def set_(
    name: str,
    url: str | None,
    state: str | None,
    key: str | None,
    key_file: TextIO | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Change a channel. A draining one takes changes of its tasks and nothing new."""
    settings = given(
        {
            "base_url": None if url is None else _address(url),
            "state": state,
            "key": _key(key, key_file),
            "dialect": options["dialect"],
            "priority": options["priority"],
            "weight": options["weight"],
            "models": _models(options["models"]),
        }
    ) | _deadline(options["deadline"])
    if not settings:
        raise CommandError("nothing to set; see: mjgate channel set --help")
    if settings.keys() & {"base_url", "dialect"}:
        settings |= {"spoken": None}
    with_data(lambda pool, cipher: set_channel(pool, cipher, name, settings))
    _done(as_json, name, "set", f"Changed {name!r}.")


@channel.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also with tasks that have not ended.")
@json_option
def remove(name: str, force: bool, as_json: bool) -> None:
    """Remove a channel. Its tasks stay, and end by their deadline."""

    async def work(pool: AsyncConnectionPool, cipher: Cipher) -> None:
        running = await count_running(pool, name)
        if running and not force:
            raise CommandError(
                f"{name!r} has {running} tasks that have not ended; first: "
                f"mjgate channel set {name} --state draining, or use --force"
            )
        await set_channel(pool, cipher, name, {"state": "removed", "key": None})

    with_data(work)
    _done(as_json, name, "removed", f"Removed {name!r}.")


@channel.command()
@click.argument("name")
@json_option
def test(name: str, as_json: bool) -> None:
    """Ask an upstream how it answers. Says whether it takes the key; draws nothing."""

    async def work(pool: AsyncConnectionPool, cipher: Cipher) -> Finding:
        return await _test(pool, await _one(pool, cipher, name))

    finding = with_data(work)
    _report(finding, as_json)
    if finding.problem:
        raise SystemExit(1)


async def _one(pool: AsyncConnectionPool, cipher: Cipher, name: str) -> Channel:
    for each in await list_channels(pool, cipher):
        if each.name == name:
            return each
    raise CommandError(f"there is no channel {name!r}; see: mjgate channel list")


async def _test(pool: AsyncConnectionPool, channel: Channel) -> Finding:
    transport = Transport(_TEST_S, 1.0)
    started = time.perf_counter()
    try:
        spoken, problem = await _ask(transport, channel)
    finally:
        await transport.close()
        await asyncio.sleep(0)
    ms = round((time.perf_counter() - started) * 1000)
    if spoken:
        await note_spoken(pool, channel.id, spoken)
    await note_fault(pool, channel.id, problem)
    told = None if channel.dialect is Dialect.AUTO else channel.dialect
    return Finding(channel.name, spoken, ms, problem, told)


async def _ask(transport: Transport, channel: Channel) -> tuple[Dialect | None, str | None]:
    spoken: Dialect | None = None
    with suppress(SendError):
        spoken = await probe_dialect(transport, channel)
    use = spoken if channel.dialect is Dialect.AUTO else channel.dialect
    request = DIALECTS[use or Dialect.NOVICEZK].list_request([])
    try:
        reply = await transport.post(channel, request.path, request.body)
    except SendError:
        return None, f"{channel.base_url} does not answer"
    if reply.status in (401, 403):
        return spoken, "the upstream refuses the key"
    if reply.status != 200 or not isinstance(reply.body, list | None):
        return (
            spoken,
            f"its task list is HTTP {reply.status}: is it a midjourney-proxy?",
        )
    if use is None:
        return None, "it speaks no dialect that is known; name one with --dialect"
    return spoken, None


def _report(finding: Finding, as_json: bool, done: str = "") -> None:
    if as_json:
        print_json(finding.shown())
    elif finding.problem:
        click.echo(done, nl=bool(done))
        click.echo(f"mjgate: {finding.name!r}: {finding.problem}.", err=True)
    else:
        spoken = finding.told or finding.dialect or "an unnamed dialect"
        click.echo(f"{done} It speaks {spoken} and answers in {finding.ms} ms.".strip())
        if finding.dialect and finding.told and finding.dialect is not finding.told:
            click.echo(
                f"mjgate: {finding.name!r} answers like {finding.dialect}; {finding.told} was "
                "asked for and is in force.",
                err=True,
            )


def _done(as_json: bool, name: str, what: str, text: str) -> None:
    if as_json:
        print_json({"name": name, what: True})
    else:
        click.echo(text)


def _shown(channel: Channel) -> dict[str, Any]:
    return {
        "name": channel.name,
        "url": channel.base_url,
        "has_key": channel.key is not None,
        "dialect": channel.dialect,
        "spoken": channel.spoken,
        "priority": channel.priority,
        "weight": channel.weight,
        "models": channel.models,
        "deadline": channel.deadline_s,
        "state": channel.state,
        "fault": channel.fault,
    }


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _MOST_NAME or not name.isprintable():
        raise CommandError(f"a name is 1 to {_MOST_NAME} printable characters, not {name!r}")


def _address(url: str) -> str:
    """The address without a trailing slash; paths below it start with `/mj`."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not url.isascii() or not url.isprintable() or " " in url:
        raise CommandError(f"--url {url!r} is no address such as http://localhost:8080")
    if parts.username is not None or parts.query or parts.fragment:
        raise CommandError("--url takes no user, query or fragment; the key goes to --key-file")
    return url.rstrip("/").removesuffix("/mj")


def _key(key: str | None, key_file: TextIO | None) -> str | None:
    if key is not None and key_file is not None:
        raise CommandError("--key and --key-file are one too many")
    if key_file is not None:
        key = read_text(key_file) or ""
    if key is None:
        return None
    text = key.strip()
    if not text.isascii() or not text.isprintable() or not text:
        raise CommandError("the key is empty or has characters that no header can carry")
    return text


def _models(models: str | None) -> Sequence[str] | None:
    if models is None:
        return None
    names = [name.strip() for name in models.split(",") if name.strip()]
    if not names:
        raise CommandError(f"--models {models!r} names none")
    return names


def _deadline(word: str | None) -> dict[str, float | None]:
    """The column that was given; None takes the channel's own deadline off."""
    if word is None:
        return {}
    if word == _NONE:
        return {"deadline_s": None}
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= _MOST_DEADLINE_S:
        raise CommandError(
            f"--deadline {word!r} is neither none nor seconds, above 0 and up to {_MOST_DEADLINE_S}"
        )
    return {"deadline_s": seconds}
