"""Hints of upstreams: who may give one, and what is read of it."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mjgate.gate import Gate
from mjgate.services.hint import channel_of, hint, notify_address
from tests.harness import until
from tests.services.gates import open_gate

PUBLIC = "https://gate.example.org/mj"


@pytest.fixture
async def public(database: str) -> AsyncIterator[Gate]:
    async with open_gate(database, public_url=PUBLIC + "/") as gate:
        yield gate


def path(gate: Gate, channel: int) -> str:
    address = notify_address(gate, channel)
    assert address is not None
    return address.removeprefix(PUBLIC)


async def test_without_a_public_address_there_is_none(gate: Gate) -> None:
    assert notify_address(gate, 7) is None


async def test_an_address_leads_back_to_its_channel_and_to_no_other(public: Gate) -> None:
    assert re.fullmatch(r"/notify/7\.[A-Za-z0-9_-]{43}", path(public, 7))
    assert path(public, 7) == path(public, 7)
    assert 7 == channel_of(public, path(public, 7))
    assert 8 == channel_of(public, path(public, 8))


@pytest.mark.parametrize(
    "wrong",
    [
        "/notify/",
        "/notify/7",
        "/notify/7.",
        "/notify/.{seal}",
        "/notify/8.{seal}",
        "/notify/07.{seal}",
        "/notify/+7.{seal}",
        "/notify/\u0667.{seal}",
        "/notify/77777777777.{seal}",
        "/notify/7.{seal}/",
        "/notify/7.{seal}.",
        "/notify/x/7.{seal}",
    ],
)
async def test_a_path_that_nobody_was_told_is_of_no_channel(public: Gate, wrong: str) -> None:
    seal = path(public, 7).partition(".")[2]
    assert channel_of(public, wrong.format(seal=seal)) is None


Heard = list[tuple[int, list[str]]]


@pytest.fixture
async def heard(gate: Gate) -> Heard:
    found: Heard = []
    await until(lambda: gate.store.changes.listening)
    gate.store.changes.on_hints(lambda channel, ids: found.append((channel, list(ids))))
    return found


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b'{"id": "17", "status": "SUCCESS", "imageUrl": "http://evil.example"}', ["17"]),
        (b'{"id": 17}', ["17"]),
        (b'{"id": "a b"}', []),
        (b'{"id": ""}', []),
        (b'{"id": "' + b"x" * 256 + b'"}', []),
        (b'{"id": null}', []),
        (b'{"id": ["17"]}', []),
        (b'{"task": "17"}', []),
        (b"[17]", []),
        (b'"17"', []),
        (b"17", []),
        (b'{"id": "17"', []),
        (b"\xff", []),
        (b"", []),
        (b"[" * 100_000, []),
    ],
)
async def test_of_a_body_the_id_alone_is_read(
    gate: Gate, heard: Heard, body: bytes, ids: list[Any]
) -> None:
    hint(gate, 1, body)
    hint(gate, 2, b'{"id": "last"}')

    await until(lambda: (2, ["last"]) in heard)

    assert [(1, ids)] * bool(ids) == [each for each in heard if each[0] == 1]
