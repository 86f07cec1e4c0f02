"""A plain forwarder without any check: Starlette and aiohttp, the floor to compare with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

import aiohttp
import click
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.serve import serve

PATH = "/mj/submit/imagine"


class State(TypedDict):
    session: aiohttp.ClientSession
    url: str


def create_app(upstream: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"mj-api-secret": "k", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            yield {"session": session, "url": upstream + PATH}

    return Starlette(routes=[Route(PATH, forward, methods=["POST"])], lifespan=lifespan)


async def forward(request: Request) -> Response:
    body = await request.body()
    async with request.state.session.post(request.state.url, data=body) as answer:
        return Response(await answer.read(), answer.status, media_type="application/json")


@click.command()
@click.argument("upstream")
def main(upstream: str) -> None:
    """Forward to UPSTREAM until ended."""
    serve(create_app(upstream))


if __name__ == "__main__":
    main()
