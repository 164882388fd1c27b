"""The fault matrix of sync: how many sheets are lost or counted twice. Both must be 0.

Simulated: the real sessions in virtual time, in the worlds of `sync/simulation/worlds.py`, one seed a run; and the
same with faults put back into the code, each of which must be found out. Real: light boxes, `classgate run` on SQLite
(one run in four on PostgreSQL) and a broker as processes, killed at named steps, frozen, wiped, put back and cloned, on
disks that fill up and lines that break (`benchmarks/_real.py`); and the same with faults put back into the programs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter

from benchmarks._matrix import Run, outcome_of, outcomes, quiet
from benchmarks._mutants import MUTANTS
from benchmarks._real import Plan, play_all
from benchmarks._real_mutants import REAL_MUTANTS
from benchmarks._real_stores import has_server
from sync.simulation import WORLDS

_AT_ONCE = 6
"""Real runs beside one another: they wait much of the time."""
_ROUNDS_OF_A_MUTANT = 4
_ON_A_SERVER = 4
"""Of so many real runs one has PostgreSQL under its gateway."""
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
    slowest_s = 0.0
    plans = [Plan(seed, server=seed % _ON_A_SERVER == 0 and has_server()) for seed in range(runs)]
    for plan, tally in play_all(plans, at_once=_AT_ONCE, end_s=_after(within_s)):
        if tally["lost"] or tally["double"] or tally["unsettled"]:
            print(f"real run, seed {plan.seed}: {dict(tally)}", file=sys.stderr)
        total["runs_on_postgresql"] += plan.server and tally["runs"]
        slowest_s = max(slowest_s, tally.pop("milliseconds", 0) / 1000)
        total += tally
    named = ("kept", "lost", "double", "unsettled", "step_not_reached", "messages_said_again", "packets_lost")
    full = ("sheets_refused_by_a_full_disk", "batches_refused_by_a_full_disk")
    return {
        "real_runs": total["runs"],
        "real_runs_on_postgresql": total["runs_on_postgresql"],
        **{f"real_{name}": total[name] for name in (*named, *full)},
        "real_slowest_s": round(slowest_s, 1),
        "real_seconds": round(time.perf_counter() - began_s, 1),
        "struck": _rows(total, "fault: ", "fault"),
        "steps": _rows(total, "at ", "killed"),
    }


def real_mutants(runs: int, *, within_s: float) -> dict[str, object]:
    """Each fault put back into a program as it runs: in how many runs it was found out."""
    plans = [
        Plan(seed, real_mutant.rounds * (_ROUNDS_OF_A_MUTANT // len(real_mutant.rounds)), name, patience_s=15.0)
        for name, real_mutant in REAL_MUTANTS.items()
        for seed in range(runs)
    ]
    found = dict(play_all(plans, at_once=_AT_ONCE, end_s=_after(within_s)))
    rows = []
    for name, real_mutant in REAL_MUTANTS.items():
        tallies = [tally for plan, tally in found.items() if plan.fault == name]
        rows.append(
            {
                "fault put back": name,
                "into": real_mutant.program,
                "breaks": real_mutant.mutant.breaks,
                "rounds": ", ".join(real_mutant.rounds),
                "runs": sum(tally["runs"] for tally in tallies),
                "caught": sum(bool(t["lost"] or t["double"] or t["unsettled"]) for t in tallies),
            }
        )
    return {
        "real_faults_put_back": len(rows),
        "real_caught": sum(bool(row["caught"]) for row in rows),
        "put_back_into_programs": rows,
    }


def _rows(total: Counter[str], start: str, head: str) -> list[dict[str, object]]:
    names = sorted(name for name in total if name.startswith(start))
    return [{head: name.removeprefix(start), "times": total[name]} for name in names]


def _after(seconds: float) -> float:
    return time.monotonic() + seconds


def measure(*, seeds: int, mutant_seeds: int, real_runs: int, mutant_runs: int, real_s: float) -> dict[str, object]:
    """All of it."""
    began_s = time.perf_counter()
    found = simulated(seeds) | mutants(mutant_seeds)
    found |= real(real_runs, within_s=real_s) | real_mutants(mutant_runs, within_s=real_s / 4)
    return found | {"seconds": round(time.perf_counter() - began_s, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer seeds and rounds")
    parser.add_argument("--world", choices=WORLDS, help="one simulated run alone: its world")
    parser.add_argument("--seed", type=int, default=0, help="and its seed")
    parser.add_argument("--fault", choices=MUTANTS, help="with this fault put back into the code")
    parser.add_argument("--real", type=int, metavar="SEED", help="one run with real processes alone")
    parser.add_argument("--real-seconds", type=float, default=480.0, help="no real run is begun after that")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    quiet()
    if options.real is not None:
        on_server = options.real % _ON_A_SERVER == 0 and has_server()
        ((_, tally),) = play_all([Plan(options.real, server=on_server)], at_once=1)
        figures: dict[str, object] = dict(tally)
    elif options.world is not None:
        figures = outcome_of(Run(options.world, options.seed, options.fault))._asdict()
    elif options.quick:
        figures = measure(seeds=10, mutant_seeds=20, real_runs=4, mutant_runs=1, real_s=60.0)
    else:
        figures = measure(seeds=150, mutant_seeds=40, real_runs=200, mutant_runs=4, real_s=options.real_seconds)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
