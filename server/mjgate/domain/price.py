"""The price table: names, with `*` as a wildcard, to micro-dollars."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mjgate.domain.money import dollars, micros

DOCUMENTED = {
    "gpt-4-gizmo-*": 100_000,
    "mj_imagine": 100_000,
    "mj_variation": 100_000,
    "mj_reroll": 100_000,
    "mj_blend": 100_000,
    "mj_describe": 50_000,
    "mj_upscale": 50_000,
}
"""The documented table (`seed`), in micro-dollars."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """One version of the prices. Exact names win, then the longest matching pattern."""

    version: int
    prices: Mapping[str, int]
    _patterns: tuple[tuple[re.Pattern[str], int], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        wild = sorted((name for name in self.prices if "*" in name), key=_specific)
        object.__setattr__(
            self, "_patterns", tuple((_pattern(name), self.prices[name]) for name in wild)
        )

    def quote(self, name: str) -> int | None:
        """The price of a model in micro-dollars; None where the table has none."""
        exact = self.prices.get(name)
        if exact is not None:
            return exact
        return next((price for pattern, price in self._patterns if pattern.fullmatch(name)), None)

    def documented(self) -> dict[str, str]:
        """Names to dollars, as the documented JSON has them."""
        return {name: dollars(price) for name, price in self.prices.items()}


def parse_prices(table: Any) -> dict[str, int]:
    """The documented JSON (names to dollars, numbers parsed as Decimal) as micro-dollars.

    Raises:
        ValueError: says which name is wrong, and how.
    """
    if not isinstance(table, dict):
        raise ValueError('a price table is a JSON object such as {"mj_imagine": 0.1}')
    if not table:
        raise ValueError("the table is empty: every submit would be refused")
    return {
        _name(name, place): _price(name, price)
        for place, (name, price) in enumerate(table.items(), 1)
    }


def _specific(name: str) -> tuple[int, str]:
    return -len(name), name


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in name.split("*")), re.DOTALL)


def _name(name: str, place: int) -> str:
    if not name.strip():
        raise ValueError(f"name {place} of the table is empty")
    if name != name.strip() or "\0" in name:
        raise ValueError(f"{name!r} has blanks around it or U+0000 in it")
    return name


def _price(name: str, price: Any) -> int:
    if isinstance(price, bool) or not isinstance(price, int | Decimal):
        raise ValueError(f"{name}: {price!r} is not a number of dollars")
    try:
        return micros(price)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
