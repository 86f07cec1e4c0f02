"""Tokens: what a client shows, and what we keep of it."""

import hashlib
import secrets
from dataclasses import dataclass

PREFIX = "mj-"


@dataclass(frozen=True, slots=True)
class Token:
    """A client as it is known after its key was found. Amounts are micro-dollars."""

    id: int
    label: str


@dataclass(frozen=True, slots=True)
class Account:
    """A token as an operator sees it. Amounts are micro-dollars."""

    id: int
    label: str
    hint: str
    budget: int | None
    spent: int
    held: int
    created_ms: int
    revoked_ms: int | None


def new_key() -> str:
    """A key of 192 random bits; shown once, kept only as its hash."""
    return PREFIX + secrets.token_urlsafe(24)


def key_hash(key: str) -> bytes:
    """SHA-256: keys are long and random, so a slow hash would guard nothing."""
    return hashlib.sha256(key.encode()).digest()


def key_hint(key: str) -> str:
    """Enough of a key to tell it from others."""
    return f"{key[:5]}…{key[-4:]}"
