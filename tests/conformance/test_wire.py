"""Requests go out as they stand; answers come whole, or it is said why not."""

import socket
import threading
from contextlib import suppress

import pytest

from mjgate.conformance.exchange import Request
from mjgate.conformance.wire import BAD_TOKEN, NoAnswer, Tokens, Wire
from tests.conformance.scripted import Scripted, reply, scripted
from tests.harness import free_port

TOKENS = Tokens("the-first-token", "the-second")


def send(server: Scripted, asked: Request, timeout_s: float = 5.0) -> int:
    wire = Wire(TOKENS, timeout_s)
    try:
        return wire.send(asked).status
    finally:
        wire.close()


def test_a_request_goes_out_as_it_stands() -> None:
    with scripted(lambda _: reply(200, {})) as server:
        asked = Request(
            "PATCH",
            f"{server.url}/mj/%2e%2E/x?a=%zz",
            (("X-Twice", "1"), ("X-Twice", "caf\xe9"), ("User-Agent", "mine")),
            b"\0\xff",
        )
        assert 200 == send(server, asked)
        (arrival,) = server.arrivals
    assert ("PATCH", b"\0\xff") == (arrival.method, arrival.body)
    assert "/mj/%2E%2E/x?a=%25zz" == arrival.path
    assert ["1", "caf\xe9"] == [value for name, value in arrival.headers if name == "x-twice"]
    assert "mine" == arrival.header("user-agent")
    assert "identity" == arrival.header("accept-encoding")


@pytest.mark.parametrize(
    ("sender", "form", "header", "value"),
    [
        ("token", "mj-api-secret", "mj-api-secret", "the-first-token"),
        ("token", "Authorization", "authorization", "Bearer the-first-token"),
        ("second", "mj-api-secret", "mj-api-secret", "the-second"),
        ("bad", "Authorization", "authorization", f"Bearer {BAD_TOKEN}"),
        ("none", "mj-api-secret", "mj-api-secret", None),
        ("none", "Authorization", "authorization", None),
    ],
)
def test_each_sender_has_a_token_in_each_form(
    sender: str, form: str, header: str, value: str | None
) -> None:
    with scripted(lambda _: reply(200, {})) as server:
        send(server, Request("GET", server.url, sender=sender, form=form))
        assert value == server.arrivals[0].header(header)


def test_an_answer_comes_with_all_of_its_headers_and_no_redirect_is_followed() -> None:
    twice = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 1\r\n\r\nx"
    with scripted(lambda _: twice) as server:
        wire = Wire(TOKENS)
        answer = wire.send(Request("GET", server.url))
        wire.close()
        assert 1 == len(server.arrivals)
    assert (302, ["1", "2"], b"x") == (answer.status, answer.all("x-a"), answer.body)


def test_a_connection_is_used_again() -> None:
    with scripted(lambda _: reply(200, {})) as server:
        wire = Wire(TOKENS)
        for _ in range(3):
            wire.send(Request("GET", server.url))
        wire.close()
        assert 3 == len(server.arrivals)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"220 mail.example.org ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_half_an_answer_is_none_and_may_have_been_acted_on(said: bytes) -> None:
    answers = iter([said])
    with (
        scripted(lambda _: next(answers, b"") + b"") as server,
        pytest.raises(NoAnswer) as why,
    ):
        # A cut answer ends with its connection: the next request gets nothing.
        send(server, Request("GET", server.url), timeout_s=0.5)
    assert why.value.sent


def test_who_is_not_there_has_not_got_the_request() -> None:
    wire = Wire(TOKENS, 1.0)
    with pytest.raises(NoAnswer) as why:
        wire.send(Request("GET", f"http://127.0.0.1:{free_port()}/"))
    assert not why.value.sent
    with pytest.raises(NoAnswer) as why:
        wire.send(Request("GET", "http://127.0.0.1:99999/"))
    assert why.value.sent


def test_an_answer_that_comes_too_late_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NoAnswer):
            Wire(TOKENS, 0.2).send(Request("GET", address))


@pytest.mark.parametrize(
    ("first", "ever", "said"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n" * 100,
            "does not end",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X-More: of it\r\n",
            "does not end",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x", "does not end"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "no whole answer came in time"),
    ],
)
def test_an_answer_without_end_is_none(first: bytes, ever: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pouring = threading.Thread(target=_pour, args=[listener, first, ever])
        pouring.start()
        with pytest.raises(NoAnswer, match=said):
            Wire(TOKENS, 1.0).send(Request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}"))
        pouring.join()


def _pour(listener: socket.socket, first: bytes, ever: bytes) -> None:
    """Answers one request with what ends when nobody listens any more."""
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.recv(65536)
        connection.sendall(first)
        while True:
            connection.sendall(ever)


def test_only_tokens_that_no_word_can_be_are_secrets() -> None:
    assert ("the-first-token",) == Tokens("the-first-token", "short").secrets
    assert (TOKENS.of("none"), TOKENS.of("second")) == (None, "the-second")
