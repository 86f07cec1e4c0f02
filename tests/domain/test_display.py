"""What others wrote commands nothing where it is shown."""

import pytest

from mjgate.domain.display import harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("红狐 🦊\n\tplain", "红狐 🦊\n\tplain"),
        ("one\r\ntwo\rthree", "one\ntwo\ufffdthree"),
        ("\x1b[2J\x07\x7f\x85\x9b", "\ufffd[2J\ufffd\ufffd\ufffd\ufffd"),
        ("\u202eright\u2066\ufeff", "\ufffdright\ufffd\ufffd"),
        ("\ud800\udcff", "\ufffd\ufffd"),
    ],
)
def test_a_sign_that_commands_a_terminal_is_marked(text: str, shown: str) -> None:
    assert shown == harmless(text)
