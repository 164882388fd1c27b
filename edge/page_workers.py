"""Work spread over processes, so that a page that crashes a library, or never ends, costs itself alone.

Each worker has a pipe of its own and no lock is shared, so one that is killed in the middle of anything holds up
nobody. A worker that says nothing for longer than its unit allows is killed, and another takes its place.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.resource_tracker import ensure_running
from typing import Any, Final, Generic, Protocol, TypeVar

from homework.errors import ClassboxError

MOST_MEMORY_BYTES: Final = 4 << 30
"""What a worker may allocate. The largest picture that is taken needs 1.4 GB; what needs three times that is a bomb."""

START_LIMIT_S: Final = 300.0
"""A worker loads libraries and models first: 1.5 s on an idle x86 core."""


class Unit(Protocol):
    """One thing to do, and what to call it; after so many seconds of silence it is given up."""

    @property
    def name(self) -> str: ...

    @property
    def limit_s(self) -> float: ...


U = TypeVar("U", bound=Unit)
R = TypeVar("R")
Work = Callable[[U], Iterable[R]]


@dataclass(frozen=True)
class Answer(Generic[U, R]):
    """One result of a unit; there may be more."""

    unit: U
    result: R


@dataclass(frozen=True)
class Done(Generic[U]):
    """A unit has given all its results."""

    unit: U


@dataclass(frozen=True)
class Failed(Generic[U]):
    """A unit ended before its end: the error says why."""

    unit: U
    error: ClassboxError


class WorkerCrashedError(ClassboxError):
    """A unit killed its worker, or raised what nobody foresaw."""


class TookTooLongError(ClassboxError):
    """A unit was given up."""


Event = Answer[U, R] | Done[U] | Failed[U]


def work_here(make_work: Callable[[], Work[U, R]], next_unit: Callable[[], U | None]) -> Iterator[Event[U, R]]:
    """What `work_apart` does, in this process: for one picture, at which starting another would be the larger part."""
    work: Work[U, R] | None = None
    while (unit := next_unit()) is not None:
        work = work or make_work()
        try:
            for result in work(unit):
                yield Answer(unit, result)
        except ClassboxError as error:
            yield Failed(unit, error)
        except Exception as error:  # noqa: BLE001 - one page costs none of the others
            yield Failed(unit, _unforeseen(unit, error))
        else:
            yield Done(unit)


def work_apart(
    make_work: Callable[[], Work[U, R]], next_unit: Callable[[], U | None], *, jobs: int
) -> Iterator[Event[U, R]]:
    """Do units in up to `jobs` processes, and give what comes of them as it comes.

    `make_work` is called once in each process, and must be picklable, as units and results. `next_unit` is asked
    whenever a worker is free, between two events; None: none now. It ends when there is none and nothing is at work.
    Raises `ClassboxError` when `make_work` does, or when no process can be started.
    """
    workers: list[_Worker[U, R]] = []
    try:
        while True:
            while (free := next((w for w in workers if w.unit is None), None)) or len(workers) < jobs:
                unit = next_unit()
                if unit is None:
                    break
                if free is None:
                    free = _Worker(make_work)
                    workers.append(free)
                free.take(unit)
            busy = [worker for worker in workers if worker.unit is not None]
            if not busy:
                return
            patience_s = max(min(worker.deadline_s for worker in busy) - time.monotonic(), 0.0)
            heard = set(wait([worker.pipe for worker in busy], timeout=patience_s))
            for worker in busy:
                event = worker.hear() if worker.pipe in heard else worker.check()
                if worker.gone:
                    workers.remove(worker)
                if event is not None:
                    yield event
    finally:
        for worker in workers:
            worker.kill()


class _Worker(Generic[U, R]):
    """One process, seen from here."""

    def __init__(self, make_work: Callable[[], Work[U, R]]) -> None:
        # Spawned, not forked: threads of OpenCV and of the progress bar do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=_serve, args=(make_work, theirs), daemon=True)
        with _ctrl_c_later():
            self._process.start()
        theirs.close()
        self.unit: U | None = None
        self.gone = False
        self._started = False
        self.deadline_s = time.monotonic() + START_LIMIT_S

    def take(self, unit: U) -> None:
        self.unit = unit
        if self._started:
            self.deadline_s = time.monotonic() + unit.limit_s
        with contextlib.suppress(OSError):  # it is dead: `hear` finds out
            self.pipe.send(unit)

    def hear(self) -> Event[U, R] | None:
        """What the process says next. Raises the `ClassboxError` that kept it from starting."""
        assert self.unit is not None
        try:
            kind, what = self.pipe.recv()
        except (EOFError, OSError):
            return self._died()
        self.deadline_s = time.monotonic() + self.unit.limit_s
        if kind == "started":
            self._started = True
            return None
        if kind == "unable":
            raise what
        if kind == "answer":
            return Answer(self.unit, what)
        unit, self.unit = self.unit, None
        return Done(unit) if kind == "done" else Failed(unit, what)

    def check(self) -> Event[U, R] | None:
        """Give the unit up when its time is over."""
        assert self.unit is not None
        if time.monotonic() < self.deadline_s:
            return None
        self.kill()
        if not self._started:
            raise _cannot_start()
        return Failed(
            self.unit,
            TookTooLongError(
                "{name} took longer than {seconds} s and was given up.",
                remedy="Take the picture again, or allow more time with --seconds.",
                name=self.unit.name,
                seconds=round(self.unit.limit_s),
            ),
        )

    def kill(self) -> None:
        self.gone = True
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def _died(self) -> Event[U, R]:
        assert self.unit is not None
        self._process.join(timeout=5)
        code = self._process.exitcode
        self.kill()
        if not self._started:
            raise _cannot_start()
        return Failed(
            self.unit,
            WorkerCrashedError(
                "The program that read {name} broke down ({reason}).",
                remedy="Take the picture again; the other pages are not affected.",
                name=self.unit.name,
                reason=signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}",
            ),
        )


@contextlib.contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal, and one that is still starting would answer with a traceback.

    So a process that is started here begins with the signal blocked, and this one hears of it when that is done: a
    block alone is not enough, because another thread may take the signal for the main one.
    """
    ensure_running()  # Python's resource tracker lifts the block when it starts, so it has to be there before
    if threading.current_thread() is not threading.main_thread():
        yield  # no Ctrl-C is ever heard in another thread
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    if came:
        signal.raise_signal(signal.SIGINT)


