"""What is written by hand beside the generated calls."""

from . import wait_for
from .errors import NotEnded, Refused

__all__ = ["NotEnded", "Refused", "wait_for"]
