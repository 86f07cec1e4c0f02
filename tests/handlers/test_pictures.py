"""Pictures over HTTP, at addresses of ours."""

import hashlib
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from mjgate.contract.ranges import Part
from mjgate.domain.task import SUCCESS
from mjgate.errors import StorageError
from mjgate.handlers.pictures import _stream
from mjgate.services.show import address
from mjgate.storage import Folder
from mjgate.store.tasks import advance_tasks, fetch_tasks
from tests.harness import Gateway, running_gateway
from tests.store.rows import intent, settled
from tests.upstream.raw import Raw, Speak, raw_upstream, says

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000
TAG = f'"{hashlib.sha256(PNG).hexdigest()}"'
GOOD = says(PNG, "200 OK", "Content-Type: image/png")
_OTHERS = ("date", "server", "x-request-id")
"""Headers that every answer has."""
_numbers = itertools.count(1_795_000_000_000_000)


@dataclass(slots=True)
class Shown:
    """An answer, its body read."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


async def shown(gateway: Gateway, link: str, method: str = "GET", **headers: str) -> Shown:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with gateway.session.request(
        method, link, headers=sent, allow_redirects=False
    ) as response:
        low = {name.lower(): value for name, value in response.headers.items()}
        low = {name: value for name, value in low.items() if name not in _OTHERS}
        return Shown(response.status, low, await response.read())


async def fault(gateway: Gateway, link: str, method: str = "GET", **headers: str) -> Any:
    """Status, code and slug of an answer in the one error shape."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with gateway.session.request(method, link, headers=sent) as response:
        body = await response.json()
        assert {"code", "description", "properties", "result"} == body.keys()
        assert response.headers["X-Request-Id"]
        return response.status, body["code"], body["properties"]["error"]


async def succeeded(gateway: Gateway, source: str | None, **more: Any) -> int:
    """A task of the first channel and the first token whose picture is there."""
    number, store = next(_numbers), gateway.gate.store
    await store.writer.admit(intent(number, 1))
    await store.writer.settle(settled(number, upstream_id=f"up{number}"))
    [task] = await fetch_tasks(store.pool, 1, [number])
    done = structs.replace(task, status=SUCCESS, image_url=source, **more)
    assert {number} == await advance_tasks(store.pool, [done])
    return number


@asynccontextmanager
async def upstream_of(gateway: Gateway, speak: Speak) -> AsyncIterator[Raw]:
    async with raw_upstream(speak) as upstream:
        await gateway.channel("upstream", upstream.address)
        yield upstream


@pytest.fixture
async def link(gateway: Gateway) -> AsyncIterator[str]:
    """Where a picture is served; its upstream is there for as long."""
    async with upstream_of(gateway, GOOD) as upstream:
        number = await succeeded(gateway, upstream.address)
        yield (await gateway.fetch(str(number)))["imageUrl"]


def files(gateway: Gateway) -> list[Path]:
    storage = gateway.gate.gallery.storage
    assert isinstance(storage, Folder)
    return [path for path in storage.path.rglob("*") if path.is_file()]


async def test_a_picture_is_served_with_all_that_is_to_be_said_of_it(
    gateway: Gateway, link: str
) -> None:
    got = await shown(gateway, link)

    assert (200, PNG) == (got.status, got.body)
    task = link.partition("?")[0].rpartition("/")[2]
    caching = got.headers.pop("cache-control").split(", ")
    age_s = int(caching[1].removeprefix("max-age="))
    assert ("public", "immutable") == (caching[0], caching[2])
    assert 7 * 86_400 - 60 < age_s <= 8 * 86_400
    assert {
        "etag": TAG,
        "content-type": "image/png",
        "content-length": str(len(PNG)),
        "content-disposition": f'inline; filename="{task}.png"',
        "x-content-type-options": "nosniff",
        "accept-ranges": "bytes",
    } == got.headers


async def test_a_head_says_the_same_and_sends_nothing(gateway: Gateway, link: str) -> None:
    whole = await shown(gateway, link)
    head = await shown(gateway, link, "HEAD", Range="bytes=0-1")

    for got in (whole, head):
        assert "public" in got.headers.pop("cache-control")
    assert (200, b"", whole.headers) == (head.status, head.body, head.headers)


