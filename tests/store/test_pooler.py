"""A pooler in front of the database."""

from pathlib import Path

import psycopg
import pytest

from mjgate.errors import ConfigError
from mjgate.store.pooler import refuse_pooler
from tests.harness import free_port
from tests.pgbouncer import running_pgbouncer

FAULT = "a pooler in transaction mode, such as PgBouncer with pool_mode = transaction"


def test_a_postgresql_without_a_pooler_passes(database: str) -> None:
    refuse_pooler(database)


def test_a_pooler_in_session_mode_passes(database: str, tmp_path: Path) -> None:
    with running_pgbouncer(database, tmp_path, "session") as uri:
        refuse_pooler(uri)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("size", [1, 30])
@pytest.mark.parametrize("round_robin", [0, 1])
def test_a_pooler_that_changes_the_connection_is_named(
    database: str, tmp_path: Path, mode: str, size: int, round_robin: int
) -> None:
    with (
        running_pgbouncer(database, tmp_path, mode, size, round_robin) as uri,
        pytest.raises(ConfigError, match=FAULT),
    ):
        refuse_pooler(uri)


@pytest.mark.parametrize("round_robin", [0, 1])
def test_it_is_named_with_many_idle_connections_too(
    database: str, tmp_path: Path, round_robin: int
) -> None:
    with running_pgbouncer(database, tmp_path, "transaction", 5, round_robin) as uri:
        held = [psycopg.connect(uri) for _ in range(5)]
        for each in held:
            each.execute("select 1")
        for each in held:
            each.close()
        with pytest.raises(ConfigError, match=FAULT):
            refuse_pooler(uri)


def test_a_database_out_of_reach_is_said_so() -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL cannot be reached: "):
        refuse_pooler(f"postgresql://a@127.0.0.1:{free_port()}/b")
