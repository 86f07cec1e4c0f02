"""Where a run leaves its reports."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mjgate.conformance.cases import FOLDER, store
from mjgate.conformance.report.html import html_report
from mjgate.conformance.report.json import json_report
from mjgate.conformance.report.junit import junit_report
from mjgate.conformance.verdict import CannotRun, Verdict

Writer = Callable[[Verdict], bytes]


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files that were asked for."""

    folder: Path | None = None
    """For report.json, report.html, junit.xml and cases/."""
    junit: Path | None = None

    def prepare(self) -> None:
        """Make the folders, and take away the reports of an earlier run, so that none misleads.

        Raises:
            CannotRun: something cannot be written there.
        """
        if self.folder:
            with _writing(self.folder):
                (self.folder / FOLDER).mkdir(parents=True, exist_ok=True)
        for path, _ in self._files():
            with _writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.exists() and not path.is_file():
                    raise CannotRun(f"{path} cannot be written: it is no regular file")
                write_whole(path, b"")
                path.unlink()

    def store(self, verdict: Verdict) -> Verdict:
        """Write each failure as a case; the verdict names their files.

        Raises:
            CannotRun: one cannot be written.
        """
        if not self.folder:
            return verdict
        with _writing(self.folder / FOLDER):
            return store(verdict, self.folder)

    def write(self, verdict: Verdict) -> None:
        """Write each file as a whole or not at all.

        Raises:
            CannotRun: one cannot be written.
        """
        for path, writer in self._files():
            put(path, writer(verdict))

    def _files(self) -> Iterator[tuple[Path, Writer]]:
        if self.folder:
            yield from ((self.folder / name, writer) for name, writer in _FOLDER.items())
        if self.junit:
            yield self.junit, junit_report


_FOLDER: Mapping[str, Writer] = {
    "report.json": lambda verdict: json_report(verdict).encode(),
    "report.html": lambda verdict: html_report(verdict).encode(),
    "junit.xml": junit_report,
}


def put(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all.

    Raises:
        CannotRun: it cannot be.
    """
    with _writing(path):
        write_whole(path, content)


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place of one that may be there, never half of it.

    Raises:
        OSError: it cannot be.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotRun(f"{path} cannot be written: {reason}") from error
