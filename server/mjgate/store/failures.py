"""Failures of background jobs: one row for each kind of job and what it was about."""

from collections.abc import Mapping
from typing import Any

from psycopg_pool import AsyncConnectionPool

_MOST_ERROR = 500

_NOTE = """
insert into job_failures (job, about, error) values (%s, %s, %s)
on conflict (job, about) do update set
  times = job_failures.times + 1, last_at = now(), error = excluded.error
"""


def about(arguments: Mapping[str, Any]) -> str:
    """What a job is about, such as `channel 3`; one that comes round by the clock, nothing."""
    known = sorted((name, value) for name, value in arguments.items() if name != "timestamp")
    return ", ".join(f"{name} {value}" for name, value in known)


async def note_failure(
    pool: AsyncConnectionPool, job: str, arguments: Mapping[str, Any], error: str
) -> None:
    """Counts a failure, and keeps the beginning of what it says."""
    said = error.replace("\0", "")[:_MOST_ERROR]
    async with pool.connection() as connection:
        await connection.execute(_NOTE, [job, about(arguments), said])


async def forget_failures(pool: AsyncConnectionPool) -> None:
    """Forgets those that have not come again for a week."""
    async with pool.connection() as connection:
        await connection.execute(
            "delete from job_failures where last_at < now() - interval '7 days'"
        )
