"""One contract and one drawing for all tests: to draw takes longer than to ask."""

import pytest

from mjgate.conformance.client.draw import Drawing
from mjgate.conformance.contract_view import Contract


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.load()


@pytest.fixture(scope="session")
def drawing(contract: Contract) -> Drawing:
    return Drawing(contract, seed=1)
