"""Asks a gateway of our own whether it keeps its contract, and audits what that has left behind.

The asking is that of `mjgate conformance`, and then that of Schemathesis' own engine, which goes
on by the contract's links. The gateway is a process of its own, on an empty database, before a
sandbox that fails on request.

Exit codes: 0 every rule held, 1 a rule was broken, 2 it could not run.
"""

import argparse
import asyncio
import random
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import schemathesis
from schemathesis.schemas import BaseSchema

from mjgate.conformance.report.outputs import Outputs
from mjgate.conformance.report.text import text_report
from mjgate.conformance.run import Options
from mjgate.conformance.run import run as ask
from mjgate.conformance.verdict import CannotRun, Verdict
from mjgate.store.embedded import embedded
from tests import process
from tests.fuzz import audit
from tests.fuzz.campaign import Tally, attack, settings
from tests.fuzz.faults import FAULTS, NOISE
from tests.fuzz.habits import PROFILE, UPSTREAM_KEY, Ledger, habits

FIXED_SEED = 20
ALLOWED = 1_000_000
"""Pictures of the sandbox cost nothing."""
_DEADLINE_S = "60"
"""When a task ends whose upstream never says so."""
_SETTLE_S = 300.0
_SANDBOX = re.compile(r"^sandbox on (\S+)")


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway of our own, and two tokens that it takes."""

    server: process.Server
    token: str
    second: str


def main(words: Sequence[str] | None = None) -> int:
    options = _options(words)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="mjgate-fuzz-") as folder,
            own_gateway(Path(folder)) as target,
        ):
            return _run(options, target)
    except CannotRun as reason:
        print(f"fuzz: could not run: {reason}", file=sys.stderr)
        return 2


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/fuzz/run.py", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="how many to judge at least")
    parser.add_argument("--max-examples", type=int, default=600, help="for each operation")
    parser.add_argument("--linked-examples", type=int, default=100, help="of Schemathesis' engine")
    parser.add_argument("--seed", help="a number, or random; one run alone, whatever its cases")
    parser.add_argument("--faults", choices=FAULTS, default="all", help="of the sandbox")
    parser.add_argument("--report", type=Path, help="a folder for reports and the server's log")
    options = parser.parse_args(words)
    if options.seed not in (None, "random") and not options.seed.isdecimal():
        parser.error(f"--seed {options.seed} is neither a number nor random")
    return options


@contextmanager
def own_gateway(folder: Path) -> Iterator[Target]:
    """A gateway of its own process on an empty database, its channel a quick sandbox."""
    with _sandbox() as upstream:
        server = process.begin(
            folder,
            MJGATE_TASK_DEADLINE=_DEADLINE_S,
            MJGATE_ALLOW_PRIVATE_HOOKS="127.0.0.0/8",
        )
        try:
            asyncio.run(process.ready(server))
            _command(server, "channel", "add", "sandbox", "--url", upstream)
            tokens = [_command(server, "token", "create", name).split()[0] for name in ("a", "b")]
            yield Target(server, *tokens)
        except (AssertionError, TimeoutError) as error:
            raise CannotRun(f"the gateway did not start: {error!r}\n{server.said}") from error
        finally:
            process.end(server)


@contextmanager
def _sandbox() -> Iterator[str]:
    words = ("sandbox", "--port", "0", "--speed", "1000", "--secret", UPSTREAM_KEY)
    command = [sys.executable, "-m", "mjgate", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=process.environment()
    ) as sandbox:
        try:
            assert sandbox.stdout is not None
            found = _SANDBOX.search(sandbox.stdout.readline())
            if not found:
                raise CannotRun("the sandbox did not start")
            yield found[1]
        finally:
            sandbox.terminate()


def _command(server: process.Server, *words: str) -> str:
    more = ("--dialect", "novicezk", "--key", UPSTREAM_KEY) if words[0] == "channel" else ()
    done = server.command(*words, *more)
    if done.returncode:
        raise CannotRun(f"mjgate {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _run(options: argparse.Namespace, target: Target) -> int:
    ledger = Ledger()
    verdicts = [*_runs(options, target, ledger)]
    linked = _linked(options, target, ledger, verdicts[0].seed)
    cases = _cases(verdicts) + linked.cases
    complaints = [*linked.failures.values(), *missing(cases, 0 if options.seed else options.cases)]
    complaints += _audit(target.server, ledger)
    for complaint in complaints:
        print(f"\nFAILED {complaint}")
    if options.report:
        (options.report / "server.log").write_text(target.server.said)
    broken = sum(len(verdict.failures) for verdict in verdicts) + len(complaints)
    seeds = ", ".join(str(verdict.seed) for verdict in verdicts)
    held = f"{broken} failures" if broken else "every rule held"
    print(f"\n{cases} cases, {linked.linked} of them by links, on the seeds {seeds}: {held}")
    return 1 if broken else 0


def _linked(options: argparse.Namespace, target: Target, ledger: Ledger, seed: int) -> Tally:
    """What Schemathesis' own engine makes of the same gateway."""
    schema: BaseSchema = schemathesis.openapi.from_url(
        f"{target.server.address}/openapi.json", config=settings(seed, options.linked_examples)
    )
    return attack(schema, target.token, FAULTS[options.faults], ledger)


