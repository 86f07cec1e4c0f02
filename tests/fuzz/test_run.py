"""The runner says 0 only of a server that was asked, and that answered by the rules."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mjgate.app import create_app
from mjgate.config import Config
from mjgate.store.cipher import Cipher
from tests.contract.document import DOCUMENT
from tests.fuzz import run
from tests.fuzz.campaign import Tally
from tests.harness import SECRET_KEY, Gateway, free_port, served

# Hypothesis says so of a failure with a large body, in place of the failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


async def fuzz(*words: str) -> int:
    return await asyncio.to_thread(run.main, words)


def publishing(status: int, document: Any) -> ASGIApp:
    """A server that has a document and nothing else."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        found = scope["path"] == "/openapi.json"
        body = json.dumps(document if found else {}).encode()
        headers = [(b"content-type", b"application/json")]
        begun = {"type": "http.response.start", "status": status if found else 404}
        await send(begun | {"headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def lying(app: ASGIApp) -> ASGIApp:
    """The gateway, but for its X-Request-Id."""

    async def liar(scope: Scope, receive: Receive, send: Send) -> None:
        async def changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [each for each in message["headers"] if each[0] != b"x-request-id"]
                message = {**message, "headers": kept}
            await send(message)

        await app(scope, receive, changed if scope["type"] == "http" else send)

    return liar


@pytest.fixture
async def liar(database: str, token: str) -> AsyncIterator[str]:
    config = Config(
        database_url=SecretStr(database), secret_key=SecretStr(SECRET_KEY), pictures=False
    )
    app = create_app(config, database, Cipher(SECRET_KEY))
    async with served(lying(app)) as address:
        yield address


async def test_a_wrong_token_cannot_be_run_with(
    ready: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == await fuzz("--url", ready.address, "--token", "sk-wrong")
    assert "refuses the token" in capsys.readouterr().err


async def test_a_server_that_is_not_there_cannot_be_run_against(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert 2 == await fuzz("--url", f"http://127.0.0.1:{free_port()}", "--token", "any")
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "document", "said"),
    [
        (404, {"no": "document"}, "404"),
        (200, {"no": "document"}, "openapi.json"),
        (200, {**DOCUMENT, "paths": {}}, "has no operations"),
    ],
)
async def test_a_server_without_operations_cannot_be_run_against(
    status: int, document: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(publishing(status, document)) as address:
        assert 2 == await fuzz("--url", address, "--token", "any", "--seed", "1")
    assert said in capsys.readouterr().err


async def test_a_server_that_breaks_a_rule_fails_with_a_way_to_ask_again(
    liar: str, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--url", liar, "--token", token, "--seed", "random", "--max-examples", "1")
    assert 1 == await fuzz(*words)
    said = capsys.readouterr().out
    assert "FAILED request_id_echoed" in said
    assert f"{liar}/mj/submit/imagine" in said
    assert "curl" in said


async def test_a_gateway_of_its_own_passes_and_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--seed", "20", "--max-examples", "15", "--faults", "ending")
    assert 0 == await fuzz(*words, "--report", str(tmp_path)), capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    (ran,) = report["runs"]
    assert [] == report["failures"]
    assert report["cases"] == sum(each["count"] for each in ran["cases"]) <= ran["sent"]
    assert f"{report['cases']} cases on the seeds {ran['seed']}" in capsys.readouterr().out
    assert (tmp_path / "server.log").read_text()


async def test_too_few_cases_are_a_failure() -> None:
    tally = Tally(1)
    assert ["fewer than 2 cases"] == [each.text for each in run.missing([tally], 2)]
    assert [] == run.missing([tally], 0)


@pytest.mark.parametrize("seed", ["", "soon", "-1"])
async def test_a_seed_is_a_number_or_random(seed: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(["--seed", seed])
