"""Python's collector of reference cycles, set for a program that makes many small values and few cycles.

A look at everything that is alive takes two tenths of a second once reports and worksheets are kept, and Python takes
one whenever enough has been made: in the middle of a page, of which each hundredth then waits. So it is done between
requests: what is new after some of them, and all once in a while; and what lives is set aside meanwhile (`gc.freeze`).
What is only values (`msgspec.Struct` with `gc=False`) is in no cycle, and the collector does not know of it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG, _MIDDLE, _OLD = 200_000, 50, 100_000
"""So many new values are looked at in the middle of a request after all: a class report has fifty thousand for a
moment. Looked at every 700, as Python does by itself, they are a third of what the report costs."""
_REQUESTS = 8
"""After so many answers what is new is looked at, as soon as no request waits."""
_PAUSE_S = 0.001
"""The answer is to be on its way before."""
SETTLE_EVERY_S = 900.0
_STEP_S, _STEPS = 0.02, 500
"""A gateway that never rests for ten seconds is looked through all the same."""


def calm_collector() -> None:
    """Look for cycles less often, and no more among what stays: modules, templates, statements. Once, when ready."""
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    settle()


def settle() -> None:
    """Find the cycles that nothing holds any more, and set aside what is left."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class BetweenRequests:
    """Looks at what is new when some requests have been answered and none is being answered. In the event loop."""

    def __init__(self) -> None:
        self._answering = self._answered = 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A request is being answered."""
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1
            self._answered += 1
            if self._may_look():
                asyncio.get_running_loop().call_later(_PAUSE_S, self._look)

    def _may_look(self) -> bool:
        return self._answered >= _REQUESTS and not self._answering

    def _look(self) -> None:
        if self._may_look():
            self._answered = 0
            gc.collect(1)

    async def settle_in_quiet(self, *, every_s: float = SETTLE_EVERY_S) -> None:
        """`settle` once in a while until cancelled, when no request is being answered."""
        while True:
            await asyncio.sleep(every_s)
            for _ in range(_STEPS):
                if not self._answering:
                    break
                await asyncio.sleep(_STEP_S)
            settle()
