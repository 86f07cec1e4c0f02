"""What only words refuse is found wherever it is, and taming leaves nothing of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.words import (
    LEAST,
    MOST,
    NO_CURSOR,
    NO_DAY,
    RULES,
    broken_rules,
    odd_questions,
    tame,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NUL, HUGE, SURROGATE = RULES


@pytest.mark.parametrize(
    ("value", "broken"),
    [
        ({"a": [MOST, LEAST, 1e300, True, None, "x"]}, []),
        ({"a\0": 1}, [NUL]),
        ({"a": [{"b": "\0"}]}, [NUL]),
        ([MOST + 1], [HUGE]),
        ([LEAST - 1, "\0"], [NUL, HUGE]),
        ({"a": "\ud800"}, [SURROGATE]),
    ],
)
def test_a_value_breaks_the_rules_that_its_keys_and_leaves_break(
    value: Any, broken: list[str]
) -> None:
    assert broken == broken_rules(value)


@given(JSON)
def test_a_tame_value_breaks_no_rule_and_what_broke_none_is_left_alone(value: Any) -> None:
    assert [] == broken_rules(tame(value))
    assert broken_rules(value) or repr(value) == repr(tame(value))


@pytest.mark.parametrize(
    ("query", "odd"),
    [
        ({}, []),
        ({"limit": "1", "to": "2026-03-01"}, []),
        ({"from": "2025-03-01", "to": "2026-03-01"}, []),
        ({"from": "2025-02-28", "to": "2026-03-01"}, ["must be within 366 days up to 2026-03-01"]),
        ({"from": "2026-03-02", "to": "2026-03-01"}, ["must not be after 2026-03-01"]),
        ({"from": "2026-02-29", "cursor": "1"}, [NO_CURSOR, NO_DAY]),
    ],
)
def test_a_question_does_not_fit_where_days_or_cursors_may_not(
    query: dict[str, str], odd: list[str]
) -> None:
    assert odd == odd_questions(query)
