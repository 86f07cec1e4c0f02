"""What is judged of answers that no client of the generator gives."""

import types
from typing import Any

import pytest

from mjgate.conformance.client.judge import judged
from mjgate.conformance.client.package import Called, Package
from mjgate.conformance.client.reply import Reply
from mjgate.conformance.contract_view import KEY, Contract

ODD = Reply("an odd reply", "odd", 502, (), b"<html>")


class Mute:
    """What cannot be shown."""

    parsed = None
    status_code = 502
    content = b"<html>"

    def __repr__(self) -> str:
        raise ArithmeticError


class Own(Exception):
    """Stands for an error of the client."""

    def __init__(self, content: bytes) -> None:
        self.status_code, self.content = 502, content


def broken(contract: Contract, called: Called, reply: Reply = ODD) -> set[tuple[str, str]]:
    package = Package(__name__, types.ModuleType("client"))
    found = judged(package, contract, contract.operation(KEY), reply, called)
    return {(rule, each.text) for rule, texts in found for each in texts}


def test_an_answer_that_cannot_be_shown_shows_no_token(contract: Contract) -> None:
    assert set() == broken(contract, Called("sync_detailed", False, Mute()))


@pytest.mark.parametrize("way", ["sync_detailed", "asyncio_detailed"])
def test_an_answer_of_another_kind_tells_nothing(contract: Contract, way: str) -> None:
    texts = ("does not tell the status", "does not tell the content of an odd reply")
    expected = {("client_tells_the_answer", text) for text in texts}
    assert expected == broken(contract, Called(way, False, object()))


@pytest.mark.parametrize(
    ("error", "texts"),
    [
        (Own(b"<html>"), set()),
        (Own(b""), {"raises Own without status and content"}),
        (KeyError("code"), {"raises a bare KeyError"}),
    ],
)
def test_an_error_is_the_clients_own_and_has_what_came(
    contract: Contract, error: Exception, texts: set[str]
) -> None:
    found = broken(contract, Called("sync", True, error=error))
    assert {("client_raises_its_own", text) for text in texts} == found


def test_an_own_error_where_no_whole_answer_came_needs_nothing(contract: Contract) -> None:
    cut = Reply("a cut reply", "broken", 200, raw=b"HTTP")
    assert set() == broken(contract, Called("sync", True, error=Own(b"")), cut)


def test_what_is_parsed_is_of_its_class(contract: Contract) -> None:
    good: dict[str, Any] = {"a": 1}
    reply = Reply("a good reply", "valid", 200, payload=b'{"a": 1}')
    found = broken(contract, Called("sync", False, good), reply)
    assert {("client_parses", "makes a dict, not a Key, of a good reply")} == found
