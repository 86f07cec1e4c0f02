"""Tasks as their clients see them, with addresses of ours."""

from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import structs

from mjgate.domain.task import CANCEL, FAILURE, IN_PROGRESS, SUCCESS, Task
from mjgate.gate import Gate
from mjgate.services.show import address, opens, show
from mjgate.store.cipher import Cipher, new_secret_key
from tests.services.gates import ORIGIN, open_gate

DAY_MS = 86_400_000
NOW = 20_000 * DAY_MS + 1000
SOURCE = "http://upstream/17.png"
SEVERAL = {"imageUrls": [SOURCE, "http://upstream/b.png"]}


def task(**known: Any) -> Task:
    return Task(17, "IMAGINE", SUCCESS, "a fox", 1, image_url=SOURCE, **known)


@pytest.fixture
def still(gate: Gate) -> Gate:
    return replace(gate, clock=lambda: NOW)


def read(link: str) -> tuple[str, dict[str, str]]:
    asked = {name: value for name, [value] in parse_qs(urlsplit(link).query).items()}
    return link.partition("?")[0], asked


async def test_a_success_is_shown_at_an_address_that_opens(still: Gate) -> None:
    shown = show(still, task())

    where, asked = read(shown["imageUrl"])
    assert f"{ORIGIN}/mj/image/17" == where
    assert str(20_008 * 86_400) == asked["expires"]
    assert opens(still, 17, 0, int(asked["expires"]), asked["signature"])
    assert {**task().wire(), "imageUrl": shown["imageUrl"]} == shown


async def test_the_same_is_shown_for_a_day(gate: Gate) -> None:
    shown = {
        show(replace(gate, clock=partial(int, NOW + hour * 3_600_000)), task())["imageUrl"]
        for hour in range(23)
    }

    assert 1 == len(shown)


@pytest.mark.parametrize("status", [FAILURE, CANCEL, IN_PROGRESS])
async def test_what_is_no_success_is_shown_as_it_is(still: Gate, status: str) -> None:
    other = structs.replace(task(), status=status)

    assert other.wire() == show(still, other)


@pytest.mark.parametrize("source", [None, "x", "javascript:alert(1)"])
async def test_what_is_no_address_is_shown_as_it_is(still: Gate, source: str | None) -> None:
    assert source == show(still, structs.replace(task(), image_url=source))["imageUrl"]


async def test_one_that_is_gone_is_shown_where_it_came_from(still: Gate) -> None:
    shown = show(still, task(picture_gone=True, properties=SEVERAL))

    assert SOURCE == shown["imageUrl"]
    assert [{"url": SOURCE}, {"url": "http://upstream/b.png"}] == shown["imageUrls"]
    assert {} == shown["properties"]


async def test_each_of_several_has_an_address(still: Gate) -> None:
    shown = show(still, task(properties=SEVERAL))

    first, second = (each["url"] for each in shown["imageUrls"])
    assert first == shown["imageUrl"]
    where, asked = read(second)
    assert (f"{ORIGIN}/mj/image/17", "2") == (where, asked["n"])
    assert opens(still, 17, 2, int(asked["expires"]), asked["signature"])
    assert not opens(still, 17, 0, int(asked["expires"]), asked["signature"])


async def test_without_pictures_sources_are_shown(database: str) -> None:
    async with open_gate(database, pictures=False) as gate:
        assert SOURCE == show(gate, task())["imageUrl"]


async def test_the_address_is_where_the_operator_says(database: str) -> None:
    public = "https://pictures.example.org/gate"
    async with open_gate(database, public_url=public, pictures_link_life=3600) as gate:
        link = address(replace(gate, clock=lambda: NOW), 17, 0)

    where, asked = read(link)
    assert f"{public}/mj/image/17" == where
    assert NOW // 1000 + 3600 <= int(asked["expires"]) < NOW // 1000 + 7200


async def test_an_address_opens_until_it_expires(gate: Gate, still: Gate) -> None:
    _, asked = read(address(still, 17, 0))
    expires, signature = int(asked["expires"]), asked["signature"]

    def at(seconds: int) -> Gate:
        return replace(gate, clock=lambda: seconds * 1000)

    assert opens(at(expires - 1), 17, 0, expires, signature)
    assert not opens(at(expires), 17, 0, expires, signature)
    assert not opens(at(expires - 1), 17, 0, expires + 1, signature)
    assert not opens(at(expires - 1), 18, 0, expires, signature)
    assert not opens(at(expires - 1), 17, 1, expires, signature)
    assert not opens(at(expires - 1), 17, 0, expires, signature[:-1])
    assert not opens(at(expires - 1), 17, 0, expires, "")
    assert not opens(at(expires - 1), 17, 0, expires, "\udcff图")


async def test_a_new_key_signs_and_the_old_one_still_opens(gate: Gate, still: Gate) -> None:
    _, asked = read(address(still, 17, 0))
    expires, signature = int(asked["expires"]), asked["signature"]
    old, new = gate.store.cipher._keys, new_secret_key()

    gate.store.cipher = Cipher(f"{new},{old}")
    assert opens(still, 17, 0, expires, signature)
    assert signature not in address(still, 17, 0)

    gate.store.cipher = Cipher(new)
    assert not opens(still, 17, 0, expires, signature)
