"""Money as whole micro-dollars."""

from decimal import Decimal, InvalidOperation

MICROS = 1_000_000
"""Micro-dollars in a dollar."""
MOST = 1_000_000_000 * MICROS
"""The largest amount taken, in micro-dollars: a billion dollars."""


def micros(dollars: Decimal | int | str) -> int:
    """Dollars as micro-dollars, exactly.

    Raises:
        ValueError: not a number, negative, more than six decimals or a billion dollars.
    """
    try:
        amount = Decimal(dollars)
        if isinstance(dollars, str) and ("_" in dollars or not dollars.isascii()):
            raise InvalidOperation
    except InvalidOperation:
        raise ValueError(f"{dollars!r} is not a number") from None
    if not amount.is_finite():
        raise ValueError(f"{dollars} is not a number")
    if amount < 0:
        raise ValueError(f"{dollars} is negative")
    if amount > MOST // MICROS:
        raise ValueError(f"{dollars} is more than a billion dollars")
    whole = int(amount * MICROS)
    if Decimal(whole) / MICROS != amount:
        raise ValueError(f"{dollars} has more than six decimals")
    return whole


def signed_micros(dollars: str) -> int:
    """Dollars that may be below zero, as micro-dollars; raises like `micros`."""
    return -micros(dollars[1:]) if dollars.startswith("-") else micros(dollars)


def dollars(amount: int) -> str:
    """Micro-dollars as dollars, as short as exact: 100000 is `0.1`."""
    text = f"{Decimal(amount) / MICROS:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
