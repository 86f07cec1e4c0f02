"""Serves an ASGI application under uvicorn, as lean as the gateway serves itself."""

import socket
from typing import Any

import uvicorn


def serve(app: Any) -> None:
    """Listens on a free loopback port, prints it, and serves until ended."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])
