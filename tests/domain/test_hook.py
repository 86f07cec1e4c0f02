"""What an address of a client is, before any name is looked up."""

import pytest

from mjgate.domain.hook import MOST_ADDRESS, parse_hook


@pytest.mark.parametrize(
    "text",
    [
        "http://example.org",
        "https://example.org:8443/hook?a=b#c",
        "HTTP://Example.org/%7Ea",
        "http://[2001:db8::1]/",
        "http://127.0.0.1:9/",
        "http://example.org/@home",
        "http://a/" + "x" * (MOST_ADDRESS - 9),
    ],
)
def test_an_address_stays_as_it_was_written(text: str) -> None:
    assert text == parse_hook(f" {text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/hook",
        "//example.org/hook",
        "example.org/hook",
        "ftp://example.org/hook",
        "file:///etc/passwd",
        "http://",
        "http:///hook",
        "http://:80/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:port/",
        "http://[::1",
        "http://[:::1]/",
        "http://user:secret@example.org/",
        "http://user@example.org/",
        "http://@example.org/",
        "http://exa mple.org/",
        "http://example.org/\x7f",
        "http://example.org/\u00e4",
        "http://a/" + "x" * (MOST_ADDRESS - 8),
    ],
)
def test_what_cannot_be_called_is_no_hook(text: str) -> None:
    with pytest.raises(ValueError, match="absolute http or https"):
        parse_hook(text)
