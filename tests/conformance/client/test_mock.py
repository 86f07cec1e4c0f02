import socket
from urllib.parse import urlsplit

import httpx
import pytest

from mjgate.conformance.client.mock import Arrival, Mock, mocking
from mjgate.conformance.client.reply import Reply

GOOD = Reply("it", "valid", 200, payload=b"{}")


def test_what_arrives_is_told_as_it_came() -> None:
    got: list[Arrival] = []

    def take(arrival: Arrival) -> Reply:
        got.append(arrival)
        return GOOD

    secret = {"mj-api-secret": "s3cret"}
    with mocking(take) as mock, httpx.Client(base_url=mock.url) as client:
        assert b"{}" == client.post("/a%2Fb?c=d&e", json={"f": 1}, headers=secret).content
        client.get("/", headers={"Authorization": "Bearer s3cret"})
    first, second = got
    assert ("POST", "/a%2Fb", "c=d&e", b'{"f":1}') == (
        first.method,
        first.path,
        first.query,
        first.body,
    )
    request = first.request(mock.url)
    assert (f"{mock.url}/a%2Fb?c=d&e", "mj-api-secret") == (request.url, request.form)
    assert "s3cret" not in repr(request)
    other = second.request(mock.url)
    assert (None, "Authorization") == (other.body, other.form)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply("it", "broken", 200, raw=b"", end="close"), httpx.RemoteProtocolError),
        (Reply("it", "broken", 200, raw=b"", end="reset"), httpx.ReadError),
        (Reply("it", "broken", 200, raw=b"", end="hang"), httpx.ReadTimeout),
    ],
)
def test_a_connection_ends_as_told(reply: Reply, error: type[Exception]) -> None:
    ended = pytest.raises(error)
    timeout_s = 0.2 if reply.end == "hang" else 20
    with mocking(lambda _: reply) as mock, httpx.Client(timeout=timeout_s) as client, ended:
        client.get(mock.url)


def test_another_answer_may_follow() -> None:
    with mocking(lambda _: GOOD) as mock, httpx.Client() as client:
        assert 200 == client.get(mock.url).status_code
        mock.answer = lambda _: Reply("it", "odd", 418)
        assert 418 == client.get(mock.url).status_code


def connection(mock: Mock) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(mock.url).port or 0))


def test_who_stays_connected_or_sends_no_http_holds_nobody_up() -> None:
    with mocking(lambda _: GOOD) as mock:
        idle, odd = connection(mock), connection(mock)
        odd.sendall(b"no request\r\n\r\n")
        assert b"" == odd.recv(1)
        with httpx.Client() as client:
            assert 200 == client.get(mock.url).status_code
    assert b"" == idle.recv(1)
    idle.close()
    odd.close()
