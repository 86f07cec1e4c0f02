"""What PostgreSQL, or JSON on the way to it, says of a row that it cannot hold."""

import orjson
import psycopg
from psycopg import errors

REFUSALS = (
    errors.DataError,
    errors.IntegrityError,
    errors.ProgramLimitExceeded,
    orjson.JSONEncodeError,
    UnicodeEncodeError,
    OverflowError,
)


LOST = (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction)
"""What psycopg raises for a connection that is gone, cannot be made, or leads to a standby."""


def first_line(error: Exception) -> str:
    """The fault without the values that PostgreSQL adds to it."""
    return str(error).partition("\n")[0]
