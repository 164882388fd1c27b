"""Faults put back into sync on purpose: each breaks one rule of docs/delivery.md, and the matrix must notice each.

`with MUTANTS["never resend"].applied():` and whatever is simulated in the block runs with the fault.
"""
# ruff: noqa: ARG001, SLF001 - a fault goes where nobody is meant to reach, with the arguments of what it replaces

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import msgspec

from sync import outbox as outbox_module
from sync.box_session import BoxSession, Outgoing
from sync.challenges import Challenges
from sync.envelope import Envelope
from sync.lanes import Lane
from sync.outbox import Outbox
from sync.receipts import Accept, Advance, AskAfresh, Ignore, Judgement, LaneState, LaneView, Receipt, advance, judge
from sync.simulation.box import Box
from sync.simulation.card import Card
from sync.simulation.store import Contents, MemoryIngest, StoreFailedError


class Mutant(NamedTuple):
    """A fault. `world` is the one that shows it best, `breaks` the promise that it breaks."""

    breaks: str
    world: str
    patches: Mapping[str, Any]
    """What is put in the place of what: `module.name`, `module.Class.name`."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The fault is there until the block ends."""
        with ExitStack() as stack:
            for target, instead in self.patches.items():
                stack.enter_context(patch(target, instead))
            yield


# --- the gateway ------------------------------------------------------------------------------------------------


def _acknowledge_before_commit(self: MemoryIngest, after: Contents) -> None:
    with suppress(StoreFailedError):
        _commit(self, after)


def _commit_states_first(self: MemoryIngest, after: Contents) -> None:
    self.store.lanes = after.lanes
    _commit(self, after)


def _take_again(state: LaneState, envelope: Envelope, **more: Any) -> Advance:
    return advance(state, envelope, **more)._replace(new=envelope.numbered())


def _throw_away(state: LaneState, envelope: Envelope, *, incarnation: bytes, held: object) -> Advance:
    return advance(state, envelope, incarnation=incarnation)


def _go_on_as_the_same(self: MemoryIngest, store: Contents, *, noticed: bool) -> None:
    _put_back(self, store, noticed=False)


# --- the box ----------------------------------------------------------------------------------------------------


def _forget_acknowledged(self: BoxSession, ticket: int, now_ms: float) -> None:
    for stream, flight in self._flights.items():
        for sent in flight.sent:
            if sent.ticket == ticket:
                _forgotten(self).append((*stream, sent.last_seq))
    _acknowledged(self, ticket, now_ms)


def _forget_then_send(self: BoxSession, outbox: Outbox, now_ms: float) -> Outgoing | None:
    while _forgotten(self):
        epoch_no, lane, last_seq = _forgotten(self).pop()
        where = (epoch_no, lane, last_seq)
        outbox._db.execute(
            "UPDATE outbox_records SET payload = NULL WHERE epoch_no = ? AND lane = ? AND seq <= ?", where
        )
    return _next_envelope(self, outbox, now_ms)


def _forgotten(session: BoxSession) -> list[tuple[int, Lane, int]]:
    found: list[tuple[int, Lane, int]] = vars(session).setdefault("forgotten", [])
    return found


def _never(*_: object) -> float:
    return 1e18


def _never_afresh(receipt: Receipt, view: LaneView | None) -> Judgement:
    judgement = judge(receipt, view)
    return Ignore("it was proven") if isinstance(judgement, AskAfresh) else judgement


def _accept_any(receipt: Receipt, view: LaneView | None) -> Judgement:
    if view is None:
        return judge(receipt, view)
    return Accept(min(receipt.mark, view.last_seq), receipt.beyond, receipt.held)


def _accept_own_chain(receipt: Receipt, view: LaneView | None) -> Judgement:
    judgement = judge(receipt, view)
    own_chain = view is not None and view.chain_at_mark == receipt.chain
    return Accept(receipt.mark, receipt.beyond, receipt.held) if own_chain else judgement


def _believe_what_is_old(receipt: Receipt, view: LaneView | None) -> Judgement:
    return judge(receipt, None if view is None else msgspec.structs.replace(view, believed_from=0))


