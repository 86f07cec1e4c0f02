"""A developer's journey: the generated client, a real server, a sandbox in each dialect."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from mjgate.sandbox import DIALECTS, DialectName, Settings, running_sandbox
from mjgate.store.cipher import new_secret_key
from mjgate_client import AuthenticatedClient
from mjgate_client.api.statements import fetch_key, fetch_usage
from mjgate_client.api.tasks import fetch_task, list_tasks, submit_change, submit_imagine
from mjgate_client.models import (
    Error,
    ErrorSlug,
    ImagineRequest,
    Key,
    ListRequest,
    PictureAction,
    Reroll,
    SheetAction,
    SubmitResult,
    Task,
    TaskAction,
    UpscaleOrVary,
    Usage,
    UsageLine,
)
from tests.harness import Gateway, new_database, running_gateway
from tests.process import Server, serving

PATIENCE_S = 80
STAGES = ["NOT_START", "SUBMITTED", "IN_PROGRESS", "SUCCESS"]
SPEED = {"novicezk": 0.5, "buttons": 2.0, "new-api": 2.0}
"""In life's own time SUBMITTED lasts a second, which is our cycle: slower shows it for sure."""

Change = UpscaleOrVary | Reroll


@dataclass(frozen=True)
class Party:
    """A client, the server that it speaks to and that server's upstream."""

    server: Server
    token: str
    dialect: DialectName

    @property
    def client(self) -> AuthenticatedClient:
        return AuthenticatedClient(base_url=self.server.address, token=self.token)


