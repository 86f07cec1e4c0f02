"""The distribution as a stranger installs it: its wheel, what it declares, and nothing of ours."""

import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from openapi import generate
from tests.client import samples
from tests.client.samples import OPERATIONS, Operation
from tests.client.server import Answer, Arrival, Server, serving

PROJECT = generate.PACKAGE.parent
SNIPPETS = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text("utf-8"), re.DOTALL)


@dataclass(frozen=True)
class Home:
    """A virtual environment that holds the wheel and what it declares to need."""

    python: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.python), "-I", *arguments]
        return subprocess.run(command, capture_output=True, check=False, cwd=self.folder, text=True)


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*command, *arguments], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(folder)]
    pip("wheel", *options, str(PROJECT))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("home")
    venv.create(folder, with_pip=False, symlinks=True)
    home = Home(folder / "bin" / "python", folder)
    pip("--python", str(home.python), "install", "--no-deps", "--no-index", str(wheel))
    answer = home.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    lend(Path(answer.stdout.strip()))
    return home


def lend(site: Path) -> None:
    """Link what the installed wheel needs from here to there; an index would need a network."""
    client = Distribution.at(next(site.glob("mjgate_client-*.dist-info")))
    for needed in needs(client, set()):
        for top in {file.parts[0] for file in needed.files or [] if file.parts[0] != ".."}:
            (site / top).symlink_to(Path(str(needed.locate_file(top))).resolve())


def needs(of: Distribution, seen: set[str]) -> Iterator[Distribution]:
    for requirement in map(Requirement, of.requires or []):
        wanted = not requirement.marker or requirement.marker.evaluate({"extra": ""})
        if wanted and requirement.name not in seen:
            seen.add(requirement.name)
            yield (needed := distribution(requirement.name))
            yield from needs(needed, seen)


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    written = generate.PACKAGE.rglob("*")
    committed = {path for path in written if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(PROJECT).as_posix() for path in committed} == names
    assert "mjgate_client/py.typed" in names


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_can_be_imported_where_only_the_wheel_and_its_needs_are(
    home: Home, operation: Operation
) -> None:
    answer = home.run("-W", "error", "-c", f"import {operation.module.__name__}")
    assert ("", 0) == (answer.stderr, answer.returncode)


def test_the_server_is_not_there(home: Home) -> None:
    answer = home.run("-c", "import mjgate")
    assert "No module named 'mjgate'" in answer.stderr


def mypy(*arguments: str, cache: Path) -> str:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}"]
    answer = subprocess.run([*command, *arguments], capture_output=True, cwd=cache, text=True)
    return answer.stdout


def test_the_package_and_the_code_of_its_readme_are_strictly_typed(
    home: Home, tmp_path: Path
) -> None:
    assert SNIPPETS
    snippets = [tmp_path / f"snippet{number}.py" for number, _ in enumerate(SNIPPETS)]
    for path, snippet in zip(snippets, SNIPPETS, strict=True):
        path.write_text(snippet)
    installed = ["--python-executable", str(home.python)]
    for target in [["-p", "mjgate_client"], *([str(path)] for path in snippets)]:
        assert "Success" in (report := mypy(*installed, *target, cache=tmp_path)), report


@pytest.fixture
def gateway() -> Iterator[Server]:
    submit, fetch = (samples.operation(name) for name in ("submit_imagine", "fetch_task"))
    shown = {"POST": submit.responses[200], "GET": fetch.responses[200]}

    def answer(arrival: Arrival) -> Answer:
        examples = samples.examples(shown[arrival.method])
        example = examples[0 if arrival.method == "POST" else -1]
        return Answer(body=samples.canonical(example).encode())

    with serving(answer) as server:
        yield server


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["sync", "async"])
def test_the_code_of_the_readme_does_what_it_says(
    home: Home, gateway: Server, snippet: str
) -> None:
    assert "http://127.0.0.1:8080" in snippet
    answer = home.run("-c", snippet.replace("http://127.0.0.1:8080", gateway.url))
    assert "" == answer.stderr
    assert "SUCCESS https://pictures.example.org/1320098173412550.png\n" == answer.stdout
    assert ["/mj/submit/imagine", "/mj/task/1320098173412546/fetch"] == [
        arrival.path for arrival in gateway.arrivals
    ]
