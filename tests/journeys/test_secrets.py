"""No secret leaves its place: not in logs, metrics, errors, reprs, nor readable in the database."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from psycopg import sql

from mjgate.app import open_gate
from mjgate.config import read_config
from mjgate.flight import Flight
from mjgate.sandbox import Settings, running_sandbox
from mjgate.serve import Base
from mjgate.store.cipher import Cipher, new_secret_key
from tests.harness import until
from tests.process import Client, Server, mjgate, serving

UPSTREAM_KEY = f"sk-{secrets.token_hex(12)}"
WRONG_KEY = f"sk-{secrets.token_hex(12)}"
PASSWORD = f"pw{secrets.token_hex(12)}"
PROMPT = f"word{secrets.token_hex(12)}"
STATE = f"state{secrets.token_hex(12)}"
HOOK = f"http://127.0.0.1:9/hook?token=hook{secrets.token_hex(12)}"
PROMPTS = [
    "a red fox",
    "sandbox:fail",
    "sandbox:code24",
    "sandbox:collide",
    "sandbox:reset",
    "sandbox:garbage",
    "sandbox:http401",
    "sandbox:http500",
    "sandbox:nul-id",
]


@pytest.fixture
def upstream() -> Iterator[str]:
    with running_sandbox(Settings(speed=40, secret=UPSTREAM_KEY, core_size=16)) as address:
        yield address


@pytest.fixture
def secret_uri(database: str) -> str:
    """The database for a role with a password."""
    name = database.partition("?")[0].rpartition("/")[2]
    role = f"gate_{name}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create role {} login superuser password {}").format(
                sql.Identifier(role), sql.Literal(PASSWORD)
            )
        )
    return database.replace("//postgres:@", f"//{role}:{PASSWORD}@")


def database_log(uri: str) -> str:
    with psycopg.connect(uri) as connection:
        (folder,) = connection.execute("show data_directory").fetchall()[0]
    return (Path(folder) / "log").read_text(errors="replace")


def leaks(text: str, hidden: dict[str, str]) -> list[str]:
    """The names of the secrets that a text gives away."""
    return [name for name, secret in hidden.items() if secret in text]


async def submit_everything(client: Client, answers: list[str]) -> list[str]:
    """Submits that go well and wrong; our ids of those that run."""
    running = []
    for prompt in PROMPTS:
        body = {"prompt": f"{PROMPT} {prompt}", "state": STATE, "notifyHook": HOOK}
        status, answer = await client.ask("POST", "/mj/submit/imagine", body)
        if status != 200 or answer["code"] not in (1, 22):
            answers.append(repr(answer))
        elif answer["result"]:
            running.append(answer["result"])
    return running


async def ask_wrongly(client: Client, answers: list[str]) -> None:
    """Requests that are refused, with secrets in them."""
    for path, body in (
        ("/mj/submit/imagine", {"prompt": [PROMPT], "state": STATE}),
        ("/mj/submit/imagine", {"prompt": "a", "state": {"a": STATE}}),
        ("/mj/submit/imagine", {"prompt": "a", "notifyHook": HOOK.replace("http", "ftp", 1)}),
        ("/mj/submit/change", {"taskId": "1", "action": PROMPT}),
    ):
        answers.append(repr(await client.ask("POST", path, body)))


async def ended(client: Client, task_id: str) -> None:
    async with asyncio.timeout(30):
        while (await client.task(task_id))["status"] not in ("SUCCESS", "FAILURE"):
            await asyncio.sleep(0.1)


async def test_a_whole_journey_gives_no_secret_away(
    tmp_path: Path, secret_uri: str, upstream: str
) -> None:
    before = len(database_log(secret_uri))
    secret_key = new_secret_key()
    settings = {"DATABASE_URL": secret_uri, "MJGATE_SECRET_KEY": secret_key}
    said: list[str] = []

    async def operator(server: Server, *words: str, stdin: str | None = None) -> str:
        done = await asyncio.to_thread(server.command, *words, stdin=stdin)
        said.append(done.stderr)
        return done.stdout

    async with serving(tmp_path, "--workers", "2", **settings) as server:
        token = (await operator(server, "token", "create", "alice")).split()[0]
        again = "token", "create", "alice"
        said.append(await operator(server, *again))
        add = ("channel", "add", "home", "--url", upstream, "--key-file", "-")
        said.append(await operator(server, *add, stdin=WRONG_KEY))
        said.append(await operator(server, *add, stdin=UPSTREAM_KEY))
        change = ("channel", "set", "home", "--key", UPSTREAM_KEY)
        said.append(await operator(server, *change))
        looks = (("channel", "test", "home"), ("channel", "list"), ("token", "list", "--json"))
        said += await asyncio.gather(*(operator(server, *words) for words in looks))

        async with aiohttp.ClientSession() as session:
            client = Client(session, server, token)
            running = await submit_everything(client, said)
            assert len(running) >= 2
            await ask_wrongly(client, said)
            await ask_wrongly(Client(session, server, f"{token}x"), said)
            for task in running:
                await ended(client, task)
            async with session.get(server.address + "/metrics") as response:
                said.append(await response.text())
    said.append(server.said)
    assert '"operation":"submit_imagine"' in server.said

    hidden = {
        "token": token,
        "token's hash": hashlib.sha256(token.encode()).hexdigest(),
        "channel key": UPSTREAM_KEY,
        "wrong channel key": WRONG_KEY,
        "secret key": secret_key,
        "database password": PASSWORD,
        "prompt": PROMPT,
        "state": STATE,
        "hook address": HOOK,
    }
    for text in said:
        assert [] == leaks(text, hidden), text
    log = database_log(secret_uri)[before:]
    without_setup = "".join(line for line in log.splitlines() if "create role" not in line)
    assert [] == leaks(without_setup, hidden), without_setup
    check_tables(secret_uri, token, secret_key)


def check_tables(uri: str, token: str, secret_key: str) -> None:
    """Keys are hashed or encrypted in every table."""
    with psycopg.connect(uri) as connection:
        names = [
            row[0]
            for row in connection.execute(
                "select tablename from pg_tables where schemaname = 'public'"
            ).fetchall()
        ]
        dump = ""
        for name in names:
            rows = connection.execute(
                sql.SQL("select t::text from {} t").format(sql.Identifier(name))
            ).fetchall()
            dump += "\n".join(row[0] for row in rows)
        kept = connection.execute("select key_hash from tokens").fetchall()
        sealed = connection.execute("select key_cipher from channels").fetchall()
    assert {"tokens", "channels", "tasks", "ledger"} <= set(names)
    assert PROMPT in dump
    keys = {"token": token, "channel key": UPSTREAM_KEY, "secret key": secret_key}
    as_bytes = {name: key.encode().hex() for name, key in keys.items()}
    assert [] == leaks(dump, keys | {"password": PASSWORD})
    assert [] == leaks(dump, as_bytes)
    assert [(hashlib.sha256(token.encode()).digest(),)] == kept
    assert UPSTREAM_KEY == Cipher(secret_key).decrypt(bytes(sealed[0][0]))


def parts(value: Any, depth: int = 3) -> Iterator[Any]:
    """An object and what it holds."""
    yield value
    names = [*getattr(value, "__slots__", ()), *getattr(value, "__dict__", {})]
    for name in names if depth else ():
        yield from parts(getattr(value, name, None), depth - 1)


async def test_the_repr_of_no_living_object_gives_a_secret_away(
    secret_uri: str, upstream: str
) -> None:
    secret_key = new_secret_key()
    settings = {"DATABASE_URL": secret_uri, "MJGATE_SECRET_KEY": secret_key}
    add = ("channel", "add", "home", "--url", upstream, "--key", UPSTREAM_KEY)
    assert 0 == (await asyncio.to_thread(mjgate, *add, settings=settings)).returncode
    made = await asyncio.to_thread(mjgate, "token", "create", "alice", settings=settings)
    token = made.stdout.split()[0]
    config = read_config(database_url=secret_uri, secret_key=secret_key)
    base = Base(secret_uri, secret_key)

    async with open_gate(config, base.uri, base.cipher, Flight()) as gate:
        assert await gate.store.token(token)
        catalog = await gate.store.catalog()
        (channel,) = catalog.channels.values()
        assert UPSTREAM_KEY == channel.key
        await until(lambda: gate.background.alive)
        living = [config, base, base.cipher, gate, gate.store, catalog, channel, gate.upstreams]
        hidden = {
            "token": token,
            "channel key": UPSTREAM_KEY,
            "secret key": secret_key,
            "password": PASSWORD,
        }
        ours = [
            part
            for each in living
            for part in parts(each)
            if type(part).__module__.startswith("mjgate.")
        ]
        assert len({type(part) for part in ours}) > 10
        for part in ours:
            assert [] == leaks(repr(part), hidden), type(part)
            assert [] == leaks(str(part), hidden), type(part)
