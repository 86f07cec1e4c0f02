"""What is counted, in Prometheus' terms; right across worker processes.

With several workers `PROMETHEUS_MULTIPROC_DIR` is set before this module is imported, and
each process writes its own file there.
"""

import functools
import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

REQUESTS = Counter("mjgate_requests", "Requests answered.", ["operation", "status"])
UPSTREAM_CALLS = Counter("mjgate_upstream_calls", "Calls to upstreams.", ["channel", "outcome"])
RESPONSE_FAULTS = Counter(
    "mjgate_response_validation_faults", "Answers of ours that broke the contract.", ["operation"]
)
CALLBACKS = Counter("mjgate_callbacks", "Attempts to deliver callbacks.", ["outcome"])
PICTURE_COPIES = Counter("mjgate_picture_copies", "Attempts to copy a picture.", ["outcome"])
BATCH_ROWS = Histogram(
    "mjgate_batch_rows", "Rows in one group commit.", buckets=[2**power for power in range(10)]
)
BATCH_WAIT = Histogram(
    "mjgate_batch_wait_seconds",
    "From asking for a write to its commit, of the first of a batch.",
    buckets=_SECONDS,
)


@functools.cache
def requests(operation: str, status: int) -> Counter:
    """The counter of one operation's answers; looking it up costs more than counting."""
    return REQUESTS.labels(operation, str(status))


@functools.cache
def upstream_calls(channel: str, outcome: str) -> Counter:
    """The counter of one channel's calls that ended alike."""
    return UPSTREAM_CALLS.labels(channel, outcome)


@functools.cache
def callbacks(outcome: str) -> Counter:
    """The counter of the attempts that ended alike."""
    return CALLBACKS.labels(outcome)


class Gauges(Collector):
    """Gauges read from the database at scrape time, so they hold for every process."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def gauge(name: str, text: str, label: str | None, values: dict[str, float]) -> GaugeMetricFamily:
    """One gauge family; without a label `values` has the single key ``""``."""
    family = GaugeMetricFamily(name, text, labels=[label] if label else None)
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family


def render(gauges: Iterable[Metric]) -> bytes:
    """The text that Prometheus scrapes."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(Gauges(gauges))
    return generate_latest(registry)
