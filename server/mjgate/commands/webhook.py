"""`mjgate webhook`: callbacks, and what signs them."""

import time
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from psycopg_pool import AsyncConnectionPool

from mjgate.callback import Caller
from mjgate.commands.frame import (
    asked_wrong,
    json_option,
    print_json,
    print_table,
    with_data,
)
from mjgate.config import Config, read_config
from mjgate.domain.delivery import Reply, Result, State
from mjgate.domain.display import harmless
from mjgate.domain.hook import parse_hook
from mjgate.domain.signature import new_secret, signed_headers
from mjgate.domain.task import SUCCESS, Task
from mjgate.errors import CommandError
from mjgate.guard import Guard
from mjgate.store.cipher import Cipher
from mjgate.store.signing import drop_former, rotate_secret, signing_secrets
from mjgate.store.tokens import find_labelled
from mjgate.store.webhooks import (
    Attempt,
    Listed,
    list_attempts,
    list_deliveries,
    replay,
    unheard_tasks,
)

_MOST_ID = 2**63 - 1
_MOST_ATTEMPTS = 1000
_AT_ONCE = 500
_SAMPLE = Task(
    id=1320098173412546,
    action="IMAGINE",
    status=SUCCESS,
    prompt="Cat",
    submit_ms=1688784981398,
    description="/imagine Cat",
    prompt_en="Cat",
    progress="100%",
    image_url="https://example.com/cat.png",
    start_ms=1688784981489,
    finish_ms=1688785046543,
    properties={"finalPrompt": "Cat"},
)

_task = click.IntRange(0, _MOST_ID)


@click.group()
def webhook() -> None:
    """List, test and repeat callbacks; change what signs them."""


