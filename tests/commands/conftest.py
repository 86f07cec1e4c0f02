"""Commands in this process, on a database of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from click.testing import CliRunner, Result

from mjgate.__main__ import main
from mjgate.sandbox import Settings, running_sandbox
from tests.harness import SECRET_KEY


class Commands:
    """Runs commands on one database and keeps what they say apart."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri = uri
        self.folder = folder
        self.settings: dict[str, str | None] = {
            "DATABASE_URL": uri,
            "MJGATE_SECRET_KEY": SECRET_KEY,
        }

    def __call__(self, *words: str, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(
            main, words, input=input, env=self.settings, catch_exceptions=False
        )

    def good(self, *words: str, input: str | None = None) -> str:
        """What a command that succeeds prints on standard output."""
        result = self(*words, input=input)
        assert 0 == result.exit_code, result.output
        return result.stdout

    def json(self, *words: str) -> Any:
        return orjson.loads(self.good(*words, "--json"))

    def fault(self, *words: str, code: int = 1, input: str | bytes | None = None) -> str:
        """The one line on standard error of a command that fails."""
        result = self(*words, input=input)
        assert (code, "") == (result.exit_code, result.stdout), result.output
        assert 1 == result.stderr.count("\n"), result.stderr
        return result.stderr.removeprefix("mjgate: ").removesuffix("\n")

    def misuse(self, *words: str) -> str:
        """The last line of what is said of words that fit no command."""
        result = self(*words)
        assert (2, "") == (result.exit_code, result.stdout), result.output
        return result.stderr.splitlines()[-1]

    def rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def file(self, name: str, content: str | bytes) -> str:
        """The path of a new file."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)


@pytest.fixture
def commands(database: str, tmp_path: Path) -> Commands:
    return Commands(database, tmp_path)


@pytest.fixture
def upstream() -> Iterator[Callable[..., str]]:
    """Starts upstreams that end with the test."""
    with ExitStack() as stack:

        def begin(**settings: Any) -> str:
            return stack.enter_context(running_sandbox(Settings(**{"speed": 50.0, **settings})))

        yield begin