def _take_all_for_fresh(receipt: Receipt, view: LaneView | None) -> Judgement:
    return judge(receipt, None if view is None else msgspec.structs.replace(view, answers=2**40))


def _reuse_epoch(connection: sqlite3.Connection) -> None:
    if not connection.execute("SELECT 1 FROM outbox_epochs").fetchall():
        _open_epoch(connection)


def _same_challenge(self: Challenges) -> int:
    return self.number_of(self.newest) if self.any() else _renew(self)


def _same_link(chain: bytes, digest: bytes) -> bytes:
    return hashlib.blake2b(chain, digest_size=16).digest()


@contextmanager
def _kept_too_soon(self: Card) -> Iterator[Outbox]:
    with suppress(sqlite3.OperationalError), _transaction(self) as outbox:
        yield outbox


def _by_the_wall_clock(self: Box, now_ms: float) -> float:
    return self.clock.wall_ms(now_ms)


def _nothing(*_: object, **__: object) -> None:
    return None


def _mutants() -> Mapping[str, Mutant]:
    line, full, clones = "a bad line", "full disks", "cloned cards"
    failing, restores = "databases that fail at any commit", "a terrible line and many restores"
    replayed = "a broker that says again what was said long ago"
    store, box, outbox = "sync.simulation.store.MemoryIngest", "sync.box_session.BoxSession", "sync.outbox"
    links = dict.fromkeys(("sync.outbox.next_link", "sync.receipts.next_link", "sync.envelope.next_link"), _same_link)
    return {
        "ack before commit": Mutant("D2", failing, {f"{store}._commit": _acknowledge_before_commit}),
        "commit the mark before the records": Mutant("D2", failing, {f"{store}._commit": _commit_states_first}),
        "take a known record again": Mutant("D4", line, {"sync.simulation.store.advance": _take_again}),
        "throw away what cannot be read": Mutant("D5", line, {"sync.simulation.store.advance": _throw_away}),
        "be the same gateway after a restore": Mutant(
            "D6", "cloned cards that are seldom heard", {f"{store}.put_back": _go_on_as_the_same}
        ),
        "say kept before the commit": Mutant("D1", full, {"sync.simulation.card.Card.transaction": _kept_too_soon}),
        "forget on PUBACK": Mutant(
            "D2", line, {f"{box}.acknowledged": _forget_acknowledged, f"{box}.next_envelope": _forget_then_send}
        ),
        "never resend": Mutant("D3", line, {f"{box}._patience_ms": _never}),
        "expect the rest on the old connection": Mutant("D3", "half-open lines", {f"{box}.reconnected": _nothing}),
        "wait by the wall clock": Mutant(
            "D3", "clocks that jump or were never set", {"sync.simulation.box.Box.own_time_ms": _by_the_wall_clock}
        ),
        "never ask afresh": Mutant("D6", restores, {f"{outbox}.judge": _never_afresh}),
        "ask with the same challenge": Mutant("D7", replayed, {"sync.challenges.Challenges.renew": _same_challenge}),
        "accept any receipt": Mutant("D10", clones, {f"{outbox}.judge": _accept_any}),
        "accept any receipt of one's own history": Mutant("D7", replayed, {f"{outbox}.judge": _accept_own_chain}),
        "believe what was said before a restore": Mutant("D7", replayed, {f"{outbox}.judge": _believe_what_is_old}),
        "take every receipt for fresh": Mutant("D7", replayed, {f"{outbox}.judge": _take_all_for_fresh}),
        "reuse an epoch": Mutant("D10", clones, {f"{outbox}._open_epoch": _reuse_epoch}),
        "a chain that says nothing of the records": Mutant("D10", clones, links),
    }


_commit = MemoryIngest._commit
_put_back = MemoryIngest.put_back
_acknowledged = BoxSession.acknowledged
_next_envelope = BoxSession.next_envelope
_transaction = Card.transaction
_open_epoch = outbox_module._open_epoch
_renew = Challenges.renew
MUTANTS: Final = _mutants()
