"""Where no answer comes, it is said what is wrong, and how it may be mended."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from urllib3.exceptions import ConnectTimeoutError, ProtocolError

from mjgate.conformance.exchange import Request
from mjgate.conformance.silence import said
from mjgate.conformance.wire import NoAnswer, Tokens, Wire
from tests.harness import free_port

ALERT = b"\x15\x03\x01\x00\x02\x02\x50"


@contextmanager
def saying(words: bytes) -> Iterator[str]:
    """Where a server says this to whatever comes first, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_say, args=[listener, words])
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def _say(listener: socket.socket, words: bytes) -> None:
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.recv(65536)
        connection.sendall(words)


def heard(url: str) -> str:
    """What is said of a server that gives no answer."""
    wire = Wire(Tokens(), 5.0)
    with pytest.raises(NoAnswer) as why:
        wire.send(Request("GET", url))
    wire.close()
    return str(why.value)


def test_a_port_that_nobody_listens_on_refuses() -> None:
    assert "connection refused" == heard(f"http://127.0.0.1:{free_port()}/")


@pytest.mark.parametrize(
    ("scheme", "words", "text"),
    [
        ("http", b"220 mail.example.org ESMTP\r\n", "it does not speak HTTP"),
        ("http", ALERT, "it speaks TLS; is it https://?"),
        ("http", b"", "it hung up without an answer"),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", "the answer was cut"),
        ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks no TLS; is it http://?"),
        ("https", b"", "it speaks no TLS; is it http://?"),
        ("https", ALERT, "TLS failed: tlsv1 alert internal error"),
    ],
)
def test_what_is_no_answer_is_named(scheme: str, words: bytes, text: str) -> None:
    with saying(words) as place:
        assert text == heard(f"{scheme}://{place}/")


def test_who_is_slow_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wire = Wire(Tokens(), 0.2)
        with pytest.raises(NoAnswer, match="no whole answer came in time"):
            wire.send(Request("GET", f"http://127.0.0.1:{silent.getsockname()[1]}"))
        wire.close()


def _certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (_certificate(), "its certificate is not trusted: self-signed certificate"),
        (ssl.SSLError(), "TLS failed: no reason was given"),
        (ConnectionResetError(), "the connection was reset"),
        (BrokenPipeError(), "the connection was closed while we sent"),
        (socket.gaierror(), "there is no server of this name"),
        (ConnectTimeoutError(), "nobody took the connection in time"),
        (ProtocolError("odd"), "what came could not be read (ProtocolError)"),
    ],
)
def test_what_loopback_does_not_show_is_named(error: BaseException, text: str) -> None:
    assert text == said(error)
