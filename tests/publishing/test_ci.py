"""The jobs for CI that openapi/ci holds run as they stand: each command, in its order.

What a runner does besides is done here: it fetches the repository, makes a Python, fills in
variables and secrets. Packages are not fetched: the Python of a job sees those of this one.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from mjgate.conformance.baseline import Entry, written
from openapi.release import Sources
from openapi.versions import CONTRACT
from tests.conformance import honest
from tests.conformance.bodies import KEY
from tests.conformance.mutants import html, leaving
from tests.harness import Gateway

ROOT = CONTRACT.parents[1]
CI = CONTRACT.parent / "ci"
VERSION = f"v{Sources().versions()['pyproject.toml']}"
NAMES = ("GITHUB_", "CI_", "COVERAGE_", "COV_", "MJGATE_", "CONFORMANCE_", "PYTEST_", "PIP_")
VARIABLE = re.compile(r"\$\{\{ (?:vars|secrets)\.(\w+) \}\}")
Job = Callable[[Path, Mapping[str, str]], "Script"]


@dataclass(frozen=True)
class Script:
    """What a job says to its shell, and what it keeps."""

    commands: tuple[str, ...]
    environment: Mapping[str, str]
    kept: tuple[str, ...]


def github(folder: Path, settings: Mapping[str, str]) -> Script:
    folder.mkdir()
    workflow = yaml.safe_load((CI / "github.yml").read_text("utf-8"))
    (job,) = workflow["jobs"].values()
    commands, kept, environment = [], [], {"GITHUB_ACTIONS": "true"}
    for step in job["steps"]:
        given = step.get("with", {})
        if "run" in step:
            commands.append(step["run"])
            environment |= {
                name: VARIABLE.sub(lambda found: settings.get(found[1], ""), text)
                for name, text in step.get("env", {}).items()
            }
        elif step["uses"] == "actions/checkout@v4" and given:
            assert ("${{ vars.MJGATE_REPOSITORY }}", VERSION) == (
                given["repository"],
                given["ref"],
            )
            fetch(settings["MJGATE_REPOSITORY"], folder / given["path"])
        elif step["uses"] == "actions/upload-artifact@v4":
            assert "always()" == step["if"]
            kept.append(given["path"])
        else:
            assert step["uses"] in {"actions/checkout@v4", "actions/setup-python@v5"}
    return Script(
        tuple(commands),
        environment | {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")},
        tuple(kept),
    )


def gitlab(folder: Path, settings: Mapping[str, str]) -> Script:
    folder.mkdir()
    (job,) = yaml.safe_load((CI / "gitlab.yml").read_text("utf-8")).values()
    assert "always" == job["artifacts"]["when"]
    assert {"MJGATE_VERSION": VERSION} == job["variables"]
    lines = "\n".join([*job["before_script"], *job["script"]])
    kept = (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"])
    return Script((lines,), {**settings, **job["variables"]}, kept)


def fetch(repository: str, folder: Path) -> None:
    command = ["git", "clone", "--quiet", "--depth", "1", "--branch", VERSION, repository]
    subprocess.run([*command, str(folder)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    """This checkout as it stands, as the release that the jobs ask for."""
    folder = tmp_path_factory.mktemp("repository")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    listed = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A"], ["tag", VERSION]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder.as_uri()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a new Python, which has the packages of this one."""
    home = tmp_path_factory.mktemp("python")
    venv.create(home, with_pip=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


async def run(
    job: Job, python: Path, folder: Path, settings: Mapping[str, str], known: str = ""
) -> "Ran":
    """A job in a folder of its own; `known` is the baseline of the repository that it stands in."""
    script = job(folder, settings)
    if known:
        (folder / "conformance-baseline.yaml").write_text(known)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(NAMES)}
    environment = {
        **clean,
        **script.environment,
        "PATH": f"{python}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    said, code = "", 0
    for commands in script.commands:
        process = await asyncio.create_subprocess_exec(
            *("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", commands),
            cwd=folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said += (await process.communicate())[0].decode()
        code = process.returncode or 0
        if code:
            break
    for kept in script.kept:
        assert (folder / kept).exists(), said
    return Ran(code, said, folder)


@dataclass(frozen=True)
class Ran:
    """How a job ended, and where."""

    code: int
    said: str
    folder: Path

    @property
    def failures(self) -> int:
        suite = ElementTree.parse(self.folder / "conformance" / "junit.xml").find("testsuite")
        assert suite is not None
        return int(suite.attrib["failures"])


def installed(python: Path) -> bool:
    """Whether it has this project, and not by way of the checkout: all of it is in the wheel."""
    found = python.parent.glob("lib/python*/site-packages/mjgate/conformance/report/page.html")
    return any(found)


jobs = pytest.mark.parametrize("job", [github, gitlab], ids=["github", "gitlab"])


@jobs
async def test_a_job_passes_on_a_server_that_keeps_the_contract(
    job: Job, python: Path, repository: str, tmp_path: Path, ready: Gateway
) -> None:
    second = await ready.token("second")
    settings = {
        "TARGET": ready.address,
        "MJGATE_REPOSITORY": repository,
        "CONFORMANCE_TOKEN": ready.key,
        "CONFORMANCE_SECOND_TOKEN": second,
    }
    ran = await run(job, python, tmp_path / "job", settings)
    assert (0, 0) == (ran.code, ran.failures), ran.said
    assert ready.key not in ran.said
    assert second not in ran.said
    assert {"report.html", "report.json", "junit.xml", "cases"} == {
        path.name for path in (ran.folder / "conformance").iterdir()
    }


@pytest.fixture(scope="module")
def faulty(repository: str) -> Iterator[Mapping[str, str]]:
    """The settings of a job on a server that says what a token may spend in HTML."""
    with honest.serving(leaving(html, (KEY,))) as url:
        yield {
            "TARGET": url,
            "MJGATE_REPOSITORY": repository,
            "CONFORMANCE_TOKEN": honest.TOKEN,
        }


@jobs
async def test_a_job_passes_where_what_is_wrong_is_known(
    job: Job, python: Path, faulty: Mapping[str, str], tmp_path: Path
) -> None:
    known = written(
        Entry(rule, operation, "ticket 77", datetime.now(UTC).date() + timedelta(7))
        for rule in ("content_type", "body_matches_schema", "error_shape")
        for operation in ("", f"GET {KEY}")
    )
    ran = await run(job, python, tmp_path / "job", faulty, known)
    assert (0, 0) == (ran.code, ran.failures), ran.said
    assert ": ticket 77\n" in ran.said


@jobs
async def test_a_job_fails_on_a_server_that_does_not(
    job: Job, python: Path, faulty: Mapping[str, str], tmp_path: Path
) -> None:
    ran = await run(job, python, tmp_path / "job", faulty)
    assert 1 == ran.code, ran.said
    assert ran.failures
    assert any((ran.folder / "conformance" / "cases").iterdir())
    assert installed(python)
    if job is github:
        assert "\n::error title=" in ran.said
        assert "❌ mjgate conformance" in (ran.folder / "summary.md").read_text("utf-8")


def test_no_job_names_where_packages_come_from() -> None:
    for path in CI.iterdir():
        assert not re.search(r"index-url|https?://(?!gateway\.example\.org)", path.read_text())


def test_a_job_runs_the_python_of_this_project() -> None:
    oldest = "3.11"
    assert f"python-version: '{oldest}'" in (CI / "github.yml").read_text()
    assert f"image: python:{oldest}" in (CI / "gitlab.yml").read_text()
    assert f'requires-python = ">={oldest}"' in (ROOT / "pyproject.toml").read_text()
    assert sys.version_info >= tuple(map(int, oldest.split(".")))
