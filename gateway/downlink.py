"""What goes down to the boxes, out of the store: the `sync.offers.DownLog` of a gateway."""

from __future__ import annotations

import msgspec

from gateway.store.down_log import bytes_of, chain_at, entries_after, heads, note_place
from gateway.store.store import Store
from sync.down_bodies import FIRST_CHAIN
from sync.down_messages import MAX_OFFERED, PART_BYTES, Downward, Having, Want
from sync.offers import Head, Look, offer_of, part_of
from sync.state import BoxState


class StoreDownLog:
    """The logs of a store's schools."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: dict[tuple[str, str], tuple[int, int, int]] = {}

    async def look(self, state: BoxState) -> Look | None:
        """What stands after what the box was told; how far it is, is remembered."""
        if state.having is None:
            return None
        look = await self._look(state, state.having)
        told = state.having if look.continues else msgspec.structs.replace(state.having, place=0)
        await self._note(state, told)
        return look

    async def all_for(self, state: BoxState, *, most_bytes: int) -> list[Downward]:
        """All that the box was not told of, whole, for a way on which it can ask for nothing.

        Beyond `most_bytes` it ends, and goes on the next time; so it does after a box that has to begin anew.
        """
        found: list[Downward] = []
        having, size = state.having, 0
        while having is not None:
            look = await self._look(state, having)
            offer = offer_of(look, msgspec.structs.replace(state, having=having))
            if offer is None:
                break
            found.append(offer)
            for entry in offer.entries:
                for offset in range(0, entry.size if entry.inline is None else 0, PART_BYTES):
                    want = Want(entry.place, entry.digest, offset)
                    if (part := part_of(await self.part(state.school, want), want)) is not None:
                        found.append(part)
                size += entry.size
            if offer.anew or offer.through == offer.last or size > most_bytes:
                break
            having = msgspec.structs.replace(
                having, incarnation=offer.incarnation, place=offer.through, chain=offer.chain
            )
        return found

    async def _look(self, state: BoxState, having: Having) -> Look:
        async with self._store.reading() as connection:
            head = (await heads(connection, self._store.incarnation)).get(state.school)
            head = head or Head(self._store.incarnation, 0, FIRST_CHAIN)
            here = await chain_at(connection, state.school, having.place)
            continues = having.incarnation in (None, head.incarnation) and here == having.chain
            after = having.place if continues else 0
            found = await entries_after(connection, state.school, after, at_most=MAX_OFFERED + 1)
        return Look(head, continues, found)

    async def part(self, school: str, want: Want) -> bytes | None:
        """The bytes of the wanted part."""
        async with self._store.reading() as connection:
            return await bytes_of(connection, school, want)

    async def heads(self) -> dict[str, Head]:
        """Where each school's log ends."""
        async with self._store.reading() as connection:
            return await heads(connection, self._store.incarnation)

    async def _note(self, state: BoxState, having: Having) -> None:
        name, where = (state.school, state.box), (having.place, having.waiting, having.refused)
        if self._noted.get(name) == where:
            return
        async with self._store.writing() as connection:
            await note_place(connection, *name, place=where[0], waiting=where[1], refused=where[2])
        self._noted[name] = where
