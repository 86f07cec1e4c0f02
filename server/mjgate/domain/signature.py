"""Signatures of callbacks, as Standard Webhooks has them."""

import base64
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

_PREFIX: Final = "whsec_"
_BYTES: Final = 24


def new_secret() -> str:
    """A secret of 192 random bits in the form that the libraries take."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed_headers(
    message: str, now_ms: int, body: bytes, secrets: Iterable[str]
) -> dict[str, str]:
    """The headers of a callback: its id, when it was sent, a signature by each of the secrets.

    `message` is the same whenever the same state is sent again.
    """
    moment = datetime.fromtimestamp(now_ms // 1000, UTC)
    text = body.decode()
    signatures = (Webhook(secret).sign(message, moment, text) for secret in secrets)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(now_ms // 1000),
        "webhook-signature": " ".join(signatures),
    }
