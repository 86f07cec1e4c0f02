"""The price table and its wildcards."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.domain.money import MICROS
from mjgate.domain.price import DOCUMENTED, PriceTable, parse_prices

NAMES = st.text("ab*.", min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("mj_imagine", 100_000),
        ("mj_variation", 100_000),
        ("mj_reroll", 100_000),
        ("mj_blend", 100_000),
        ("mj_describe", 50_000),
        ("mj_upscale", 50_000),
        ("gpt-4-gizmo-g-abc", 100_000),
        ("gpt-4-gizmo-", 100_000),
        ("gpt-4", None),
        ("mj_imagine2", None),
        ("MJ_IMAGINE", None),
        ("", None),
    ],
)
def test_the_documented_table_prices(name: str, price: int | None) -> None:
    assert price == PriceTable(0, DOCUMENTED).quote(name)


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("mj_imagine", 1),
        ("mj_imaginary", 2),
        ("mj_blend", 3),
        ("swap_face", 4),
        ("mj_a.b", 5),
        ("mj_axb", 3),
        ("mj_\nimag", 3),
        ("free", 0),
    ],
)
def test_exact_names_win_then_the_longest_pattern(name: str, price: int) -> None:
    table = {"*": 4, "mj_*": 3, "mj_imag*": 2, "mj_imagine": 1, "mj_a.*": 5, "free": 0}
    assert price == PriceTable(7, table).quote(name)


@given(st.dictionaries(NAMES, st.integers(0, 10)), st.text("ab.", max_size=5))
def test_patterns_match_as_shell_patterns_do(prices: dict[str, int], name: str) -> None:
    fitting = [key for key in prices if "*" in key and _fits(key, name)]
    longest = sorted(fitting, key=lambda key: (-len(key), key))[:1]
    expected = prices[name] if name in prices else next((prices[key] for key in longest), None)

    assert expected == PriceTable(1, prices).quote(name)


def _fits(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(_fits(pattern[1:], name[start:]) for start in range(len(name) + 1))
    return bool(name) and pattern[0] == name[0] and _fits(pattern[1:], name[1:])


def test_a_table_is_shown_in_dollars() -> None:
    assert {"mj_imagine": "0.1", "free": "0"} == PriceTable(
        1, {"mj_imagine": 100_000, "free": 0}
    ).documented()


def test_documented_json_is_read_exactly() -> None:
    assert {"a": 100_000, "b": 2 * MICROS} == parse_prices({"a": Decimal("0.1"), "b": 2})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "a price table is a JSON object"),
        (None, "a price table is a JSON object"),
        ({}, "the table is empty"),
        ({"": 1}, "name 1 of the table is empty"),
        ({"a": 1, "  ": 1}, "name 2 of the table is empty"),
        ({" a": 1}, "' a' has blanks around it"),
        ({"a\0": 1}, "has blanks around it or U\\+0000 in it"),
        ({"a": True}, "a: True is not a number of dollars"),
        ({"a": "1"}, "a: '1' is not a number of dollars"),
        ({"a": None}, "a: None is not a number of dollars"),
        ({"a": 0.1}, "a: 0.1 is not a number of dollars"),
        ({"a": Decimal(-1)}, "a: -1 is negative"),
        ({"a": Decimal("0.0000001")}, "a: 1E-7 has more than six decimals"),
        ({"a": Decimal("NaN")}, "a: NaN is not a number"),
    ],
)
def test_nonsense_is_refused_with_its_name(table: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_prices(table)
