"""Keeping pictures: copied once, tried again, given up, and let go of."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec import structs
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from mjgate.domain.picture import Picture, file_name
from mjgate.domain.task import SUCCESS
from mjgate.gallery import Copies
from mjgate.gate import Gate
from mjgate.services.keep import keep_due, look, lost, tidy
from mjgate.storage import Folder
from mjgate.store.pictures import claim_due
from mjgate.store.tasks import advance_tasks, fetch_tasks
from tests.harness import free_port, until
from tests.services.gates import channel, client, open_gate
from tests.store.rows import intent, query, settled
from tests.upstream.raw import Raw, raw_upstream, says, stays_silent

PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)
GOOD = says(PNG, "200 OK", "Content-Type: image/png")


async def succeeded(gate: Gate, number: int, source: str, where: int = 1, **more: Any) -> None:
    """A task whose picture waits."""
    owner = await client(gate)
    await gate.store.writer.admit(intent(number, owner.id, channel=where))
    await gate.store.writer.settle(settled(number, channel=where, upstream_id=f"up{number}"))
    [task] = await fetch_tasks(gate.store.pool, owner.id, [number])
    done = structs.replace(task, status=SUCCESS, image_url=source, **more)
    assert {number} == await advance_tasks(gate.store.pool, [done])


async def of(gate: Gate, upstream: Raw, number: int = 1, path: str = "") -> None:
    """The same, of the one channel that leads to this upstream."""
    where = await channel(gate, f"channel {number}", upstream.address)
    await succeeded(gate, number, f"{upstream.address}/{path}", where)


async def kept(gate: Gate) -> None:
    """Copies what is due, to the end."""
    await keep_due(gate)
    while await gate.gallery.copies.ended(20):
        pass


def states(gate: Gate) -> list[Any]:
    return query(
        gate.store, "select state, attempts, failures, fault from pictures order by task_id"
    )


def due(gate: Gate) -> None:
    query(gate.store, "update pictures set moment = now() where state in ('waiting', 'copying')")


def folder(gate: Gate) -> Folder:
    assert isinstance(gate.gallery.storage, Folder)
    return gate.gallery.storage


def files(gate: Gate) -> list[Path]:
    return [path for path in folder(gate).path.rglob("*") if path.is_file()]


def counted(outcome: str) -> float:
    name, labels = "mjgate_picture_copies_total", {"outcome": outcome}
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_a_picture_that_is_due_is_copied_once(gate: Gate) -> None:
    before = counted("kept")
    async with raw_upstream(GOOD) as upstream:
        await of(gate, upstream, path="a.png")
        await kept(gate)
        await kept(gate)

        assert 1 == len(upstream.heard)
    assert [("kept", 1, 0, None)] == states(gate)
    [file] = files(gate)
    assert PNG == file.read_bytes()
    assert [("image/png", len(PNG))] == query(gate.store, "select media_type, size from pictures")
    assert before + 1 == counted("kept")


async def test_without_pictures_nothing_is_copied_and_what_waits_stays(database: str) -> None:
    async with open_gate(database, pictures=False) as gate, raw_upstream(GOOD) as upstream:
        await of(gate, upstream)
        assert 0 == await keep_due(gate)
        assert Picture(f"{upstream.address}/", "waiting", 0, True) == await look(gate, 1, 0)
        assert [] == upstream.heard

    async with open_gate(database) as gate:
        await kept(gate)
        [(state, *_)] = states(gate)
        assert "waiting" == state  # its source has gone meanwhile; it was tried


async def test_a_refused_address_is_given_up_at_once(gate: Gate) -> None:
    before = counted("refused")
    await succeeded(gate, 1, "http://169.254.169.254/latest/meta-data")

    await kept(gate)

    assert [("failed", 1, 1, "its address is refused: it is not public")] == states(gate)
    assert before + 1 == counted("refused")


async def test_an_operator_may_allow_networks(database: str) -> None:
    async with (
        open_gate(database, allow_private_hooks="127.0.0.0/8") as gate,
        raw_upstream(GOOD) as upstream,
    ):
        await succeeded(gate, 1, upstream.address)
        await kept(gate)

        assert [("kept", 1, 0, None)] == states(gate)


async def test_a_failure_is_tried_again_ever_later_and_then_given_up(gate: Gate) -> None:
    waits = []
    async with raw_upstream(says("no", "500 No")) as upstream:
        await of(gate, upstream)
        for _ in range(6):
            await kept(gate)
            waits += query(
                gate.store,
                "select extract(epoch from moment - clock_timestamp())::float8 from pictures "
                "where state = 'waiting'",
            )
            due(gate)

        assert 6 == len(upstream.heard)
    planned = zip((2, 10, 60, 600, 3600), waits, strict=True)
    assert all(most - 5 < wait <= most for most, (wait,) in planned)
    assert [("failed", 6, 6, "its source answers HTTP 500")] == states(gate)
    assert [] == files(gate)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<svg onload='alert(1)'/>", "its content is no picture"),
        (b"", "its content is no picture"),
        (b"<html>" + bytes(600_000), "its content is no picture"),
    ],
)
async def test_what_only_says_that_it_is_a_picture_is_none(
    gate: Gate, content: bytes, fault: str
) -> None:
    answer = says(content, "200 OK", "Content-Type: image/png")
    async with raw_upstream(answer) as upstream:
        await of(gate, upstream)
        await kept(gate)

    assert [("waiting", 1, 1, fault)] == states(gate)
    assert [] == files(gate)


async def test_what_it_is_is_told_by_its_content(gate: Gate) -> None:
    answer = says(b"GIF89a" + bytes(50), "200 OK", "Content-Type: application/octet-stream")
    async with raw_upstream(answer) as upstream:
        await of(gate, upstream)
        await kept(gate)

    assert [("image/gif",)] == query(gate.store, "select media_type from pictures")


async def test_one_that_is_too_large_is_given_up_and_leaves_nothing(database: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"

    async def pours(_reader: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(head + PNG)
        for _ in range(40):
            writer.write(bytes(100_000))
            await writer.drain()

    async with (
        open_gate(database, pictures_max_file=10**6) as gate,
        raw_upstream(pours) as upstream,
    ):
        await of(gate, upstream)
        await kept(gate)

        assert [("failed", 1, 1, "it is larger than 1000000 bytes")] == states(gate)
        assert [] == files(gate)


async def test_one_whose_copier_died_is_taken_up_and_its_files_go(gate: Gate) -> None:
    async with raw_upstream(GOOD) as upstream:
        await of(gate, upstream)
        [died] = await claim_due(gate.store.pool, 1, 0)

        async def whole() -> Any:
            yield PNG

        await folder(gate).put(f"1-0-{died.attempt}", whole())
        await kept(gate)

    assert [("kept", 2, 1, None)] == states(gate)
    assert ["1-0-2"] == [path.name for path in files(gate)]


async def test_one_that_kills_its_copiers_is_given_up(gate: Gate) -> None:
    async with raw_upstream(GOOD) as upstream:
        await of(gate, upstream)
        for _ in range(6):
            assert await claim_due(gate.store.pool, 1, 0)
        await kept(gate)

        assert [] == upstream.heard
    assert [("failed", 7, 7, "whoever copied it died")] == states(gate)


async def test_whoever_lost_its_lease_leaves_no_file(gate: Gate) -> None:
    before = counted("late")

    async def loses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        due(gate)
        assert await claim_due(gate.store.pool, 1, 60)
        await GOOD(reader, writer)

    async with raw_upstream(loses) as upstream:
        await of(gate, upstream)
        await kept(gate)

    assert [("copying", 2, 1, None)] == states(gate)
    assert [] == files(gate)
    assert before + 1 == counted("late")


async def test_a_storage_that_takes_nothing_costs_no_try(gate: Gate) -> None:
    folder(gate).path.rmdir()
    folder(gate).path.write_text("in the way")
    async with raw_upstream(GOOD) as upstream:
        await of(gate, upstream)
        with capture_logs() as logs:
            await kept(gate)

        assert "picture not stored" in [line["event"] for line in logs]
        [(state, attempts, failures, fault)] = states(gate)
        assert ("waiting", 1, 0) == (state, attempts, failures)
        assert str(folder(gate).path) in fault

        folder(gate).path.unlink()
        folder(gate).path.mkdir()
        due(gate)
        await kept(gate)

        assert [("kept", 2, 0, None)] == states(gate)


async def test_sources_where_nobody_answers_hold_up_those_that_do_no_longer(gate: Gate) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    where = await channel(gate, "dead", dead)
    for number in range(1, 9):
        await succeeded(gate, number, f"{dead}/{number}.png", where)
    await kept(gate)

    assert {dead} == gate.gallery.breaker.open()
    assert {("waiting", 1, 1)} == {row[:3] for row in states(gate)}
    due(gate)
    await kept(gate)
    assert {("waiting", 2, 2, "nobody answers at its source")} == set(states(gate))

    async with raw_upstream(GOOD) as upstream:
        await of(gate, upstream, 9)
        await kept(gate)
        assert ("kept", 1, 0, None) == states(gate)[-1]


async def test_copies_that_are_broken_off_are_due_at_once(gate: Gate) -> None:
    async with raw_upstream(stays_silent) as upstream:
        await of(gate, upstream)
        await keep_due(gate)
        await until(lambda: upstream.heard)
        assert 7 == gate.gallery.copies.free

        await gate.gallery.copies.close()

    assert [("waiting", 1, 0, "whoever copied it stopped")] == states(gate)
    assert 1 == len(await claim_due(gate.store.pool, 1, 60))
    assert [] == files(gate)


async def test_only_so_many_are_copied_at_once(database: str) -> None:
    async with (
        open_gate(database, pictures_at_once=2) as gate,
        raw_upstream(stays_silent) as upstream,
    ):
        for number in (1, 2, 3):
            await of(gate, upstream, number)
        assert 2 == await keep_due(gate)
        assert 0 == await keep_due(gate)


async def test_who_asks_for_one_that_is_due_has_it_copied(gate: Gate) -> None:
    async with raw_upstream(GOOD) as upstream:
        await of(gate, upstream)

        found = await asyncio.gather(*(look(gate, 1, 0) for _ in range(5)))

        assert 1 == len(upstream.heard)
    assert all(picture and picture.copy for picture in found)


async def test_who_asks_waits_for_whoever_copies_it(gate: Gate) -> None:
    go = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        await GOOD(reader, writer)

    async with raw_upstream(slow) as upstream:
        await of(gate, upstream)
        await keep_due(gate)
        asking = asyncio.create_task(look(gate, 1, 0))
        await until(lambda: upstream.heard)
        go.set()

        picture = await asking

        assert 1 == len(upstream.heard)
    assert picture is not None
    assert picture.copy is not None


async def test_who_asks_for_one_that_failed_does_not_wait(gate: Gate) -> None:
    async with raw_upstream(says("no", "500 No")) as upstream:
        await of(gate, upstream)
        for _ in range(2):
            picture = await look(gate, 1, 0)
            assert picture is not None
            assert (f"{upstream.address}/", "waiting", None) == (
                picture.source,
                picture.state,
                picture.copy,
            )
            query(gate.store, "update pictures set moment = now() + interval '1 hour'")

        assert 1 == len(upstream.heard)


async def test_who_asks_while_too_many_are_copied_does_not_wait(gate: Gate) -> None:
    async with raw_upstream(GOOD) as upstream:
        await of(gate, upstream)
        gallery = replace(gate.gallery, copies=Copies(0))

        picture = await look(replace(gate, gallery=gallery), 1, 0)

        assert [] == upstream.heard
    assert picture is not None
    assert "waiting" == picture.state


async def test_nobody_asks_for_a_picture_of_no_task(gate: Gate) -> None:
    assert None is await look(gate, 1, 0)


async def test_a_lost_file_is_copied_again(gate: Gate) -> None:
    async with raw_upstream(GOOD) as upstream:
        await of(gate, upstream)
        picture = await look(gate, 1, 0)
        assert picture is not None
        [file] = files(gate)
        file.unlink()

        await lost(gate, 1, 0, picture)
        again = await look(gate, 1, 0)

        assert 2 == len(upstream.heard)
    assert again is not None
    assert 2 == again.attempt
    assert ["1-0-2"] == [path.name for path in files(gate)]


async def test_a_copy_that_nobody_could_write_down_is_made_again(gate: Gate) -> None:
    """It is in storage, and nobody knows: with its lease it is copied anew."""

    async def cuts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query(gate.store, "alter table pictures rename to pictures_away")
        await GOOD(reader, writer)

    async with raw_upstream(cuts) as upstream:
        await of(gate, upstream)
        with capture_logs() as logs:
            await kept(gate)
        query(gate.store, "alter table pictures_away rename to pictures")

    assert ["copy failed"] == [line["event"] for line in logs]
    assert [("copying", 1, 0, None)] == states(gate)
    assert 1 == len(files(gate))
    async with raw_upstream(GOOD) as upstream:
        query(gate.store, "update tasks set image_url = %s", upstream.address)
        query(gate.store, "update pictures set source = %s", f"{upstream.address}/")
        await channel(gate, "again", upstream.address)
        query(gate.store, "update tasks set channel_id = (select max(id) from channels)")
        due(gate)
        await kept(gate)

    assert [("kept", 2, 1, None)] == states(gate)
    assert ["1-0-2"] == [path.name for path in files(gate)]


async def test_old_pictures_go_with_their_files(gate: Gate) -> None:
    async with raw_upstream(GOOD) as upstream:
        for number in (1, 2):
            await of(gate, upstream, number)
        await kept(gate)
    query(gate.store, "update pictures set moment = now() - interval '31 days' where task_id = 1")

    await tidy(gate)

    assert ["2-0-1"] == [path.name for path in files(gate)]
    assert [(2,)] == query(gate.store, "select task_id from pictures")
    assert [(1, True), (2, False)] == query(
        gate.store, "select id, picture_gone from tasks order by id"
    )


async def test_pictures_that_are_too_many_go_oldest_first(database: str) -> None:
    async with (
        open_gate(database, pictures_max_bytes=2 * len(PNG)) as gate,
        raw_upstream(GOOD) as upstream,
    ):
        for number in (1, 2, 3):
            await of(gate, upstream, number)
            await kept(gate)

        await tidy(gate)

        assert ["2-0-1", "3-0-1"] == sorted(path.name for path in files(gate))


@pytest.mark.parametrize("settings", [{"pictures_keep_days": 1}, {"pictures_max_bytes": 0}])
async def test_more_than_one_batch_is_let_go_of(database: str, settings: dict[str, int]) -> None:
    async with open_gate(database, **settings) as gate:
        query(
            gate.store,
            "insert into pictures (task_id, place, source, state, moment, attempts, media_type, "
            "size, hash) select n, 0, 'http://a', 'kept', now() - interval '2 days', 1, "
            "'image/png', 7, '' from generate_series(1, 450) n",
        )

        await tidy(gate)

        assert [] == states(gate)


async def test_a_copy_outlives_a_database_that_goes_away(
    database: str, postgres: str, gate: Gate
) -> None:
    """What remains is its lease, and its file, which goes with the next attempt."""
    name = database.partition("?")[0].rpartition("/")[2]

    def allow(yes: bool) -> None:
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(f"alter database {name} allow_connections {yes}".encode())
            if not yes:
                admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                    [name],
                )

    async def cuts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        allow(False)
        await GOOD(reader, writer)

    async with raw_upstream(cuts) as upstream:
        await of(gate, upstream)
        with capture_logs() as logs:
            await kept(gate)
        allow(True)

    assert "copy interrupted" in [line["event"] for line in logs]
    assert [("copying", 1, 0, None)] == states(gate)
    assert 1 == len(files(gate))


async def test_a_file_that_cannot_be_removed_keeps_up_no_other(gate: Gate) -> None:
    async with raw_upstream(GOOD) as upstream:
        for number in (1, 2, 3):
            await of(gate, upstream, number)
        await kept(gate)
    [place] = folder(gate).path.rglob(file_name(1, 0, 1).rpartition("/")[2])
    place.unlink()
    place.mkdir()
    query(gate.store, "select forget_pictures('{1,2,3}')")

    with capture_logs() as logs:
        await tidy(gate)
    assert [1] == [line["count"] for line in logs]
    assert [(1, "dropped")] == query(gate.store, "select task_id, state from pictures")
    assert [] == files(gate)


async def test_files_that_cannot_be_removed_now_are_later(gate: Gate) -> None:
    async with raw_upstream(GOOD) as upstream:
        await of(gate, upstream)
        await kept(gate)
    query(gate.store, "select forget_pictures('{1}')")
    aside = folder(gate).path.rename(folder(gate).path.with_name("aside"))
    folder(gate).path.write_text("in the way")

    with capture_logs() as logs:
        await tidy(gate)
    assert ["pictures not removed"] == [line["event"] for line in logs]
    assert [("dropped",)] == query(gate.store, "select state from pictures")

    folder(gate).path.unlink()
    aside.rename(folder(gate).path)
    await tidy(gate)

    assert [] == files(gate)
    assert [] == states(gate)
