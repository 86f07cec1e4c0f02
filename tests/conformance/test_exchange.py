"""What was sent and what came: kept byte for byte, shown so that it can be sent again."""

import subprocess

import pytest

from mjgate.conformance.exchange import (
    MOST_SHOWN,
    Answer,
    Exchange,
    Request,
    headers_of,
    text_of,
)
from mjgate.domain.display import harmless

URL = "http://127.0.0.1:1/mj/submit/imagine"
JSON = ("Content-Type", "application/json")
# In place of curl: says its arguments, and what is piped into it where that is its body.
CURL = """
TOKEN=one SECOND_TOKEN=two
curl() { printf '%s\\0' "$@"; case " $* " in *" @- "*) cat;; esac; }
"""
BODIES = [
    b"",
    b'{"prompt": "Cat"}',
    "{'prompt': \"红狐 🦊\"}".encode(),
    b"$TOKEN `id` \\ ! %s %% \\x41",
    b"@/etc/passwd",
    b"two\nlines\r\n\tand a tab\n",
    b"\xff\xfe'0 and then 0",
    b"\x1b]0;owned\x07",
    "👩\u200d🚀 \u202e".encode(),
    b"\x00%d\\'\xff\x001",
]


def told(request: Request) -> tuple[list[str], bytes]:
    """The arguments that bash gives to curl, and what comes after the last one."""
    ran = subprocess.run(
        ["bash", "-c", CURL + request.curl()], capture_output=True, check=True, timeout=60
    )
    words, piped = parts(ran.stdout)
    return [word.decode("utf-8", "surrogateescape") for word in words.split(b"\0")], piped


def parts(out: bytes) -> tuple[bytes, bytes]:
    """Arguments, and after the last of them, the address, what was piped: it may hold zeros."""
    before, found, rest = out.partition(b"\0@-\0")
    if not found:
        return out.removesuffix(b"\0"), b""
    url, _, piped = rest.partition(b"\0")
    return before + found + url, piped


@pytest.mark.parametrize("body", BODIES)
def test_the_command_sends_the_same_bytes(body: bytes) -> None:
    words, piped = told(Request("POST", URL, (JSON,), body))
    if b"\0" in body:
        assert ("@-", body) == (words[words.index("--data-binary") + 1], piped)
    else:
        sent = words[words.index("--data-raw") + 1].encode("utf-8", "surrogateescape")
        assert (body, b"") == (sent, piped)
    assert URL == words[-1]


@pytest.mark.parametrize("body", BODIES)
def test_no_sign_of_a_command_is_obeyed_by_a_terminal(body: bytes) -> None:
    shown = Request("POST", URL, (("X-A", "\x1b[2J\u202e"),), body).curl()
    assert "\n" not in shown
    assert harmless(shown) == shown


@pytest.mark.parametrize(
    ("sender", "form", "header"),
    [
        ("token", "mj-api-secret", ["-H", "mj-api-secret: one"]),
        ("second", "Authorization", ["-H", "Authorization: Bearer two"]),
        ("bad", "mj-api-secret", ["-H", "mj-api-secret: not-a-token"]),
        ("none", "mj-api-secret", []),
    ],
)
def test_a_token_is_a_variable(sender: str, form: str, header: list[str]) -> None:
    words, _ = told(Request("GET", URL, sender=sender, form=form))
    assert ["-i", "-X", "GET", *header, URL] == words


def test_headers_are_sent_as_they_were() -> None:
    words, _ = told(Request("GET", URL, (("X-A", "it's"), ("X-B", "")), sender="none"))
    assert ["-i", "-X", "GET", "-H", "X-A: it's", "-H", "X-B;", URL] == words


def test_headers_that_curl_sends_of_itself_are_not_repeated() -> None:
    given = (("Accept", "*/*"), ("Connection", "keep-alive"), ("accept", "a/b"))
    words, _ = told(Request("GET", URL, given, sender="none"))
    assert ["-i", "-X", "GET", "-H", "accept: a/b", URL] == words


def test_a_body_without_a_type_is_sent_without_one() -> None:
    words, _ = told(Request("POST", URL, (), b"{}", sender="none"))
    assert ["-H", "Content-Type:", "--data-raw", "{}", URL] == words[3:]


@pytest.mark.parametrize(
    ("path", "options"),
    [("/a", []), ("/{id}", ["-g"]), ("/a/../b", ["--path-as-is"]), ("/a?b=[1]", ["-g"])],
)
def test_curl_sends_the_address_as_it_is_written(path: str, options: list[str]) -> None:
    words, _ = told(Request("GET", f"http://127.0.0.1:1{path}", sender="none"))
    assert ["-i", *options, "-X", "GET", f"http://127.0.0.1:1{path}"] == words


@pytest.mark.parametrize("body", [None, *BODIES])
def test_a_stored_request_is_read_as_it_was(body: bytes | None) -> None:
    request = Request("POST", URL, (JSON, JSON), body, "second", "Authorization")
    assert request == Request.from_json(request.to_json())


def test_a_request_has_a_path_and_headers_by_name() -> None:
    request = Request("POST", f"{URL}?a=1", (JSON,))
    assert "/mj/submit/imagine" == request.path
    assert ("application/json", None) == (request.header("content-type"), request.header("a"))


def test_an_answer_keeps_a_header_that_came_twice() -> None:
    answer = Answer(200, (("a", "1"), ("a", "2")), b"\xff", 7)
    assert (["1", "2"], "1", None) == (answer.all("a"), answer.header("a"), answer.header("b"))
    assert {
        "status": 200,
        "headers": [["a", "1"], ["a", "2"]],
        "body": {"base64": "/w=="},
        "after_ms": 7,
    } == answer.to_json()


def test_an_exchange_is_named_by_request_and_status() -> None:
    request = Request("POST", URL)
    assert "POST /mj/submit/imagine: 200" == str(Exchange(request, Answer(200)))
    assert "POST /mj/submit/imagine: no answer" == str(Exchange(request, None))


def test_a_long_body_is_cut_where_it_is_shown() -> None:
    assert "x" * MOST_SHOWN == text_of(b"x" * MOST_SHOWN)
    assert "x" * MOST_SHOWN + "... (3 bytes more)" == text_of(b"x" * (MOST_SHOWN + 3))
    assert "\\xff" == text_of(b"\xff")


def test_headers_that_hold_a_token_are_left_out() -> None:
    given = {"Authorization": "a", "mj-API-secret": "b", "Accept": "c"}
    assert [("Accept", "c")] == list(headers_of(given))
