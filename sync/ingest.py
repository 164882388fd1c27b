"""What a gateway must offer to the link: the port between transport and store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from sync.envelope import Envelope
from sync.receipts import Receipt
from sync.state import BoxState


class Ingest(Protocol):
    """Takes in what boxes send. Each method is called from one asyncio loop.

    `sync.receipts.advance` has the arithmetic: load the lane's state (or `new_lane_state`), decode the
    envelope's records (`sync.records.decode_record`; those that raise are held), advance, store `new` and
    `state`, commit, return the receipt.
    """

    async def box_key(self, school: str, box: str) -> bytes | None:
        """The key of an enrolled box, None for one that is not (or no longer)."""

    async def box_keys(self, names: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], bytes]:
        """The keys of those boxes (school, box) that are enrolled, in one look at the store."""

    async def take(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Store a batch in one transaction, in the order given, commit, and return a receipt for each.

        The batch may hold several envelopes of one lane, also the same twice. If it raises, nothing may be
        committed; no receipt goes out and the boxes send again. `StoreTrouble` says that no envelope is to blame.
        """

    async def standing(self, states: Sequence[BoxState]) -> Sequence[Sequence[Receipt]]:
        """Note in one transaction which boxes said hello (or were lost), and return for each where it stands.

        One receipt for each lane of each of `state.epochs`, also for those never heard of (mark 0), with
        `state.challenge`; none for a box that is offline.
        """
