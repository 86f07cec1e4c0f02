"""How many callbacks a second go out to a quick receiver, and what each costs.

    python tests/bench/callbacks.py --tasks 5000

Tasks of one token end all at once; what delivers them runs in this process, the receiver in
another, PostgreSQL is the embedded one. Nothing is left out: each is claimed, signed, sent,
answered and booked.
"""

import argparse
import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psutil
import uvloop

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from mjgate.gate import Gate
from mjgate.services.deliver import Deliverer, open_caller
from tests.harness import new_database, running_postgres
from tests.services.gates import client, open_gate
from tests.store.rows import query

_HOOK = "http://127.0.0.1:{port}/hook"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_TASKS = """
insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, send_deadline,
  status, submit_ms, prompt, description, progress, image_url, properties, hook)
select n, %s, 1, 'IMAGINE', 'mj_imagine', 0, 'ended', 'm', now(), 'SUCCESS', 1800000000000,
  'a red fox in the snow', '/imagine a red fox in the snow', '100%%', 'http://example.org/a.png',
  '{"finalPrompt": "a red fox in the snow"}', %s
from generate_series(1, %s) n
"""
_QUEUE = "select queue_deliveries(array_agg(id)) from tasks"
_LEFT = "select count(*) from deliveries where state <> 'delivered'"
_DEADLINE_S = 60.0


class _Quick(asyncio.Protocol):
    """Answers each POST as soon as its last byte is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, blank, body = self._data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if blank and len(body) >= int(length):
            self._data = b""
            self._transport.write(_ANSWER)


async def _receive(descriptor: int) -> None:
    listener = socket.socket(fileno=descriptor)
    server = await asyncio.get_running_loop().create_server(_Quick, sock=listener)
    await server.serve_forever()


@contextmanager
def _receiver() -> Iterator[int]:
    """The port of one in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, __file__, "--receive", str(descriptor)], pass_fds=[descriptor]
        )
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.wait()


async def _measure(gate: Gate, tasks: int, port: int) -> float:
    """Seconds from the first look to the last delivery on record."""
    owner = await client(gate)
    query(gate.store, _TASKS, owner.id, _HOOK.format(port=port), tasks)
    query(gate.store, _QUEUE)
    deliverer = Deliverer(gate, open_caller(gate))
    deliverer.on_duty = True
    started = time.perf_counter()
    deliverer.start()
    async with asyncio.timeout(_DEADLINE_S):
        while query(gate.store, _LEFT) != [(0,)]:
            await asyncio.sleep(0.02)
    took = time.perf_counter() - started
    await deliverer.stop()
    assert [(tasks,)] == query(gate.store, "select count(*) from attempts")
    return took


async def _run(tasks: int, folder: Path) -> None:
    with running_postgres(folder) as postgres:
        uri = new_database(postgres)
        async with open_gate(uri, allow_private_hooks="127.0.0.0/8") as gate:
            before = psutil.Process().cpu_times()
            with _receiver() as port:
                took = await _measure(gate, tasks, port)
            after = psutil.Process().cpu_times()
    cpu_us = (after.user + after.system - before.user - before.system) / tasks * 1e6
    print(
        f"{tasks:,} callbacks in {took:.1f} s: {tasks / took:,.0f} a second, {cpu_us:,.0f} us each"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--receive", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.receive is not None:
        uvloop.run(_receive(chosen.receive))
        return
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(_run(chosen.tasks, Path(folder)))


if __name__ == "__main__":
    main()