async def test_one_that_is_known_is_not_sent_again(gateway: Gateway, link: str) -> None:
    for known in (TAG, f'"other", W/{TAG}', "*"):
        got = await shown(gateway, link, If_None_Match=known)
        assert (304, b"", TAG) == (got.status, got.body, got.headers["etag"])
        assert "content-length" not in got.headers
        assert "cache-control" in got.headers
    assert 200 == (await shown(gateway, link, If_None_Match='"other"')).status


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=8-300000", 8, 300_000), ("bytes=-9", len(PNG) - 9, len(PNG) - 1)],
)
async def test_a_part_is_served(
    gateway: Gateway, link: str, asked: str, first: int, last: int
) -> None:
    got = await shown(gateway, link, Range=asked)

    assert (206, PNG[first : last + 1]) == (got.status, got.body)
    assert f"bytes {first}-{last}/{len(PNG)}" == got.headers["content-range"]
    assert TAG == got.headers["etag"]


async def test_a_part_of_another_picture_is_all_of_this(gateway: Gateway, link: str) -> None:
    assert 206 == (await shown(gateway, link, Range="bytes=0-1", If_Range=TAG)).status
    assert 200 == (await shown(gateway, link, Range="bytes=0-1", If_Range='"other"')).status
    assert 200 == (await shown(gateway, link, Range="bytes=0-1,3-4")).status


async def test_a_part_that_is_not_there_is_refused_with_the_size(
    gateway: Gateway, link: str
) -> None:
    asked = f"bytes={len(PNG)}-"

    assert (416, 4, "invalid_request") == await fault(gateway, link, Range=asked)
    got = await shown(gateway, link, Range=asked)
    assert f"bytes */{len(PNG)}" == got.headers["content-range"]


async def test_a_page_of_another_origin_may_show_it(gateway: Gateway, link: str) -> None:
    got = await shown(gateway, link, Origin="https://app.example")

    assert "*" == got.headers["access-control-allow-origin"]


async def test_no_token_is_asked_for_and_only_get_and_head_are_allowed(
    gateway: Gateway, link: str
) -> None:
    assert (405, 4, "method_not_allowed") == await fault(gateway, link, "POST")
    got = await shown(gateway, link, "OPTIONS")
    assert (204, "GET, HEAD, OPTIONS") == (got.status, got.headers["allow"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("signature=", "signature=x"),
        ("signature=", "other="),
        ("expires=1", "expires=2"),
        ("expires=", "expires=a"),
        ("expires=", "n=1&expires="),
        ("expires=", "n=100&expires="),
        ("expires=", "n=%D9%A1&expires="),
        ("/mj/image/1", "/mj/image/2"),
    ],
)
async def test_an_address_that_was_changed_does_not_open(
    gateway: Gateway, link: str, old: str, new: str
) -> None:
    assert old in link
    assert (403, 4, "forbidden") == await fault(gateway, link.replace(old, new))


async def test_an_address_expires(gateway: Gateway, link: str) -> None:
    task = int(link.partition("?")[0].rpartition("/")[2])
    past = replace(gateway.gate, clock=lambda: (int(time.time()) - 9 * 86_400) * 1000)

    assert (403, 4, "forbidden") == await fault(gateway, address(past, task, 0))


@pytest.mark.parametrize("task", ["x", "12345678901234567", "%D9%A1", "1x"])
async def test_what_is_no_task_is_not_found(gateway: Gateway, task: str) -> None:
    assert (404, 3, "not_found") == await fault(gateway, f"{gateway.address}/mj/image/{task}")


async def test_a_task_without_a_picture_is_not_found(gateway: Gateway) -> None:
    assert (404, 3, "not_found") == await fault(gateway, address(gateway.gate, 17, 0))
    odd = await succeeded(gateway, "javascript:alert(1)")
    assert (404, 3, "not_found") == await fault(gateway, address(gateway.gate, odd, 0))


async def test_one_that_is_not_copied_leads_to_its_source(gateway: Gateway) -> None:
    async with upstream_of(gateway, says("no", "500 No")) as upstream:
        number = await succeeded(gateway, f"{upstream.address}/图 1.png")
        link = (await gateway.fetch(str(number)))["imageUrl"]

        got = await shown(gateway, link)

    assert (302, b"") == (got.status, got.body)
    assert f"{upstream.address}/%E5%9B%BE%201.png" == got.headers["location"]
    assert "no-store" == got.headers["cache-control"]


