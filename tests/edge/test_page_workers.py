"""Work in processes of its own: what dies, hangs or overeats costs itself alone."""

import multiprocessing
import operator
import os
import sys
import time
from collections import deque
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from edge.nearby import open_shelves
from edge.page_workers import Answer, Done, Failed, TookTooLongError, WorkerCrashedError, work_apart, work_here
from homework.errors import BadFileError, ClassboxError

DO = partial(operator.methodcaller, "do")
"""Makes the work: call what the unit says. Of the standard library alone, so that every process finds it."""


def unit(name: str, call: Any, *words: Any, limit_s: float = 60.0) -> Any:
    return SimpleNamespace(name=name, do=partial(call, *words), limit_s=limit_s)


def outcomes(units: list[Any], *, jobs: int) -> dict[str, Any]:
    """What became of each unit: its results, or the error that ended it."""
    line = deque(units)
    found: dict[str, Any] = {}
    for event in work_apart(DO, lambda: line.popleft() if line else None, jobs=jobs):
        if isinstance(event, Answer):
            found.setdefault(event.unit.name, []).append(event.result)
        elif isinstance(event, Failed):
            found[event.unit.name] = event.error
        else:
            assert isinstance(event, Done)
    return found


@pytest.mark.parametrize("jobs", [1, 2])
def test_units_that_die_hang_or_overeat_cost_none_of_the_others(jobs: int) -> None:
    found = outcomes(
        [
            unit("first", list, "ab"),
            unit("aborts", os.abort),
            unit("hangs", time.sleep, 600, limit_s=1.0),
            unit("raises", int, "seven"),
            unit("exits", sys.exit, 3),
            unit("overeats", bytes, 1 << 34),
            unit("last", list, "c"),
        ],
        jobs=jobs,
    )
    assert (found["first"], found["last"]) == (["a", "b"], ["c"])
    assert isinstance(found["hangs"], TookTooLongError)
    for name, word in {"aborts": "SIGABRT", "raises": "seven", "exits": "exit 3", "overeats": "MemoryError"}.items():
        assert isinstance(found[name], WorkerCrashedError), name
        assert word in found[name].message
        assert name in found[name].message
        assert found[name].remedy
    assert not multiprocessing.active_children()


def test_two_units_are_done_at_the_same_time() -> None:
    line = deque([unit(str(n), time.sleep, 2) for n in range(2)])
    seen = 0
    for _ in work_apart(DO, lambda: line.popleft() if line else None, jobs=2):
        seen = max(seen, len(multiprocessing.active_children()))
    assert seen == 2


def test_new_units_may_come_while_others_are_done() -> None:
    line = deque([unit("opens", list, "abc")])
    names = []
    for event in work_apart(DO, lambda: line.popleft() if line else None, jobs=2):
        if isinstance(event, Answer) and event.unit.name == "opens":
            line.append(unit(event.result, list, "x"))
        elif isinstance(event, Done):
            names.append(event.unit.name)
    assert sorted(names) == ["a", "b", "c", "opens"]


def test_what_keeps_every_worker_from_starting_is_said_once(tmp_path: Any) -> None:
    missing = partial(open_shelves, layout=tmp_path / "none.json", assignment=None, roster=None, class_name=None)
    line = deque([unit("a", list, "a")])
    with pytest.raises(BadFileError, match=r"none\.json"):
        list(work_apart(missing, lambda: line.popleft() if line else None, jobs=2))
    assert not multiprocessing.active_children()


def test_whoever_stops_listening_leaves_no_process_behind() -> None:
    line = deque([unit("first", list, "a"), unit("hangs", time.sleep, 600)])
    events = work_apart(DO, lambda: line.popleft() if line else None, jobs=2)
    assert isinstance(next(events), Answer)
    assert multiprocessing.active_children()
    events.close()
    assert not multiprocessing.active_children()


def test_the_same_work_in_this_process_fails_unit_by_unit_too() -> None:
    line = deque([unit("raises", int, "seven"), unit("fine", list, "a")])
    events = list(work_here(DO, lambda: line.popleft() if line else None))
    assert isinstance(events[0], Failed)
    assert isinstance(events[0].error, ClassboxError)
    assert [event.result for event in events if isinstance(event, Answer)] == ["a"]
