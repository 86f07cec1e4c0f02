"""What the sandbox was asked, for tests that ask what reached the upstream."""

from collections import Counter, deque
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

from werkzeug.wrappers import Request

TEXT_LIMIT = 65_536


@dataclass(frozen=True)
class Heard:
    """One request as it came in; its body as text, cut at 64 Ki characters."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: str


class Journal:
    """The newest requests and how many submits were accepted for each prompt."""

    def __init__(self, size: int) -> None:
        self._lock = Lock()
        self._size = size
        self.clear()

    def hear(self, request: Request) -> None:
        body = request.get_data().decode(errors="replace")[:TEXT_LIMIT]
        heard = Heard(request.method, request.full_path.rstrip("?"), list(request.headers), body)
        with self._lock:
            self._received += 1
            self._requests.append(heard)

    def accept(self, operation: str, prompt: str) -> None:
        with self._lock:
            self._accepted[operation, prompt] += 1
            if len(self._accepted) > 10 * self._size:
                del self._accepted[next(iter(self._accepted))]

    def clear(self) -> None:
        with self._lock:
            self._received = 0
            self._requests: deque[Heard] = deque(maxlen=self._size)
            self._accepted: Counter[tuple[str, str]] = Counter()

    def report(self, path: str = "", text: str = "") -> dict[str, Any]:
        """`received` counts all requests, `accepted` submits by operation and prompt;
        `requests` are the newest, oldest first, whose path begins with `path` and whose body
        holds `text`."""
        with self._lock:
            requests, counted = list(self._requests), dict(self._accepted)
            received = self._received
        accepted: dict[str, dict[str, int]] = {}
        for (operation, prompt), number in counted.items():
            accepted.setdefault(operation, {})[prompt] = number
        return {
            "received": received,
            "accepted": accepted,
            "requests": [
                asdict(heard)
                for heard in requests
                if heard.path.startswith(path) and text in heard.body
            ],
        }