async def test_no_source_is_a_header_of_its_own(gateway: Gateway) -> None:
    number = await succeeded(gateway, "http://10.0.0.1/\r\nSet-Cookie: a=b")

    got = await shown(gateway, address(gateway.gate, number, 0))

    assert 302 == got.status
    assert "set-cookie" not in got.headers
    assert "http://10.0.0.1/Set-Cookie:%20a=b" == got.headers["location"]


async def test_each_of_several_is_served(gateway: Gateway) -> None:
    async with upstream_of(gateway, GOOD) as upstream:
        several = [f"{upstream.address}/{name}.png" for name in "ab"]
        number = await succeeded(gateway, several[0], properties={"imageUrls": several})
        task = await gateway.fetch(str(number))

        links = [each["url"] for each in task["imageUrls"]]
        assert links[0] == task["imageUrl"]
        for link, name in zip(links, (f"{number}.png", f"{number}-2.png"), strict=True):
            got = await shown(gateway, link)
            assert (200, PNG) == (got.status, got.body)
            assert f'inline; filename="{name}"' == got.headers["content-disposition"]

        assert 2 == len(upstream.heard)


async def test_a_file_that_is_gone_is_fetched_again(gateway: Gateway, link: str) -> None:
    await shown(gateway, link)
    [file] = files(gateway)
    file.unlink()

    got = await shown(gateway, link)

    assert (200, PNG) == (got.status, got.body)
    assert [(2,)] == gateway.rows("select attempts from pictures")


async def test_a_file_that_was_cut_short_is_fetched_again(gateway: Gateway, link: str) -> None:
    await shown(gateway, link)
    [file] = files(gateway)
    file.write_bytes(PNG[:100])

    assert PNG == (await shown(gateway, link)).body


async def test_a_file_that_is_gone_for_good_leads_to_its_source(gateway: Gateway) -> None:
    async with upstream_of(gateway, GOOD) as upstream:
        number = await succeeded(gateway, f"{upstream.address}/a.png")
        link = address(gateway.gate, number, 0)
        await shown(gateway, link)
    [file] = files(gateway)
    file.unlink()

    got = await shown(gateway, link)

    assert (302, f"{upstream.address}/a.png") == (got.status, got.headers["location"])


async def test_a_file_that_cannot_be_read_leads_to_its_source(gateway: Gateway, link: str) -> None:
    await shown(gateway, link)
    [file] = files(gateway)
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("in the way")

    with capture_logs() as logs:
        assert 302 == (await shown(gateway, link)).status
    assert "picture not read" in [line["event"] for line in logs]


class Shrinking:
    """A file that is shorter than it was when it was opened."""

    size = len(PNG)

    async def read(self, start: int, count: int) -> bytes:
        return PNG[start : min(start + count, 1000)]

    def close(self) -> None:
        return None


async def test_an_answer_breaks_off_where_its_file_does() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["body"])

    with pytest.raises(StorageError, match="shorter than it was"):
        await _stream(send, Shrinking(), Part(0, len(PNG) - 1, len(PNG)))

    assert PNG[:1000] == b"".join(sent)


async def test_one_that_was_let_go_of_leads_to_its_source(gateway: Gateway, link: str) -> None:
    await shown(gateway, link)
    gateway.rows("select drop_pictures(array(select id from tasks))")

    assert 302 == (await shown(gateway, link)).status
    [(source, task)] = gateway.rows("select image_url, id from tasks")
    assert source == (await gateway.fetch(str(task)))["imageUrl"]


async def test_addresses_open_while_pictures_are_off_and_lead_to_their_sources(
    database: str,
) -> None:
    async with running_gateway(database, pictures=False) as gateway:
        number = await succeeded(gateway, "http://upstream.example/a.png")
        assert "http://upstream.example/a.png" == (await gateway.fetch(str(number)))["imageUrl"]

        got = await shown(gateway, address(gateway.gate, number, 0))

        assert (302, "http://upstream.example/a.png") == (got.status, got.headers["location"])


async def test_what_is_kept_is_counted(gateway: Gateway, link: str) -> None:
    await shown(gateway, link)

    async with gateway.session.get(f"{gateway.address}/metrics") as response:
        lines = (await response.text()).splitlines()
    assert 'mjgate_pictures{state="kept"} 1.0' in lines
    assert f"mjgate_picture_bytes {float(len(PNG))}" in lines
