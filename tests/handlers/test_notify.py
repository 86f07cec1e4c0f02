"""The place where upstreams post tasks that changed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.harness import Gateway, running_gateway, until

PUBLIC = "http://gate.example.org"


@pytest.fixture
async def public(database: str) -> AsyncIterator[Gateway]:
    async with running_gateway(database, public_url=PUBLIC) as gateway:
        await until(lambda: gateway.gate.store.changes.listening)
        yield gateway


@pytest.fixture
def path(public: Gateway) -> str:
    """Where the upstream of channel 7 posts."""
    return f"/notify/7.{public.gate.store.cipher.seal('notify 7')}"


@pytest.fixture
def heard(public: Gateway) -> list[tuple[int, list[str]]]:
    found: list[tuple[int, list[str]]] = []
    public.gate.store.changes.on_hints(lambda channel, ids: found.append((channel, list(ids))))
    return found


async def post(gateway: Gateway, path: str, data: object) -> int:
    async with gateway.session.post(gateway.address + path, data=data) as answer:
        body = await answer.read()
        assert (answer.status == 204) == (body == b"")
        return answer.status


async def test_whatever_is_posted_at_the_address_of_a_channel_is_taken(
    public: Gateway, path: str, heard: list[tuple[int, list[str]]]
) -> None:
    for body in (b"", b"x", b'{"id": "17"}', b"{" * 5000):
        assert 204 == await post(public, path, body)
    await until(lambda: heard)
    assert [(7, ["17"])] == heard


async def test_a_body_that_is_larger_than_any_task_is_not_read(
    public: Gateway, path: str, heard: list[tuple[int, list[str]]]
) -> None:
    async def large() -> AsyncIterator[bytes]:
        yield b'{"id": "large", "prompt": "'
        for _ in range(40):
            yield b"x" * 65536
        yield b'"}'

    assert 204 == await post(public, path, large())
    assert 204 == await post(public, path, b'{"id": "small"}')
    await until(lambda: heard)
    assert [(7, ["small"])] == heard


async def test_another_path_is_nowhere_and_says_no_more_than_any_other(
    public: Gateway, path: str
) -> None:
    wrong = [path[:-1], path + "x", path.replace("/7.", "/8."), path + "/", "/notify/", "/notify"]
    answers = [await public.ask("POST", each, {"id": "17"}) for each in [*wrong, "/nowhere"]]
    assert 1 == len({repr(answer) for answer in answers})
    assert (404, "not_found") == (answers[0][0], answers[0][1]["properties"]["error"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_there_is_nothing_but_posting_whatever_the_path(
    public: Gateway, path: str, method: str
) -> None:
    right, wrong = [await public.ask(method, each) for each in (path, "/notify/1.x")]
    assert 405 == right[0]
    assert right == wrong


async def test_one_who_hangs_up_in_the_middle_harms_nobody(public: Gateway, path: str) -> None:
    host, port = public.address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert 204 == await post(public, path, b"{}")