@pytest.fixture(scope="module")
async def server(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    settings = {"DATABASE_URL": new_database(postgres), "MJGATE_SECRET_KEY": new_secret_key()}
    async with serving(tmp_path_factory.mktemp("server"), **settings) as running:
        yield running


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> DialectName:
    name: DialectName = request.param
    return name


@pytest.fixture
def upstream(dialect: DialectName) -> Iterator[str]:
    told = Settings(dialect=dialect, speed=SPEED[dialect], secret="sk-upstream", core_size=16)
    with running_sandbox(told) as address:
        yield address


@pytest.fixture
async def party(server: Server, upstream: str, dialect: DialectName) -> AsyncIterator[Party]:
    """Made with commands beside the running server; the dialect is found out by them."""
    add = ("channel", "add", dialect, "--url", upstream, "--key-file", "-")
    said = await asyncio.to_thread(server.command, *add, stdin="sk-upstream\n")
    assert said.stdout.startswith(f"Added {dialect!r}. It speaks {dialect} and answers in ")
    made = await asyncio.to_thread(server.command, "token", "create", dialect, "--budget", "1")
    try:
        yield Party(server, made.stdout.split()[0], dialect)
    finally:
        remove = ("channel", "remove", dialect, "--force")
        assert 0 == (await asyncio.to_thread(server.command, *remove)).returncode


def of_sheet(parent: str) -> dict[str, Change]:
    """The changes of a sheet of four pictures, by the sign that their description ends with."""
    return {
        "U2": UpscaleOrVary(action=PictureAction.UPSCALE, index=2, task_id=parent, state="U2"),
        "V3": UpscaleOrVary(action=PictureAction.VARIATION, index=3, task_id=parent, state="V3"),
        "R": Reroll(action=SheetAction.REROLL, task_id=int(parent), state="R"),
    }


async def watched(client: AuthenticatedClient, task_id: str) -> list[Task]:
    """Every different look of a task until it ends, newest last."""
    seen: list[Task] = []
    async with asyncio.timeout(PATIENCE_S):
        while not seen or seen[-1].status not in ("SUCCESS", "FAILURE"):
            task = await fetch_task.asyncio(task_id, client=client)
            assert isinstance(task, Task), task
            if not seen or task != seen[-1]:
                seen.append(task)
            await asyncio.sleep(0.02)
    return seen


def watched_sync(client: AuthenticatedClient, task_id: str) -> Task:
    while True:
        task = fetch_task.sync(task_id, client=client)
        assert isinstance(task, Task), task
        if task.status in ("SUCCESS", "FAILURE"):
            return task


def accepted(answer: SubmitResult | Error | None) -> str:
    assert isinstance(answer, SubmitResult), answer
    assert 1 == answer.code
    assert answer.result
    assert 16 == len(answer.result)
    return answer.result


def percent(task: Task) -> int:
    return int((task.progress or "0%").removesuffix("%"))


async def opened(url: str | None) -> Image.Image:
    assert url
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert (200, "image/png") == (response.status, response.content_type)
        return Image.open(io.BytesIO(await response.read()))


async def test_a_picture_and_its_changes_through_every_stage(party: Party) -> None:
    async with party.client as client:
        imagine = ImagineRequest(prompt="a red fox --ar 1:1", state="mine", notify_hook="")
        sheet = accepted(await submit_imagine.asyncio(client=client, body=imagine))
        looks = await watched(client, sheet)

        statuses = list(dict.fromkeys(str(look.status) for look in looks))
        assert statuses == [stage for stage in STAGES if stage in statuses]
        assert {"NOT_START", "IN_PROGRESS", "SUCCESS"} <= set(statuses)
        if party.dialect == "novicezk":
            assert STAGES == statuses
        steps = [percent(look) for look in looks]
        assert sorted(steps) == steps
        assert [100] == [step for step in steps if step == 100]
        await check_sheet(looks[-1])

        changes = {
            sign: accepted(await submit_change.asyncio(client=client, body=change))
            for sign, change in of_sheet(sheet).items()
        }
        ends = await asyncio.gather(*(watched(client, each) for each in changes.values()))
        for sign, end in zip(changes, ends, strict=True):
            await check_change(end[-1], sheet, sign, changes[sign])

        listed = await list_tasks.asyncio(
            client=client, body=ListRequest(ids=[int(sheet), *changes.values(), "1"])
        )
        assert isinstance(listed, list)
        assert [sheet, *changes.values()] == [task.id for task in listed]
        await check_money(party)


async def check_sheet(done: Task) -> None:
    assert (TaskAction.IMAGINE, "SUCCESS", "100%", "mine") == (
        done.action, done.status, done.progress, done.state,
    )  # fmt: skip
    assert ("a red fox --ar 1:1", None) == (done.prompt, done.fail_reason)
    assert done.start_time
    assert done.finish_time
    assert done.submit_time <= done.start_time <= done.finish_time
    assert "PNG" == (await opened(done.image_url)).format


async def check_change(done: Task, parent: str, sign: str, task_id: str) -> None:
    action = {"U": TaskAction.UPSCALE, "V": TaskAction.VARIATION, "R": TaskAction.REROLL}[sign[0]]
    assert (task_id, action, "SUCCESS", "100%", sign) == (
        done.id, done.action, done.status, done.progress, done.state,
    )  # fmt: skip
    assert "PNG" == (await opened(done.image_url)).format
    if done.description and done.description.startswith("/up "):
        assert done.description.startswith(f"/up {parent} "), done.description


async def check_money(party: Party) -> None:
    """A sheet, its upscale, a variation and a reroll: 0.1 + 0.05 + 0.1 + 0.1."""
    listed = await asyncio.to_thread(party.server.command, "token", "list", "--json")
    assert f'"label": "{party.dialect}"' in listed.stdout
    row = listed.stdout.partition(f'"label": "{party.dialect}"')[2]
    assert '"spent": "0.35",\n    "held": "0",' in row


def test_the_same_with_the_sync_client(server: Server, postgres: str) -> None:
    told = Settings(dialect="novicezk", speed=40)
    with running_sandbox(told) as address:
        assert (
            "It speaks novicezk" in server.command("channel", "add", "x", "--url", address).stdout
        )
        token = server.command("token", "create", "sync").stdout.split()[0]
        with AuthenticatedClient(
            base_url=server.address, token=token, prefix="", auth_header_name="mj-api-secret"
        ) as client:
            sheet = accepted(submit_imagine.sync(client=client, body=ImagineRequest(prompt="猫")))
            assert "SUCCESS" == watched_sync(client, sheet).status
            upscale = of_sheet(sheet)["U2"]
            change = accepted(submit_change.sync(client=client, body=upscale))
            assert TaskAction.UPSCALE == watched_sync(client, change).action
            listed = list_tasks.sync(client=client, body=ListRequest(ids=[change, sheet]))
            assert isinstance(listed, list)
            assert [change, sheet] == [task.id for task in listed]
            nothing = fetch_task.sync("1", client=client)
            assert isinstance(nothing, Error)
            assert ErrorSlug.NOT_FOUND == nothing.properties.error
        assert 0 == server.command("channel", "remove", "x", "--force").returncode


def usage(answer: Usage | Error | None) -> Usage:
    assert isinstance(answer, Usage), answer
    return answer


async def paged(client: AuthenticatedClient, limit: int) -> list[UsageLine]:
    """Every line of a token, page by page."""
    page = usage(await fetch_usage.asyncio(client=client, limit=limit))
    lines = page.lines
    while page.cursor:
        page = usage(await fetch_usage.asyncio(client=client, limit=limit, cursor=page.cursor))
        assert (None, None) == (page.days, page.models)
        lines += page.lines
    return lines


async def test_a_token_is_told_what_it_may_spend_and_what_it_has_spent(ready: Gateway) -> None:
    ready.rows("update tokens set budget = 1000000 returning id")
    async with AuthenticatedClient(base_url=ready.address, token=ready.key) as client:
        for prompt in ("a red fox", "sandbox:fail"):
            imagine = ImagineRequest(prompt=prompt)
            await watched(
                client, accepted(await submit_imagine.asyncio(client=client, body=imagine))
            )

        key = await fetch_key.asyncio(client=client)
        assert isinstance(key, Key)
        assert ("client", "1", "0.1", "0", "0.9") == (
            key.label, key.budget, key.spent, key.held, key.remaining,
        )  # fmt: skip

        whole = usage(await fetch_usage.asyncio(client=client))
        assert ["release", "hold", "charge", "hold"] == [line.kind for line in whole.lines]
        assert whole.lines == await paged(client, 1) == await paged(client, 3)
        assert whole.models
        assert [("mj_imagine", 2, 1, 1, "0.1")] == [
            (each.model, each.submitted, each.charged, each.released, each.spent)
            for each in whole.models
        ]
        assert Decimal(key.spent) == sum(Decimal(line.spent) for line in whole.lines)
        assert Decimal(key.held) == sum(Decimal(line.held) for line in whole.lines)
    await asyncio.to_thread(check_sync_statements, ready, key, whole)


def check_sync_statements(gateway: Gateway, key: Key, whole: Usage) -> None:
    with AuthenticatedClient(base_url=gateway.address, token=gateway.key) as client:
        assert key == fetch_key.sync(client=client)
        last = usage(fetch_usage.sync(client=client, from_=whole.to, to=whole.to, limit=1000))
        assert (whole.to, whole.to, None) == (last.from_, last.to, last.cursor)
        refused = fetch_usage.sync(client=client, cursor=2**53 - 1)
        assert isinstance(refused, Error)
        assert ["#cursor"] == [each.pointer for each in refused.properties.errors]


async def test_a_submit_with_a_key_of_its_own_is_safe_to_send_again(ready: Gateway) -> None:
    async with AuthenticatedClient(base_url=ready.address, token=ready.key) as client:
        body = ImagineRequest(prompt="a red fox")
        first, again = [
            await submit_imagine.asyncio_detailed(client=client, body=body, idempotency_key="one")
            for _ in range(2)
        ]
        assert accepted(first.parsed) == accepted(again.parsed)
        assert [None, "true"] == [
            answer.headers.get("Idempotency-Replayed") for answer in (first, again)
        ]
        other = await submit_imagine.asyncio(
            client=client, body=ImagineRequest(prompt="a dog"), idempotency_key="one"
        )
        assert isinstance(other, Error)
        assert ErrorSlug.KEY_REUSED == other.properties.error
        holds = usage(await fetch_usage.asyncio(client=client)).models
        assert holds
        assert [1] == [each.submitted for each in holds]


class Operator:
    """One who changes things beside a running server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, *words: str, stdin: str | None = None) -> str:
        done = await asyncio.to_thread(self._server.command, *words, stdin=stdin)
        assert 0 == done.returncode, done.stderr
        return done.stdout


async def slug(client: AuthenticatedClient, prompt: str = "a red fox") -> str:
    """`accepted`, or what an imagine is refused with."""
    answer = await submit_imagine.asyncio(client=client, body=ImagineRequest(prompt=prompt))
    if isinstance(answer, Error):
        return str(answer.properties.error)
    accepted(answer)
    return "accepted"


@pytest.mark.parametrize("database_url", [False, True], ids=["embedded", "DATABASE_URL"])
async def test_what_an_operator_changes_takes_effect_at_once(
    tmp_path: Path, database: str, sandbox: str, database_url: bool
) -> None:
    key = {"DATABASE_URL": database, "MJGATE_SECRET_KEY": new_secret_key()}
    async with serving(tmp_path, **(key if database_url else {})) as server:
        operator = Operator(server)
        async with AuthenticatedClient(base_url=server.address, token="mj-nobody") as stranger:
            assert "unauthorized" == await slug(stranger)

        token = (await operator("token", "create", "alice", "--budget", "0.3")).split()[0]
        async with AuthenticatedClient(base_url=server.address, token=token) as client:
            assert "unavailable" == await slug(client)
            await operator("channel", "add", "home", "--url", sandbox)
            assert "accepted" == await slug(client)

            await operator("channel", "set", "home", "--state", "disabled")
            assert "unavailable" == await slug(client)
            await operator("channel", "set", "home", "--state", "enabled", "--models", "mj_blend")
            assert "unavailable" == await slug(client)
            await operator("channel", "set", "home", "--models", "mj_imagine")
            assert "accepted" == await slug(client)

            await operator("price", "set", "-", stdin='{"mj_imagine": 0.11}')
            assert "budget_spent" == await slug(client)
            await operator("price", "set", "-", stdin='{"mj_blend": 0.01}')
            assert "forbidden" == await slug(client)
            await operator("price", "set", "-", stdin='{"mj_*": 0.1}')
            assert "accepted" == await slug(client)
            assert "budget_spent" == await slug(client)

            await operator("token", "revoke", "alice")
            assert "unauthorized" == await slug(client)


@pytest.fixture
async def gates(postgres: str) -> AsyncIterator[Callable[..., object]]:
    """Opens gateways that end with the test, the last one first."""
    async with AsyncExitStack() as stack:

        async def begin() -> Gateway:
            return await stack.enter_async_context(running_gateway(new_database(postgres)))

        yield begin


@pytest.mark.parametrize("spoken", ["novicezk", "new-api"])
async def test_a_gateway_is_an_upstream_of_another(
    gates: Callable[[], AsyncIterator[Gateway]], sandbox: str, spoken: str
) -> None:
    inner, outer = await gates(), await gates()  # type: ignore[misc]
    await inner.channel("sandbox", sandbox)
    await outer.channel("gateway", inner.address, spoken, inner.key)
    async with AuthenticatedClient(base_url=outer.address, token=outer.key) as client:
        imagine = ImagineRequest(prompt="a red fox", state="mine")
        sheet = accepted(await submit_imagine.asyncio(client=client, body=imagine))
        done = (await watched(client, sheet))[-1]
        assert ("SUCCESS", "mine", "/imagine a red fox") == (
            done.status, done.state, done.description,
        )  # fmt: skip
        assert "PNG" == (await opened(done.image_url)).format
        for sign, change in of_sheet(sheet).items():
            made = accepted(await submit_change.asyncio(client=client, body=change))
            end = (await watched(client, made))[-1]
            assert ("SUCCESS", sign, f"/up {sheet} {sign}") == (
                end.status, end.state, end.description,
            )  # fmt: skip
    spent = "select held, spent from tokens where label = 'client'"
    assert [(0, 350_000)] == inner.rows(spent) == outer.rows(spent)
    theirs = {row[0] for row in inner.rows("select id::text from tasks")}
    ours = {row[0] for row in outer.rows("select upstream_id from tasks")}
    assert theirs == ours
