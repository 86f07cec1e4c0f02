"""A gate of a process that serves nobody: for the verbs alone."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr

from mjgate.config import Config
from mjgate.domain.token import Token, new_key
from mjgate.gallery import open_gallery
from mjgate.gate import Gate
from mjgate.services.submit import ChangeOf, Imagine
from mjgate.store.channels import add_channel
from mjgate.store.cipher import Cipher
from mjgate.store.database import open_store
from mjgate.store.tokens import add_token
from mjgate.upstream.transport import Transport
from mjgate.upstream.upstreams import Upstreams
from tests.harness import SECRET_KEY, until
from tests.store.rows import query

QUEUE = 500


ORIGIN = "http://gateway.example"


@asynccontextmanager
async def open_gate(uri: str, **settings: Any) -> AsyncIterator[Gate]:
    """Its pictures are in a folder that goes with it, unless one is named."""
    with TemporaryDirectory(prefix="mjgate-pictures-") as folder:
        settings = {"upstream_timeout": 30.0, "pictures_dir": folder, **settings}
        config = Config(database_url=SecretStr(uri), secret_key=SecretStr(SECRET_KEY), **settings)
        async with (
            open_store(uri, Cipher(SECRET_KEY), QUEUE) as store,
            open_gallery(config, ORIGIN) as gallery,
        ):
            transport = Transport(config.upstream_timeout, config.keepalive)
            yield Gate(config, store, Upstreams(transport), gallery)
            await transport.close()


async def channel(gate: Gate, name: str, url: str, **more: Any) -> int:
    """The id of a new channel that the gate knows of."""
    settings = {
        "base_url": url,
        "key": None,
        "dialect": "novicezk",
        "priority": 0,
        "weight": 1,
        "models": ["midjourney"],
        "state": "enabled",
    }
    await until(lambda: gate.store.changes.listening)
    await add_channel(gate.store.pool, gate.store.cipher, name, settings | more)
    await heard(gate)
    [(number,)] = query(gate.store, "select id from channels where name = %s", name)
    return int(number)


async def heard(gate: Gate) -> None:
    """Until the gate has heard of all that is committed; it hears in the order of commits."""
    told: list[Any] = []
    gate.store.changes.on_tasks(told.append)
    query(gate.store, "select announce_tasks(array[0])")
    await until(lambda: [0] in told)


async def client(gate: Gate, budget: int | None = None) -> Token:
    key = new_key()
    account = await add_token(gate.store.pool, key, key, budget)
    return Token(account.id, account.label)


def picture(prompt: str = "a fox") -> Imagine:
    return Imagine(prompt, None, None, b'{"prompt":"%s"}' % prompt.encode())


def change_of(parent: int, action: str = "UPSCALE", index: int | None = 1) -> ChangeOf:
    body = json.dumps({"taskId": str(parent), "action": action, "index": index}).encode()
    return ChangeOf(parent, action, index, None, None, body)
