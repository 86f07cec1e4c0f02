"""The life of a task as a script of stages, and what faults make of it.

The stages and what is known at each are those of `recordings/novicezk/01`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

Shown = Literal["nothing", "preview", "final"]


class Known(IntEnum):
    """How much of the bot's messages an upstream has seen."""

    NOTHING = 0
    START = 1
    HASH = 2
    END = 3


@dataclass(frozen=True)
class Stage:
    """What a task looks like from `at` seconds after a core took it."""

    at: float
    status: str
    progress: str | None = "0%"
    known: Known = Known.NOTHING
    shows: Shown = "nothing"
    fail_reason: str | None = None
    address: str | None = None
    """Replaces the picture's own address."""

    @property
    def visible(self) -> bool:
        return self.status != GONE

    @property
    def ended(self) -> bool:
        return self.status in ENDED


Script = tuple[Stage, ...]

GONE = "GONE"
ENDED = ("SUCCESS", "FAILURE", "CANCEL")
WAITING = Stage(float("-inf"), "NOT_START", None)

_GRID: Script = (
    Stage(0.3, "SUBMITTED"),
    Stage(1.3, "IN_PROGRESS", known=Known.START),
    Stage(2.3, "IN_PROGRESS", known=Known.HASH),
    Stage(3.3, "IN_PROGRESS", "15%", Known.HASH, "preview"),
    Stage(4.3, "IN_PROGRESS", "31%", Known.HASH, "preview"),
    Stage(5.3, "IN_PROGRESS", "62%", Known.HASH, "preview"),
    Stage(6.6, "IN_PROGRESS", "93%", Known.HASH, "preview"),
    Stage(8.0, "SUCCESS", "100%", Known.END, "final"),
)
_UPSCALE: Script = (
    Stage(0.3, "SUBMITTED"),
    Stage(1.3, "IN_PROGRESS", known=Known.START),
    Stage(2.3, "SUCCESS", "100%", Known.END, "final"),
)


def usual(action: str, speed: float) -> Script:
    """The life of a healthy task."""
    script = _UPSCALE if action == "UPSCALE" else _GRID
    return tuple(replace(stage, at=stage.at / speed) for stage in script)


def current(script: Script, age: float) -> Stage:
    """The stage at `age` seconds after a core took the task."""
    for stage in reversed(script):
        if stage.at <= age:
            return stage
    return WAITING


def first(script: Script, statuses: Sequence[str]) -> Stage | None:
    return next((stage for stage in script if stage.status in statuses), None)


def fails_midway(script: Script, reason: str) -> Script:
    """Fails at its middle stage and keeps the last preview, as recorded."""
    middle = len(script) // 2
    return (*script[:middle], _failed(script[middle], reason))


def fails_at_once(script: Script, reason: str) -> Script:
    return (replace(_failed(script[0], reason), known=Known.NOTHING, shows="nothing"),)


def fails_last(script: Script, reason: str) -> Script:
    final = _failed(script[-1], reason)
    return (*script[:-1], replace(final, known=script[-2].known, shows=script[-2].shows))


def sticks(script: Script, progress: str) -> Script:
    """Runs to just before its end and stays there."""
    return (*script[:-1], replace(script[-2], at=script[-1].at, progress=progress))


def never_starts(_script: Script) -> Script:
    return ()


def awaits(script: Script, status: str) -> Script:
    """Comes to this status in place of a start and stays there."""
    return (replace(script[0], status=status),)


def ends(script: Script, status: str) -> Script:
    """Ends with this status midway, without a reason."""
    middle = len(script) // 2
    return (*script[:middle], replace(script[middle], status=status))


def vanishes(script: Script, after: float) -> Script:
    return (*(stage for stage in script if stage.at < after), Stage(after, GONE))


def hides(script: Script, until: float) -> Script:
    """Is absent for `until` seconds, then shows up where its script is by then."""
    shown = replace(current(script, until), at=until)
    later = (stage for stage in script if stage.at > until)
    return (Stage(float("-inf"), GONE), shown, *later)


def goes_backwards(script: Script) -> Script:
    """Shows its progress values in falling order before it succeeds."""
    running = [stage for stage in script if stage.status == "IN_PROGRESS"]
    fallen = [stage.progress for stage in reversed(running)]
    turned = (
        replace(stage, progress=progress) for stage, progress in zip(running, fallen, strict=True)
    )
    return (script[0], *turned, script[-1])


def tells(script: Script, progress: str) -> Script:
    """Shows this text for progress while it runs."""
    return tuple(
        replace(stage, progress=progress) if stage.status == "IN_PROGRESS" else stage
        for stage in script
    )


def calls_itself(script: Script, status: str) -> Script:
    """Shows this status while it runs."""
    return tuple(
        replace(stage, status=status) if stage.status == "IN_PROGRESS" else stage
        for stage in script
    )


def succeeds_blind(script: Script) -> Script:
    return (*script[:-1], replace(script[-1], shows="nothing"))


def succeeds_elsewhere(script: Script, address: str) -> Script:
    return (*script[:-1], replace(script[-1], address=address))


def succeeds_late(script: Script, after: float) -> Script:
    return (*script[:-1], replace(script[-1], at=max(after, script[-1].at)))


def succeeds_then_fails(script: Script, reason: str) -> Script:
    final = script[-1]
    return (*script, replace(_failed(final, reason), at=final.at * 2))


def fails_then_succeeds(script: Script, reason: str) -> Script:
    final = script[-1]
    return (*fails_last(script, reason), replace(final, at=final.at * 2))


def succeeds_then_runs(script: Script) -> Script:
    return (*script, replace(script[-2], at=script[-1].at * 2))


def _failed(stage: Stage, reason: str) -> Stage:
    return replace(stage, status="FAILURE", progress="", fail_reason=reason)
