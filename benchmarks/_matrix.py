"""Runs the simulated worlds on every core. A run is named by its world and its seed, with or without a fault put in."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from typing import NamedTuple

from benchmarks._mutants import MUTANTS
from sync.simulation import WORLDS, Outcome, Simulation


class Run(NamedTuple):
    """One simulated run. It comes to the same each time."""

    world: str
    seed: int
    mutant: str | None = None


def outcome_of(run: Run) -> Outcome:
    """Play it."""
    with MUTANTS[run.mutant].applied() if run.mutant else nullcontext():
        return Simulation(run.seed, faults=WORLDS[run.world]).run()


def outcomes(runs: Iterable[Run]) -> dict[Run, Outcome]:
    """Play them all, spread over the cores."""
    runs = list(runs)
    with ProcessPoolExecutor(os.cpu_count(), initializer=quiet) as pool:
        return dict(zip(runs, pool.map(outcome_of, runs, chunksize=8), strict=True))


def quiet() -> None:
    """Stores fail on purpose, thousands of times: their log would fill the screen."""
    logging.disable(logging.CRITICAL)
