"""The real application, asked by Schemathesis without a socket."""

import asyncio
from pathlib import Path

import pytest
import schemathesis
from pydantic import SecretStr
from schemathesis.checks import CHECKS
from schemathesis.python import asgi
from schemathesis.schemas import BaseSchema
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mjgate.app import create_app
from mjgate.config import Config
from mjgate.store.cipher import Cipher
from tests.fuzz import audit, campaign
from tests.fuzz.faults import ENDING
from tests.harness import SECRET_KEY

# Hypothesis says so of a failure with a large body, in place of the failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

NOWHERE = "http://127.0.0.1:9"
"""Where pictures are shown; without a socket there is no address to take it from."""
SEED = 20
EXAMPLES = 30
LEAST_CASES = 400
SETTLE_S = 30.0


@pytest.fixture
def application(database: str, tmp_path: Path) -> ASGIApp:
    config = Config(
        database_url=SecretStr(database),
        secret_key=SecretStr(SECRET_KEY),
        pictures_dir=tmp_path,
        public_url=NOWHERE,
    )
    return create_app(config, database, Cipher(SECRET_KEY))


def attack(application: ASGIApp, token: str, examples: int, database: str) -> campaign.Tally:
    """Schemathesis runs the lifespan, and every request, in one event loop of its own."""
    try:
        schema: BaseSchema = schemathesis.openapi.from_asgi(
            "/openapi.json", application, config=campaign.settings(SEED, examples)
        )
        tally = campaign.attack(schema, token, ENDING)
        assert audit.settled(database, SETTLE_S)
        return tally
    finally:
        asgi.shutdown_lifespans()


async def test_every_check_is_on_but_those_that_the_settings_name() -> None:
    left_out = {
        "ensure_resource_availability",
        "missing_required_header",
        "negative_data_rejection",
        "object_level_authorization",
        "positive_data_acceptance",
        "use_after_free",
    }
    names = campaign.enabled(campaign.settings(SEED, EXAMPLES))
    assert set(CHECKS.get_all_names()) - left_out == set(names)


async def test_the_application_keeps_its_contract(
    application: ASGIApp, token: str, database: str
) -> None:
    tally = await asyncio.to_thread(attack, application, token, EXAMPLES, database)
    assert [] == [*tally.failures.values()]
    assert LEAST_CASES <= tally.cases
    assert tally.ledger.faulty
    assert [] == audit.ledger_complaints(database)
    ledger = tally.ledger
    assert [] == list(audit.submit_complaints(database, ledger.submitted, ledger.numbers))


async def test_a_wrong_token_never_passes(application: ASGIApp, token: str, database: str) -> None:
    tally = await asyncio.to_thread(attack, application, "sk-wrong", 1, database)
    missed = [text for rule, text in tally.failures if rule == "coverage"]
    assert any("has never answered 2xx" in text for text in missed)


async def test_what_breaks_a_rule_of_conformance_is_told(
    application: ASGIApp, token: str, database: str
) -> None:
    async def spoiled(scope: Scope, receive: Receive, send: Send) -> None:
        async def cut(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [each for each in message["headers"] if each[0] != b"x-request-id"]
                message = {**message, "headers": kept}
            await send(message)

        await application(scope, receive, cut)

    tally = await asyncio.to_thread(attack, spoiled, token, 1, database)
    assert "request_id_echoed" in {rule for rule, _ in tally.failures}
    assert "response_headers_conformance" in {rule for rule, _ in tally.failures}
