"""One measurement after the other, with proof that every request went all the way."""

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import Any

import psutil

from tests.bench.load import Request, Run, load
from tests.bench.process import LOOPBACK, BenchError, Service, difference

WARM_UP_S = 1.0
LOAD = "load"
IMAGINE = Request(
    method="POST",
    path="/mj/submit/imagine",
    body=json.dumps(
        {
            "base64Array": [],
            "notifyHook": "",
            "prompt": "a lighthouse on a cliff at dusk, oil on canvas, warm light --ar 16:9",
            "state": "order-4711-of-a-customer-of-ours",
        },
        separators=(",", ":"),
    ),
)
_BUSY_KINDS = ("user", "nice", "system", "irq", "softirq")
_QUIET_CORES = 0.1
_LOOK_EVERY_S = 0.5
_FIRST_ANSWER_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Target:
    name: str
    service: Service
    request: Request

    @property
    def submits(self) -> bool:
        return self.request.method == "POST"


@dataclass(frozen=True)
class Sample:
    """One measurement. CPU is in seconds by process.

    `whole_cpu` and `whole_requests` reach from the warm-up until all work that the requests
    caused was done, or the patience was over (`quiet` is false then). `elsewhere` is the number
    of cores that programs of others kept busy.
    """

    variant: str
    connections: int
    round: int
    run: Run
    cpu: Mapping[str, float]
    whole_cpu: Mapping[str, float]
    whole_requests: int
    elsewhere: float
    quiet: bool

    @property
    def rps(self) -> float:
        return self.run.requests / self.run.seconds

    def per_request(self, *names: str) -> float:
        """Microseconds of CPU of these processes for each request, while it was measured."""
        return 1e6 * sum(self.cpu.get(name, 0.0) for name in names) / self.run.requests

    def per_task(self, *names: str) -> float:
        """The same with everything that came before and after."""
        return 1e6 * sum(self.whole_cpu.get(name, 0.0) for name in names) / self.whole_requests

    def cores(self, *names: str) -> float:
        """How many cores these processes kept busy while it was measured."""
        return sum(self.cpu.get(name, 0.0) for name in names) / self.run.seconds


def joined(turns: Sequence[Sample]) -> Sample:
    """Several turns of one variant in one round as one measurement.

    Of latencies the median is the median of the turns, and the 99th percentile their highest.
    """
    runs = [turn.run for turn in turns]
    return replace(
        turns[0],
        run=Run(
            requests=sum(run.requests for run in runs),
            seconds=sum(run.seconds for run in runs),
            p50=median(run.p50 for run in runs),
            p99=max(run.p99 for run in runs),
            cpu=sum(run.cpu for run in runs),
        ),
        cpu=_summed(turn.cpu for turn in turns),
        whole_cpu=_summed(turn.whole_cpu for turn in turns),
        whole_requests=sum(turn.whole_requests for turn in turns),
        elsewhere=fmean(turn.elsewhere for turn in turns),
        quiet=all(turn.quiet for turn in turns),
    )


def _summed(parts: Iterable[Mapping[str, float]]) -> Mapping[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, seconds in part.items():
            total[name] = total.get(name, 0.0) + seconds
    return total


@dataclass
class Bench:
    """The processes under watch.

    `meters` tell the CPU seconds each has used so far, `unfinished` whether tasks still run.
    """

    stub: Service
    meters: Mapping[str, Callable[[], float]]
    token: str
    patience: float
    unfinished: Callable[[], bool]
    submitted: Counter[str] = field(default_factory=Counter)

    def first_answer(self, target: Target) -> str:
        """Submits once and gives the task id; waits for a service that is still starting."""
        before = self._submits()
        deadline = time.monotonic() + _FIRST_ANSWER_TIMEOUT_S
        while not (answer := _ask(target, self.token)):
            target.service.check_alive()
            if time.monotonic() > deadline:
                raise BenchError(f"{target.name} does not answer at {target.service.url}")
            time.sleep(0.1)
        if answer.get("code") != 1 or not str(answer.get("result")).isdigit():
            raise BenchError(f"{target.name} answered a good submit with {answer}")
        self.submitted[target.name] += self._submits() - before
        return str(answer["result"])

    def check_fetch(self, target: Target, task_id: str) -> None:
        answer = _ask(target, self.token)
        if not answer or answer.get("id") != task_id:
            raise BenchError(f"{target.name} answered a fetch of {task_id} with {answer}")

    def measure(self, target: Target, connections: int, round: int, seconds: float) -> Sample:
        submits, start = self._submits(), self._cpu()
        warm_up = self._load(target, connections, WARM_UP_S)
        before, all_before = self._cpu(), _machine_cpu()
        run = self._load(target, connections, seconds)
        after, all_after = self._cpu(), _machine_cpu()
        cpu = difference(after, before) | {LOAD: run.cpu}
        quiet = self._await_quiet()
        requests = warm_up.requests + run.requests
        self._check_submits(target, requests, connections, self._submits() - submits)
        return Sample(
            variant=target.name,
            connections=connections,
            round=round,
            run=run,
            cpu=cpu,
            whole_cpu=difference(self._cpu(), start),
            whole_requests=requests,
            elsewhere=max(0.0, all_after - all_before - sum(cpu.values())) / run.seconds,
            quiet=quiet,
        )

    def _load(self, target: Target, connections: int, seconds: float) -> Run:
        try:
            return load(target.service.url, target.request, self.token, connections, seconds)
        except BenchError as error:
            target.service.check_alive()
            raise BenchError(
                f"{target.name} at {connections} connections: {error}; "
                f"its log ends: {target.service.last_words()}"
            ) from error

    def _check_submits(self, target: Target, answered: int, connections: int, seen: int) -> None:
        """Those in flight when the generator hung up, twice, may have arrived unanswered."""
        if not target.submits:
            return
        self.submitted[target.name] += seen
        if not answered <= seen <= answered + 2 * connections:
            raise BenchError(f"{target.name} answered {answered} submits, its upstream saw {seen}")

    def _await_quiet(self) -> bool:
        deadline = time.monotonic() + self.patience
        while self._busy_cores() > _QUIET_CORES or self.unfinished():
            if time.monotonic() > deadline:
                return False
        return True

    def _busy_cores(self) -> float:
        before = self._cpu()
        time.sleep(_LOOK_EVERY_S)
        return sum(difference(self._cpu(), before).values()) / _LOOK_EVERY_S

    def _cpu(self) -> dict[str, float]:
        return {name: meter() for name, meter in self.meters.items()}

    def _submits(self) -> int:
        with LOOPBACK.open(f"{self.stub.url}/counts", timeout=10) as answer:
            return int(json.load(answer)["submits"])


def _machine_cpu() -> float:
    """CPU seconds of everything on this machine since it was started."""
    times = psutil.cpu_times()._asdict()
    return float(sum(times[kind] for kind in _BUSY_KINDS if kind in times))


def _ask(target: Target, token: str) -> Any:
    request = urllib.request.Request(
        target.service.url + target.request.path,
        target.request.body.encode() or None,
        {"Content-Type": "application/json", "mj-api-secret": token},
    )
    try:
        with LOOPBACK.open(request, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise BenchError(
            f"{target.name} answered a good request with {error.code}: {error.read().decode()}"
        ) from error
    except OSError:
        return None
