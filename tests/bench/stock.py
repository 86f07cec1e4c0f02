"""Connexion as its documentation shows it, on the same contract, validating both ways."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, cast
from uuid import uuid4

import aiohttp
import click
from connexion.apps.asynchronous import AsyncApp
from connexion.context import request
from connexion.resolver import Resolver

from tests.bench.serve import serve

CONTRACT = Path(__file__).parents[2] / "openapi"
TOKEN = "BENCH_TOKEN"


class State(TypedDict):
    session: aiohttp.ClientSession
    url: str


def create_app(upstream: str) -> AsyncApp:
    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[State]:
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"mj-api-secret": "k"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            yield {"session": session, "url": upstream}

    # The contract names no Python; Connexion takes these two names from the environment as well.
    os.environ["APIKEYINFO_FUNC"] = "tests.bench.stock.by_secret"
    os.environ["BEARERINFO_FUNC"] = "tests.bench.stock.by_bearer"
    app = AsyncApp(__name__, specification_dir=str(CONTRACT), lifespan=lifespan)
    app.add_api(
        "mjgate.yaml",
        resolver=Resolver(partial(getattr, sys.modules[__name__])),
        resolver_error=501,
        validate_responses=True,
    )
    return app


async def submit_imagine(body: dict[str, Any]) -> tuple[Any, int, dict[str, str]]:
    state = cast(Any, request).state
    async with state.session.post(state.url + "/mj/submit/imagine", json=body) as answer:
        return await answer.json(), answer.status, {"X-Request-Id": uuid4().hex}


def by_secret(key: str, required_scopes: Any) -> dict[str, str] | None:
    return {"sub": "bench"} if key == os.environ[TOKEN] else None


def by_bearer(token: str) -> dict[str, str] | None:
    return {"sub": "bench"} if token == os.environ[TOKEN] else None


@click.command()
@click.argument("upstream")
def main(upstream: str) -> None:
    """Serve the contract in front of UPSTREAM until ended."""
    serve(create_app(upstream))


if __name__ == "__main__":
    main()
