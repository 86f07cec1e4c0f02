"""`mjgate conformance`: whether a server keeps the contract."""

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mjgate.domain.display import harmless

if TYPE_CHECKING:
    from mjgate.conformance.verdict import Verdict

_MISSING = 'mjgate conformance needs more packages: pip install "mjgate[conformance]"'
_COULD_NOT_RUN = 2
_CLIENT = "--client"
_INTERRUPTED = 130
_file = click.Path(path_type=Path)


class _Conformance(click.Group):
    """A group that takes what names none of its commands for the words of `run` or `client`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_own = not args or args[0] in self.commands or args[0] in ctx.help_option_names
        if not is_own and _CLIENT in args:
            args = ["client", *(word for word in args if word != _CLIENT)]
        elif not is_own:
            args = ["run", *args]
        return super().parse_args(ctx, args)


_REPORTS = (
    click.option(
        "--report",
        "folder",
        type=_file,
        metavar="DIR",
        help="Write report.json, report.html, junit.xml and cases/ there.",
    ),
    click.option("--junit", type=_file, metavar="FILE", help="Write JUnit's XML there."),
    click.option("--json", "as_json", is_flag=True, help="Print report.json in place of the text."),
    click.option(
        "--baseline",
        type=_file,
        metavar="FILE",
        help="Known failures, each excused until a day; see: mjgate conformance baseline.",
    ),
    click.option(
        "--fail-under",
        "least",
        type=click.FloatRange(0, 100),
        default=100.0,
        metavar="PERCENT",
        help="Pass where at least this share of the judged answers was right, whatever broke in "
        "the others. An answer that broke two rules counts as two. Known failures and what the "
        "profile lets pass count as right. At 100, which is the default, there may be no failure.",
    ),
)
"""What every kind of run leaves, and what of it decides."""


def _leaving(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_REPORTS):
        function = option(function)
    return function


@click.group(cls=_Conformance)
def conformance() -> None:
    """Whether a server keeps the contract: mjgate conformance URL.

    That is short for: mjgate conformance run URL. See: mjgate conformance run --help. And whether
    an installed client does: mjgate conformance --client.
    """


@conformance.command()
@click.argument("url")
@click.option("--token", envvar="CONFORMANCE_TOKEN", default="", help="Of the server.")
@click.option(
    "--second-token",
    envvar="CONFORMANCE_SECOND_TOKEN",
    default="",
    help="Another, that must not see the tasks of the first.",
)
@click.option(
    "--profile",
    "profile_name",
    default="mjgate",
    show_default=True,
    metavar="NAME",
    help="What kind of server it is; see: mjgate conformance profiles.",
)
@click.option("--max-examples", type=click.IntRange(0), default=50, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Repeats a run; else a random one.")
@click.option("--allow-submits", type=click.IntRange(1), help="How many pictures it may draw.")
@click.option(
    "--receiver",
    metavar="URL",
    help="Where the server can call us, such as http://192.0.2.7:9000; we listen on its port.",
)
@click.option(
    "--patience",
    "patience_s",
    type=click.FloatRange(1),
    default=900.0,
    show_default=True,
    help="Seconds that a picture may take.",
)
@click.option("--max-time", type=click.FloatRange(1), help="Seconds, after which it ends.")
@_leaving
def run(
    url: str,
    token: str,
    second_token: str,
    profile_name: str,
    max_examples: int,
    seed: int | None,
    allow_submits: int | None,
    receiver: str | None,
    patience_s: float,
    max_time: float | None,
    folder: Path | None,
    junit: Path | None,
    as_json: bool,
    baseline: Path | None,
    least: float,
) -> None:
    """Ask whether the server at URL keeps the contract.

    Tokens are better given as CONFORMANCE_TOKEN and CONFORMANCE_SECOND_TOKEN, which no list of
    processes shows. Exits with 0 where it does, 1 where it does not, 2 where nothing can be said.
    Ctrl-C ends it early: reports are written, and it does not pass.
    """
    with _able():
        from mjgate.conformance.baseline import apply, read_baseline
        from mjgate.conformance.profiles import PROFILES
        from mjgate.conformance.progress import Progress
        from mjgate.conformance.report.outputs import Outputs
        from mjgate.conformance.rules import BY_NAME
        from mjgate.conformance.run import Options
        from mjgate.conformance.run import run as ask
        from mjgate.conformance.session import Habits

        if profile_name not in PROFILES:
            known_names = ", ".join(PROFILES)
            raise click.BadParameter(f"there is no {profile_name}; there are {known_names}")
        known = read_baseline(baseline, BY_NAME) if baseline else ()
        outputs = Outputs(folder, junit)
        outputs.prepare()
        seed = random.SystemRandom().getrandbits(32) if seed is None else seed
        click.echo(f"seed {seed}", err=True)
        options = Options(
            url=url,
            token=token,
            second_token=second_token,
            max_examples=max_examples,
            seed=seed,
            allow_submits=allow_submits,
            receiver=receiver,
            patience_s=patience_s,
            max_time_s=max_time,
            least=least,
        )
        progress = Progress(sys.stderr)
        with _interruptible():
            try:
                verdict = ask(options, PROFILES[profile_name], Habits(listen=progress.listen))
            finally:
                progress.close()
            verdict = outputs.store(apply(known, verdict, datetime.now(UTC).date()))
            outputs.write(verdict)
            _print(verdict, folder, as_json=as_json)
    sys.exit(verdict.exit_code)


@conformance.command()
@click.option(
    "--client-package", "name", default="mjgate_client", show_default=True, help="Its import name."
)
@click.option("--max-examples", type=click.IntRange(1), default=5, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Repeats a run; else a random one.")
@_leaving
def client(
    name: str,
    max_examples: int,
    seed: int | None,
    folder: Path | None,
    junit: Path | None,
    as_json: bool,
    baseline: Path | None,
    least: float,
) -> None:
    """Ask whether the client that is installed keeps the contract.

    It is called for every operation; a mock on loopback answers with what the contract allows, with
    that a little changed, and with what proxies and faults make of it. --max-examples is how many
    replies are drawn for each status. Exits with 0 where it does, 1 where it does not, 2 where
    there is none.
    """
    with _able():
        from mjgate.conformance.baseline import apply, read_baseline
        from mjgate.conformance.client.run import run_client
        from mjgate.conformance.report.outputs import Outputs

        known = read_baseline(baseline) if baseline else ()
        outputs = Outputs(folder, junit)
        outputs.prepare()
        seed = random.SystemRandom().getrandbits(32) if seed is None else seed
        click.echo(f"seed {seed}", err=True)
        verdict = replace(run_client(name, seed=seed, max_examples=max_examples), least=least)
        verdict = apply(known, verdict, datetime.now(UTC).date())
        outputs.write(verdict)
        _print(verdict, folder, as_json=as_json)
    sys.exit(verdict.exit_code)


@conformance.command()
@click.argument("paths", type=_file, nargs=-1, required=True, metavar="CASE...")
@click.option("--url", default="", help="Another server than the one they were found on.")
@click.option("--token", envvar="CONFORMANCE_TOKEN", default="", help="Of the server.")
@click.option(
    "--second-token", envvar="CONFORMANCE_SECOND_TOKEN", default="", help="Another of the server."
)
@click.option("--allow-submits", type=click.IntRange(1), help="How many pictures each may draw.")
@click.option("--receiver", metavar="URL", help="Where the server can call us.")
def replay(
    paths: tuple[Path, ...],
    url: str,
    token: str,
    second_token: str,
    allow_submits: int | None,
    receiver: str | None,
) -> None:
    """Send stored cases again.

    Of each it is said whether its rule breaks again. Exits with 1 where any does, with 2 where of
    one nothing can be said, as for want of a receiver, of submits that are allowed or of an answer,
    else with 0.
    """
    with _able():
        from mjgate.conformance.profiles import PROFILES
        from mjgate.conformance.replay import replay as send_again
        from mjgate.conformance.run import Options

        options = Options(
            url=url,
            token=token,
            second_token=second_token,
            allow_submits=allow_submits,
            receiver=receiver,
        )
        results = send_again(paths, options, PROFILES)
    for result in results:
        word = "breaks again" if result.again else "does not break again"
        word = word if result.sent else "tells nothing"
        name = f"{result.case.rule} at {result.case.operation or 'no operation'}"
        click.echo(harmless(f"{result.path}: {name} {word}: {result.text}"))
    if any(result.again for result in results):
        sys.exit(1)
    sys.exit(0 if all(result.sent for result in results) else _COULD_NOT_RUN)


@conformance.command()
@click.argument("report", type=_file)
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    metavar="DAY",
    help="The last day, in UTC, on which they are excused, such as 2027-01-31.",
)
@click.option("--reason", required=True, help="Why they are; a ticket, a sentence.")
@click.option("--rule", help="Only failures of this rule.")
@click.option(
    "--file",
    "path",
    type=_file,
    metavar="FILE",
    help="Put them into this baseline, which may not be there yet; its comments are lost.",
)
def baseline(
    report: Path, expires: datetime, reason: str, rule: str | None, path: Path | None
) -> None:
    """Write the failures of a report as known.

    REPORT is a report.json. What is written is for --baseline; without --file it is printed.
    """
    with _able():
        from mjgate.conformance.baseline import extended, read_baseline, written
        from mjgate.conformance.report.json import read_failures
        from mjgate.conformance.report.outputs import put

        failures = [each for each in read_failures(report) if rule in (None, each["rule"])]
        before = read_baseline(path) if path and path.exists() else ()
        entries = extended(before, failures, reason, expires.date())
        if path is None:
            click.echo(written(entries), nl=False)
            return
        put(path, written(entries).encode())
        click.echo(f"{len(failures):,} failures are known until {expires.date()}: {path}")


@conformance.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.option("--markdown", "as_page", is_flag=True, help="Print all of it as a page.")
def profiles(as_json: bool, as_page: bool) -> None:
    """List the kinds of servers that are known.

    Each with what it does otherwise: its profile lets that pass, and nothing else.
    """
    with _able():
        from mjgate.conformance.profiles import KINDS
        from mjgate.conformance.profiles.table import as_text, json_text, markdown

        show = json_text if as_json else markdown if as_page else as_text
        click.echo(show(KINDS), nl=False)


@contextmanager
def _able() -> Iterator[None]:
    """Ends with one line and 2 where nothing can be said of a server."""
    try:
        from mjgate.conformance.verdict import CannotRun

        try:
            yield
        except CannotRun as why:
            click.echo(f"mjgate conformance: could not run: {harmless(str(why))}", err=True)
            if _in_job():
                from mjgate.conformance.report.github import fault

                click.echo(fault(str(why)), nl=False, err=True)
            sys.exit(_COULD_NOT_RUN)
    except ModuleNotFoundError as error:
        click.echo(f"{_MISSING} ({error.name} is not installed)", err=True)
        sys.exit(_COULD_NOT_RUN)


@contextmanager
def _interruptible() -> Iterator[None]:
    """The first SIGINT or SIGTERM ends the asking, so that all reports are still written.

    The second ends the program, and so does the first where nothing is asked any more.
    """
    came: list[int] = []

    def handle(number: int, frame: object) -> None:
        came.append(number)
        if len(came) > 1:
            sys.exit(_INTERRUPTED)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, handle) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        for each, former in before.items():
            signal.signal(each, former)


def _print(verdict: "Verdict", folder: Path | None, *, as_json: bool) -> None:
    """Says the verdict on standard output; in a job of GitHub also to its pages."""
    from mjgate.conformance.report import github
    from mjgate.conformance.report.json import json_report
    from mjgate.conformance.report.text import text_report

    if as_json:
        click.echo(json_report(verdict), nl=False)
    else:
        text = text_report(verdict, folder)
        click.echo(github.fenced(text) if _in_job() else text, nl=False)
    if _in_job():
        click.echo(github.annotations(verdict), nl=False, err=as_json)
        github.add_summary(verdict, os.environ.get("GITHUB_STEP_SUMMARY"))


def _in_job() -> bool:
    """Whether this runs in a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"
