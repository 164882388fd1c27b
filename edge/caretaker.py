"""One thread of low priority for what must be done some time and must never keep a sheet waiting."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from homework.errors import ClassboxError

log = logging.getLogger(__name__)
_NICE = 10
_STEP_S = 1.0


@dataclass(frozen=True)
class Job:
    """Something to do every so often, at first soon after the start.

    `work` returns what a person should know now, or None, and looks at its argument between steps: it says whether
    the box is ending.
    """

    about: str
    every_s: float
    work: Callable[[Callable[[], bool]], ClassboxError | None]


class Caretaker:
    """Does its jobs one after the other. `on_trouble(about, None)` says that a job has nothing to complain of."""

    def __init__(self, jobs: Sequence[Job], *, on_trouble: Callable[[str, ClassboxError | None], None]) -> None:
        self._jobs = jobs
        self._on_trouble = on_trouble
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="caretaker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 5) -> None:
        """Finish the step in hand and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _work(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # on Linux a thread has a priority of its own
        due_s = dict.fromkeys(range(len(self._jobs)), time.monotonic())
        while not self._stopping.is_set():
            for number, job in enumerate(self._jobs):
                if due_s[number] <= time.monotonic() and not self._stopping.is_set():
                    self._do(job)
                    due_s[number] = time.monotonic() + job.every_s
            self._stopping.wait(_STEP_S)

    def _do(self, job: Job) -> None:
        try:
            trouble = job.work(self._stopping.is_set)
        except ClassboxError as error:
            trouble = error
        except Exception:
            log.exception("the caretaker could not do its work: %s", job.about)
            trouble = None
        self._on_trouble(job.about, trouble)
