"""What was measured, as a table for people, as JSON for programs, and held to the targets."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from tests.bench.machine import Machine
from tests.bench.measure import LOAD, Sample

SERVERS = {
    "direct": ("stub",),
    "bare": ("bare",),
    "stock": ("stock",),
    "ours": ("gateway",),
    "fetch": ("gateway",),
}
POSTGRES = "postgres"
OURS = "ours"
_DATABASE_USERS = (OURS, "fetch")


@dataclass(frozen=True)
class Spread:
    """Median and range over the rounds."""

    median: float
    low: float
    high: float

    def show(self, digits: int = 0) -> str:
        return f"{self.median:,.{digits}f} [{self.low:,.{digits}f}-{self.high:,.{digits}f}]"


@dataclass(frozen=True)
class Goal:
    """`ours` in units of `rival`, at least."""

    connections: int
    rival: str
    least: float


GOALS = (
    Goal(16, "bare", 0.4),
    Goal(64, "bare", 0.6),
    Goal(16, "stock", 2.5),
    Goal(64, "stock", 2.5),
)


@dataclass(frozen=True)
class Verdict:
    """A goal and what came of it: `counting` is the ratio that decides.

    `by_rate` compares requests per second; `by_cpu` the CPU of a request, the database's
    included; `by_gateway` without it.
    """

    goal: Goal
    by_rate: Spread
    by_cpu: Spread
    by_gateway: Spread
    counts: str

    @property
    def counting(self) -> Spread:
        return self.by_rate if self.counts == "req/s" else self.by_gateway

    @property
    def met(self) -> bool:
        return self.counting.median >= self.goal.least


def spread(values: Iterable[float]) -> Spread:
    known = list(values)
    return Spread(median(known), min(known), max(known))


def judge(samples: Sequence[Sample], machine: Machine) -> list[Verdict]:
    """A verdict for each goal whose both sides were measured; ratios are made within a round."""
    return [_verdict(goal, pairs, machine) for goal in GOALS if (pairs := _pairs(samples, goal))]


def _pairs(samples: Sequence[Sample], goal: Goal) -> list[tuple[Sample, Sample]]:
    ours = _by_round(samples, OURS, goal.connections)
    rivals = _by_round(samples, goal.rival, goal.connections)
    return [(ours[number], rivals[number]) for number in ours.keys() & rivals.keys()]


def _by_round(samples: Sequence[Sample], variant: str, connections: int) -> dict[int, Sample]:
    return {sample.round: sample for sample in _of(samples, variant, connections)}


def _verdict(goal: Goal, pairs: list[tuple[Sample, Sample]], machine: Machine) -> Verdict:
    return Verdict(
        goal=goal,
        by_rate=spread(ours.rps / rival.rps for ours, rival in pairs),
        by_cpu=spread(_total(rival) / _total(ours) for ours, rival in pairs),
        by_gateway=spread(_server(rival) / _server(ours) for ours, rival in pairs),
        counts="CPU" if machine.crowded else "req/s",
    )


def _server(sample: Sample) -> float:
    return sample.per_request(*SERVERS[sample.variant])


def _database(sample: Sample) -> float:
    return sample.per_request(*_databases(sample))


def _databases(sample: Sample) -> tuple[str, ...]:
    return (POSTGRES,) if sample.variant in _DATABASE_USERS else ()


def _total(sample: Sample) -> float:
    return _server(sample) + _database(sample)


def _whole(sample: Sample) -> float:
    return sample.per_task(*SERVERS[sample.variant], *_databases(sample))


def _others(sample: Sample) -> float:
    """Cores that processes with no part in this variant kept busy meanwhile."""
    taking_part = {LOAD, "stub", *SERVERS[sample.variant], *_databases(sample)}
    return sample.cores(*(name for name in sample.cpu if name not in taking_part))


_COLUMNS: tuple[tuple[str, Callable[[Sample], float], int], ...] = (
    ("req/s", lambda sample: sample.rps, 0),
    ("p50 ms", lambda sample: sample.run.p50, 2),
    ("p99 ms", lambda sample: sample.run.p99, 1),
    ("CPU us server", _server, 0),
    ("CPU us PostgreSQL", _database, 0),
    ("CPU us to the end", _whole, 0),
)
_BUSY: tuple[tuple[str, Callable[[Sample], float], int], ...] = (
    ("server", lambda sample: sample.cores(*SERVERS[sample.variant]), 2),
    ("PostgreSQL", lambda sample: sample.cores(*_databases(sample)), 2),
    ("stub", lambda sample: sample.cores("stub"), 2),
    ("wrk", lambda sample: sample.cores(LOAD), 2),
    ("other variants", _others, 2),
    ("other programs", lambda sample: sample.elsewhere, 2),
)


def table(samples: Sequence[Sample]) -> str:
    """The figures, a block for each number of connections."""
    parts = []
    for connections in sorted({sample.connections for sample in samples}):
        block = [sample for sample in samples if sample.connections == connections]
        parts += [f"{connections} connections: median [min-max]", _grid(block, _COLUMNS), ""]
        parts += ["  cores kept busy meanwhile", _grid(block, _BUSY), *_limits(block), ""]
    return "\n".join(parts)


def verdicts_text(verdicts: Sequence[Verdict], machine: Machine) -> str:
    lines = [_how_judged(machine)]
    for verdict in verdicts:
        goal = verdict.goal
        lines.append(
            f"  {'met   ' if verdict.met else 'MISSED'} ours/{goal.rival} at {goal.connections} "
            f"connections >= {goal.least:g}: req/s {verdict.by_rate.show(2)}, CPU with PostgreSQL "
            f"{verdict.by_cpu.show(2)}, CPU of the gateway alone {verdict.by_gateway.show(2)}"
        )
    return "\n".join(lines if verdicts else [*lines, "  nothing to compare"])


def as_json(samples: Sequence[Sample], verdicts: Sequence[Verdict], machine: Machine) -> Any:
    return {
        "machine": asdict(machine) | {"crowded": machine.crowded},
        "samples": [asdict(sample) for sample in samples],
        "summary": [
            {"variant": variant, "connections": connections}
            | {name: asdict(spread(map(read, chosen))) for name, read, _ in _COLUMNS + _BUSY}
            for variant, connections, chosen in _groups(samples)
        ],
        "verdicts": [asdict(verdict) | {"met": verdict.met} for verdict in verdicts],
    }


def _how_judged(machine: Machine) -> str:
    if machine.crowded:
        return (
            f"{machine.cores} cores are too few for stub, load, database and gateway at once: "
            "the gateway's CPU per request decides, since with enough cores it is what bounds "
            "the requests per second; with PostgreSQL's it is shown beside."
        )
    return f"{machine.cores} cores: requests per second decide."


def _limits(block: Sequence[Sample]) -> list[str]:
    """How far stub and load generator were from their own limits."""
    ceilings = [sample.rps for sample in block if sample.variant == "direct"]
    if not ceilings:
        return []
    ceiling = median(ceilings)
    shares = [
        f"{variant} {100 * median(sample.rps for sample in chosen) / ceiling:.0f} %"
        for variant, _, chosen in _groups(block)
        if variant != "direct"
    ]
    return [f"\n  ceiling, stub and wrk alone: {ceiling:,.0f} req/s; of it {', '.join(shares)}"]


def _groups(samples: Sequence[Sample]) -> list[tuple[str, int, list[Sample]]]:
    keys = dict.fromkeys((sample.variant, sample.connections) for sample in samples)
    return [(*key, _of(samples, *key)) for key in keys]


def _of(samples: Sequence[Sample], variant: str, connections: int) -> list[Sample]:
    return [
        sample
        for sample in samples
        if sample.variant == variant and sample.connections == connections
    ]


def _grid(
    block: Sequence[Sample], columns: Sequence[tuple[str, Callable[[Sample], float], int]]
) -> str:
    rows = [["", *(name for name, _, _ in columns)]]
    for variant, _, chosen in _groups(block):
        figures = [spread(map(read, chosen)).show(digits) for _, read, digits in columns]
        rows.append([variant, *figures])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  " + "  ".join(cells).rstrip()
