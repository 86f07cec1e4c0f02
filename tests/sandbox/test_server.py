"""The sandbox as a server: connections, ends, and a process of its own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mjgate.sandbox import Settings, create_sandbox, running_sandbox, serve_sandbox
from tests.sandbox.conftest import Caller, Start

SERVER = Path(__file__).resolve().parents[2] / "server"
PROGRAM = """
import sys
from mjgate.sandbox import Settings, serve_sandbox
pipe = int(sys.argv[1]) if len(sys.argv) > 1 else None
ready = lambda url: print(url, flush=True)
serve_sandbox(Settings(), ready=ready, parent_pipe=pipe)
"""


@contextmanager
def process(*arguments: str, keep: tuple[int, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=keep,
        env={**os.environ, "PYTHONPATH": str(SERVER)},
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def address(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    return child.stdout.readline().strip()


def test_a_connection_is_kept(start: Start) -> None:
    connection = http.client.HTTPConnection(start().place)
    ports = set()
    for number in range(5):
        body = json.dumps({"prompt": f"cat {number}"})
        connection.request("POST", "/mj/submit/imagine", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert 1 == len(ports)


def test_a_connection_is_kept_after_an_unread_body(start: Start) -> None:
    connection = http.client.HTTPConnection(start().place)
    connection.request("POST", "/nothing", b"x" * 100_000)
    first = connection.getresponse()
    first.read()
    connection.request("GET", "/mj/task/1/fetch")
    second = connection.getresponse()
    connection.close()
    assert [404, 200] == [first.status, second.status]


def test_a_chunked_request_is_read(start: Start) -> None:
    connection = http.client.HTTPConnection(start().place)
    body = iter([b'{"prompt":', b'"a cat"}'])
    connection.request(
        "POST", "/mj/submit/imagine", body, {"Content-Type": "application/json"},
        encode_chunked=True,
    )  # fmt: skip
    told = json.loads(connection.getresponse().read())
    connection.close()
    assert 1 == told["code"]


@pytest.mark.parametrize(("dialect", "phrase"), [("novicezk", ""), ("buttons", "OK")])
def test_novicezk_says_no_reason(start: Start, dialect: str, phrase: str) -> None:
    connection = http.client.HTTPConnection(start(dialect).place)
    connection.request("GET", "/mj/task/list")
    response = connection.getresponse()
    response.read()
    connection.close()
    assert (200, phrase) == (response.status, response.reason)


def test_http_1_0_gets_no_chunks(start: Start) -> None:
    host, port = start().place.split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /mj/task/list HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.endswith(b"\r\n\r\n[]")


def test_hundreds_of_connections_are_served_at_once(start: Start) -> None:
    caller = start()
    connections = [http.client.HTTPConnection(caller.place) for _ in range(300)]
    for connection in connections:
        connection.request("GET", "/mj/task/1/fetch")
    statuses = [connection.getresponse().status for connection in connections]
    for connection in connections:
        connection.close()
    assert [200] * 300 == statuses


def test_the_end_cuts_open_connections() -> None:
    with running_sandbox(Settings()) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.request("GET", "/mj/task/1/fetch")
        connection.getresponse().read()
    assert b"" == connection.sock.recv(1)
    connection.close()


def test_after_the_end_nobody_listens() -> None:
    with running_sandbox(Settings()) as url:
        place = url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place[0], int(place[1])))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with process() as child:
        caller = Caller(address(child))
        assert 1 == caller.imagine("a cat").json["code"]
        child.send_signal(number)
        _, errors = child.communicate(timeout=30)
    assert (0, "") == (child.returncode, errors)


def test_it_ends_with_its_parent() -> None:
    reading, writing = os.pipe()
    try:
        with process(str(reading), keep=(reading,)) as child:
            address(child)
            os.close(writing)
            assert 0 == child.wait(timeout=30)
    finally:
        os.close(reading)


def test_an_address_that_is_taken_is_an_error() -> None:
    with running_sandbox(Settings()) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match=r"in use"):
            serve_sandbox(Settings(), port=port)


def test_it_is_a_flask_application() -> None:
    client = create_sandbox(Settings()).test_client()
    answer = client.post("/mj/submit/imagine", json={"prompt": "a cat"})
    assert 1 == answer.get_json(force=True)["code"]


@pytest.mark.parametrize(
    "wrong", [{"dialect": "klingon"}, {"speed": 0.0}, {"core_size": 0}, {"queue_size": -1}]
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"dialect|speed"):
        Settings(**wrong)  # type: ignore[arg-type]
