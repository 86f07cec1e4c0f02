"""What only words refuse is found wherever it is, and taming leaves nothing of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.words import LEAST, MOST, RULES, broken_rules, tame

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
