"""One run of the fault matrix with real processes: light boxes, `classgate run` and its database, and a real broker.

The seed decides the plan: who is killed at which step, who freezes, whose disk is wiped or full, what the line does,
what is put back, cloned or said again. When the faults have stopped, every sheet of which a box said that it has it
must count in the gateway's database, once.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path
from typing import NamedTuple

from benchmarks._disks import apart, fill, make_room, small_disk
from benchmarks._killed import GATEWAY_POINTS, OUTBOX_POINTS
from benchmarks._line import Line, LineError, Way
from benchmarks._matrix import quiet
from benchmarks._real_mutants import REAL_MUTANTS
from benchmarks._real_programs import RealBox, RealGateway
from benchmarks._real_stores import end_server, on_disk, on_server, the_server
from benchmarks._replaying import Replaying, replaying
from benchmarks._zygote import Zygote, enter_network
from sync.embedded_broker import LOOPBACK, Broker

_SHEETS = 12
"""Shown to a box in each round."""
_ROUNDS = 4
_DEATH_S = 30.0
"""How long a process may take to come to the step at which it dies: a second or two, on a full machine far longer."""
_MEETS_S = 20.0
"""And until it has taken in what it is to forget when it is put back: on a quiet machine it has, in most runs."""
_MOST_PATIENCE = 10
"""So many times its patience a run waits at most: two copies of a card may move for ever and come to no rest."""
_TURNS_OF_A_FULL_DISK = 25
"""Of 0.2 s, until a gateway has met it: on a busy machine its next batch takes a while to come."""
_CARD_KB, _GATEWAY_KB = 24_000, 64_000
_CENTURY_MS = 3_000_000_000_000
ON_A_LINE = ("network cut", "half-open", "lossy and slow")
"""Rounds for which box and school are in network namespaces of their own."""
KINDS = (
    *("box killed", "box killed", "gateway killed", "gateway killed", "broker killed", "frozen"),
    *("put back", "card put back", "cloned", "replayed", "clock"),
    *("box's disk full", "gateway's disk full"),
    *ON_A_LINE,
)
_KINDS_ON_A_SERVER = (*(kind for kind in KINDS if kind != "gateway's disk full"), "database killed", "database killed")
"""The server's data lie on no small disk."""
_MANY_SHEETS_A_POINT = frozenset(name for name in OUTBOX_POINTS if name.startswith("outbox"))
"""Steps of each sheet. To the others a process comes a few times a round, to `generation` once."""
_POINTS_ON_A_SERVER = GATEWAY_POINTS.keys() - {"database: before a commit", "database: committed"}
"""Those of SQLite's driver are not come to there."""
_QUICK, _AWAY = Way(bits_per_s=100_000_000), Way(bits_per_s=100_000_000, loss=1.0)


class Plan(NamedTuple):
    """What makes a run: a seed, and for a test of the test the rounds and the fault (a key of `REAL_MUTANTS`).

    `server`: the gateway stores in PostgreSQL. Where nothing moved for `patience_s`, nothing will come to rest.
    """

    seed: int
    kinds: tuple[str, ...] | None = None
    fault: str | None = None
    server: bool = False
    patience_s: float = 60.0


