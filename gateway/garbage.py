"""Python's collector of reference cycles, set for a program that makes many small values and few cycles.

A look at everything that is alive takes a tenth of a second once reports and worksheets are kept, and Python takes one
whenever enough has been made: in the middle of a page, of which each hundredth then waits. So all that lives is set
aside (`gc.freeze`), and looked at again once in a while, when nobody waits.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

_YOUNG = 50_000
"""Values made and not yet let go before the young ones are looked at. A class report has fifty thousand for a moment:
looked at every 700, as Python does by itself, they are a third of what the report costs."""
_MIDDLE, _OLD = 50, 100_000
"""The old ones are looked at by `settle_in_quiet` alone."""
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


async def settle_in_quiet(answering: Callable[[], int], *, every_s: float = SETTLE_EVERY_S) -> None:
    """`settle` once in a while until cancelled, when no request is being answered."""
    while True:
        await asyncio.sleep(every_s)
        for _ in range(_STEPS):
            if not answering():
                break
            await asyncio.sleep(_STEP_S)
        settle()
