"""What a task does, in names."""

import pytest

from mjgate.domain.action import change_sign, model


def test_a_model_is_the_action_in_small_letters() -> None:
    assert "mj_imagine" == model("IMAGINE")


@pytest.mark.parametrize(
    ("action", "index", "sign"), [("UPSCALE", 1, "U1"), ("VARIATION", 3, "V3"), ("REROLL", 2, "R")]
)
def test_a_change_has_a_sign(action: str, index: int | None, sign: str) -> None:
    assert sign == change_sign(action, index)
