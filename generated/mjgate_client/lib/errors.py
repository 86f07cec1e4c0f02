"""How a wait may end without a task that has ended."""

from typing import Any

from ..models.error import Error
from ..models.task import Task


class Refused(Exception):
    """Raised when the server refuses to tell of a task: to ask again would change nothing.

    `error` is what it says, None where that is not the documented body.
    """

    def __init__(self, status_code: int, error: Error | None) -> None:
        super().__init__(f"{status_code}: {error.description if error else 'no documented answer'}")
        self.status_code = status_code
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status_code, self.error)


class NotEnded(TimeoutError):
    """Raised when the time is over and the task goes on; `task` is how it was seen last."""

    def __init__(self, task_id: str, task: Task | None, seen: str) -> None:
        super().__init__(f"task {task_id} has not ended in time; {seen}")
        self.task_id = task_id
        self.task = task
        self.seen = seen

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.task_id, self.task, self.seen)
