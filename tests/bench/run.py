"""The bench: plain forwarder, stock Connexion and the gateway, in turns, on one machine."""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import click

if not __package__:  # started by its path
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import machine, report
from tests.bench.gateway import Rows
from tests.bench.load import find_generator
from tests.bench.measure import Sample, joined
from tests.bench.process import BenchError
from tests.bench.stage import Plan, Stage, staged

VARIANTS = tuple(report.SERVERS)


def measure(stage: Stage, plan: Plan) -> list[Sample]:
    """Each variant several times in a round, in turns: the machine's speed changes meanwhile."""
    samples = []
    for round in range(plan.rounds):
        for connections in plan.connections:
            turns = [
                [stage.bench.measure(t, connections, round, plan.seconds) for t in stage.targets]
                for _ in range(plan.turns)
            ]
            for sample in map(joined, zip(*turns, strict=True)):
                samples.append(sample)
                _tell(sample)
    return samples


def _tell(sample: Sample) -> None:
    click.echo(
        f"round {sample.round + 1}, {sample.connections} connections, {sample.variant}: "
        f"{sample.rps:,.0f} req/s" + ("" if sample.quiet else ", tasks still open"),
        err=True,
    )


def check_rows(stage: Stage, plan: Plan) -> Rows | None:
    """Holds the database to what was answered.

    Raises:
        BenchError: a submit has no row, a row no submit or no hold, or commits are not durable.
    """
    if not stage.gateway:
        return None
    rows = stage.gateway.rows()
    rows.check_true(stage.bench.submitted["ours"] + stage.bench.submitted["fetch"])
    rows.check_durable(max(plan.connections))
    return rows


def _show_rows(rows: Rows) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in rows.settings.items())
    phases = ", ".join(f"{phase} {count:,}" for phase, count in sorted(rows.phases.items()))
    return (
        f"Rows: {rows.tasks:,} tasks and holds for as many submits ({phases}); {settings}; "
        f"{rows.flushes:,} WAL flushes, one for {rows.tasks / max(1, rows.flushes):.1f} submits."
    )


def bench(plan: Plan, scratch: Path) -> tuple[list[Sample], Rows | None]:
    with staged(plan, scratch) as stage:
        samples = measure(stage, plan)
        return samples, check_rows(stage, plan)


def _listed(cast: Callable[[str], object], allowed: Sequence[str] = ()) -> object:
    def read(_: click.Context, __: click.Parameter, value: str) -> tuple[object, ...]:
        words = [word.strip() for word in value.split(",")]
        unknown = [word for word in words if allowed and word not in allowed]
        if unknown:
            raise click.BadParameter(f"{unknown[0]} is none of {', '.join(allowed)}")
        return tuple(cast(word) for word in words)

    return read


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option(
    "--turns", default=3, show_default=True, type=click.IntRange(1), help="Of each in a round."
)
@click.option("--seconds", default=2.0, show_default=True, help="Of each turn.")
@click.option("--connections", default="16,64", show_default=True, callback=_listed(int))
@click.option(
    "--variants", default=",".join(VARIANTS), show_default=True, callback=_listed(str, VARIANTS)
)
@click.option(
    "--patience",
    default=30.0,
    show_default=True,
    help="Seconds for tasks to end, after each.",
)
@click.option(
    "--task-seconds", default=1.0, show_default=True, help="What the upstream takes for a task."
)
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write all figures here.")
@click.option("--strict", is_flag=True, help="Exit 1 when a target is missed.")
def main(
    rounds: int,
    turns: int,
    seconds: float,
    connections: tuple[int, ...],
    variants: tuple[str, ...],
    patience: float,
    task_seconds: float,
    target: Path | None,
    strict: bool,
) -> None:
    """Measure the gateway beside a plain forwarder and stock Connexion, in turns."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = Plan(rounds, turns, seconds, connections, variants, patience, task_seconds)
    try:
        find_generator()
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            here = machine.look(Path(folder))
            click.echo(here.show())
            samples, rows = bench(plan, Path(folder))
    except BenchError as error:
        click.echo(f"Not measured: {error}", err=True)
        sys.exit(1)
    verdicts = report.judge(samples, here)
    click.echo(f"Load average after {os.getloadavg()[0]:.2f}.\n\n{report.table(samples)}")
    if rows:
        click.echo(_show_rows(rows) + "\n")
    click.echo(report.verdicts_text(verdicts, here))
    if target:
        figures = report.as_json(samples, verdicts, here) | {"rows": rows and asdict(rows)}
        target.write_text(json.dumps(figures, indent=1))
    if strict and not (verdicts and all(verdict.met for verdict in verdicts)):
        sys.exit(1)


if __name__ == "__main__":
    main()
