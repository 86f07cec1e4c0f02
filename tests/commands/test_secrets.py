"""`mjgate secrets`."""

import asyncio
import subprocess
import sys
from pathlib import Path

import aiohttp
import orjson
import psycopg
import pytest

from mjgate.sandbox import Settings, running_sandbox
from mjgate.store.cipher import FILE, Cipher, new_secret_key
from tests.commands.conftest import Commands
from tests.harness import SECRET_KEY
from tests.process import Client, environment, serving

DEAD = "http://127.0.0.1:9"


@pytest.fixture
def keyed(commands: Commands) -> Commands:
    """Commands on a database with one channel that has a key."""
    commands("channel", "add", "home", "--url", DEAD, "--key", "sk-good")
    return commands


def channel_key(commands: Commands, keys: str) -> str:
    ((sealed,),) = commands.rows("select key_cipher from channels")
    return Cipher(keys).decrypt(bytes(sealed))


def test_a_new_key_put_first_is_written_everywhere(keyed: Commands) -> None:
    new = new_secret_key()
    keyed.settings["MJGATE_SECRET_KEY"] = f"{new},{SECRET_KEY}"
    assert "0 open with the first key, 1 with another.\n" == keyed.good("secrets", "check")

    assert "Rewrote 1; 0 had the first key already.\n" == keyed.good("secrets", "rotate")

    assert "sk-good" == channel_key(keyed, new)
    assert {"rewritten": 0, "current": 1, "file": None} == keyed.json("secrets", "rotate")
    keyed.settings["MJGATE_SECRET_KEY"] = new
    assert "1 open with the first key, 0 with another.\n" == keyed.good("secrets", "check")
    assert keyed.good("secrets", "rotate").endswith(
        "There is one key: put a new one before it to rotate, NEW,OLD.\n"
    )


def test_values_that_no_key_opens_are_named(keyed: Commands) -> None:
    keyed.settings["MJGATE_SECRET_KEY"] = new_secret_key()

    result = keyed("secrets", "check")

    assert (1, "0 open with the first key, 0 with another, with none: home.\n") == (
        result.exit_code,
        result.stdout,
    )
    assert {"current": 0, "older": 0, "closed": ["home"]} == orjson.loads(
        keyed("secrets", "check", "--json").stdout
    )
    assert keyed.fault("secrets", "rotate").startswith(
        "no key of MJGATE_SECRET_KEY opens the secrets of home; "
    )


def test_a_key_file_gets_a_new_key_before_the_old_ones(keyed: Commands) -> None:
    file = Path(keyed.file(FILE, SECRET_KEY + "\n"))
    keyed.settings |= {"MJGATE_SECRET_KEY": None, "MJGATE_SECRET_KEY_FILE": str(file)}

    said = keyed.good("secrets", "rotate")

    new, old = file.read_text().strip().split(",")
    assert (SECRET_KEY, "sk-good") == (old, channel_key(keyed, new))
    assert (
        "Rewrote 1; 0 had the first key already.\n"
        f"{file} keeps the old keys behind the new one, for older dumps.\n"
    ) == said
    keyed.json("secrets", "rotate")
    assert [new, old] == file.read_text().strip().split(",")[1:]


def test_a_rotation_that_was_cut_short_is_finished_with_its_key(keyed: Commands) -> None:
    new = new_secret_key()
    file = Path(keyed.file(FILE, f"{new},{SECRET_KEY}\n"))
    keyed.settings |= {"MJGATE_SECRET_KEY": None, "MJGATE_SECRET_KEY_FILE": str(file)}

    assert {"rewritten": 1, "current": 0, "file": str(file)} == keyed.json("secrets", "rotate")

    assert f"{new},{SECRET_KEY}\n" == file.read_text()
    assert "sk-good" == channel_key(keyed, new)


def test_a_rotation_that_is_killed_loses_no_key(keyed: Commands) -> None:
    file = Path(keyed.file(FILE, SECRET_KEY + "\n"))
    keyed.settings |= {"MJGATE_SECRET_KEY": None, "MJGATE_SECRET_KEY_FILE": str(file)}
    settings = {"DATABASE_URL": keyed.uri, "MJGATE_SECRET_KEY_FILE": str(file)}
    with psycopg.connect(keyed.uri) as connection:
        connection.execute("lock channels in share mode")
        with subprocess.Popen(
            [sys.executable, "-m", "mjgate", "secrets", "rotate"], env=environment(**settings)
        ) as process:
            while "," not in file.read_text():
                assert process.poll() is None
            process.kill()

    kept = file.read_text()
    assert "0 open with the first key, 1 with another.\n" == keyed.good("secrets", "check")
    assert 1 == keyed.json("secrets", "rotate")["rewritten"]
    assert kept == file.read_text()


def test_a_key_and_a_key_file_are_one_too_many(keyed: Commands) -> None:
    keyed.settings["MJGATE_SECRET_KEY_FILE"] = keyed.file(FILE, SECRET_KEY)
    assert "MJGATE_SECRET_KEY and MJGATE_SECRET_KEY_FILE are one too many; unset one" == (
        keyed.fault("secrets", "check", code=2)
    )


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_running_server_takes_a_new_key_of_the_embedded_database_up(
    tmp_path: Path, workers: str
) -> None:
    with running_sandbox(Settings(speed=50, secret="sk-good", core_size=64)) as upstream:
        async with serving(tmp_path, "--workers", workers) as server:

            async def run(*words: str) -> str:
                done = await asyncio.to_thread(server.command, *words)
                assert 0 == done.returncode, done.stderr
                return done.stdout

            await run("channel", "add", "home", "--url", upstream, "--key", "sk-good")
            token = (await run("token", "create", "alice")).split()[0]
            async with aiohttp.ClientSession() as session:
                client = Client(session, server, token)
                await draws(client)
                assert 1 == orjson.loads(await run("secrets", "rotate", "--json"))["rewritten"]
                await draws(client)
    assert 2 == len((tmp_path / "data" / FILE).read_text().split(","))


async def draws(client: Client) -> None:
    """Submits enough to reach every worker; each needs the channel's key."""
    answers = await asyncio.gather(*client.begin("a fox", 12))
    assert [(200, True)] * 12 == [(status, body["code"] in (1, 22)) for status, body in answers]
