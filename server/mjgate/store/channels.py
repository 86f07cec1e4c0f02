"""Channels in the database; their keys leave it decrypted, and only here."""

from collections.abc import Mapping
from typing import Any

from psycopg import errors, sql
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.channel import Channel, ChannelState, Dialect
from mjgate.errors import CommandError
from mjgate.store.cipher import Cipher

_COLUMNS = (
    "id, name, base_url, key_cipher, dialect, spoken, priority, weight, models, state, fault, "
    "deadline_s"
)


async def list_channels(pool: AsyncConnectionPool, cipher: Cipher) -> list[Channel]:
    """All channels that were not removed, by name."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(
            f"select {_COLUMNS} from channels where state <> 'removed' order by name"  # noqa: S608
        )
        return [_channel(row, cipher) for row in await cursor.fetchall()]


async def add_channel(
    pool: AsyncConnectionPool, cipher: Cipher, name: str, settings: Mapping[str, Any]
) -> None:
    """A new channel; `settings` are columns, with the plain key as `key`.

    Raises:
        CommandError: the name is taken.
    """
    row = _row({"name": name, **settings}, cipher)
    statement = sql.SQL("insert into channels ({}) values ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    async with pool.connection() as connection:
        try:
            await connection.execute(statement, row)
        except errors.UniqueViolation:
            raise CommandError(
                f"there is a channel {name!r} already; change it with: mjgate channel set {name}"
            ) from None


async def set_channel(
    pool: AsyncConnectionPool, cipher: Cipher, name: str, settings: Mapping[str, Any]
) -> None:
    """Changes columns of a channel; `key` is the plain key.

    Raises:
        CommandError: there is none of that name.
    """
    row = _row(settings, cipher)
    statement = sql.SQL("update channels set {} where name = {} and state <> 'removed'").format(
        sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column))
            for column in row
        ),
        sql.Placeholder("wanted"),
    )
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, {**row, "wanted": name})
        if not cursor.rowcount:
            raise CommandError(f"there is no channel {name!r}; see: mjgate channel list")


async def note_fault(pool: AsyncConnectionPool, channel: int, fault: str | None) -> None:
    """Marks a channel for the operator, or clears the mark."""
    async with pool.connection() as connection:
        await connection.execute(
            "update channels set fault = %(fault)s "
            "where id = %(id)s and fault is distinct from %(fault)s",
            {"fault": fault, "id": channel},
        )


async def note_spoken(pool: AsyncConnectionPool, channel: int, spoken: Dialect) -> None:
    """Keeps the dialect that an upstream was found to speak."""
    async with pool.connection() as connection:
        await connection.execute("update channels set spoken = %s where id = %s", [spoken, channel])


async def count_running(pool: AsyncConnectionPool, name: str) -> int:
    """How many tasks of a channel have not ended."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select count(*) from tasks join channels on channels.id = channel_id "
            "where name = %s and channels.state <> 'removed' "
            "and phase in ('sending', 'unknown', 'running')",
            [name],
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


def _row(settings: Mapping[str, Any], cipher: Cipher) -> dict[str, Any]:
    row = {column: value for column, value in settings.items() if column != "key"}
    if "key" in settings:
        key = settings["key"]
        row["key_cipher"] = cipher.encrypt(key) if key else None
    return row


def _channel(row: Mapping[str, Any], cipher: Cipher) -> Channel:
    sealed = row["key_cipher"]
    return Channel(
        id=row["id"],
        name=row["name"],
        base_url=row["base_url"],
        key=cipher.decrypt(bytes(sealed)) if sealed else None,
        dialect=Dialect(row["dialect"]),
        spoken=Dialect(row["spoken"]) if row["spoken"] else None,
        priority=row["priority"],
        weight=row["weight"],
        models=tuple(row["models"]),
        state=ChannelState(row["state"]),
        fault=row["fault"],
        deadline_s=row["deadline_s"],
    )
