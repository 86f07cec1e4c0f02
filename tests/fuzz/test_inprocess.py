"""The real application, asked by Schemathesis without a socket."""

import asyncio
from pathlib import Path

import pytest
import schemathesis
from pydantic import SecretStr
from schemathesis.checks import CHECKS
from schemathesis.python import asgi
from schemathesis.schemas import BaseSchema
from starlette.types import ASGIApp

from mjgate.app import create_app
from mjgate.config import Config
from mjgate.store.cipher import Cipher
from tests.fuzz import audit, campaign
from tests.fuzz.faults import ENDING
from tests.harness import SECRET_KEY

# Hypothesis says so of a failure with a large body, in place of the failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

SEED = 20
EXAMPLES = 30
LEAST_CASES = 400
SETTLE_S = 30.0


@pytest.fixture
def application(database: str, tmp_path: Path) -> ASGIApp:
    config = Config(
        database_url=SecretStr(database), secret_key=SecretStr(SECRET_KEY), pictures_dir=tmp_path
    )
    return create_app(config, database, Cipher(SECRET_KEY))


def attack(application: ASGIApp, token: str, examples: int, database: str) -> campaign.Tally:
    """Schemathesis runs the lifespan, and every request, in one event loop of its own."""
    try:
        schema: BaseSchema = schemathesis.openapi.from_asgi(
            "/openapi.json", application, config=campaign.settings(SEED, examples)
        )
        tally = campaign.attack(schema, token, SEED, ENDING)
        assert audit.settled(database, SETTLE_S)
        return tally
    finally:
        asgi.shutdown_lifespans()


async def test_every_check_is_on_but_those_that_the_settings_name() -> None:
    left_out = {
        "ensure_resource_availability",
        "missing_required_header",
        "object_level_authorization",
        "use_after_free",
    }
    names = campaign.enabled(campaign.settings(SEED, EXAMPLES))
    assert set(CHECKS.get_all_names()) - left_out == set(names)


async def test_the_application_keeps_its_contract(
    application: ASGIApp, token: str, database: str
) -> None:
    tally = await asyncio.to_thread(attack, application, token, EXAMPLES, database)
    assert [] == [str(failure) for failure in tally.failures.values()]
    assert LEAST_CASES <= tally.cases
    assert tally.faulty
    assert [] == audit.ledger_complaints(database)
    assert [] == list(audit.submit_complaints(database, tally.submitted, tally.numbers))


async def test_a_wrong_token_never_passes(application: ASGIApp, token: str, database: str) -> None:
    tally = await asyncio.to_thread(attack, application, "sk-wrong", 1, database)
    missed = [text for rule, text in tally.failures if rule == "coverage"]
    assert any("has never answered 2xx" in text for text in missed)
