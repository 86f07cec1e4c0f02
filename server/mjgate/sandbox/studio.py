"""The sandbox's memory: its tasks, its cores and its queue, all told by the clock."""

import heapq
import itertools
import time
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from random import randrange
from threading import Lock

from mjgate.sandbox.life import ENDED, Script, Stage, current, first
from mjgate.sandbox.pictures import Picture
from mjgate.sandbox.settings import Settings


@dataclass(frozen=True)
class Order:
    """An accepted request for a picture, before it has an id."""

    operation: str
    action: str
    prompt: str
    picture: Picture
    script: Script
    base: str
    """Origin of the picture's address."""
    busy: float
    """Seconds for which it holds a core."""
    state: str | None = None
    notify_hook: str | None = None
    images: int = 0
    """Pictures sent with the prompt; their addresses are put before it."""
    parent: "Task | None" = None
    index: int | None = None
    custom_id: str | None = None
    bot_type: str | None = None
    client_ip: str | None = None


@dataclass(frozen=True)
class Task:
    """An order with an id and a place in time."""

    id: str
    order: Order
    submitted: float
    """Seconds since 1970."""
    born: float
    """By the monotonic clock, as `starts`."""
    starts: float
    """When a core takes it."""

    def stage(self, now: float) -> Stage:
        return current(self.order.script, now - self.starts)

    @property
    def message_id(self) -> str:
        """The final message's id, in the form of a Discord snowflake."""
        return str(int(self.id) * 512 + 256)

    @property
    def progress_message_id(self) -> str:
        return str(int(self.id) * 512 + 128)

    @property
    def nonce(self) -> str:
        return str(int(self.id) * 1024 + 7)

    @property
    def message_hash(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self.id))

    @property
    def submit_time(self) -> int:
        """Milliseconds since 1970, as the other two."""
        return int(self.submitted * 1000)

    def start_time(self, stage: Stage) -> int | None:
        first_stage = self.order.script[0] if self.order.script else None
        return self._moment(first_stage) if first_stage and first_stage.at <= stage.at else None

    def finish_time(self, stage: Stage) -> int | None:
        return self._moment(first(self.order.script, ENDED)) if stage.ended else None

    def _moment(self, stage: Stage | None) -> int | None:
        if stage is None:
            return None
        return int((self.submitted + self.starts - self.born + max(stage.at, 0)) * 1000)


@dataclass(frozen=True)
class Placed:
    """A task that was taken in."""

    task: Task
    waiting: int
    """Tasks that were waiting before it, itself and running ones not counted."""


class Studio:
    """Thread-safe; nothing in it runs by itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._last_id = 0
        self._open()

    def submit(self, order: Order, task_id: str | None = None) -> Placed | None:
        """Takes the order in, under a new id or a given one; None when the queue is full."""
        with self._lock:
            now = time.monotonic()
            starts = max(now, self._cores[0])
            waiting = self._waiting_at(now)
            if starts > now and waiting >= self._settings.queue_size:
                return None
            task = Task(task_id or self._new_id(), order, time.time(), now, starts)
            self._keep(task)
            return Placed(task, waiting)

    def find(self, task_id: str) -> Task | None:
        """The task, unless it is unknown or not to be seen now."""
        task = self._tasks.get(task_id)
        return task if task and task.stage(time.monotonic()).visible else None

    def remembers(self, task: Task) -> bool:
        return self._tasks.get(task.id) is task

    def newest(self, limit: int | None = None) -> list[Task]:
        with self._lock:
            tasks = list(self._tasks.values())
        now = time.monotonic()
        seen = (task for task in reversed(tasks) if task.stage(now).visible)
        return list(itertools.islice(seen, limit))

    def busy(self) -> tuple[int, int]:
        """How many tasks hold a core, and how many wait for one."""
        with self._lock:
            now = time.monotonic()
            return sum(free > now for free in self._cores), self._waiting_at(now)

    def forget(self) -> None:
        """What a restart of an upstream without a store does."""
        with self._lock:
            self._tasks.clear()
            self._open()

    def _open(self) -> None:
        self._cores = [0.0] * self._settings.core_size
        self._queue: deque[float] = deque()

    def _waiting_at(self, now: float) -> int:
        while self._queue and self._queue[0] <= now:
            self._queue.popleft()
        return len(self._queue)

    def _keep(self, task: Task) -> None:
        heapq.heapreplace(self._cores, task.starts + task.order.busy)
        if task.starts > task.born:
            self._queue.append(task.starts)
        self._tasks[task.id] = task
        while len(self._tasks) > self._settings.kept:
            self._tasks.popitem(last=False)

    def _new_id(self) -> str:
        """Milliseconds since 1970 and three random digits, made unique."""
        fresh = int(time.time() * 1000) * 1000 + randrange(1000)  # noqa: S311
        self._last_id = max(fresh, self._last_id + 1)
        return str(self._last_id)
