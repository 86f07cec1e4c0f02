"""The application: its parts fit, and leaving it loses nothing."""

import asyncio
from dataclasses import replace

import pytest

from mjgate.app import HANDLERS, create_app, find_handlers, open_gate
from mjgate.config import read_config
from mjgate.contract.document import load_document
from mjgate.contract.operation import compile_operations
from mjgate.errors import ConfigError, Unavailable
from mjgate.flight import Flight
from mjgate.store.cipher import Cipher
from tests.harness import SECRET_KEY


def test_every_operation_has_one_handler_and_every_handler_an_operation() -> None:
    operations = compile_operations(load_document().spec)
    handlers = {
        (tag, name)
        for tag, module in HANDLERS.items()
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert handlers == {(operation.tag, operation.id) for operation in operations}
    assert {operation.id for operation in operations} == find_handlers(operations).keys()


@pytest.mark.parametrize("change", [{"tag": "nothing"}, {"id": "submit_nothing"}])
def test_an_operation_without_a_handler_is_a_fault_of_the_start(change: dict[str, str]) -> None:
    strange = replace(compile_operations(load_document().spec)[0], **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=rf"handlers\.{strange.tag}\.{strange.id} is missing"):
        find_handlers((strange,))


def test_an_application_is_made_without_a_database() -> None:
    assert callable(create_app(read_config(), "postgresql://127.0.0.1:1/x", Cipher(SECRET_KEY)))


@pytest.mark.parametrize("draining", [False, True])
async def test_leaving_the_gate_waits_for_what_is_in_flight(database: str, draining: bool) -> None:
    config = read_config(database_url=database, secret_key=SECRET_KEY, drain_timeout=20)
    flight = Flight()
    begun, landed = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        begun.set()
        await asyncio.sleep(0.3)
        landed.set()
        return "done"

    async with open_gate(config, database, Cipher(SECRET_KEY), flight) as gate:
        assert gate.background.alive
        submit = asyncio.create_task(gate.flight.run(work()))
        await begun.wait()
        flight.draining = draining

    assert landed.is_set()
    assert "done" == await submit
    assert flight.draining
    with pytest.raises(Unavailable):
        await flight.run(work())
