"""Everything that runs in a bench, started and ended together."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.bench.gateway import Gateway, start_gateway
from tests.bench.load import Request
from tests.bench.measure import IMAGINE, Bench, Target
from tests.bench.process import Service, start_module, tree_cpu
from tests.bench.report import POSTGRES


@dataclass(frozen=True)
class Plan:
    """In each round every variant has `turns` of so many seconds."""

    rounds: int
    turns: int
    seconds: float
    connections: tuple[int, ...]
    variants: tuple[str, ...]
    patience: float
    task_seconds: float

    @property
    def needs_gateway(self) -> bool:
        return bool({"ours", "fetch"} & set(self.variants))


@dataclass(frozen=True)
class Stage:
    """Everything that runs, ready to be measured."""

    bench: Bench
    targets: Sequence[Target]
    gateway: Gateway | None


@contextmanager
def staged(plan: Plan, scratch: Path) -> Iterator[Stage]:
    """Starts what the plan needs and ends all of it."""
    with ExitStack() as ends:
        start = partial(_started, ends, scratch)
        token = secrets.token_hex(16)
        stub = start("stub", ["--success-after", str(plan.task_seconds)], token)
        gateway = start_gateway(scratch, stub.url) if plan.needs_gateway else None
        if gateway:
            ends.callback(gateway.end)
            token = gateway.token
        services = {"direct": stub}
        for name in {"bare", "stock"} & set(plan.variants):
            services[name] = start(name, [stub.url], token)
        if gateway:
            services["ours"] = services["fetch"] = gateway.service
        unfinished = gateway.unfinished if gateway else lambda: False
        bench = Bench(stub, _meters(services, gateway), token, plan.patience, unfinished)
        yield Stage(bench, _targets(bench, services, plan.variants), gateway)


def _started(
    ends: ExitStack, scratch: Path, name: str, arguments: Sequence[str], token: str
) -> Service:
    service = start_module(name, arguments, scratch, token)
    ends.callback(service.end)
    return service


def _meters(
    services: dict[str, Service], gateway: Gateway | None
) -> dict[str, Callable[[], float]]:
    """By process, not by variant: two variants are served by the gateway."""
    meters: dict[str, Callable[[], float]] = {
        service.name: partial(tree_cpu, service.process.pid) for service in services.values()
    }
    if gateway:
        # a child of the gateway on some systems, of nobody on others
        pid, postmaster = gateway.service.process.pid, gateway.postmaster
        meters["gateway"] = partial(tree_cpu, pid, without=postmaster)
        meters[POSTGRES] = partial(tree_cpu, postmaster)
    return meters


def _targets(
    bench: Bench, services: dict[str, Service], variants: Sequence[str]
) -> Sequence[Target]:
    targets = []
    for name in variants:
        target = Target(name, services[name], IMAGINE)
        known = bench.first_answer(target)
        targets.append(_fetching(bench, target, known) if name == "fetch" else target)
    return targets


def _fetching(bench: Bench, target: Target, task_id: str) -> Target:
    fetching = replace(target, request=Request("GET", f"/mj/task/{task_id}/fetch"))
    bench.check_fetch(fetching, task_id)
    return fetching
