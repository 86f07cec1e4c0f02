"""Money as whole micro-dollars."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.domain.money import MOST, dollars, micros, signed_micros


@pytest.mark.parametrize(
    ("given_dollars", "amount"),
    [
        (0, 0),
        (3, 3_000_000),
        ("0.1", 100_000),
        (Decimal("0.05"), 50_000),
        ("0.000001", 1),
        ("1e-6", 1),
        (1_000_000_000, MOST),
    ],
)
def test_dollars_are_exact_micro_dollars(given_dollars: Decimal | int | str, amount: int) -> None:
    assert amount == micros(given_dollars)


@pytest.mark.parametrize(
    ("nonsense", "message"),
    [
        ("ten", "'ten' is not a number"),
        ("", "'' is not a number"),
        ("1_000", "'1_000' is not a number"),
        ("١٢", "'١٢' is not a number"),
        ("NaN", "NaN is not a number"),
        ("Infinity", "Infinity is not a number"),
        ("-0.01", "-0.01 is negative"),
        ("0.0000001", "0.0000001 has more than six decimals"),
        (
            "999999999.0000000000000000000000001",
            "999999999.0000000000000000000000001 has more than six decimals",
        ),
        ("1000000000.000001", "1000000000.000001 is more than a billion dollars"),
        ("1e999999", "1e999999 is more than a billion dollars"),
    ],
)
def test_nonsense_is_named(nonsense: str, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.") + "$"):
        micros(nonsense)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (1, "0.000001"), (100_000, "0.1"), (1_000_000, "1"), (10_000_000, "10")],
)
def test_amounts_are_shown_as_short_as_exact(amount: int, text: str) -> None:
    assert text == dollars(amount)


@given(st.integers(0, MOST))
def test_what_is_shown_reads_back_the_same(amount: int) -> None:
    assert amount == micros(dollars(amount))


@pytest.mark.parametrize(("text", "amount"), [("0.5", 500_000), ("-0.5", -500_000), ("-0", 0)])
def test_a_correction_may_be_below_zero(text: str, amount: int) -> None:
    assert amount == signed_micros(text)


@pytest.mark.parametrize("text", ["--1", "-", "-NaN", "-1e10", "- -1"])
def test_a_correction_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        signed_micros(text)
