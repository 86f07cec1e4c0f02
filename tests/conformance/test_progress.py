"""How far a run is shows on a terminal, and nowhere else."""

import re
from io import StringIO

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.progress import Progress
from tests.conformance.exchanges import answer, expected, request

FETCHED = request("GET", "/mj/task/1/fetch")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_is_taken_away() -> None:
    terminal = Terminal()
    progress = Progress(terminal)
    for label in ("GET /mj/task/{id}/fetch", None):
        progress.listen(Exchange(FETCHED, answer(200), label), expected(FETCHED))
    progress.close()
    shown = terminal.getvalue()
    assert re.match(r"\r1 answers in \d+ s, GET /mj/task/\{id\}/fetch\x1b\[K", shown)
    assert shown.endswith("\r\x1b[K")
    assert "\n" not in shown


def test_a_file_has_nothing() -> None:
    file = StringIO()
    progress = Progress(file)
    progress.listen(Exchange(FETCHED, answer(200)), expected(FETCHED))
    progress.close()
    assert "" == file.getvalue()
