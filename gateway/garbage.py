"""Python's collector of reference cycles, set for a program that makes many small values and few cycles."""

from __future__ import annotations

import gc

_YOUNG = 20_000
"""Values made and not yet let go before the young ones are looked at. A class report has fifty thousand for a moment:
looked at every 700, as Python does by itself, they are a third of what the report costs."""
_MIDDLE, _OLD = 20, 50


def calm_collector() -> None:
    """Look for cycles less often, and no more among what stays: modules, templates, statements. Once, when ready."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