def _cannot_start() -> ClassboxError:
    return WorkerCrashedError(
        "No process can be started to read pages.", remedy="Close other programs, or try again with --jobs 1."
    )


def _unforeseen(unit: Unit, error: Exception) -> WorkerCrashedError:
    return WorkerCrashedError(
        "{name} could not be read: {reason}.",
        remedy="Take the picture again; the other pages are not affected.",
        name=unit.name,
        reason=f"{type(error).__name__} {error}".strip(),
    )


def _serve(make_work: Callable[[], Work[Any, Any]], pipe: Connection) -> None:
    """The life of a worker process. It ends when the pipe does, whatever became of the other side."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that waits, which then ends this one
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _bound_memory()
    try:
        try:
            work = make_work()
        except ClassboxError as error:
            pipe.send(("unable", error))
            return
        pipe.send(("started", None))
        while True:
            for message in _messages(work, pipe.recv()):
                pipe.send(message)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _messages(work: Work[Any, Any], unit: Any) -> Iterator[tuple[str, Any]]:
    try:
        for result in work(unit):
            yield "answer", result
    except ClassboxError as error:
        yield "failed", error
    except Exception as error:  # noqa: BLE001 - one page costs none of the others
        yield "failed", _unforeseen(unit, error)
    else:
        yield "done", None


def _bound_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = MOST_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MOST_MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
