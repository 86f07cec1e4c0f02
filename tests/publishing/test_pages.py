"""openapi/CONFORMANCE.md says what there is, and what it shows works as it is shown."""

import re
from pathlib import Path

import click
import yaml

from mjgate.commands.conformance import conformance
from mjgate.commands.serve import sandbox
from mjgate.conformance.baseline import read_baseline
from openapi.versions import CONTRACT

PAGE = CONTRACT.parent / "CONFORMANCE.md"
TEXT = PAGE.read_text("utf-8")
ROOT = CONTRACT.parents[1]


def options(command: click.Command) -> set[str]:
    return {name for each in command.params for name in each.opts if name.startswith("--")}


def test_every_option_of_a_run_is_said() -> None:
    assert set() == options(conformance.commands["run"]) - set(re.findall(r"--[a-z-]+", TEXT))


def test_no_option_is_said_that_is_none() -> None:
    every = {"--client", "--constraint"}.union(*map(options, conformance.commands.values()))
    said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT))
    assert set() == said - every - options(sandbox)


def test_the_baseline_that_it_shows_is_one(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "known.yaml"
    path.write_text(shown)
    (entry,) = read_baseline(path)
    assert ("status 418 *", yaml.safe_load(shown)["known"][0]["expires"]) == (
        entry.text,
        entry.expires,
    )


def test_every_file_that_it_names_is_there() -> None:
    for name in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (PAGE.parent / name).exists(), name


def test_the_front_page_leads_to_it() -> None:
    assert "(openapi/CONFORMANCE.md)" in (ROOT / "README.md").read_text("utf-8")
