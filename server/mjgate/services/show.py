"""A task as its client is shown it, by a fetch and by a callback alike."""

from typing import Any

from mjgate.domain.task import Task
from mjgate.gate import Gate


def show(gate: Gate, task: Task) -> dict[str, Any]:
    """The documented Task."""
    del gate
    return task.wire()
