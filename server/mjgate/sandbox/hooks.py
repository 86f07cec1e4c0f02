"""Posts tasks to their notifyHook, as `reference/midjourney-proxy.md` section 6 tells."""

import heapq
import itertools
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from threading import Condition, Thread

from mjgate.sandbox.life import Stage
from mjgate.sandbox.studio import Task

TIMEOUT = 3.0

Body = Callable[[Task, Stage], bytes | None]
"""What to post of a task, or None if it is not to be told any more."""


@dataclass(frozen=True)
class Post:
    """A task and the stages of it that are still to be told."""

    task: Task
    stages: tuple[Stage, ...]
    told: float = -1.0
    """The rank of the highest stage told."""


class Notifier:
    """One thread, one post at a time; what cannot be delivered is dropped."""

    def __init__(self, body: Body, headers: dict[str, str], repeats: bool) -> None:
        """`repeats`: whether a stage that ranks as high as the last is told too."""
        self._body = body
        self._headers = headers
        self._repeats = repeats
        self._heap: list[tuple[float, int, Post]] = []
        self._numbers = itertools.count()
        self._changed = Condition()
        self._closed = False
        self._thread: Thread | None = None
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _NoRedirect()
        ).open

    def watch(self, task: Task) -> None:
        """Tells each stage from SUBMITTED on; nothing if the hook is no web address."""
        hook = task.order.notify_hook or ""
        if hook.startswith(("http://", "https://")):
            self._plan(Post(task, tuple(s for s in task.order.script if s.visible)))

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _plan(self, post: Post) -> None:
        if not post.stages:
            return
        due = post.task.starts + post.stages[0].at
        with self._changed:
            heapq.heappush(self._heap, (due, next(self._numbers), post))
            if self._thread is None:
                self._thread = Thread(target=self._run, name="sandbox-hooks", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while post := self._next():
            stage, *rest = post.stages
            rank = _rank(stage)
            if rank > post.told or (self._repeats and rank == post.told):
                self._send(post.task, stage)
            self._plan(Post(post.task, tuple(rest), max(rank, post.told)))

    def _next(self) -> Post | None:
        """Waits for the next post that is due; None once closed."""
        with self._changed:
            while not self._closed:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._heap)[2]
                self._changed.wait(wait)
        return None

    def _send(self, task: Task, stage: Stage) -> None:
        hook, body = task.order.notify_hook, self._body(task, stage)
        if not hook or body is None:
            return
        try:
            request = urllib.request.Request(hook, body, self._headers)  # noqa: S310
            self._open(request, timeout=TIMEOUT).close()
        except (OSError, HTTPException, ValueError):
            return


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _rank(stage: Stage) -> float:
    """How far a stage is; lower ones than the highest told are not told any more."""
    if stage.status == "SUBMITTED":
        return 1
    if stage.ended:
        return 1000
    digits = (stage.progress or "").rstrip("%")
    return 3 + int(digits) if digits.isascii() and digits.isdigit() else 3
