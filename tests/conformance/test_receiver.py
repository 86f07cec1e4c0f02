"""A receiver hears what is posted to it, where a server can call."""

import socket
import urllib.request
from collections.abc import Callable

import pytest

from mjgate.conformance.receiver import Post, Receiver, is_loopback, receiving
from mjgate.conformance.stories.stage import path_of
from mjgate.conformance.verdict import CannotRun
from tests.harness import free_port

LOCAL = "http://127.0.0.1:8080"


def call(address: str, body: bytes = b'{"id": "1"}', method: str = "POST") -> int:
    request = urllib.request.Request(address, body, {"X-Mine": "1"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def some(count: int) -> Callable[[list[Post]], bool]:
    return lambda posts: len(posts) >= count


def opened(address: str | None = None, target: str = LOCAL) -> Receiver:
    with receiving(address, target) as receiver:
        assert receiver is not None
        return receiver


def test_it_hears_every_call_with_its_path_and_headers() -> None:
    with receiving(None, LOCAL) as receiver:
        assert receiver is not None
        address = receiver.address()
        assert (204, 204) == (call(address), call(f"{receiver.base}/other", b"[", "PUT"))
        first, second = receiver.wait(some(2), 10)
    assert ("POST", path_of(address), {"id": "1"}) == (first.method, first.path, first.task)
    assert ("x-mine", "1") in first.headers
    assert ("PUT", "/other", None) == (second.method, second.path, second.task)


def test_addresses_are_new_each_time() -> None:
    with receiving(None, LOCAL) as receiver:
        assert receiver is not None
        assert receiver.address() != receiver.address()


def test_waiting_ends_with_what_there_is() -> None:
    with receiving(None, LOCAL) as receiver:
        assert receiver is not None
        assert [] == receiver.wait(some(1), 0)


def test_a_caller_that_hangs_up_has_not_called() -> None:
    with receiving(None, LOCAL) as receiver:
        assert receiver is not None
        port = int(receiver.base.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(b"POST /hook HTTP/1.1\r\nContent-Length: x\r\n\r\n")
        assert 204 == call(receiver.address())
        (heard,) = receiver.wait(some(1), 10)
    assert "/hook" != heard.path


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"[" * 100_000])
def test_a_body_that_is_no_object_holds_no_task(body: bytes) -> None:
    assert Post("POST", "/", (), body).task is None


def test_a_distant_server_cannot_call_loopback() -> None:
    with receiving(None, "https://api.example.org") as receiver:
        assert receiver is None


def test_an_address_that_is_given_is_listened_on() -> None:
    assert opened().asked is False
    given = opened("http://127.0.0.1:0/", "https://api.example.org")
    assert given.asked
    assert not given.base.endswith((":0", "/"))
    with receiving("http://hooks.example.org:0/below", LOCAL) as receiver:
        assert receiver is not None
        port = receiver.base.removeprefix("http://hooks.example.org:").removesuffix("/below")
        assert 204 == call(f"http://127.0.0.1:{port}/below/hook")


def test_a_port_that_is_given_is_the_one() -> None:
    address = f"http://127.0.0.1:{free_port()}/mine"
    with receiving(address, LOCAL) as receiver:
        assert receiver is not None
        assert address == receiver.base
        assert 204 == call(receiver.address())


@pytest.mark.parametrize("address", ["ftp://127.0.0.1", "hook", "http://127.0.0.1:x"])
def test_an_address_must_be_one(address: str) -> None:
    with pytest.raises(CannotRun, match="no http or https address"):
        opened(address)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotRun, match=f"port {port}"):
            opened(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("address", "is_it"),
    [
        ("http://127.0.0.1:1", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("http://192.0.2.1", False),
        ("http://example.org", False),
        ("x", False),
    ],
)
def test_loopback_is_told_by_the_host(address: str, is_it: bool) -> None:
    assert is_it == is_loopback(address)
