"""Fuzzes a running gateway against its contract until enough was asked and checked.

Exit codes: 0 every rule held, 1 a rule was broken, 2 it could not run.
"""

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.core.errors import LoaderError

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from mjgate.store.embedded import embedded
from tests import process
from tests.fuzz import audit, campaign
from tests.fuzz.checks import UPSTREAM_KEY
from tests.fuzz.faults import FAULTS, NOISE

FIXED_SEED = 20
_DEADLINE_S = "60"
"""When a task ends whose upstream never says so."""
_SETTLE_S = 300.0
_STATUS_CLASSES = (2, 3, 4, 5)
_SANDBOX = re.compile(r"^sandbox on (\S+)")


class CannotRun(Exception):
    """Raised when nothing can be said of the server."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and a token that it takes; `server` is set for one of our own."""

    url: str
    token: str
    server: process.Server | None = None


def main(words: Sequence[str] | None = None) -> int:
    options = _options(words)
    try:
        with tempfile.TemporaryDirectory(prefix="mjgate-fuzz-") as folder:
            given = nullcontext(Target(options.url, options.token))
            with given if options.url else own_gateway(Path(folder)) as target:
                return _run(options, target)
    except CannotRun as reason:
        print(f"fuzz: could not run: {reason}", file=sys.stderr)
        return 2


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/fuzz/run.py", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="how many to check at least")
    parser.add_argument("--max-examples", type=int, default=450, help="for one operation and phase")
    parser.add_argument("--seed", help="a number, or random; one run alone, whatever its cases")
    parser.add_argument("--url", help="a running server in place of one of our own")
    parser.add_argument("--token", default="", help="for --url")
    parser.add_argument("--faults", choices=FAULTS, help="of its sandbox; none with --url")
    parser.add_argument("--report", type=Path, help="a folder for report.json and the server's log")
    options = parser.parse_args(words)
    if options.seed not in (None, "random") and not options.seed.isdecimal():
        parser.error(f"--seed {options.seed} is neither a number nor random")
    return options


@contextmanager
def own_gateway(folder: Path) -> Iterator[Target]:
    """A gateway of its own process on an empty database, its channel a quick sandbox."""
    with _sandbox() as upstream:
        server = process.begin(folder, MJGATE_TASK_DEADLINE=_DEADLINE_S)
        try:
            asyncio.run(process.ready(server))
            _command(server, "channel", "add", "sandbox", "--url", upstream)
            token = _command(server, "token", "create", "fuzz").split()[0]
            yield Target(server.address, token, server)
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
    _check_token(target)
    tallies = list(_runs(options, target))
    failures = [failure for tally in tallies for failure in tally.failures.values()]
    failures += missing(tallies, 0 if options.seed else options.cases)
    if target.server is None:
        print("the ledger and the log are not ours to read: not audited")
    else:
        failures += _audit(target.server, target.url, tallies)
    _print(tallies, failures)
    if options.report:
        _write(options.report, target.server, tallies, failures)
    return 1 if failures else 0


def _runs(options: argparse.Namespace, target: Target) -> Iterator[campaign.Tally]:
    """Runs until there are enough cases, of two seeds at least."""
    cases = 0
    for number, seed in enumerate(_seeds(options.seed), start=1):
        started = time.monotonic()
        tally = _attack(options, target, seed)
        yield tally
        cases += tally.cases
        print(f"seed {seed}: {tally.cases} cases in {time.monotonic() - started:.0f} s", flush=True)
        if options.seed or not tally.cases or (number > 1 and cases >= options.cases):
            return


def missing(tallies: Sequence[campaign.Tally], least: int) -> list[campaign.Failure]:
    """What is wrong with having checked fewer cases than were asked for."""
    if _cases(tallies) >= least:
        return []
    return [campaign.Failure("coverage", f"fewer than {least} cases")]


def _seeds(wanted: str | None) -> Iterator[int]:
    """The one that was asked for; else a fixed one, then random ones without end."""
    if wanted not in (None, "random"):
        yield int(wanted)
        return
    if wanted is None:
        yield FIXED_SEED
    while True:
        yield random.SystemRandom().getrandbits(32)


