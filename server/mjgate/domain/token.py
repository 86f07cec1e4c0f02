"""Tokens: what a client shows, what it may do, and what we keep of it."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import Final

PREFIX = "mj-"
_EARLIEST, _LATEST = 2000, 9998
MOST_RATE: Final = 60_000
MOST_IN_FLIGHT: Final = 1_000_000
_MOST_NAME = 100

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Period(StrEnum):
    """How often a budget begins anew, by the calendar in UTC; weeks begin on Monday."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Token:
    """A client as it is known after its key was found.

    `expires_ms` is milliseconds since 1970. Without `addresses` it may come from any. `hook` is
    where its tasks are told of when a request names no address.
    """

    id: int
    label: str
    expires_ms: int | None = None
    addresses: Collection[Network] | None = None
    hook: str | None = None

    def expired(self, now_ms: int) -> bool:
        return self.expires_ms is not None and self.expires_ms <= now_ms

    def admits(self, address: Address | None) -> bool:
        """Whether it may come from an address; None is one that is not known."""
        if self.addresses is None:
            return True
        return address is not None and any(address in network for network in self.addresses)


@dataclass(frozen=True, slots=True)
class Account:
    """A token as an operator sees it.

    Amounts are micro-dollars of the budget period at hand, moments milliseconds since 1970;
    None is no limit.
    """

    id: int
    label: str
    hint: str
    budget: int | None
    period: str | None
    resets_ms: int | None
    spent: int
    held: int
    in_flight: int
    most_in_flight: int | None
    rate_per_minute: int | None
    models: list[str] | None
    expires_ms: int | None
    addresses: list[str] | None
    created_ms: int
    revoked_ms: int | None
    notify_hook: str | None = None

    @property
    def remaining(self) -> int | None:
        """What a submit may cost now; None where there is no budget."""
        return None if self.budget is None else max(0, self.budget - self.spent - self.held)


def new_key() -> str:
    """A key of 192 random bits; shown once, kept only as its hash."""
    return PREFIX + secrets.token_urlsafe(24)


def key_hash(key: str) -> bytes:
    """SHA-256: keys are long and random, so a slow hash would guard nothing."""
    return hashlib.sha256(key.encode()).digest()


def key_hint(key: str) -> str:
    """Enough of a key to tell it from others."""
    return f"{key[:5]}…{key[-4:]}"


def parse_count(text: str, most: int) -> int:
    """A whole number from 1 to `most`.

    Raises:
        ValueError: it is none.
    """
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not digits or not 1 <= int(text) <= most:
        raise ValueError(f"{text!r} is not a whole number from 1 to {most}")
    return int(text)


def parse_model(text: str) -> str:
    """The name of a model, in which * stands for anything.

    Raises:
        ValueError: it is none.
    """
    if not text.isprintable() or len(text) > _MOST_NAME:
        raise ValueError(f"{text!r} is not the name of a model")
    return text


def parse_network(text: str) -> Network:
    """A network such as 10.0.0.0/8, or one address; of IPv4 also where it is written as IPv6.

    Raises:
        ValueError: it is none.
    """
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an address or a network such as 10.0.0.0/8") from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return IPv4Network((mapped, network.prefixlen - 96))


def parse_moment(text: str) -> datetime:
    """A day such as 2027-01-01, or a moment of it; in UTC unless it says otherwise.

    Raises:
        ValueError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
        in_utc = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a day such as 2027-01-01") from None
    if not _EARLIEST <= in_utc.year <= _LATEST:
        raise ValueError(f"{text!r} is not in the years {_EARLIEST} to {_LATEST}")
    return in_utc
