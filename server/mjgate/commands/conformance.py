"""`mjgate conformance`: whether a server keeps the contract."""

import random
import sys

import click

from mjgate.commands.frame import harmless

_MISSING = 'mjgate conformance needs more packages: pip install "mjgate[conformance]"'


@click.command()
@click.argument("url")
@click.option("--token", envvar="MJGATE_CONFORMANCE_TOKEN", default="", help="Of the server.")
@click.option("--second-token", envvar="MJGATE_CONFORMANCE_SECOND_TOKEN", default="")
@click.option("--profile", "profile_name", default="mjgate", show_default=True)
@click.option("--max-examples", type=click.IntRange(0), default=50, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Repeats a run; else a random one.")
@click.option("--allow-submits", type=click.IntRange(1), help="How many pictures it may draw.")
@click.option("--max-time", type=click.FloatRange(1), help="Seconds, after which it ends.")
def conformance(
    url: str,
    token: str,
    second_token: str,
    profile_name: str,
    max_examples: int,
    seed: int | None,
    allow_submits: int | None,
    max_time: float | None,
) -> None:
    """Ask whether the server at URL keeps the contract.

    Exits with 0 where it does, 1 where it does not, 2 where nothing can be said.
    """
    try:
        from mjgate.conformance.profile import Profile
        from mjgate.conformance.run import Options, run
        from mjgate.conformance.verdict import COULD_NOT_RUN, CannotRun
    except ModuleNotFoundError as error:
        click.echo(f"{_MISSING} ({error.name} is not installed)", err=True)
        sys.exit(2)
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    click.echo(f"seed {seed}", err=True)
    options = Options(
        url=url,
        token=token,
        second_token=second_token,
        max_examples=max_examples,
        seed=seed,
        allow_submits=allow_submits,
        max_time_s=max_time,
    )
    try:
        verdict = run(options, Profile(profile_name, profile_name))
    except CannotRun as why:
        click.echo(f"mjgate conformance: could not run: {harmless(str(why))}", err=True)
        sys.exit(COULD_NOT_RUN)
    for failure in verdict.failures:
        click.echo(f"FAILED {failure.rule} {failure.operation}: {harmless(failure.text)}")
    for note in verdict.notes:
        click.echo(note)
    click.echo(f"{verdict.cases} cases, {len(verdict.failures)} failures, seed {verdict.seed}")
    sys.exit(verdict.exit_code)
