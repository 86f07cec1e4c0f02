"""How many connections a gateway may need, and whether its database takes them."""

import psycopg

from mjgate.errors import ConfigError

PER_PROCESS = 16
"""What a serving process opens at most: 8 of its pool, 5 of its jobs, and one each to write, to
read and to hear of changes. Channels come on top, one for each wherever it is followed."""
DELIVERY = 1
"""Wherever callbacks are delivered."""
SPARE = 10
"""For commands beside the server."""

_ROOM = """
select current_setting('max_connections')::int,
  current_setting('superuser_reserved_connections')::int,
  (select count(*) from channels where state <> 'removed')
"""


def refuse_crowd(uri: str, processes: int) -> None:
    """Sees to it that so many serving processes have room, whatever they do at once.

    Raises:
        ConfigError: they do not; says how many do, and what makes room.
    """
    with psycopg.connect(uri, autocommit=True) as connection:
        row = connection.execute(_ROOM).fetchone()
        assert row is not None
        most, reserved, channels = row
    beside = reserved + channels + DELIVERY + SPARE
    need = processes * PER_PROCESS + beside
    if need > most:
        raise ConfigError(
            f"--workers {processes} may need {need} connections ({PER_PROCESS} each, {beside} "
            f"beside them), and PostgreSQL takes {most}; use --workers "
            f"{max(1, (most - beside) // PER_PROCESS)}, or set max_connections = {need} in the "
            "postgresql.conf of the data directory and start again"
        )
