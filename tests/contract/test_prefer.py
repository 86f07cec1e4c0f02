"""What a client would rather have, in every spelling of RFC 7240."""

import pytest

from mjgate.contract.prefer import wait_s


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=10", 10),
        ("WAIT=10", 10),
        ("wait = 10", 10),
        ('wait="10"', 10),
        ("wait=10; more=1", 10),
        ("wait=10;", 10),
        ("respond-async, wait=10", 10),
        ("respond-async;wait=5, wait=10", 10),
        ("return=minimal,wait=10,handling=lenient", 10),
        ('odd="a, wait=5", wait=10', 10),
        (r'odd="a\", wait=5", wait=10', 10),
        (",, wait=10", 10),
        ("wait=10, wait=20", 10),
        ("wait=007", 7),
        ("wait=60", 60),
        ("wait=61", 60),
        ("wait=" + "9" * 900, 60),
        ("wait=0", 0),
        ("wait", 0),
        ("wait=", 0),
        ('wait=""', 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=1e1", 0),
        ("wait=ten", 0),
        ("wait=\u0661", 0),
        ("wait=\u00b2", 0),
        ("wait 10", 0),
        ("wait=10 20", 0),
        ('wait="10', 0),
        ("waits=10", 0),
        ("x-wait=10", 0),
        ("wait=x, wait=10", 0),
        ("respond-async", 0),
        ("", 0),
        (";;==,", 0),
        ('"', 0),
        ("x" * 2000 + ", wait=10", 0),
    ],
)
def test_the_seconds_that_it_would_wait(header: str, seconds: int) -> None:
    assert seconds == wait_s(header, 60)


@pytest.mark.parametrize("text", ['"\\' * 30_000, '"' * 60_001, "a=" * 30_000, " " * 60_000])
def test_no_text_takes_long_to_read(text: str) -> None:
    assert 0 == wait_s(text, 60)
