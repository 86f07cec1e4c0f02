"""The program as it is installed."""

import subprocess
import sys
from pathlib import Path

import mjgate as package
from tests.process import environment, mjgate

INSTALLED = Path(sys.executable).with_name("mjgate")


def test_the_version_is_the_packages() -> None:
    done = mjgate("--version", settings={})
    assert (0, f"mjgate, version {package.__version__}\n", "") == (
        done.returncode,
        done.stdout.replace("python -m mjgate", "mjgate"),
        done.stderr,
    )


def test_the_installed_program_is_the_same() -> None:
    done = subprocess.run(
        [INSTALLED, "--version"], env=environment(), capture_output=True, text=True, check=False
    )
    assert (0, f"mjgate, version {package.__version__}\n") == (done.returncode, done.stdout)


def test_without_words_it_explains_itself() -> None:
    done = mjgate(settings={})
    assert 2 == done.returncode
    for word in ("serve", "sandbox", "token", "channel", "price", "db", "secrets"):
        assert f"\n  {word} " in done.stderr + done.stdout
