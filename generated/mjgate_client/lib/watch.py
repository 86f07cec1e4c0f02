"""What is known of a task that is waited for: what to ask next, and when."""

import time
from typing import Any

import httpx

from .. import errors
from ..models.error import Error
from ..models.task import Task
from ..types import Response
from .errors import NotEnded, Refused

ENDS = frozenset({"SUCCESS", "FAILURE", "CANCEL"})
_LONGEST_WAIT_S = 30
_FIRST_PAUSE_S, _LAST_PAUSE_S, _SLOWING = 1.0, 5.0, 1.5
_LONGEST_RETRY_S = 30.0
_SOON_S = 0.5
_PASSING = frozenset({408, 425, 429})


class Watch:
    """Reads answers and says what follows; it asks nobody, and sleeps not.

    `timeout` is the seconds to wait at most, None for ever; `http` how long an answer may take.
    """

    def __init__(self, task_id: str, timeout: float | None, http: httpx.Timeout) -> None:
        self._task_id = task_id
        self._end = float("inf") if timeout is None else time.monotonic() + timeout
        # An answer that waits must come before the client gives it up.
        self._longest_s = min(_LONGEST_WAIT_S, (http.read or 2 * _LONGEST_WAIT_S) / 2)
        self._task: Task | None = None
        self._content = b""
        self._tag: str | None = None
        self._tried = False
        self._asked_at = 0.0
        self._next_s = 0.0
        self._slow_s = _FIRST_PAUSE_S
        self._seen = "nothing was answered"
        self._cause: Exception | None = None

    @property
    def ended(self) -> Task | None:
        task = self._task
        return task if task is not None and task.status in ENDS else None

    def question(self) -> dict[str, Any]:
        """The headers of the next fetch, as its arguments."""
        self._asked_at = time.monotonic()
        seconds = int(min(self._longest_s, self._end - self._asked_at))
        if self._tag is None:
            return {}
        if seconds < 1:
            return {"if_none_match": self._tag}
        self._tried = True
        return {"if_none_match": self._tag, "prefer": f"wait={seconds}"}

    def read(self, answer: Response[Error | Task]) -> None:
        """Takes in an answer.

        Raises:
            Refused: it is one that will not change.
        """
        status = int(answer.status_code)
        if isinstance(answer.parsed, Task) and isinstance(answer.parsed.status, str):
            self._take(answer.parsed, answer)
        elif status == 304:
            self._rest(answer, changed=False)
        elif _is_final(status):
            raise Refused(status, answer.parsed if isinstance(answer.parsed, Error) else None)
        else:
            self._seen = f"the last answer was {status}"
            self._slow_down(_retry_after(answer))

    def fail(self, error: Exception) -> None:
        """Takes in that there was no answer.

        Raises:
            Refused: there was one, which will not change.
            httpx.UnsupportedProtocol, httpx.LocalProtocolError: nothing was asked, nor can be.
        """
        if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            raise error
        if isinstance(error, errors.UnexpectedStatus) and _is_final(error.status_code):
            raise Refused(error.status_code, None) from error
        self._seen, self._cause = f"the last try ended with {type(error).__name__}", error
        self._slow_down()

    def pause(self) -> float:
        """The seconds to the next question.

        Raises:
            NotEnded: there is no time for one.
        """
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise NotEnded(self._task_id, self._task, self._seen) from self._cause
        return min(self._next_s, left_s)

    def _take(self, task: Task, answer: Response[Error | Task]) -> None:
        changed = answer.content != self._content
        self._task, self._content, self._cause = task, answer.content, None
        self._tag = _tag(answer)
        self._seen = f"it is {task.status} at {task.progress or '0%'}"
        self._rest(answer, changed=changed)

    def _rest(self, answer: Response[Error | Task], *, changed: bool) -> None:
        """No pause where the server does the waiting, or has not been asked to yet."""
        if changed:
            self._slow_s = _FIRST_PAUSE_S
        waited = "wait" in answer.headers.get("Preference-Applied", "").lower()
        soon = time.monotonic() - self._asked_at < _SOON_S
        untried = self._tag is not None and not self._tried
        if untried or (waited and (changed or not soon)):
            self._next_s = 0.0
        else:
            self._slow_down()

    def _slow_down(self, at_least_s: float = 0.0) -> None:
        self._next_s = max(self._slow_s, at_least_s)
        self._slow_s = min(self._slow_s * _SLOWING, _LAST_PAUSE_S)


def _is_final(status: int) -> bool:
    return 400 <= status < 500 and status not in _PASSING


def _tag(answer: Response[Error | Task]) -> str | None:
    """None where there is none, or none that a request may give back."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.isascii() and tag.isprintable() and tag.strip() else None


def _retry_after(answer: Response[Error | Task]) -> float:
    text = answer.headers.get("Retry-After", "")
    digits = text.isascii() and text.isdigit()
    return min(float(text[:9]), _LONGEST_RETRY_S) if digits else 0.0
