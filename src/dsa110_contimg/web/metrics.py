"""The figures for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from dsa110_contimg.ledger.summary import summarize
from dsa110_contimg.naming import LEDGER_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from prometheus_client.core import Metric

    from dsa110_contimg.web.server import HealthLike

_PREFIX = "dsa110_contimg_"


def metrics_text(health: HealthLike, state: Path) -> str:
    """Say how the stream goes, in Prometheus' words.

    Raises
    ------
    LedgerError
        The ledger cannot be read.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(health, state))
    return generate_latest(registry).decode()


class _Figures:
    """Collects the figures when they are asked for."""

    def __init__(self, health: HealthLike, state: Path) -> None:
        self._health = health
        self._state = state

    def collect(self) -> Iterator[Metric]:
        health = self._health
        yield _gauge("workers", "Jobs that may run at once.", health.workers)
        yield _gauge("jobs_running", "Jobs under way.", len(health.running))
        yield _gauge("paused", "Whether no job is started, for want of room.", float(bool(health.paused)))
        yield _by("free_bytes", "Free space.", "place", health.free_bytes, GaugeMetricFamily)
        n_files = {place: total.n_files for place, total in health.leftovers.items()}
        n_bytes = {place: total.size_bytes for place, total in health.leftovers.items()}
        yield _by("fuse_leftover_files", "Files deleted while open, kept by FUSE.", "place", n_files, GaugeMetricFamily)
        yield _by("fuse_leftover_bytes", "Size of these.", "place", n_bytes, GaugeMetricFamily)
        yield _by("stage_seconds", "Time that stages took.", "stage", health.stage_seconds, CounterMetricFamily)
        yield _by("stage_bytes", "Bytes that stages read.", "stage", health.stage_bytes, CounterMetricFamily)
        yield _by("failures", "Attempts that failed.", "kind", health.failures, CounterMetricFamily)
        yield _counter("published", "Groups that were published.", health.n_published)
        yield _counter("epochs_published", "Epochs that were published.", health.n_epochs)
        yield _counter("loop_seconds", "Time that the daemon's own work took.", health.loop_seconds)
        if not (self._state / LEDGER_NAME).exists():
            return
        found = summarize(self._state / LEDGER_NAME)
        counts = {state.value: count for state, count in found.groups.items()}
        yield _by("groups", "Groups by state.", "state", counts, GaugeMetricFamily)
        yield _by("epochs", "Epochs by state.", "state", found.epochs.states, GaugeMetricFamily)
        yield _gauge("epochs_unkept", "Published epochs that are not part of the light curves.", found.epochs.n_unkept)
        if found.lag_s is not None:
            yield _gauge("lag_seconds", "Time since the start of the newest group that is published.", found.lag_s)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _by(
    name: str,
    text: str,
    label: str,
    values: Mapping[str, float],
    family: type[GaugeMetricFamily] | type[CounterMetricFamily],
) -> Metric:
    metric = family(_PREFIX + name, text, labels=[label])
    for key, value in sorted(values.items()):
        metric.add_metric([key], value)
    return metric