class RealRun:
    """A run in a folder of its own. `tally` counts what was seen, and under `fault: …` how often each struck."""

    def __init__(self, plan: Plan, folder: Path, zygote: Zygote) -> None:
        self._rng = random.Random(plan.seed)
        kinds = _KINDS_ON_A_SERVER if plan.server else KINDS
        self._kinds = plan.kinds or tuple(self._rng.choice(kinds) for _ in range(_ROUNDS))
        self._server = plan.server
        self._fault = REAL_MUTANTS[plan.fault] if plan.fault is not None else None
        self._fault_name, self._patience_s = plan.fault, plan.patience_s
        self._folder = folder
        self._zygote = zygote
        # Of a store that passes for the newest nobody can tell what another copy of a card did: see docs/delivery.md.
        self._noticed = not {"card put back", "cloned"}.isdisjoint(self._kinds)
        self._delivered_and_gone: set[bytes] = set()
        self._put_back = False
        self._line: Line | None = None
        self._stranger: Replaying | None = None
        self.tally: Counter[str] = Counter()

    def play(self) -> Counter[str]:
        """Play the plan, wait for rest, and count."""
        with ExitStack() as stack:
            self._disks = self._folder / "card", self._folder / "gateway"
            for disk, kb in zip(self._disks, (_CARD_KB, _GATEWAY_KB), strict=True):
                self._small = stack.enter_context(small_disk(disk, kb=kb))
            new_store = on_server if self._server else on_disk
            store, self._key = stack.enter_context(new_store(self._disks[1] / "data"))
            if not set(ON_A_LINE).isdisjoint(self._kinds):
                with suppress(LineError):  # a machine that allows none: then those rounds are quiet ones
                    self._line = stack.enter_context(Line())
                    stack.enter_context(_in_network(self._line.far.namespace))
            host = LOOPBACK if self._line is None else self._line.far.address
            self._broker = stack.enter_context(Broker.start(host=host))
            if "replayed" in self._kinds:
                self._stranger = stack.enter_context(replaying(self._broker.url))
            self._gateway = RealGateway(
                self._zygote,
                self._disks[1],
                store,
                self._broker.url,
                log=self._folder / "gateway.log",
                namespace=None if self._line is None else self._line.far.namespace,
                fault=self._fault_of("gateway"),
            )
            stack.callback(self._gateway.kill)
            self._boxes = [self._new_box("box")]
            stack.callback(self._end_boxes)
            self._gateway.start()
            self._boxes[0].start()
            self._show()
            for kind in self._kinds:
                self._round(kind)
            self._rest()
            self._count()
        return self.tally

    def _new_box(self, name: str) -> RealBox:
        return RealBox(
            self._zygote,
            self._disks[0] / f"{name}.sqlite",
            self._broker.url,
            self._key,
            log=self._folder / f"{name}.log",
            namespace=None if self._line is None else self._line.near.namespace,
            fault=self._fault_of("box"),
        )

    def _fault_of(self, program: str) -> str | None:
        return self._fault_name if self._fault is not None and self._fault.program == program else None

    def _end_boxes(self) -> None:
        for box in self._boxes:
            box.kill()

    # --- the plan ------------------------------------------------------------------------------------------

    def _round(self, kind: str) -> None:
        rng = self._rng
        match kind:
            case "box killed":
                self._killed(self._boxes[0], sorted(OUTBOX_POINTS))
            case "gateway killed":
                self._killed(self._gateway, sorted(_POINTS_ON_A_SERVER if self._server else GATEWAY_POINTS))
            case "database killed":
                self._show()
                time.sleep(rng.random() * 0.3)
                the_server().kill()
                self._show(2)
                with _in_network(_home()):  # it outlives the line
                    the_server().start()
                self._struck("PostgreSQL killed")
            case "broker killed":
                self._show()
                time.sleep(rng.random() * 0.5)
                self._broker.kill()
                self._show(2)
                self._broker.restart()
                self._struck("broker killed, with all it knew")
            case "frozen":
                self._show()
                self._freeze(rng.choice(["box", "gateway", "broker"]), rng.random() * 2)
            case "put back":
                self._gateway_put_back()
            case "card put back":
                self._card_put_back()
            case "cloned":
                self._clone()
            case "replayed":
                self._replay()
            case "clock":
                self._boxes[0].set_clock(rng.randint(-_CENTURY_MS // 2, _CENTURY_MS))
                self._struck("clock of the box set")
                self._show()
            case "box's disk full" | "gateway's disk full":
                self._full(kind)
            case _:
                self._on_the_line(kind)

    def _killed(self, victim: RealBox | RealGateway, points: Sequence[str]) -> None:
        point = self._rng.choice(points)
        often = 12 if point in _MANY_SHEETS_A_POINT else 1 if point.startswith("generation") else 3
        victim.kill()
        victim.start((point, self._rng.randint(1, often)))
        self._show()
        if victim.process.ends_within(_DEATH_S):
            self.tally[f"at {point}"] += 1
            self._struck(f"{'box' if isinstance(victim, RealBox) else 'gateway'} killed at a step")
        else:
            self.tally["step_not_reached"] += 1
        victim.kill()
        victim.start()

    def _gateway_put_back(self) -> None:
        copy = self._folder / f"copy-{self.tally['fault: gateway put back']}.sqlite"
        self._gateway.back_up(copy)
        before, late_s = len(self._gateway.counted()), self._rng.random()
        self._show()
        time.sleep(late_s)
        end_s = time.monotonic() + _MEETS_S
        while late_s > 0.3 and len(self._gateway.counted()) <= before and time.monotonic() < end_s:
            time.sleep(0.1)
        self._gateway.put_back(copy, noticed=self._noticed or self._rng.random() < 0.5)
        self._put_back = True
        self._struck("gateway put back")
        self._gateway.start()

    def _card_put_back(self) -> None:
        copy, box = self._folder / "card.copy", self._boxes[0]
        box.copy_card(copy)
        self._show()
        time.sleep(self._rng.random())
        self._delivered_and_gone |= box.put_card_back(copy, told=self._rng.random() < 0.5)
        self._struck("card put back")
        box.start()

    def _clone(self) -> None:
        """A copy of the card goes on beside it, in another box of the same name: each throws the other out."""
        self._show()
        if len(self._boxes) == 1:
            clone = self._new_box("clone")
            self._boxes[0].copy_card(clone.card)
            self._boxes.append(clone)
            clone.start()
        self._show()
        time.sleep(self._rng.random())
        self._struck("two copies of a card go on")

    def _replay(self) -> None:
        assert self._stranger is not None
        for _ in range(3):
            self._show(4)
            time.sleep(0.2)
            self.tally["messages_said_again"] += self._stranger.say_again(40, self._rng)
        self._struck("said again, in another order")

    def _full(self, kind: str) -> None:
        if not self._small:
            return
        disk = self._disks[kind == "gateway's disk full"]
        if kind == "gateway's disk full":
            self._gateway.give_room_back()
        fill(disk, leave_kb=self._rng.choice([0, 0, 40]))
        before = self._refused_batches()
        for turn in range(_TURNS_OF_A_FULL_DISK):
            self._show(6)
            time.sleep(0.2)
            if turn >= 3 and (kind != "gateway's disk full" or self._refused_batches() > before):
                break
        make_room(disk)
        self._struck(kind)

    def _refused_batches(self) -> int:
        """By the database, or for the want of room for `generation`, which is written first."""
        log = (self._folder / "gateway.log").read_text(encoding="utf-8")
        return log.count("disk is full") + log.count("cannot be used: No space left")

    def _on_the_line(self, kind: str) -> None:
        """Its ways are like that for a while; TCP mends what it can."""
        self._show(6)
        if self._line is None:
            return
        if kind == "lossy and slow":
            way = Way(bits_per_s=256_000, delay_s=0.1, loss=0.3)
            self._line.become(up=way, down=way, seed=self._rng.randrange(1000))
            self._show()
            time.sleep(2)
        else:
            lost = self._rng.choice([(_AWAY, _AWAY), (_AWAY, _QUICK), (_QUICK, _AWAY)])
            self._line.become(up=lost[0], down=lost[1])
            self._show(6)
            if kind == "half-open":  # its death never reaches the other end
                self._broker.kill()
                self._broker.restart()
            time.sleep(self._rng.random() * 1.5)
        went_up, went_down = self._line.counted()
        self.tally["packets_lost"] += went_up.lost + went_down.lost
        self._line.become(up=_QUICK, down=_QUICK)
        self._struck(f"line: {kind}")

    def _freeze(self, name: str, seconds: float) -> None:
        broker = self._broker.process
        assert broker is not None
        send = {"box": self._boxes[0].process.send_signal, "gateway": self._gateway.process.send_signal}.get(
            name, broker.send_signal
        )
        send(signal.SIGSTOP)
        time.sleep(seconds)
        send(signal.SIGCONT)
        self._struck(f"{name} frozen")

    def _show(self, sheets: int = _SHEETS) -> None:
        for box in self._boxes:
            box.show(sheets)
            self.tally["sheets"] += sheets

    def _struck(self, what: str) -> None:
        self.tally[f"fault: {what}"] += 1

    # --- what came of it -----------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Wait until every box counts everything as delivered and the gateway has it, as long as something moves."""
        moved_s, last = time.monotonic(), self._left()
        end_s = moved_s + _MOST_PATIENCE * self._patience_s
        while any(last) and moved_s + self._patience_s > time.monotonic() < end_s:
            time.sleep(0.1)
            if (left := self._left()) != last:
                moved_s, last = time.monotonic(), left
        self._end_boxes()
        self.tally["sheets_refused_by_a_full_disk"] += sum(box.refused for box in self._boxes)
        self.tally["batches_refused_by_a_full_disk"] += self._refused_batches()
        self._gateway.kill()

    def _left(self) -> list[int]:
        """For each box what waits in it and what of its card does not count yet: nothing, once all is at rest."""
        counted = self._gateway.counted().keys()
        return [left for box in self._boxes for left in (box.waiting(), len(box.on_card() - counted))]

    def _count(self) -> None:
        counted = self._gateway.counted()
        must = set[bytes]().union(*(box.told for box in self._boxes))
        if not self._put_back:
            must |= self._delivered_and_gone
        self.tally["kept"] += len(must)
        self.tally["lost"] += len(must - counted.keys())
        self.tally["double"] += sum(times - 1 for times in counted.values())
        self.tally["unsettled"] += sum(box.waiting() for box in self._boxes)


def play_all(
    plans: Iterable[Plan], *, at_once: int, end_s: float = float("inf")
) -> Iterator[tuple[Plan, Counter[str]]]:
    """Play runs in processes of their own, `at_once` beside one another: they wait most of the time.

    A plan that is not begun before `end_s` (of the monotonic clock) gives an empty tally.
    """
    plans = list(plans)
    with ProcessPoolExecutor(at_once, initializer=_prepare, mp_context=get_context("spawn")) as pool:
        yield from zip(plans, pool.map(_play, plans, [end_s] * len(plans)), strict=True)


def _play(plan: Plan, end_s: float) -> Counter[str]:
    if time.monotonic() > end_s:
        return Counter()
    with tempfile.TemporaryDirectory(prefix="classbox-faults-") as folder:
        began_s = time.monotonic()
        tally = RealRun(plan, Path(folder), _zygote()).play()
        return tally + Counter(runs=1, milliseconds=round(1000 * (time.monotonic() - began_s)))


def _prepare() -> None:
    quiet()
    apart()
    _home()
    _zygote()
    Finalize(None, end_server, exitpriority=0)  # `atexit` is not heard in a pool's process


@cache
def _zygote() -> Zygote:
    """The one of this process. It ends when its socket closes, so with us."""
    return Zygote().__enter__()


@cache
def _home() -> str:
    """The network namespace in which this process began, open under that path."""
    return f"/proc/self/fd/{os.open('/proc/thread-self/ns/net', os.O_RDONLY)}"


@contextmanager
def _in_network(namespace: str) -> Iterator[None]:
    """Be in a network namespace: also what is started here, and what asks whether it answers."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    enter_network(namespace)
    try:
        yield
    finally:
        enter_network(f"/proc/self/fd/{home}")
        os.close(home)
