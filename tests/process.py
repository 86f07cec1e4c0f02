"""Real processes: `mjgate` as a shell would start it, ended by their own pids."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from tests.harness import until

_READY = re.compile(r"^mjgate on (\S+)", re.MULTILINE)
_TOKEN = re.compile(r"^token +(\S+)$", re.MULTILINE)
_START_S = 40.0
_END_S = 20.0


def environment(**settings: str) -> dict[str, str]:
    """Ours, without the settings of a gateway that may be about."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MJGATE_") and name != "DATABASE_URL"
    }
    return ours | settings


def mjgate(
    *words: str, settings: Mapping[str, str], stdin: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A command that has run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mjgate", *words],
        env=environment(**settings),
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        cwd=cwd,
        check=False,
    )


@dataclass
class Server:
    """A `mjgate serve` of its own process group."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    settings: Mapping[str, str]
    address: str = ""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def token(self) -> str:
        """The token that `--sandbox` printed."""
        found = _TOKEN.search(self.err.read_text())
        assert found, self.err.read_text()
        return found[1]

    @property
    def said(self) -> str:
        return self.out.read_text() + self.err.read_text()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def command(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command on the same data."""
        return mjgate(*words, settings=self.settings, stdin=stdin)

    def family(self) -> list[psutil.Process]:
        """Every process that it has started, and that should be gone with it."""
        found = psutil.Process(self.pid).children(recursive=True)
        postmaster = postmaster_of(self.settings)
        return found + ([postmaster, *postmaster.children(recursive=True)] if postmaster else [])

    async def ended(self, seconds: float = _END_S) -> int:
        """Its exit code."""
        await until(lambda: self.process.poll() is not None, seconds)
        return self.process.returncode

    async def killed(self) -> None:
        self.process.kill()
        await self.ended()

    async def status(self, path: str) -> int:
        """The status of a GET, 0 where nobody answers."""
        with suppress(aiohttp.ClientError):
            async with (
                aiohttp.ClientSession() as session,
                session.get(self.address + path) as response,
            ):
                return response.status
        return 0

    async def until_status(self, path: str, status: int, seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while await self.status(path) != status:
                await asyncio.sleep(0.05)


def postmaster_of(settings: Mapping[str, str]) -> psutil.Process | None:
    """The embedded PostgreSQL of a data directory."""
    file = Path(settings.get("MJGATE_DATA_DIR", ".")) / "postgres" / "postmaster.pid"
    with suppress(FileNotFoundError, psutil.NoSuchProcess, ValueError, IndexError):
        return psutil.Process(int(file.read_text().splitlines()[0]))
    return None


async def gone(processes: Sequence[psutil.Process], seconds: float = 30) -> None:
    """Waits for the end of processes that are about to end."""
    await until(lambda: not living(processes), seconds)


def living(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@asynccontextmanager
async def serving(folder: Path, *words: str, **settings: str) -> AsyncIterator[Server]:
    """A server that has said it is ready; `folder` takes its data and what it says."""
    server = begin(folder, *words, **settings)
    try:
        await ready(server)
        yield server
    finally:
        end(server)


def begin(folder: Path, *words: str, **settings: str) -> Server:
    """Starts a server and waits for nothing."""
    if "DATABASE_URL" not in settings:
        settings = {"MJGATE_DATA_DIR": str(folder / "data")} | settings
    number = len(list(folder.glob("*.err")))
    out, err = folder / f"{number}.out", folder / f"{number}.err"
    port = () if "--port" in words else ("--port", "0")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "mjgate", "serve", *port, *words],
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            process_group=0,
        )
    return Server(process, out, err, settings)


async def ready(server: Server) -> None:
    """Waits for the line that names the address, then for readiness."""

    def address() -> Any:
        assert server.process.poll() is None, server.said
        return _READY.search(server.err.read_text())

    server.address = (await until(address, _START_S))[1]
    await server.until_status("/readyz", 200)


def end(server: Server) -> None:
    """Ends what is left of it."""
    left = server.family() if server.process.poll() is None else []
    postmaster = postmaster_of(server.settings)
    if server.process.poll() is None:
        server.signal(signal.SIGTERM)
        try:
            server.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
    for process in living([*left, *([postmaster] if postmaster else [])]):
        with suppress(psutil.NoSuchProcess):
            process.kill()


class Client:
    """One who submits to a server, on a new connection for each request."""

    def __init__(self, session: aiohttp.ClientSession, server: Server, key: str) -> None:
        self._session = session
        self._headers = {"mj-api-secret": key}
        self.server = server

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._session.request(
            method, self.server.address + path, json=body, headers=self._headers
        ) as response:
            return response.status, await response.json()

    async def imagine(self, prompt: str) -> tuple[int, Any]:
        return await self.ask("POST", "/mj/submit/imagine", {"prompt": prompt})

    def begin(self, prompt: str, times: int = 1) -> list[asyncio.Task[tuple[int, Any]]]:
        return [asyncio.create_task(self.imagine(prompt)) for _ in range(times)]

    async def task(self, task_id: str) -> Any:
        status, body = await self.ask("GET", f"/mj/task/{task_id}/fetch")
        assert 200 == status, body
        return body

    async def succeeds(self, task_id: str, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while (body := await self.task(task_id))["status"] != "SUCCESS":
                assert "FAILURE" != body["status"], body
                await asyncio.sleep(0.1)


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[Client]:
    """A client with a token of its own."""
    made = await asyncio.to_thread(server.command, "token", "create", "client")
    assert 0 == made.returncode, made.stderr
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Client(session, server, made.stdout.split()[0])


@asynccontextmanager
async def gateway(
    folder: Path, upstream: str, *words: str, **settings: str
) -> AsyncIterator[Client]:
    """A client of a server whose one channel is an upstream in the novicezk dialect."""
    async with serving(folder, *words, **settings) as server:
        added = await asyncio.to_thread(
            server.command, "channel", "add", "sandbox", "--url", upstream, "--dialect", "novicezk"
        )
        assert 0 == added.returncode, added.stderr
        async with client_of(server) as client:
            yield client


async def heard(upstream: str, text: str, times: int) -> None:
    """Waits until a sandbox has heard so many submits with a text."""
    address = f"{upstream}/sandbox/requests"
    asked = {"path": "/mj/submit", "text": text}
    async with aiohttp.ClientSession() as session, asyncio.timeout(20):
        while True:
            async with session.get(address, params=asked) as answer:
                if len((await answer.json())["requests"]) >= times:
                    return
            await asyncio.sleep(0.02)
