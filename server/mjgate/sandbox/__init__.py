"""A stand-in upstream: speaks as the real ones do, draws pictures, fails on request."""

from mjgate.sandbox.app import create_sandbox
from mjgate.sandbox.server import running_sandbox, serve_sandbox
from mjgate.sandbox.settings import DIALECTS, DialectName, Settings

__all__ = [
    "DIALECTS",
    "DialectName",
    "Settings",
    "create_sandbox",
    "running_sandbox",
    "serve_sandbox",
]
