"""What a task does, and the model name it is priced by (`reference/new-api.md`, section 1)."""

from typing import Final

IMAGINE: Final = "IMAGINE"
UPSCALE: Final = "UPSCALE"
VARIATION: Final = "VARIATION"
REROLL: Final = "REROLL"

DOCUMENTED_MODEL = "midjourney"
"""A channel's default model; stands for every `mj_*` and `swap_face` (`seed`)."""


def model(action: str) -> str:
    return f"mj_{action.lower()}"


def change_sign(action: str, index: int | None) -> str:
    """`U1`, `V3` or `R`, as task descriptions have it."""
    return "R" if action == REROLL else f"{action[0]}{index}"