@webhook.command(name="list")
@click.option("--token", metavar="LABEL", help="Only of this token.")
@click.option("--state", type=click.Choice([str(state) for state in State]))
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def list_(token: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List the callbacks of tasks, the newest tasks first."""
    found = with_data(lambda pool, _cipher: list_deliveries(pool, limit, token, state))
    if as_json:
        print_json([_shown(each) for each in found])
        return
    headers = ["TASK", "TOKEN", "RECEIVER", "STATUS", "STATE", "SINCE", "ATTEMPTS", "NEXT"]
    print_table(headers, [_row(each) for each in found], "No callbacks.")


@webhook.command()
@click.argument("task", type=_task)
@json_option
def show(task: int, as_json: bool) -> None:
    """Show the callback of a task and its attempts, the newest first."""

    async def work(pool: AsyncConnectionPool, _cipher: Cipher) -> tuple[Listed, list[Attempt]]:
        found = await list_deliveries(pool, 1, task=task)
        if not found:
            raise CommandError(f"task {task} has no callback; see: mjgate webhook list")
        return found[0], await list_attempts(pool, task, _MOST_ATTEMPTS)

    delivery, attempts = with_data(work)
    if as_json:
        said = _shown(delivery) | {"hook": delivery.hook}
        print_json(said | {"tries": [_tried(each) for each in attempts]})
        return
    click.echo(f"{delivery.hook}\n{delivery.state} since {_time(delivery.since)}\n")
    headers = ["AT", "VERSION", "OUTCOME", "STATUS", "MS", "ERROR", "ANSWER"]
    print_table(headers, [_cells(each) for each in attempts], "No attempts yet.")


@webhook.command(name="replay")
@click.argument("tasks", type=_task, nargs=-1, metavar="[TASK]...")
@click.option("--all-given-up", is_flag=True, help="All that were given up or refused.")
@click.option("--token", metavar="LABEL", help="Of all, those of this token.")
@json_option
def replay_(tasks: tuple[int, ...], all_given_up: bool, token: str | None, as_json: bool) -> None:
    """Call once more, with the tasks as they stand now and the whole schedule."""
    if bool(tasks) == all_given_up:
        raise CommandError("name tasks, or use --all-given-up")
    if token is not None and not all_given_up:
        raise CommandError("--token goes with --all-given-up")

    async def work(pool: AsyncConnectionPool, _cipher: Cipher) -> list[int]:
        states = (State.GIVEN_UP, State.REFUSED)
        wanted = list(tasks) or await unheard_tasks(pool, states, token)
        parts = [wanted[at : at + _AT_ONCE] for at in range(0, len(wanted), _AT_ONCE)]
        return [task for part in parts for task in await replay(pool, part)]

    replayed = with_data(work)
    missed = sorted(set(tasks) - set(replayed))
    if missed:
        raise CommandError(
            f"nothing to tell of {', '.join(map(str, missed))}: no such task, no hook, or not "
            "submitted yet"
        )
    if as_json:
        print_json({"replayed": [str(task) for task in replayed]})
    else:
        click.echo(f"{len(replayed):,} callbacks are due.")


@webhook.command()
@click.argument("target", metavar="URL|LABEL")
@json_option
def test(target: str, as_json: bool) -> None:
    """Send a sample task, signed, and show the answer.

    To the hook of the token LABEL, signed with its secret; or to any URL, signed with a new
    secret, which is shown. Exits with 1 where the receiver does not take it.
    """
    config = read_config()

    async def work(pool: AsyncConnectionPool, cipher: Cipher) -> tuple[list[str], Reply]:
        address, secrets = await _target(pool, cipher, config, target)
        return secrets, await _call(config, address, secrets)

    secrets, reply = with_data(work)
    secret = secrets[0] if _is_address(target) else None
    if as_json:
        print_json(_answered(reply) | {"secret": secret})
    else:
        _print_answer(reply, secret)
    if reply.result is not Result.DELIVERED:
        raise SystemExit(1)


@webhook.command()
@click.argument("label")
@click.option("--rotate", is_flag=True, help="Make a new one; the old one signs beside it.")
@click.option("--drop-old", is_flag=True, help="Sign with the newest alone.")
@json_option
def secret(label: str, rotate: bool, drop_old: bool, as_json: bool) -> None:
    """Show the secret that signs the callbacks of a token.

    To change it: --rotate, give the new one to the receiver, then --drop-old. In between every
    callback has both signatures.
    """
    if rotate and drop_old:
        raise CommandError("--rotate and --drop-old are one too many")

    async def work(pool: AsyncConnectionPool, cipher: Cipher) -> list[str]:
        token = await find_labelled(pool, label)
        if rotate:
            return await rotate_secret(pool, cipher, token.id)
        if drop_old:
            await drop_former(pool, token.id)
        return await signing_secrets(pool, cipher, token.id)

    newest, *former = with_data(work)
    if as_json:
        print_json({"label": label, "secret": newest, "former": former})
        return
    click.echo(newest)
    for each in former:
        click.echo(f"{each}  (the one before it, until --drop-old)")


async def _target(
    pool: AsyncConnectionPool, cipher: Cipher, config: Config, target: str
) -> tuple[str, list[str]]:
    """Where a test goes, and the secrets that sign it."""
    if _is_address(target):
        with asked_wrong():
            return parse_hook(target), [new_secret()]
    token = await find_labelled(pool, target)
    hook = token.hook or (config.notify_hook and config.notify_hook.get_secret_value())
    if not hook:
        raise CommandError(
            f"{target!r} has no hook; set one with: mjgate token set {target} --notify-hook URL"
        )
    return hook, await signing_secrets(pool, cipher, token.id)


async def _call(config: Config, address: str, secrets: list[str]) -> Reply:
    caller = Caller(Guard(config.allow_private_hooks), config.callback_timeout, config.keepalive)
    now_ms = time.time_ns() // 1_000_000
    body = orjson.dumps(_SAMPLE.wire())
    try:
        return await caller.post(
            address, body, signed_headers(f"test.{now_ms}", now_ms, body, secrets)
        )
    finally:
        await caller.close()


def _is_address(target: str) -> bool:
    return "://" in target


def _print_answer(reply: Reply, secret: str | None) -> None:
    if secret:
        click.echo(f"Signed with {secret}")
    if reply.status is None:
        click.echo(f"mjgate: no answer after {reply.ms} ms: {reply.error}", err=True)
        return
    click.echo(
        f"HTTP {reply.status} after {reply.ms} ms{f', {reply.error}' if reply.error else ''}"
    )
    click.echo(harmless(reply.answer or ""), nl=bool(reply.answer))


def _answered(reply: Reply) -> dict[str, Any]:
    return {
        "ok": reply.result is Result.DELIVERED,
        "status": reply.status,
        "ms": reply.ms,
        "error": reply.error,
        "answer": reply.answer,
    }


def _row(each: Listed) -> list[Any]:
    return [
        each.task,
        each.token or "",
        each.receiver,
        each.status,
        each.state,
        _time(each.since),
        each.attempts,
        _time(each.due_at),
    ]


def _shown(each: Listed) -> dict[str, Any]:
    return {
        "task": str(each.task),
        "token": each.token,
        "receiver": each.receiver,
        "status": each.status,
        "final": each.final,
        "state": each.state,
        "since": each.since,
        "failures": each.failures,
        "attempts": each.attempts,
        "due_at": each.due_at,
    }


def _cells(each: Attempt) -> list[Any]:
    return [
        _time(each.made_at),
        each.version,
        each.outcome,
        each.status or "",
        each.ms,
        each.error or "",
        harmless(" ".join((each.answer or "").split())[:80]),
    ]


def _tried(each: Attempt) -> dict[str, Any]:
    return {
        "at": each.made_at,
        "version": each.version,
        "outcome": each.outcome,
        "status": each.status,
        "ms": each.ms,
        "error": each.error,
        "answer": each.answer,
    }


def _time(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""
