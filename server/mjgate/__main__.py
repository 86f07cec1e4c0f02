"""The command line: `mjgate --help`."""

import click

from mjgate import __version__
from mjgate.commands.channel import channel
from mjgate.commands.conformance import conformance
from mjgate.commands.db import db
from mjgate.commands.frame import Frame
from mjgate.commands.jobs import jobs
from mjgate.commands.ledger import ledger
from mjgate.commands.price import price
from mjgate.commands.secrets import secrets
from mjgate.commands.serve import sandbox, serve, worker_process
from mjgate.commands.token import token
from mjgate.commands.webhook import webhook


@click.group(cls=Frame)
@click.version_option(__version__)
def main() -> None:
    """A gateway for the Midjourney Proxy API.

    Commands work on MJGATE_DATA_DIR (default .mjgate) or DATABASE_URL, also beside a running
    server, and take effect at once.
    """


_COMMANDS = (
    serve,
    worker_process,
    sandbox,
    token,
    channel,
    price,
    webhook,
    conformance,
    ledger,
    jobs,
    db,
    secrets,
)
for command in _COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main()
