"""The real PgBouncer in front of a test's database."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.harness import free_port

_SETTINGS = """
[databases]
* = host={folder} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
server_round_robin = {round_robin}
max_client_conn = 100
"""


@contextmanager
def running_pgbouncer(
    uri: str, folder: Path, mode: str, size: int = 30, round_robin: int = 0
) -> Iterator[str]:
    """The address of a database behind a pooler.

    As root it runs as the user that the embedded PostgreSQL runs as.
    """
    parts = urlsplit(uri)
    port = free_port()
    file = folder / f"{mode}.ini"
    file.write_text(
        _SETTINGS.format(
            folder=parse_qs(parts.query)["host"][0],
            port=port,
            mode=mode,
            size=size,
            round_robin=round_robin,
        )
    )
    descriptor = os.open(file, os.O_RDONLY)
    process = subprocess.Popen(
        ["pgbouncer", f"/dev/fd/{descriptor}"],
        pass_fds=[descriptor],
        stderr=subprocess.DEVNULL,
        user="pgserver" if os.geteuid() == 0 else None,
    )
    os.close(descriptor)
    address = f"postgresql://postgres@127.0.0.1:{port}{parts.path}"
    try:
        _wait(address, process)
        yield address
    finally:
        process.kill()
        process.wait()


def _wait(address: str, process: "subprocess.Popen[bytes]") -> None:
    while True:
        assert process.poll() is None, "pgbouncer did not start"
        try:
            psycopg.connect(address, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            continue
