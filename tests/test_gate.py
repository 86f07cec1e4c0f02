"""What every verb needs."""

import dataclasses
import time

import pytest

from mjgate.gate import Gate, NoBackground
from tests.services.gates import open_gate


async def test_a_gate_is_frozen_and_has_the_clock_of_its_machine(database: str) -> None:
    async with open_gate(database) as gate:
        assert abs(time.time() * 1000 - gate.clock()) < 5000
        with pytest.raises(dataclasses.FrozenInstanceError):
            gate.clock = time.time_ns  # type: ignore[misc]
        assert isinstance(gate, Gate)


def test_without_background_work_nothing_is_followed() -> None:
    background = NoBackground()

    background.follow(1)

    assert background.alive
