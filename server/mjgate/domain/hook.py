"""Hooks: addresses of clients that are called when their tasks change."""

from typing import Final
from urllib.parse import urlsplit

from yarl import URL

MOST_ADDRESS: Final = 2048
NO_HOOK: Final = "must be an absolute http or https address without credentials"


def parse_hook(text: str) -> str:
    """An address that may be called, without white space around it; no name is looked up.

    Raises:
        ValueError: it is none.
    """
    address = text.strip()
    try:
        url = URL(address)
        good = url.scheme in ("http", "https") and url.host and url.port
        alone = "@" not in urlsplit(address).netloc
    except ValueError:
        good = alone = False
    plain = address.isascii() and address.isprintable() and " " not in address
    if not (good and alone and plain) or len(address) > MOST_ADDRESS:
        raise ValueError(f"it {NO_HOOK}")
    return address
