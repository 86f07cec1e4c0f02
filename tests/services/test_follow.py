"""Following the running tasks of a channel."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from mjgate.domain.task import DEADLINE, ENDS, LOST, Task
from mjgate.domain.token import Token
from mjgate.gate import Gate
from mjgate.sandbox import Settings, running_sandbox
from mjgate.sandbox.settings import DialectName
from mjgate.services.ask import MOST_IDS
from mjgate.services.follow import MOST_LOOKED, Follower, end_overdue
from mjgate.services.submit import change, imagine
from mjgate.store.channels import set_channel
from mjgate.store.tasks import fetch_tasks
from tests.harness import free_port
from tests.services.gates import change_of, channel, client, heard, open_gate, picture
from tests.store.rows import PRICE, intent, money, query, settled
from tests.upstream.raw import Raw, Speak, by_path, raw_upstream, resets, says, stays_silent

RECORDED: dict[str, Any] = {
    "action": "IMAGINE",
    "status": "IN_PROGRESS",
    "progress": "31%",
    "description": "/imagine a fox",
}


async def running(gate: Gate, where: int, number: int, upstream_id: str, **more: Any) -> Token:
    """A task that a channel knows by an id, of a new token."""
    owner = await client(gate)
    await gate.store.writer.admit(intent(number, owner.id, channel=where, **more))
    await gate.store.writer.settle(settled(number, channel=where, upstream_id=upstream_id))
    return owner


async def read(gate: Gate, owner: Token, number: int) -> Task:
    [task] = await fetch_tasks(gate.store.pool, owner.id, [number])
    return task


def hasty(gate: Gate, where: int, **more: float) -> Follower:
    """A follower for whom a second passes between two looks at the clock."""
    start = later(gate)
    seconds = itertools.count()
    patient = {"patience_s": 10.0, **more}
    return Follower(replace(gate, clock=lambda: start + 1000 * next(seconds)), where, **patient)


def later(gate: Gate) -> int:
    """When tasks that were accepted just now are due."""
    return gate.clock() + 2000


async def ended(gate: Gate, follower: Follower, owner: Token, number: int) -> Task:
    async with asyncio.timeout(20):
        while (task := await read(gate, owner, number)).status not in ENDS:
            await follower.look()
            await asyncio.sleep(0.02)
    return task


def lists(*tasks: Any) -> Speak:
    return says(json.dumps(tasks))


def lists_heard(raw: Raw) -> Iterator[list[str]]:
    """The ids of each list call."""
    for call in raw.heard:
        head, _, body = call.partition(b"\r\n\r\n")
        if b"list-by-condition" in head:
            yield json.loads(body)["ids"]


@pytest.mark.parametrize("fault", ["", "stray", "twice"])
async def test_a_task_is_followed_to_its_end_whatever_else_is_listed(
    gate: Gate, sandbox: str, fault: str
) -> None:
    where = await channel(gate, "sandbox", sandbox)
    owner = await client(gate)
    word = f"sandbox:list:{fault}" if fault else ""
    answer = await imagine(gate, owner, picture(f"a fox {word}"))

    task = await ended(gate, hasty(gate, where), owner, int(answer["result"]))

    assert ("SUCCESS", "100%") == (task.status, task.progress)
    assert (0, PRICE) == money(gate.store, owner.id)
    assert 1 == len(query(gate.store, "select id from tasks"))


@pytest.mark.parametrize(
    ("life", "status"),
    [
        ("fail", "FAILURE"),
        ("fail-early", "FAILURE"),
        ("fail-late", "FAILURE"),
        ("backwards", "SUCCESS"),
        ("waiting", "SUCCESS"),
        ("full", "SUCCESS"),
        ("nul-progress", "SUCCESS"),
        ("status", "SUCCESS"),
        ("blind", "SUCCESS"),
    ],
)
async def test_odd_lives_end_and_are_paid_by_their_end(
    gate: Gate, sandbox: str, life: str, status: str
) -> None:
    where = await channel(gate, "sandbox", sandbox)
    owner = await client(gate)
    answer = await imagine(gate, owner, picture(f"a fox sandbox:{life}"))

    task = await ended(gate, hasty(gate, where), owner, int(answer["result"]))

    assert status == task.status
    assert (0, PRICE if status == "SUCCESS" else 0) == money(gate.store, owner.id)


@pytest.mark.parametrize(
    "fault", ["garbage", "html", "null", "http500", "http404", "reset", "cut", "mangled", "empty"]
)
async def test_a_list_that_is_none_changes_nothing_and_the_next_one_counts(
    gate: Gate, fault: str
) -> None:
    with running_sandbox(Settings(speed=1000)) as address:
        where = await channel(gate, "sandbox", address)
        owner = await client(gate)
        number = int((await imagine(gate, owner, picture()))["result"])
        before = await read(gate, owner, number)
        await switch(address, "list-by-condition", fault)
        await switch(address, "fetch", "http500")
        follower = hasty(gate, where)

        assert 1 == await follower.look()
        assert before == await read(gate, owner, number)
        assert not follower.idle

        assert "SUCCESS" == (await ended(gate, follower, owner, number)).status
        assert follower.idle


async def switch(address: str, operation: str, fault: str, times: int | None = 1) -> None:
    async with aiohttp.ClientSession() as session:
        place = f"{address}/sandbox/faults/{operation}"
        async with session.put(place, json={"fault": fault, "times": times}) as response:
            assert 204 == response.status


async def test_an_upstream_that_lists_nothing_ends_nothing(gate: Gate) -> None:
    async with raw_upstream(lists()) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 1, "theirs")
        before = await read(gate, owner, 1)

        assert 1 == await hasty(gate, where).look()

        assert before == await read(gate, owner, 1)
        assert [b"POST /mj/task/list-by-condition", b"GET /mj/task/theirs/fetch"] == [
            h.split(b" HTTP")[0] for h in raw.heard
        ]


async def test_an_upstream_that_is_down_changes_nothing_and_is_reported(gate: Gate) -> None:
    where = await channel(gate, "dead", f"http://127.0.0.1:{free_port()}")
    owner = await running(gate, where, 1, "theirs")
    before = await read(gate, owner, 1)

    with capture_logs() as logs:
        assert 1 == await hasty(gate, where).look()

    assert before == await read(gate, owner, 1)
    assert ["upstream does not answer"] == [line["event"] for line in logs]
    assert (PRICE, 0) == money(gate.store, owner.id)


async def test_ids_that_were_not_asked_for_are_ignored(gate: Gate) -> None:
    stray = {**RECORDED, "id": "other", "status": "SUCCESS"}
    async with raw_upstream(lists(stray, None, 7, {}, {"id": 1}, {**RECORDED, "id": "a"})) as raw:
        where = await channel(gate, "raw", raw.address)
        other = await channel(gate, "elsewhere", raw.address)
        one = await running(gate, where, 1, "a")
        two = await running(gate, other, 2, "other")

        await hasty(gate, where).look()

    assert "31%" == (await read(gate, one, 1)).progress
    assert ("NOT_START", None) == (
        (await read(gate, two, 2)).status,
        (await read(gate, two, 2)).progress,
    )


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("/up 1795408020557714 U1", "/up 1 U1"),
        ("/up 1795408020557714 R 77", "/up 1 R 2"),
        ("/describe 77.png", "/describe 2.png"),
        ("/imagine 777 x77 17954080205577140 foxes", "/imagine 777 x77 17954080205577140 foxes"),
        ("提交成功", "提交成功"),
        ("", "/imagine a fox"),
    ],
)
async def test_descriptions_name_our_ids(gate: Gate, theirs: str, ours: str) -> None:
    item = {**RECORDED, "id": "77", "description": theirs}
    async with raw_upstream(lists(item)) as raw:
        where = await channel(gate, "raw", raw.address)
        await running(gate, where, 1, "1795408020557714")
        owner = await running(gate, where, 2, "77", parent=1)

        await hasty(gate, where).look()

    assert ours == (await read(gate, owner, 2)).wire()["description"]


@pytest.mark.parametrize("dialect", ["novicezk", "buttons", "new-api"])
async def test_changes_are_made_and_followed_in_every_dialect(
    gate: Gate, dialect: DialectName
) -> None:
    with running_sandbox(Settings(dialect=dialect, speed=1000)) as address:
        where = await channel(gate, "sandbox", address, dialect="auto")
        owner = await client(gate)
        follower = hasty(gate, where)
        first = int((await imagine(gate, owner, picture()))["result"])
        await ended(gate, follower, owner, first)

        for action, index in (("UPSCALE", 2), ("VARIATION", 3), ("REROLL", 1)):
            answer = await change(gate, owner, change_of(first, action, index))
            assert 1 == answer["code"]
            task = await ended(gate, follower, owner, int(answer["result"]))

            assert ("SUCCESS", action) == (task.status, task.action)
            description = str(task.description)
            assert description == "提交成功" or description.startswith(f"/up {first} ")
            for (bound,) in query(gate.store, "select upstream_id from tasks"):
                assert bound not in description

    [(spoken,)] = query(gate.store, "select spoken from channels")
    assert dialect == spoken


async def test_a_call_asks_for_a_hundred_and_beyond_a_look_each_has_its_turn(gate: Gate) -> None:
    many = MOST_LOOKED + 50
    async with raw_upstream(lists()) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await client(gate)
        for some in (range(many)[start::3] for start in range(3)):
            await asyncio.gather(
                *(gate.store.writer.admit(intent(n, owner.id, channel=where)) for n in some)
            )
            await asyncio.gather(
                *(
                    gate.store.writer.settle(settled(n, channel=where, upstream_id=f"up{n}"))
                    for n in some
                )
            )
        moment = later(gate)
        follower = Follower(replace(gate, clock=lambda: moment), where, patience_s=30.0)

        counts = [await follower.look() for _ in range(3)]

        assert [MOST_LOOKED, 50, 0] == counts
        calls = [*lists_heard(raw)]
        assert MOST_IDS == max(map(len, calls))
        assert {f"up{n}": 1 for n in range(many)} == Counter(
            each for call in calls for each in call
        )
        await follower.close()


async def test_fresh_tasks_are_looked_at_more_often_than_old_ones(gate: Gate) -> None:
    tasks = [{**RECORDED, "id": name} for name in ("fresh", "old")]
    async with raw_upstream(lists(*tasks)) as raw:
        where = await channel(gate, "raw", raw.address)
        await running(gate, where, 1, "fresh")
        await running(gate, where, 2, "old")
        query(gate.store, "update tasks set accepted_at = now() - interval '1 day' where id = 2")
        moment = [later(gate)]
        follower = Follower(replace(gate, clock=lambda: moment[0]), where, patience_s=10.0)

        for _ in range(21):
            await follower.look()
            moment[0] += 1000

        asked = Counter(each for ids in lists_heard(raw) for each in ids)
        assert asked["old"] * 3 < asked["fresh"]
        assert 2 <= asked["old"]


async def test_what_changed_during_the_look_is_not_overwritten(gate: Gate) -> None:
    answer = lists({**RECORDED, "id": "theirs"})

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query(gate.store, "update tasks set progress = '62%%', version = version + 1")
        await answer(reader, writer)

    async with raw_upstream(slowly) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 1, "theirs")
        follower = hasty(gate, where)

        await follower.look()

        assert "62%" == (await read(gate, owner, 1)).progress
        assert not follower.idle


async def test_an_end_of_what_changed_during_the_look_is_seen_again(gate: Gate) -> None:
    answer = lists({**RECORDED, "id": "theirs", "status": "SUCCESS"})
    elsewhere = iter(["update tasks set progress = '62%%', version = version + 1"])

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for statement in elsewhere:
            query(gate.store, statement)
        await answer(reader, writer)

    async with raw_upstream(slowly) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 1, "theirs")
        follower = hasty(gate, where)

        await follower.look()
        assert "NOT_START" == (await read(gate, owner, 1)).status

        assert "SUCCESS" == (await ended(gate, follower, owner, 1)).status
        assert follower.idle


async def test_a_channel_that_was_removed_is_asked_no_more(gate: Gate) -> None:
    async with raw_upstream(lists({**RECORDED, "id": "theirs"})) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 1, "theirs")
        await set_channel(gate.store.pool, gate.store.cipher, "raw", {"state": "removed"})
        await heard(gate)

        assert 1 == await hasty(gate, where).look()

        assert ([], "NOT_START") == (raw.heard, (await read(gate, owner, 1)).status)


async def test_one_bad_item_harms_no_other(gate: Gate) -> None:
    items = [
        {**RECORDED, "id": "a", "imageUrl": "x\0", "failReason": 7, "progress": ["1%"]},
        {**RECORDED, "id": "b", "startTime": 2**70, "finishTime": -1, "prompt": "\ud800"},
        {
            **RECORDED,
            "id": "c",
            "buttons": [{"style": 10**30}],
            "properties": {"finalPrompt": "\0"},
        },
        {**RECORDED, "id": "d"},
    ]
    async with raw_upstream(lists(*items)) as raw:
        where = await channel(gate, "raw", raw.address)
        for number, name in enumerate("abcd"):
            await running(gate, where, number, name)

        await hasty(gate, where).look()

    assert [("IN_PROGRESS",)] * 4 == query(gate.store, "select status from tasks")


async def test_what_the_database_refuses_of_one_task_harms_no_other(gate: Gate) -> None:
    query(gate.store, "alter table tasks add constraint poison check (prompt_en <> 'poison')")
    poison = {**RECORDED, "id": "b", "promptEn": "poison", "status": "SUCCESS"}
    async with raw_upstream(lists({**RECORDED, "id": "a"}, poison)) as raw:
        where = await channel(gate, "raw", raw.address)
        owners = [await running(gate, where, n, name) for n, name in enumerate("ab")]

        with capture_logs() as logs:
            await hasty(gate, where).look()

    assert [("IN_PROGRESS",), ("NOT_START",)] == query(
        gate.store, "select status from tasks order by id"
    )
    assert [1] == [line["task"] for line in logs if line["event"] == "task refused"]
    assert (PRICE, 0) == money(gate.store, owners[1].id)


async def test_a_clock_that_is_behind_the_database_delays_no_look(gate: Gate) -> None:
    async with raw_upstream(lists()) as raw:
        where = await channel(gate, "raw", raw.address)
        await running(gate, where, 1, "theirs")
        behind = gate.clock() - 3_600_000
        seconds = itertools.count()
        follower = Follower(replace(gate, clock=lambda: behind + 1000 * next(seconds)), where)

        assert [0, 1] == [await follower.look() for _ in range(2)]


async def outlived(gate: Gate, follower: Follower, looks: int = 12) -> None:
    """Enough looks of a hasty follower for anything to happen."""
    for _ in range(looks):
        await follower.look()


@pytest.mark.parametrize("dialect", ["novicezk", "buttons", "new-api"])
async def test_a_task_that_its_upstream_has_forgotten_is_lost_and_free(
    gate: Gate, dialect: DialectName
) -> None:
    with running_sandbox(Settings(dialect=dialect, speed=1000)) as address:
        where = await channel(gate, "sandbox", address, dialect=dialect)
        owner = await client(gate)
        answer = await imagine(gate, owner, picture("a fox sandbox:lost"))

        with capture_logs() as logs:
            task = await ended(gate, hasty(gate, where, lost_s=5), owner, int(answer["result"]))

    assert ("FAILURE", LOST, "上游任务丢失") == (task.status, task.ended_by, task.fail_reason)
    assert (0, 0) == money(gate.store, owner.id)
    assert [task.id] == [line["task"] for line in logs if line["event"] == "lost"]


async def test_for_a_minute_no_task_is_lost(gate: Gate, sandbox: str) -> None:
    where = await channel(gate, "sandbox", sandbox)
    owner = await client(gate)
    number = int((await imagine(gate, owner, picture("a fox sandbox:lost")))["result"])
    moment = [later(gate)]
    follower = Follower(replace(gate, clock=lambda: moment[0]), where, patience_s=10.0)

    for _ in range(60):
        await follower.look()
        assert "NOT_START" == (await read(gate, owner, number)).status
        moment[0] += 1000
    for _ in range(3):
        moment[0] += 1000
        await follower.look()

    assert LOST == (await read(gate, owner, number)).ended_by


@pytest.mark.parametrize("speak", [says("<html>"), says("[]", "500 No"), resets])
async def test_an_upstream_that_answers_with_something_else_makes_nothing_lost(
    gate: Gate, speak: Speak
) -> None:
    async with raw_upstream(speak) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 1, "theirs")

        await outlived(gate, hasty(gate, where, lost_s=0))

        assert "NOT_START" == (await read(gate, owner, 1)).status


async def test_a_fetch_that_fails_makes_nothing_lost(gate: Gate) -> None:
    async with raw_upstream(by_path(lists(), says("", "500 No"))) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 1, "theirs")

        await outlived(gate, hasty(gate, where, lost_s=0))

        assert "NOT_START" == (await read(gate, owner, 1)).status


async def test_a_task_that_no_list_shows_is_fetched(gate: Gate) -> None:
    fetched = says(json.dumps({**RECORDED, "id": "theirs"}))
    async with raw_upstream(by_path(lists(), fetched)) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 1, "theirs")

        await hasty(gate, where).look()

        assert "31%" == (await read(gate, owner, 1)).progress


async def test_a_task_that_comes_back_is_not_lost(gate: Gate) -> None:
    shown = [False]
    item = {**RECORDED, "id": "theirs"}

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await by_path(lists(*[item] * shown[0]), says(""))(reader, writer)

    async with raw_upstream(speak) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 1, "theirs")
        follower = hasty(gate, where, lost_s=20)
        for _ in range(3):
            await follower.look()
            shown[0] = True
            await follower.look()
            shown[0] = False
            await outlived(gate, follower, 3)

        assert (None, "IN_PROGRESS") == (
            (await read(gate, owner, 1)).ended_by,
            (await read(gate, owner, 1)).status,
        )


@pytest.mark.parametrize("fault", ["garbage", "http500", "reset", "cut", "mangled", "hang"])
async def test_a_task_that_spoils_every_list_harms_no_other(database: str, fault: str) -> None:
    with running_sandbox(Settings(speed=1000, core_size=64, queue_size=1000)) as address:
        async with open_gate(database, upstream_timeout=2.0) as gate:
            where = await channel(gate, "sandbox", address)
            owner = await client(gate)
            prompts = ["a fox"] * 25 + [f"a fox sandbox:list:{fault}"]
            answers = [await imagine(gate, owner, picture(prompt)) for prompt in prompts]
            follower = hasty(gate, where, patience_s=10)

            for answer in answers:
                task = await ended(gate, follower, owner, int(answer["result"]))
                assert "SUCCESS" == task.status

            await follower.close()
    assert (0, 26 * PRICE) == money(gate.store, owner.id)


async def test_where_no_list_works_tasks_are_fetched(gate: Gate) -> None:
    with running_sandbox(Settings(speed=1000, core_size=64, queue_size=1000)) as address:
        where = await channel(gate, "sandbox", address)
        owner = await client(gate)
        answers = [await imagine(gate, owner, picture()) for _ in range(30)]
        await switch(address, "list-by-condition", "http404", times=None)
        follower = hasty(gate, where)

        for answer in answers:
            task = await ended(gate, follower, owner, int(answer["result"]))
            assert "SUCCESS" == task.status


async def test_an_upstream_that_answers_nobody_is_not_asked_task_by_task(gate: Gate) -> None:
    async with raw_upstream(says("", "500 No")) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await client(gate)
        for number in range(1, 201):
            await gate.store.writer.admit(intent(number, owner.id, channel=where))
            await gate.store.writer.settle(
                settled(number, channel=where, upstream_id=f"up{number}")
            )
        moment = later(gate)
        follower = Follower(replace(gate, clock=lambda: moment), where)

        await follower.look()

        assert 2 + 10 + 10 + 1 >= len(raw.heard)


async def test_a_list_that_hangs_holds_up_no_other(gate: Gate) -> None:
    hanging = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(raw.heard[-1].partition(b"\r\n\r\n")[2])["ids"]
        if "up0" in asked:
            hanging.set()
            await stays_silent(reader, writer)
        await lists(*({**RECORDED, "id": each} for each in asked))(reader, writer)

    async with raw_upstream(speak) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await client(gate)
        for number in range(MOST_IDS + 20):
            await gate.store.writer.admit(intent(number, owner.id, channel=where))
            await gate.store.writer.settle(
                settled(number, channel=where, upstream_id=f"up{number}")
            )
        follower = hasty(gate, where, patience_s=0.5)

        assert MOST_IDS + 20 == await follower.look()

        listed = "select count(*) from tasks where status = 'IN_PROGRESS'"
        async with asyncio.timeout(20):
            await hanging.wait()
            while [(20,)] != query(gate.store, listed):
                await follower.look()
        await follower.close()


async def test_a_task_past_its_deadline_is_looked_at_and_ends(gate: Gate) -> None:
    items = [{**RECORDED, "id": "a"}, {**RECORDED, "id": "b", "status": "SUCCESS"}]
    async with raw_upstream(by_path(lists(*items), says(""))) as raw:
        where = await channel(gate, "raw", raw.address)
        owners = {}
        for number, name in enumerate("abc"):
            owners[number] = await running(gate, where, number, name)
        query(gate.store, "update tasks set deadline = now()")

        await hasty(gate, where).look()

    found = [await read(gate, owner, number) for number, owner in owners.items()]
    assert [("FAILURE", DEADLINE), ("SUCCESS", None), ("FAILURE", DEADLINE)] == [
        (task.status, task.ended_by) for task in found
    ]
    assert ("31%", "上游任务超时") == (found[0].progress, found[0].fail_reason)
    assert [(0, 0), (0, PRICE), (0, 0)] == [money(gate.store, o.id) for o in owners.values()]


async def test_a_task_long_past_its_deadline_ends_as_its_upstream_says(gate: Gate) -> None:
    items = [{**RECORDED, "id": "a"}, {**RECORDED, "id": "b", "status": "SUCCESS"}]
    async with raw_upstream(lists(*items)) as raw:
        where = await channel(gate, "raw", raw.address)
        owners = [await running(gate, where, number, name) for number, name in enumerate("ab")]
        query(gate.store, "update tasks set deadline = now() - interval '1 hour'")
        follower = hasty(gate, where)

        await follower.look()

    assert ["FAILURE", "SUCCESS"] == [
        (await read(gate, owner, number)).status for number, owner in enumerate(owners)
    ]
    assert follower.idle


async def test_a_task_that_nobody_answers_for_is_left_to_the_sweep(gate: Gate) -> None:
    where = await channel(gate, "dead", f"http://127.0.0.1:{free_port()}")
    owner = await running(gate, where, 1, "theirs")
    query(gate.store, "update tasks set deadline = now()")
    moment = [later(gate)]
    follower = Follower(replace(gate, clock=lambda: moment[0]), where)

    await follower.look()
    assert not follower.idle
    moment[0] += 120_000
    await follower.look()

    assert "NOT_START" == (await read(gate, owner, 1)).status
    assert follower.idle


async def test_a_task_that_another_has_ended_is_followed_no_more(gate: Gate) -> None:
    async with raw_upstream(lists({**RECORDED, "id": "theirs"})) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 1, "theirs")
        follower = hasty(gate, where)
        await follower.look()
        await end_overdue(gate, [await read(gate, owner, 1)])
        query(gate.store, "update tasks set deadline = now()")

        while not follower.idle:
            await follower.look()

        assert DEADLINE == (await read(gate, owner, 1)).ended_by
        assert (0, 0) == money(gate.store, owner.id)


async def test_what_the_database_refuses_is_not_hurried(gate: Gate) -> None:
    query(gate.store, "alter table tasks add constraint poison check (prompt_en <> 'poison')")
    async with raw_upstream(lists({**RECORDED, "id": "a", "promptEn": "poison"})) as raw:
        where = await channel(gate, "raw", raw.address)
        await running(gate, where, 1, "a")
        moment = [later(gate)]
        follower = Follower(replace(gate, clock=lambda: moment[0]), where, patience_s=10.0)

        for _ in range(20):
            await follower.look()
            moment[0] += 1000

        assert 1 == len(raw.heard)


async def test_a_page_of_new_tasks_is_no_bound(gate: Gate) -> None:
    async with raw_upstream(lists()) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await client(gate)
        query(
            gate.store,
            "insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, "
            "send_deadline, deadline, accepted_at, upstream_id, status, submit_ms) select n, %s, "
            "%s, 'IMAGINE', 'm', 0, 'running', 'm', now(), now() + interval '1 h', now(), "
            "'up' || n, 'NOT_START', 1 from generate_series(1, 5500) n",
            owner.id,
            where,
        )
        moment = later(gate)
        follower = Follower(replace(gate, clock=lambda: moment), where, patience_s=30.0)

        looked = 0
        while more := await follower.look():
            looked += more
            assert follower.behind == (looked < 5500)

        assert 5500 == looked
        await follower.close()


async def test_a_task_that_is_hinted_at_is_looked_at_before_it_is_due(gate: Gate) -> None:
    async with raw_upstream(lists({**RECORDED, "id": "17"}, {**RECORDED, "id": "18"})) as raw:
        where = await channel(gate, "raw", raw.address)
        moment = gate.clock()
        owners = [await running(gate, where, n, str(n)) for n in (17, 18)]
        follower = Follower(replace(gate, clock=lambda: moment), where, patience_s=10.0)
        assert 0 == await follower.look()

        follower.hint(["17", "nobody's"])
        assert follower.news.is_set()
        assert 1 == await follower.look()

        statuses = [
            (await read(gate, owner, n)).status for owner, n in zip(owners, (17, 18), strict=True)
        ]
        assert ["IN_PROGRESS", "NOT_START"] == statuses
        assert not follower.news.is_set()
        assert 1 == len(raw.heard)


async def test_a_task_that_ended_by_a_hint_is_not_looked_at_when_it_was_due(gate: Gate) -> None:
    async with raw_upstream(lists({**RECORDED, "id": "17", "status": "SUCCESS"})) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await running(gate, where, 17, "17")
        moments = itertools.chain([gate.clock()] * 8, itertools.repeat(later(gate)))
        follower = Follower(replace(gate, clock=lambda: next(moments)), where, patience_s=10.0)
        await follower.look()

        follower.hint(["17"])
        await follower.look()
        for _ in range(8):
            await follower.look()

        assert "SUCCESS" == (await read(gate, owner, 17)).status
        assert 1 == len(raw.heard)


async def test_a_task_that_is_due_and_hinted_at_is_looked_at_once(gate: Gate) -> None:
    async with raw_upstream(lists({**RECORDED, "id": "17"})) as raw:
        where = await channel(gate, "raw", raw.address)
        await running(gate, where, 17, "17")
        follower = Follower(replace(gate, clock=lambda: later(gate)), where, patience_s=10.0)
        await follower._meet(later(gate))

        follower.hint(["17"])
        assert 1 == await follower.look()

        asked = json.loads(raw.heard[0].partition(b"\r\n\r\n")[2])
        assert {"ids": ["17"]} == asked
