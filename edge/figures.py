"""Figures for a monitoring system, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from edge.health import Check, Facts, State
from sync.clock import ClockQuality

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STAGE_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_STATES = {State.OK: 0, State.WARN: 1, State.BAD: 2}


class Figures:
    """Counted while the box runs; no name and no pupil in any of them. Any thread may count."""

    def __init__(self, *, version: str, models: str) -> None:
        registry = self._registry = CollectorRegistry()
        self._sheets = Counter("classbox_sheets", "Sheets that came out, by outcome.", ["outcome"], registry=registry)
        self._page = Histogram(
            "classbox_page_seconds", "Grading one page, wall time.", buckets=_STAGE_S, registry=registry
        )
        self._stages = Histogram(
            "classbox_stage_seconds",
            "CPU time of one stage of grading a page.",
            ["stage"],
            buckets=_STAGE_S,
            registry=registry,
        )
        about = Gauge("classbox_info", "What runs here.", ["version", "models"], registry=registry)
        about.labels(version, models).set(1)
        self._checks = Gauge("classbox_health", "0 well, 1 to look at, 2 bad.", ["check"], registry=registry)
        self._gauges: dict[str, Gauge] = {}

    def sheet(self, outcome: str) -> None:
        """A sheet came out."""
        self._sheets.labels(outcome).inc()

    def graded(self, elapsed_ms: float, stages_ms: Mapping[str, float]) -> None:
        """A page was graded, with what its stages cost."""
        self._page.observe(elapsed_ms / 1000)
        for stage, cost_ms in stages_ms.items():
            self._stages.labels(stage).observe(cost_ms / 1000)

    def text(self, facts: Facts, checks: tuple[Check, ...], more: Mapping[str, float]) -> bytes:
        """All of them now. `more` are counts of the ledger and of sessions, by name."""
        machine = facts.machine
        self._set("disk_free_bytes", "Room on the box's disk.", machine.disk_free_bytes)
        self._set("resident_bytes", "Memory of this process.", machine.rss_bytes)
        self._set("memory_free_bytes", "Memory that is free on this machine.", machine.memory_free_bytes)
        self._set("camera_silence_seconds", "Since the camera was heard of.", facts.camera_silence_s)
        self._set("grading_silence_seconds", "Since the grading was heard of.", facts.grading_silence_s)
        self._set("loop_lag_seconds", "How late the pages answer.", facts.loop_lag_s)
        self._set("temperature_celsius", "Of the processor.", machine.temperature_c)
        self._set("throttled_bits", "get_throttled of a Raspberry Pi.", machine.throttled)
        self._set("clock_synced", "1 when a time server keeps the clock.", float(facts.clock is ClockQuality.SYNCED))
        self._set("waiting_records", "Records that wait for the school.", facts.waiting)
        for name, value in more.items():
            self._set(name, "From the box's ledger and its sessions.", value)
        for check in checks:
            self._checks.labels(check.name).set(_STATES[check.state])
        return generate_latest(self._registry)

    def _set(self, name: str, about: str, value: float | None) -> None:
        if value is None:
            return
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"classbox_{name}", about, registry=self._registry)
        self._gauges[name].set(value)