def _check_token(target: Target) -> None:
    """A wrong token would be asked about for minutes before the answer is no."""
    asked = urllib.request.Request(
        f"{target.url}/mj/task/0/fetch", headers={"mj-api-secret": target.token}
    )
    try:
        with urllib.request.urlopen(asked, timeout=30):
            pass
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise CannotRun(f"{target.url} refuses the token") from None
    except (urllib.error.URLError, ValueError) as error:
        raise CannotRun(f"{target.url} does not answer: {error}") from None


def _attack(options: argparse.Namespace, target: Target, seed: int) -> campaign.Tally:
    address = f"{target.url}/openapi.json"
    config = campaign.settings(seed, options.max_examples)
    try:
        schema = schemathesis.openapi.from_url(address, config=config)
    except LoaderError as error:
        raise CannotRun(f"{address}: {error}") from None
    if not schema.statistic.operations.selected:
        raise CannotRun(f"{address} has no operations")
    wanted = options.faults or ("all" if target.server else "none")
    return campaign.attack(schema, target.token, seed, FAULTS[wanted])


def _audit(
    server: process.Server, url: str, tallies: Sequence[campaign.Tally]
) -> list[campaign.Failure]:
    if server.process.poll() is not None:
        text = f"it ended with {server.process.returncode}"
        return [campaign.Failure("the server lives", text)]
    complaints = [*_data_complaints(server, tallies), *_server_complaints(server, url, tallies)]
    return [campaign.Failure(*each.split(": ", 1)) for each in complaints]


def _data_complaints(server: process.Server, tallies: Sequence[campaign.Tally]) -> Iterator[str]:
    submitted = set[int]().union(*(tally.submitted for tally in tallies))
    shown = set[int]().union(*(tally.numbers for tally in tallies))
    with embedded(Path(server.settings["MJGATE_DATA_DIR"])) as uri:
        if not audit.settled(uri, _SETTLE_S):
            yield f"every task ends: some have not after {_SETTLE_S:.0f} s"
        yield from audit.ledger_complaints(uri)
        yield from audit.submit_complaints(uri, submitted, shown)


def _server_complaints(
    server: process.Server, url: str, tallies: Sequence[campaign.Tally]
) -> Iterator[str]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        yield from audit.metric_complaints(answer.read().decode(), sum(t.sent for t in tallies))
    yield from audit.log_complaints(server.out.read_text().splitlines(), NOISE)


def _cases(tallies: Sequence[campaign.Tally]) -> int:
    return sum(tally.cases for tally in tallies)


def _print(tallies: Sequence[campaign.Tally], failures: Sequence[campaign.Failure]) -> None:
    print(_table(tallies))
    for failure in failures:
        print(f"\nFAILED {failure}")
    seeds = ", ".join(str(tally.seed) for tally in tallies)
    verdict = f"{len(failures)} failures" if failures else "every rule held"
    print(f"\n{_cases(tallies)} cases on the seeds {seeds}: {verdict}")


def _table(tallies: Sequence[campaign.Tally]) -> str:
    """Checked cases, an operation a line and a class of statuses a column."""
    counts: Counter[tuple[str, int]] = Counter()
    for tally in tallies:
        counts.update(tally.checked)
    head = "".join(f"{each}xx".rjust(8) for each in _STATUS_CLASSES) + "all".rjust(8)
    lines = [f"{'operation':32}{head}"]
    for label in sorted({label for label, _ in counts}):
        cells = [
            sum(n for (name, status), n in counts.items() if (name, status // 100) == (label, each))
            for each in _STATUS_CLASSES
        ]
        lines.append(f"{label:32}" + "".join(f"{cell:8}" for cell in [*cells, sum(cells)]))
    return "\n".join(lines)


def _write(
    folder: Path,
    server: process.Server | None,
    tallies: Sequence[campaign.Tally],
    failures: Sequence[campaign.Failure],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "cases": _cases(tallies),
        "runs": [_written(tally) for tally in tallies],
        "failures": [asdict(failure) for failure in failures],
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2))
    if server is not None:
        (folder / "server.log").write_text(server.said)


def _written(tally: campaign.Tally) -> dict[str, Any]:
    return {
        "seed": tally.seed,
        "sent": tally.sent,
        "checks": tally.rules,
        "cases": [
            {"operation": label, "status": status, "count": count}
            for (label, status), count in sorted(tally.checked.items())
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
