"""Why no answer came, in the words of one who looks for the mistake."""

import socket
import ssl
from collections.abc import Callable, Iterator
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from typing import Final

from urllib3.exceptions import ConnectTimeoutError, ReadTimeoutError

_NO_TLS: Final = "it speaks no TLS; is it http://?"
_TLS: Final = "it speaks TLS; is it https://?"
_ALERT: Final = "\x15\x03"
"""How TLS begins to refuse what is none: a record of an alert, of its third version."""


def said(error: BaseException) -> str:
    """What happened, in one steady line: without ports, addresses, and times."""
    for each in _causes(error):
        for kind, words in _WORDS:
            if isinstance(each, kind):
                return words(each)
    return f"what came could not be read ({type(error).__name__})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it wraps, the innermost first: the wrapper knows least."""
    if error is not None:
        yield from _causes(error.__cause__ or error.__context__)
        yield error


def _bad_line(error: BaseException) -> str:
    is_tls = str(error).strip("'\"").startswith((_ALERT, repr(_ALERT)[1:-1]))
    return _TLS if is_tls else "it does not speak HTTP"


def _of_tls(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason in ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "HTTP_REQUEST"):
        return _NO_TLS
    return f"TLS failed: {reason.lower().replace('_', ' ') or 'no reason was given'}"


def _of_certificate(error: BaseException) -> str:
    return f"its certificate is not trusted: {getattr(error, 'verify_message', '')}"


_WORDS: Final[tuple[tuple[type[BaseException], Callable[[BaseException], str]], ...]] = (
    (ssl.SSLCertVerificationError, _of_certificate),
    (ssl.SSLEOFError, lambda error: _NO_TLS),
    (ssl.SSLError, _of_tls),
    (RemoteDisconnected, lambda error: "it hung up without an answer"),
    (ConnectionRefusedError, lambda error: "connection refused"),
    (ConnectionResetError, lambda error: "the connection was reset"),
    (BrokenPipeError, lambda error: "the connection was closed while we sent"),
    (BadStatusLine, _bad_line),
    (IncompleteRead, lambda error: "the answer was cut"),
    (socket.gaierror, lambda error: "there is no server of this name"),
    (ConnectTimeoutError, lambda error: "nobody took the connection in time"),
    (ReadTimeoutError, lambda error: "no whole answer came in time"),
)
