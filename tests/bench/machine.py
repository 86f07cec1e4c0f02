"""The machine a bench runs on."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

_CORES_NEEDED = 4
_PROBES = 200


@dataclass(frozen=True)
class Machine:
    """`load_average` is that of the last minute; `sync_ms` what making 8 KiB durable takes."""

    cores: int
    processor: str
    python: str
    load_average: float
    filesystem: str
    sync_ms: float

    @property
    def crowded(self) -> bool:
        """Stub, load generator, database and gateway have no core each."""
        return self.cores < _CORES_NEEDED

    def show(self) -> str:
        return (
            f"{self.cores} cores ({self.processor}), Python {self.python}, load average before "
            f"{self.load_average:.2f}; database on {self.filesystem}, where 8 KiB are durable "
            f"after {self.sync_ms:.2f} ms"
        )


def look(scratch: Path) -> Machine:
    return Machine(
        cores=len(psutil.Process().cpu_affinity() or ()) if _pinnable() else os.cpu_count() or 1,
        processor=_processor(),
        python=platform.python_version(),
        load_average=os.getloadavg()[0],
        filesystem=_filesystem(scratch),
        sync_ms=_sync_ms(scratch),
    )


def _pinnable() -> bool:
    return hasattr(psutil.Process, "cpu_affinity")


def _processor() -> str:
    with Path("/proc/cpuinfo").open() as lines:
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        return next(names, platform.machine())


def _filesystem(path: Path) -> str:
    mounts = {Path(disk.mountpoint): disk.fstype for disk in psutil.disk_partitions(all=True)}
    real = path.resolve()
    return next((mounts[folder] for folder in (real, *real.parents) if folder in mounts), "unknown")


def _sync_ms(scratch: Path) -> float:
    probe = scratch / "sync"
    handle = os.open(probe, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        return statistics.median(_timed(lambda: _write(handle)) for _ in range(_PROBES))
    finally:
        os.close(handle)
        probe.unlink()


def _write(handle: int) -> None:
    os.pwrite(handle, bytes(8192), 0)
    os.fdatasync(handle)


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)
