"""The keys of boxes, remembered for some seconds: a busy box costs no query, and one that is shut out is so soon.

Whoever was busy lately is asked about together with whoever is due. Else each batch would find some of a district's
boxes due, and ask for them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping

import msgspec

from gateway.store.schools import sealed_box_keys
from gateway.store.store import Store
from homework.errors import ClassboxError

_log = logging.getLogger(__name__)
LASTS_S = 5.0
"""How long a key is believed, and how long a box counts as busy after it was asked for."""
BoxName = tuple[str, str]
"""School and box."""


class _Key(msgspec.Struct):
    sealed: bytes
    key: bytes
    used_s: float


class BoxKeys:
    """Asks the store for keys, opens what is new to it, and remembers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[BoxName, _Key] = {}
        self._read_s: dict[BoxName, float] = {}

    async def of(self, names: Collection[BoxName]) -> Mapping[BoxName, bytes]:
        """The keys of those boxes that are enrolled, in one look at the store.

        Raises `ClassboxError` where the key of one of them cannot be opened, `StoreTrouble`.
        """
        now_s = time.monotonic()
        wanted = set(names)
        if any(now_s - self._read_s.get(name, float("-inf")) >= LASTS_S for name in wanted):
            await self._read(wanted, now_s)
        found: dict[BoxName, bytes] = {}
        for name in wanted & self._known.keys():
            self._known[name].used_s = now_s
            found[name] = self._known[name].key
        return found

    async def _read(self, wanted: set[BoxName], now_s: float) -> None:
        busy = {name for name, known in self._known.items() if now_s - known.used_s < LASTS_S}
        async with self._store.reading() as connection:
            sealed = await sealed_box_keys(connection, wanted | busy)
        known: dict[BoxName, _Key] = {}
        for name, it in sealed.items():
            old = self._known.get(name)
            if old is not None and old.sealed == it:
                known[name] = old
                continue
            try:
                known[name] = _Key(it, self._store.vault.open(it, purpose="box {}/{}".format(*name)), now_s)
            except ClassboxError:
                if name in wanted:
                    raise
                _log.warning("the key of %s/%s cannot be opened", *name)  # it costs nobody else anything
        self._known, self._read_s = known, dict.fromkeys(known, now_s)
