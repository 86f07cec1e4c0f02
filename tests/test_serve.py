"""`mjgate serve` as an operator's process manager treats it: signals, kills, restarts."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from psycopg import sql

from mjgate.errors import ConfigError
from mjgate.sandbox import Settings, running_sandbox
from mjgate.serve import listen, origin_of
from mjgate.store.cipher import new_secret_key
from mjgate.store.embedded import Embedded
from tests.harness import until
from tests.process import (
    Client,
    begin,
    end,
    gateway,
    gone,
    heard,
    mjgate,
    postmaster_of,
    ready,
    serving,
)

IN_FLIGHT = 16
EXIT_S = 60
PROMISED_S = 10


@pytest.fixture
def upstream() -> Iterator[str]:
    """A sandbox that outlives every gateway: its pictures take two seconds."""
    with running_sandbox(Settings(speed=4, core_size=64, queue_size=1000)) as address:
        yield address


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_finishes_what_is_in_flight_and_leaves_nothing_behind(
    tmp_path: Path, upstream: str, number: int
) -> None:
    async with gateway(tmp_path, upstream, MJGATE_DRAIN_TIMEOUT="60") as client:
        server, family = client.server, client.server.family()
        submits = client.begin("slow sandbox:slow=8", IN_FLIGHT)
        await heard(upstream, "slow", IN_FLIGHT)

        server.signal(number)
        await server.until_status("/readyz", 503)
        assert 503 == (await client.imagine("too late"))[0]

        answers = await asyncio.gather(*submits)
        assert [(200, 1)] * IN_FLIGHT == [(status, body["code"]) for status, body in answers]
        assert 0 == await server.ended(EXIT_S)
        await gone(family)
        assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


async def test_an_upstream_that_hangs_does_not_hold_the_exit_up(
    tmp_path: Path, upstream: str
) -> None:
    async with gateway(tmp_path, upstream) as client:
        server, family = client.server, client.server.family()
        (running,) = client.begin("runs")
        assert 200 == (await running)[0]
        submits = client.begin("hangs sandbox:hang", 3)
        await heard(upstream, "hangs", 3)
        async with aiohttp.ClientSession() as session:
            await session.put(
                f"{upstream}/sandbox/faults/list-by-condition", json={"fault": "hang"}
            )

        server.signal(signal.SIGTERM)

        answers = await asyncio.gather(*submits)
        assert 0 == await server.ended(PROMISED_S)
        await gone(family)
        assert [(504, "outcome_unknown")] * 3 == [
            (status, body["properties"]["error"]) for status, body in answers
        ]

        again = begin(tmp_path)
        try:
            await ready(again)
            client.server = again
            for _, body in answers:
                assert "NOT_START" == (await client.task(body["properties"]["taskId"]))["status"]
        finally:
            end(again)


async def test_a_second_signal_ends_at_once_and_loses_no_task(
    tmp_path: Path, upstream: str
) -> None:
    async with gateway(tmp_path, upstream, MJGATE_DRAIN_TIMEOUT="300") as client:
        server, family = client.server, client.server.family()
        submits = client.begin("hangs sandbox:hang", 3)
        await heard(upstream, "hangs", 3)

        server.signal(signal.SIGTERM)
        await server.until_status("/readyz", 503)
        server.signal(signal.SIGTERM)

        assert 0 == await server.ended(EXIT_S)
        await gone(family)
        await asyncio.gather(*submits, return_exceptions=True)
    assert [("unknown", 3)] == rows(
        tmp_path / "data", "select phase, count(*) from tasks group by phase"
    )


async def test_signals_while_it_cleans_up_do_not_cut_that_short(
    tmp_path: Path, upstream: str
) -> None:
    async with serving(tmp_path) as server:
        family = server.family()
        while postmaster_of(server.settings):
            server.signal(signal.SIGTERM)
            await asyncio.sleep(0.01)
        assert 0 == await server.ended(EXIT_S)
        await gone(family)


async def test_a_signal_before_it_serves_leaves_nothing_behind(tmp_path: Path) -> None:
    server = begin(tmp_path)
    try:
        await until(lambda: postmaster_of(server.settings), 60)
        family = server.family()
        server.signal(signal.SIGTERM)
        assert 0 == await server.ended(60)
        await gone(family)
        assert postmaster_of(server.settings) is None
        assert "Traceback" not in server.said
    finally:
        end(server)


@pytest.mark.parametrize(
    "victims", [("server",), ("postgres",), ("server", "postgres")], ids="+".join
)
async def test_after_a_kill_every_answered_submit_is_there_and_succeeds(
    tmp_path: Path, upstream: str, victims: tuple[str, ...]
) -> None:
    async with gateway(tmp_path, upstream) as client:
        server = client.server
        answered = [body["result"] for _, body in await asyncio.gather(*client.begin("early", 20))]
        late = client.begin("late", 20)
        await heard(upstream, "late", 1)

        if "postgres" in victims:
            postmaster = postmaster_of(server.settings)
            assert postmaster
            postmaster.kill()
        if "server" in victims:
            await server.killed()

        landed = await asyncio.gather(*late, return_exceptions=True)
        answers = [each for each in landed if isinstance(each, tuple)]
        answered += [body["result"] for status, body in answers if status == 200]
        assert len(answered) >= 20
        assert None not in answered

        again = begin(tmp_path) if "server" in victims else server
        try:
            await ready(again)
            client.server = again
            await asyncio.gather(*(client.succeeds(task) for task in answered))
            (fresh,) = client.begin("after")
            await client.succeeds((await fresh)[1]["result"])
        finally:
            end(again)
    assert [(0,)] == rows(
        tmp_path / "data",
        "select count(*) from tasks where phase = 'ended' and 1 <> "
        "(select count(*) from ledger where task_id = tasks.id and kind = 'charge')",
    )


async def test_the_sandbox_beside_it_dies_with_it_even_of_a_kill(tmp_path: Path) -> None:
    async with serving(tmp_path, "--sandbox", "--sandbox-port", "0") as server:
        sandboxes = [each for each in server.family() if "sandbox" in each.cmdline()]
        assert 1 == len(sandboxes)
        async with aiohttp.ClientSession() as session:
            client = Client(session, server, server.token)
            assert 200 == (await client.imagine("a first picture"))[0]
            await server.killed()
        await gone(sandboxes)


async def test_a_sandbox_channel_and_its_token_are_kept_at_the_next_start(
    tmp_path: Path, database: str
) -> None:
    settings = {"DATABASE_URL": database, "MJGATE_SECRET_KEY": new_secret_key()}
    tokens = []
    for _ in range(2):
        async with serving(tmp_path, "--sandbox", "--sandbox-port", "0", **settings) as server:
            tokens.append(server.token)
            async with aiohttp.ClientSession() as session:
                client = Client(session, server, server.token)
                _, body = await client.imagine("a first picture")
                assert 1 == body["code"]
    assert tokens[0] == tokens[1]
    with psycopg.connect(database) as connection:
        assert [(1,)] == connection.execute("select count(*) from channels").fetchall()


async def test_a_sandbox_that_cannot_start_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = begin(tmp_path, "--sandbox", "--sandbox-port", port)
        try:
            assert 2 == await server.ended(60)
        finally:
            end(server)
    assert f"mjgate: the sandbox did not start on port {port}; use --sandbox-port" in server.said
    assert postmaster_of(server.settings) is None


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = mjgate("serve", "--port", str(port), settings={"MJGATE_DATA_DIR": str(tmp_path)})
    assert 2 == done.returncode
    assert (
        f"mjgate: 127.0.0.1:{port} cannot be bound ([Errno 98] Address already in use); "
        "take another --host or --port\n"
    ) == done.stderr
    assert [] == list(tmp_path.iterdir())


def test_a_folder_of_pictures_that_cannot_be_written_is_named(
    tmp_path: Path, database: str
) -> None:
    settings = {
        "DATABASE_URL": database,
        "MJGATE_SECRET_KEY": new_secret_key(),
        "MJGATE_PICTURES_DIR": "/dev/null/pictures",
    }
    done = mjgate("serve", "--port", "0", settings=settings, cwd=tmp_path)

    assert 2 == done.returncode
    assert (
        "mjgate: MJGATE_PICTURES_DIR=/dev/null/pictures cannot be written (Not a directory); "
        "name another folder, or keep no pictures with MJGATE_PICTURES=off\n"
    ) == done.stderr


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({}, True),
        ({"MJGATE_PUBLIC_URL": "https://pictures.example.org"}, False),
        ({"MJGATE_PICTURES": "off", "MJGATE_PICTURES_DIR": "/dev/null/pictures"}, False),
    ],
)
async def test_one_that_listens_everywhere_is_told_to_say_where_it_is_reached(
    tmp_path: Path, database: str, settings: dict[str, str], warned: bool
) -> None:
    base = {"DATABASE_URL": database, "MJGATE_SECRET_KEY": new_secret_key()}
    async with serving(tmp_path, "--host", "0.0.0.0", **base, **settings) as server:
        assert warned == ("Set MJGATE_PUBLIC_URL" in server.said)


@pytest.mark.parametrize(
    ("host", "origin"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost"), ("::", "localhost"), ("::1", "[::1]")],
)
def test_a_server_is_reached_where_it_listens(host: str, origin: str) -> None:
    with listen(host, 0) as listener:
        assert f"http://{origin}:{listener.getsockname()[1]}" == origin_of(listener)


def test_listening_on_a_host_that_is_none_is_a_setting_fault() -> None:
    with pytest.raises(ConfigError, match=r"no-host\.invalid:0 cannot be bound"):
        listen("no-host.invalid", 0)


def test_it_listens_on_ipv6_too() -> None:
    with listen("::1", 0) as listener:
        assert "::1" == listener.getsockname()[0]


async def test_the_address_of_an_ipv6_server_can_be_opened(tmp_path: Path, database: str) -> None:
    settings = {"DATABASE_URL": database, "MJGATE_SECRET_KEY": new_secret_key()}
    async with serving(tmp_path, "--host", "::1", **settings) as server:
        assert server.address.startswith("http://[::1]:")
        assert 200 == await server.status("/healthz")


async def test_a_secret_key_that_opens_no_channel_key_is_named_at_start(
    tmp_path: Path, database: str
) -> None:
    good = {"DATABASE_URL": database, "MJGATE_SECRET_KEY": new_secret_key()}
    added = await asyncio.to_thread(
        mjgate, "channel", "add", "x", "--url", "http://127.0.0.1:9", "--key", "k", settings=good
    )
    assert 0 == added.returncode
    wrong = good | {"MJGATE_SECRET_KEY": new_secret_key()}
    done = await asyncio.to_thread(mjgate, "serve", "--port", "0", settings=wrong)
    assert 2 == done.returncode
    assert (
        "mjgate: MJGATE_SECRET_KEY does not open the keys in the database; "
        "set the key they were written with\n"
    ) == done.stderr


async def test_a_database_that_gives_too_few_connections_is_a_fault_of_the_start(
    tmp_path: Path, database: str
) -> None:
    name = database.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create role {0} login connection limit 2; grant all on database {1} to {0}; "
            "grant all on all tables in schema public to {0}; "
            "grant all on all sequences in schema public to {0}").format(
                sql.Identifier(f"poor_{name}"), sql.Identifier(name)
            )
        )  # fmt: skip
    uri = database.replace("//postgres:@", f"//poor_{name}:@")
    assert uri != database
    settings = {"DATABASE_URL": uri, "MJGATE_SECRET_KEY": new_secret_key()}
    done = await asyncio.to_thread(mjgate, "serve", "--port", "0", settings=settings)
    assert 2 == done.returncode
    assert "mjgate: the gateway did not start" in done.stderr


async def test_a_data_dir_below_home_is_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = {"MJGATE_DATA_DIR": "~/gate"}
    listed = await asyncio.to_thread(mjgate, "token", "list", settings=settings, cwd=tmp_path)
    assert 0 == listed.returncode, listed.stderr
    assert ["gate"] == os.listdir(tmp_path)
    assert {"postgres", "secret.key"} == set(os.listdir(tmp_path / "gate"))
    assert 0o600 == (tmp_path / "gate" / "secret.key").stat().st_mode & 0o777


def rows(data: Path, query: str) -> list[Any]:
    """What a query finds in the embedded database of a server that has ended."""
    embedded = Embedded(data)
    try:
        with psycopg.connect(embedded.start()) as connection:
            return connection.execute(query.encode()).fetchall()
    finally:
        embedded.stop()
