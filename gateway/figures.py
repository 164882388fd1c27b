"""Figures for a monitoring system, in Prometheus' text format. No name, no school and no pupil in any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ANSWER_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)


class Figures:
    """Counted while the gateway runs, in its event loop."""

    def __init__(self, *, version: str) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._answers = Histogram(
            "classgate_answer_seconds",
            "From a request's arrival to its answer, by page (the pattern of its address) and status.",
            ["page", "status"],
            buckets=_ANSWER_S,
            registry=registry,
        )
        self._streams = Gauge("classgate_streams", "Pages that are open and live.", registry=registry)
        Gauge("classgate_info", "What runs here.", ["version"], registry=registry).labels(version).set(1)
        self._store = Gauge("classgate_store_up", "1 while the database does what it should.", registry=registry)
        self._now = _Now()
        registry.register(self._now)

    def answered(self, page: str, status: int, seconds: float) -> None:
        """A request was answered. `page` is a pattern such as `/schools/{school}`, never an address."""
        self._answers.labels(page, f"{status // 100}xx").observe(seconds)

    def stream(self, change: int) -> None:
        """A live page was opened (1) or closed (-1)."""
        self._streams.inc(change)

    def store(self, *, up: bool) -> None:
        """Whether the database does what it should."""
        self._store.set(int(up))

    def text(
        self, counts: Mapping[str, int], gauges: Mapping[str, float], *, stock: Mapping[str, float] | None
    ) -> bytes:
        """All of them now.

        `counts` only grow (envelopes, pages, held …), `gauges` are of this process, `stock` is what the database
        counts; None while it is away.
        """
        self._now.said = lambda: _families(counts, gauges, stock)
        return generate_latest(self._registry)


class _Now(Collector):
    """What others count, asked when somebody looks."""

    def __init__(self) -> None:
        self.said: Callable[[], Iterator[Metric]] = lambda: iter(())

    def collect(self) -> Iterator[Metric]:
        return self.said()


def _families(
    counts: Mapping[str, int], gauges: Mapping[str, float], stock: Mapping[str, float] | None
) -> Iterator[Metric]:
    taken = CounterMetricFamily("classgate_events", "What came and what became of it.", labels=["event"])
    for event, count in sorted(counts.items()):
        taken.add_metric([event], count)
    yield taken
    for name, value in {**gauges, **(stock or {})}.items():
        yield GaugeMetricFamily(f"classgate_{name}", "See docs/operations.md.", value=value)