def _runs(options: argparse.Namespace, target: Target, ledger: Ledger) -> Iterator[Verdict]:
    """Runs until there are enough cases, of two seeds at least."""
    cases = 0
    for number, seed in enumerate(_seeds(options.seed), start=1):
        verdict = ask(
            Options(
                url=target.server.address,
                token=target.token,
                second_token=target.second,
                max_examples=options.max_examples,
                seed=seed,
                allow_submits=ALLOWED,
                receiver="http://127.0.0.1:0",
            ),
            PROFILE,
            habits(ledger, FAULTS[options.faults]),
        )
        yield _reported(verdict, options.report)
        cases += verdict.cases
        if options.seed or (number > 1 and cases >= options.cases):
            return


def _reported(verdict: Verdict, folder: Path | None) -> Verdict:
    place = folder and folder / f"seed-{verdict.seed}"
    if place:
        outputs = Outputs(place, None)
        outputs.prepare()
        verdict = outputs.store(verdict)
        outputs.write(verdict)
    print(text_report(verdict, place), flush=True)
    return verdict


def missing(cases: int, least: int) -> Iterator[str]:
    """What is wrong with having judged fewer cases than were asked for."""
    if cases < least:
        yield f"coverage: fewer than {least} cases"


def _seeds(wanted: str | None) -> Iterator[int]:
    """The one that was asked for; else a fixed one, then random ones without end."""
    if wanted not in (None, "random"):
        yield int(wanted)
        return
    if wanted is None:
        yield FIXED_SEED
    while True:
        yield random.SystemRandom().getrandbits(32)


def _audit(server: process.Server, ledger: Ledger) -> list[str]:
    if server.process.poll() is not None:
        return [f"the server lives: it ended with {server.process.returncode}"]
    return [*_data_complaints(server, ledger), *_server_complaints(server, ledger)]


def _data_complaints(server: process.Server, ledger: Ledger) -> Iterator[str]:
    with embedded(Path(server.settings["MJGATE_DATA_DIR"])) as uri:
        if not audit.settled(uri, _SETTLE_S):
            yield f"every task ends: some have not after {_SETTLE_S:.0f} s"
        yield from audit.ledger_complaints(uri)
        yield from audit.submit_complaints(uri, ledger.submitted, ledger.numbers)


def _server_complaints(server: process.Server, ledger: Ledger) -> Iterator[str]:
    with urllib.request.urlopen(f"{server.address}/metrics", timeout=30) as answer:
        yield from audit.metric_complaints(answer.read().decode(), ledger.answered)
    yield from audit.log_complaints(server.out.read_text().splitlines(), NOISE)


def _cases(verdicts: Sequence[Verdict]) -> int:
    return sum(verdict.cases for verdict in verdicts)


if __name__ == "__main__":
    sys.exit(main())
