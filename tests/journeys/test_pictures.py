"""Pictures that stay: copied once, and served at addresses of ours."""

from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from mjgate.sandbox import Settings, running_sandbox
from mjgate.sandbox.settings import DialectName
from mjgate.store.cipher import new_secret_key
from tests.harness import Gateway, new_database, running_gateway, until
from tests.process import gateway as serving_gateway
from tests.process import serving


async def seen(gateway: Gateway, link: str) -> tuple[int, bytes]:
    """Status and content, without following where it leads."""
    async with gateway.session.get(link, allow_redirects=False) as response:
        return response.status, await response.read()


@pytest.mark.parametrize("dialect", ["novicezk", "buttons", "new-api"])
async def test_a_picture_stays_when_its_upstream_is_gone(
    gateway: Gateway, dialect: DialectName
) -> None:
    with running_sandbox(Settings(dialect=dialect, speed=40)) as upstream:
        await gateway.channel("sandbox", upstream, dialect)
        _, answer = await gateway.imagine("a red fox")
        done = await gateway.ended(answer["result"])
        first = await seen(gateway, done["imageUrl"])

    assert done["imageUrl"].startswith(f"{gateway.address}/mj/image/{done['id']}?expires=")
    assert 200 == first[0]
    assert first[1].startswith(b"\x89PNG")
    assert first == await seen(gateway, done["imageUrl"])
    assert [("kept", len(first[1]))] == gateway.rows("select state, size from pictures")


async def test_a_task_that_ended_never_changes_while_its_picture_is_copied(
    ready: Gateway,
) -> None:
    _, answer = await ready.imagine("a red fox")
    before = await ready.ended(answer["result"])
    await seen(ready, before["imageUrl"])

    assert before == await ready.fetch(answer["result"])
    assert (200, [before]) == await ready.ask(
        "POST", "/mj/task/list-by-condition", {"ids": [answer["result"]]}
    )


@pytest.mark.parametrize("word", ["address=http://169.254.169.254/x.png", "address", "blind"])
async def test_a_picture_that_must_not_be_fetched_harms_no_task(ready: Gateway, word: str) -> None:
    _, answer = await ready.imagine(f"a red fox sandbox:{word}")
    done = await ready.ended(answer["result"])

    assert "SUCCESS" == done["status"]
    if "169.254" in word:
        assert 302 == (await seen(ready, done["imageUrl"]))[0]
        assert [("failed",)] == ready.rows("select state from pictures")
    else:
        assert done["imageUrl"] in (None, "javascript:alert(1)")
        assert [] == ready.rows("select state from pictures")


async def test_a_picture_goes_through_two_gateways(postgres: str, sandbox: str) -> None:
    async with (
        running_gateway(new_database(postgres)) as inner,
        running_gateway(new_database(postgres)) as outer,
    ):
        await inner.channel("sandbox", sandbox)
        await outer.channel("gateway", inner.address, key=inner.key)
        _, answer = await outer.imagine("a red fox")
        done = await outer.ended(answer["result"])
        status, content = await seen(outer, done["imageUrl"])

        assert done["imageUrl"].startswith(f"{outer.address}/mj/image/{done['id']}?")
        assert (200, b"\x89PNG") == (status, content[:4])
        assert [("kept",)] == outer.rows("select state from pictures")
        assert [("kept",)] == inner.rows("select state from pictures")


async def test_two_workers_serve_what_either_has_copied(tmp_path: Path, sandbox: str) -> None:
    async with serving_gateway(tmp_path, sandbox, "--workers", "2") as client:
        _, answer = await client.imagine("a red fox")
        await client.succeeds(answer["result"])
        link = (await client.task(answer["result"]))["imageUrl"]
        assert link.startswith(f"{client.server.address}/mj/image/")
        for _ in range(8):
            async with aiohttp.ClientSession() as session, session.get(link) as response:
                assert 200 == response.status
                assert (await response.read()).startswith(b"\x89PNG")


async def test_a_copy_that_was_under_way_at_a_kill_is_made_by_the_next(
    tmp_path: Path, database: str
) -> None:
    settings = {"DATABASE_URL": database, "MJGATE_SECRET_KEY": new_secret_key()}

    def states() -> list[Any]:
        with psycopg.connect(database, autocommit=True) as connection:
            return connection.execute("select state from pictures").fetchall()

    with running_sandbox(Settings(dialect="novicezk", speed=40)) as upstream:
        await held(upstream)
        async with serving_gateway(tmp_path, upstream, **settings) as client:
            _, answer = await client.imagine("a red fox")
            await until(lambda: [("copying",)] == states(), 40)
            await client.server.killed()
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("update pictures set moment = now()")  # its lease is over
        async with serving(tmp_path, **settings):
            await until(lambda: [("kept",)] == states(), 40)

    folder = tmp_path / ".mjgate" / "pictures"
    assert [f"{answer['result']}-0-2"] == [
        path.name for path in folder.rglob("*") if path.is_file()
    ]


async def held(upstream: str) -> None:
    """The next picture that is asked of a sandbox never comes."""
    async with (
        aiohttp.ClientSession() as session,
        session.put(
            f"{upstream}/sandbox/faults/picture", json={"fault": "hang", "times": 1}
        ) as answer,
    ):
        assert 204 == answer.status
