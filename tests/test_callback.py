"""One POST to a receiver, and what is said of one that went wrong."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from mjgate.callback import Caller
from mjgate.guard import Guard
from tests.receiver import receiving, says


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    opened = Caller(Guard([ip_network("127.0.0.0/8")]), 2.0, 1.0)
    yield opened
    await opened.close()


async def test_it_goes_out_as_it_is_written_with_nothing_of_ours(caller: Caller) -> None:
    async with receiving(says(202, "Set-Cookie: a=b", body="ok")) as receiver:
        for _ in range(2):
            reply = await caller.post(f"{receiver.address}?a=%7e+b#c", b"{}", {"webhook-id": "1"})

    assert (202, None, "ok") == (reply.status, reply.error, reply.answer)
    post = receiver.posts[1]
    assert ("/hook?a=%7e+b", b"{}", "1") == (post.path, post.body, post.message)
    assert {
        *("accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"),
        "webhook-id",
    } == set(post.headers)


@pytest.mark.parametrize("host", ["127.1", "2130706433"])
async def test_an_address_in_an_odd_form_is_none(caller: Caller, host: str) -> None:
    reply = await caller.post(f"http://{host}:9/", b"{}", {})

    assert (None, "its address is none") == (reply.status, reply.error)


async def test_what_cannot_be_sent_names_its_kind_and_no_address(caller: Caller) -> None:
    async with receiving() as receiver:
        reply = await caller.post(receiver.address, b"{}", {"webhook-id": "a\r\nb"})

        assert (None, "ValueError", []) == (reply.status, reply.error, receiver.posts)


@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 -0100", f"Tue, 01 Jan 2030 00:00:00 +{'9' * 14}"]
)
async def test_a_date_beyond_all_dates_harms_no_answer(caller: Caller, date: str) -> None:
    async with receiving(says(200, f"Retry-After: {date}")) as receiver:
        reply = await caller.post(receiver.address, b"{}", {})

    assert (200, None, None) == (reply.status, reply.error, reply.wait_s)


async def test_a_proxy_of_the_environment_is_not_used(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as proxy, receiving() as receiver:
        monkeypatch.setenv("http_proxy", proxy.address)
        await caller.post(receiver.address, b"{}", {})

    assert (0, 1) == (len(proxy.posts), len(receiver.posts))


@pytest.mark.parametrize(
    ("address", "hopeless"),
    [
        ("http://127.0.0.1/", False),
        ("http://10.0.0.1/", True),
        ("http://example.org/", False),
        ("http://[::1", True),
        ("nonsense", True),
    ],
)
async def test_what_can_never_be_called_is_known_before(
    caller: Caller, address: str, hopeless: bool
) -> None:
    assert hopeless == caller.hopeless(address)
