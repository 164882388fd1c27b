"""The fault matrix of sync: how many sheets are lost or counted twice. Both must be 0.

Simulated: the real sessions in virtual time, in the worlds of `sync/simulation/worlds.py`, one seed a run; and the
same with faults put back into the code, each of which must be found out. Real: a light box, `classgate run` on SQLite
and a broker as processes, killed at named steps, frozen, wiped and put back (`benchmarks/_real.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from benchmarks._matrix import Run, outcome_of, outcomes, quiet
from benchmarks._mutants import MUTANTS
from benchmarks._real import RealRun
from sync.simulation import WORLDS

_AT_ONCE = 6
"""Real runs beside one another: they wait most of the time."""
_WRONG = ("lost", "double", "unsettled", "untrue", "misled")


def simulated(seeds: int) -> dict[str, object]:
    """Every world with every seed: sums, and a row for each world."""
    began_s = time.perf_counter()
    found = outcomes(Run(world, seed) for world in WORLDS for seed in range(seeds))
    rows = [
        {
            "world": world,
            "runs": seeds,
            "sheets": sum(outcome.captured for outcome in mine),
            "messages": sum(outcome.messages for outcome in mine),
            **{name: sum(getattr(outcome, name) for outcome in mine) for name in _WRONG},
        }
        for world in WORLDS
        if (mine := [outcome for run, outcome in found.items() if run.world == world])
    ]
    return {
        "simulated_runs": len(found),
        "simulated_sheets": sum(outcome.captured for outcome in found.values()),
        **{name: sum(getattr(outcome, name) for outcome in found.values()) for name in _WRONG},
        "simulated_seconds": round(time.perf_counter() - began_s, 1),
        "bad_runs": [f"{run.world}, seed {run.seed}" for run, outcome in found.items() if not outcome.clean],
        "worlds": rows,
    }


def mutants(seeds: int) -> dict[str, object]:
    """Each fault put back into the code: in how many runs of the world that shows it best it was found out."""
    runs = [Run(mutant.world, seed, name) for name, mutant in MUTANTS.items() for seed in range(seeds)]
    found = outcomes(runs)
    caught = [
        {
            "fault put back": name,
            "breaks": mutant.breaks,
            "world": mutant.world,
            "runs": seeds,
            "caught": sum(not outcome.clean for run, outcome in found.items() if run.mutant == name),
        }
        for name, mutant in MUTANTS.items()
    ]
    return {"faults_put_back": len(caught), "caught": sum(bool(row["caught"]) for row in caught), "put_back": caught}


def real(runs: int, *, within_s: float) -> dict[str, object]:
    """So many runs with real processes, or as many as can be begun in the time."""
    began_s = time.perf_counter()
    total: Counter[str] = Counter()
    end_s = time.monotonic() + within_s
    with ProcessPoolExecutor(_AT_ONCE, initializer=quiet) as pool:
        for seed, tally in enumerate(pool.map(_play, range(runs), repeat(end_s))):
            if tally["lost"] or tally["double"] or tally["unsettled"]:
                print(f"real run, seed {seed}: {dict(tally)}", file=sys.stderr)
            total += tally
    steps = {name: times for name, times in total.items() if name.startswith("at ")}
    named = ("kept", "lost", "double", "unsettled", "kills_at_a_step", "step_not_reached", "broker_kills", "freezes")
    return {
        "real_runs": total["runs"],
        **{f"real_{name}": total[name] for name in (*named, "gateways_put_back", "cards_put_back")},
        "real_steps": len(steps),
        "real_seconds": round(time.perf_counter() - began_s, 1),
        "steps": [{"killed": name.removeprefix("at "), "times": times} for name, times in sorted(steps.items())],
    }


def _play(seed: int, end_s: float) -> Counter[str]:
    """One run, in a process of its own; nothing once the time is over."""
    if time.monotonic() > end_s:
        return Counter()
    with tempfile.TemporaryDirectory(prefix="classbox-faults-") as folder:
        return RealRun(seed, Path(folder)).play() + Counter(runs=1)


def measure(*, seeds: int, mutant_seeds: int, real_runs: int, real_s: float) -> dict[str, object]:
    """All of it."""
    began_s = time.perf_counter()
    found = simulated(seeds) | mutants(mutant_seeds) | real(real_runs, within_s=real_s)
    return found | {"seconds": round(time.perf_counter() - began_s, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer seeds and rounds")
    parser.add_argument("--world", choices=WORLDS, help="one simulated run alone: its world")
    parser.add_argument("--seed", type=int, default=0, help="and its seed")
    parser.add_argument("--fault", choices=MUTANTS, help="with this fault put back into the code")
    parser.add_argument("--real-seconds", type=float, default=360.0, help="no real run is begun after that")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    quiet()
    if options.world is not None:
        figures: dict[str, object] = outcome_of(Run(options.world, options.seed, options.fault))._asdict()
    elif options.quick:
        figures = measure(seeds=10, mutant_seeds=20, real_runs=2, real_s=60.0)
    else:
        figures = measure(seeds=150, mutant_seeds=40, real_runs=200, real_s=options.real_seconds)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
