"""Which channels take a submit, in which order."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.domain.channel import Channel, ChannelState, Dialect, ranked

DRAWS = 4000


def channel(number: int, **known: Any) -> Channel:
    settings: dict[str, Any] = {
        "name": f"channel {number}",
        "base_url": "http://127.0.0.1:1",
        "key": "a secret",
        "dialect": Dialect.AUTO,
        "spoken": None,
        "priority": 0,
        "weight": 1,
        "models": ("midjourney",),
        "state": ChannelState.ENABLED,
    }
    return Channel(number, **{**settings, **known})


def first(channels: list[Channel], rng: random.Random) -> int:
    return ranked(channels, "mj_imagine", (), rng)[0].id


@pytest.mark.parametrize(
    ("models", "model", "served"),
    [
        (("midjourney",), "mj_imagine", True),
        (("midjourney",), "swap_face", True),
        (("midjourney",), "gpt-4-gizmo-g-abc", False),
        (("mj_imagine",), "mj_imagine", True),
        (("mj_imagine",), "mj_blend", False),
        ((), "mj_imagine", False),
    ],
)
def test_midjourney_stands_for_all_of_its_models(
    models: tuple[str, ...], model: str, served: bool
) -> None:
    assert served == channel(1, models=models).serves(model)


def test_higher_priority_comes_first() -> None:
    channels = [channel(1, priority=1), channel(2, priority=9), channel(3, priority=5)]

    order = ranked(channels, "mj_imagine", (), random.Random(1))

    assert [2, 3, 1] == [each.id for each in order]


def test_one_priority_is_shared_by_weight() -> None:
    rng = random.Random(7)
    channels = [channel(1, weight=1), channel(2, weight=3), channel(3, weight=0)]

    drawn = Counter(first(channels, rng) for _ in range(DRAWS))

    assert 0 == drawn[3]
    assert 0.25 == pytest.approx(drawn[1] / DRAWS, abs=0.03)


def test_without_weight_a_channel_is_the_last_resort() -> None:
    channels = [channel(1, weight=0), channel(2, weight=1)]

    order = ranked(channels, "mj_imagine", (), random.Random(1))

    assert [2, 1] == [each.id for each in order]


@given(st.lists(st.sampled_from([*ChannelState]), max_size=5), st.sets(st.integers(0, 4)))
def test_only_enabled_channels_that_are_not_shunned_are_ranked(
    states: list[ChannelState], shunned: set[int]
) -> None:
    channels = [channel(number, state=state) for number, state in enumerate(states)]

    order = ranked(channels, "mj_imagine", shunned, random.Random(1))

    expected = {
        each.id
        for each in channels
        if each.state is ChannelState.ENABLED and each.id not in shunned
    }
    assert expected == {each.id for each in order}
    assert len(expected) == len(order)


def test_the_repr_shows_no_key() -> None:
    assert "Channel(1, 'channel 1', auto)" == repr(channel(1))
    assert "Channel(1, 'channel 1', buttons)" == repr(channel(1, spoken=Dialect.BUTTONS))
