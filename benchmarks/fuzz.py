"""What mutated messages do to the decoders: none may raise anything but `WireError`, none may take much memory.

Messages and records of every kind that there is (`benchmarks._made_up`), both ways, are changed (bits, cuts, splices,
lengths that lie, deep nesting, versions to come, zstd heads that lie, bombs) *before* they are signed, as a hostile box
or gateway can: nothing stops at the signature but the few that are changed after it. What opens goes on as in the
programs: records decoded, lanes advanced, what goes down heard by a box with its outbox. `held` counts records that a
gateway would hold, `dropped` messages that are dropped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import random
import resource
import sqlite3
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache

import msgspec
import zstandard

from benchmarks._made_up import BODIES, DECODERS, RECORDS, made_up
from sync.box_session import BoxSession, Received
from sync.clock import ClockQuality, ClockReading
from sync.dictionaries import NEWEST_ID, dictionary_of
from sync.envelope import MAX_FRAME_BYTES, Envelope, Erased, decode_envelope
from sync.errors import WireError
from sync.greeting import misfit
from sync.lanes import Lane, first_link
from sync.outbox import Outbox, create_tables
from sync.receipts import Receipt, advance, new_lane_state
from sync.records import PackedItem, PackedMark, PageResult, decode_record, encode_record
from sync.signed import MessageKind, sign
from sync.state import decode_box_state
from sync.topics import Channel

LIMIT_MB = 64
"""What all of it may add to the process: a frame that unpacks to 4 MiB of records of many small items takes most."""
SCHOOL, BOX, KEY = "school", "box", bytes(range(32))
EPOCH, CHALLENGE = b"epoch-01", b"chal-001"
_DEEP = (10, 300, 5_000, 200_000)
_LIES = (
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\x7f\xff\xff\xff",
    b"\xdc\xff\xff",
)
_pack = msgspec.msgpack.encode
_fast = zstandard.ZstdCompressor(level=1)
_with_dictionary = zstandard.ZstdCompressor(level=1, dict_data=dictionary_of(NEWEST_ID))

Mutation = Callable[[random.Random, bytes], bytes]
Taken = Counter[str]


def _bits(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _bytes(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] = rng.choice(
            (0, 1, 0x7F, 0x80, 0x90, 0xC0, 0xC1, 0xFF, rng.randrange(256))
        )
    return bytes(changed)


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _splice(rng: random.Random, data: bytes) -> bytes:
    start, end = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
    at = rng.randrange(len(data))
    return data[:at] + data[start:end] + data[at:]


def _lie(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    lie = rng.choice(_LIES)
    return data[:at] + lie + data[at + rng.choice((0, len(lie))) :]


def _nested(rng: random.Random) -> bytes:
    return rng.choice((b"\x91", b"\x81\xc0", b"\x92\xc0")) * rng.choices(_DEEP, (10, 10, 5, 0.2))[0] + b"\xc0"


def _nest(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + _nested(rng) + data[at:]


def _further_field(rng: random.Random, data: bytes) -> bytes:
    """An array with one field more, as a newer box might send it, but a deep one. Works where it ends the data."""
    arrays = [at for at, byte in enumerate(data) if 0x90 <= byte < 0x9F]
    if not arrays:
        return data
    at = rng.choice(arrays)
    return data[:at] + bytes([data[at] + 1]) + data[at + 1 :] + _nested(rng)


MUTATIONS: tuple[Mutation, ...] = (_bits, _bytes, _cut, _splice, _lie, _nest, _further_field)


def _mutated(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(MUTATIONS)(rng, data) or b"\x00"
    return data


def _page(rng: random.Random, items: int) -> PageResult:
    return PageResult(
        capture=rng.randbytes(16), pseudonym=rng.choice((None, rng.randbytes(8))), seat=rng.randrange(60),
        clock=ClockReading(monotonic_ms=1, wall_ms=2, boot=bytes(16), quality=ClockQuality.SYNCED),
        assignment="g3-mul-2x1", sheet="7QK2M9XA", page=1, attempt=1, revision=1, class_name="三(1)班",
        max_score_hundredths=2000, score_hundredths=1500, pending=1, duplicate_of=None, problems=("blurred",),
        items=tuple(PackedItem(rng.randrange(5), 100, "92", 255, rng.randrange(3)) for _ in range(items)),
        marks=(PackedMark(0, 1, True, 50, 3, None),) if items else (),
        settled=tuple(rng.randbytes(8) for _ in range(rng.randrange(3))),
    )  # fmt: skip


def payloads(rng: random.Random) -> list[bytes]:
    """Records of every kind, of this version and of one to come."""
    return [
        *(encode_record(_page(rng, items)) for items in (0, 3, 20)),
        *(_pack(made_up(rng, kind)) for kind in RECORDS),
        _pack([rng.randrange(1, 9), rng.randrange(2, 256), rng.randbytes(8)]),
    ]


def signed_by_its_box(kind: MessageKind, body: bytes, channel: Channel | None = None) -> bytes:
    """The message as whoever has the box's key says it."""
    own: dict[MessageKind, Channel] = {MessageKind.ENVELOPE: "up", MessageKind.STATE: "state"}
    return sign(kind, body, key=KEY, school=SCHOOL, box=BOX, channel=channel or own.get(kind, "down"))


def _body(frame: bytes) -> bytes:
    return _pack([EPOCH, Lane.RESULTS, 1, first_link(EPOCH, Lane.RESULTS), CHALLENGE, frame])


def body_around(entries: bytes) -> bytes:
    """The body of an envelope whose frame unpacks to these bytes."""
    return _body(_fast.compress(entries))


def entries_of(record: bytes) -> bytes:
    """The entries of a frame with one record alone."""
    return _pack([record])


def beginnings(rng: random.Random, kinds: int) -> Iterator[bytes]:
    """Inputs that are in order, for `benchmarks.guided_fuzz`: one byte that says what it is, and that."""
    for at, kind in enumerate(MessageKind):
        if kind in BODIES:
            yield bytes([at]) + _pack(made_up(rng, BODIES[kind], known=(EPOCH, CHALLENGE, b"gateway1")))
    yield bytes([list(MessageKind).index(MessageKind.RECEIPTS)]) + _receipts(rng)
    for payload in payloads(rng):
        yield bytes([kinds]) + _pack([payload])
        yield bytes([kinds + 1]) + payload
    yield bytes([list(MessageKind).index(MessageKind.ENVELOPE)]) + body_around(_pack(payloads(rng)))


def _receipts(rng: random.Random) -> bytes:
    ranges = tuple((n, n + 1) for n in range(10, 10 + 3 * rng.randrange(4), 3))
    receipt = Receipt(
        epoch=EPOCH, lane=Lane.RESULTS, incarnation=b"gateway1", challenge=CHALLENGE, mark=rng.randrange(10),
        chain=bytes(16), beyond=ranges, held=ranges,
    )  # fmt: skip
    return _pack((receipt,) * rng.randint(1, 3))


def _bomb(rng: random.Random) -> bytes:
    size = rng.choice((MAX_FRAME_BYTES, MAX_FRAME_BYTES + 1, 64 << 20))
    fill = rng.choice((b"\x00", b"\x91", b"\x92\xc0", encode_record(_page(rng, 400))))
    block = fill * (65536 // len(fill))
    packer = _fast.compressobj(size=size // len(block) * len(block))  # in pieces: the memory of this is not in question
    return b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()


def _many_items(rng: random.Random) -> bytes:
    """A frame within every limit that takes as much memory as one can: pages full of the smallest items."""
    page = msgspec.structs.replace(_page(rng, 0), items=(PackedItem(0, None, None, 0, 0),) * 400)
    return _fast.compress(_pack((encode_record(page),) * 1000))


def _false_head(rng: random.Random, frame: bytes) -> bytes:
    """A zstd frame whose head (window, content size) says something else."""
    head = bytearray(frame)
    for at in range(4, min(len(head), 4 + rng.randint(1, 9))):
        head[at] = rng.choice((head[at], 0, 0x80, 0xA8, 0xFF, rng.randrange(256)))
    return bytes(head)


def message(rng: random.Random) -> tuple[MessageKind, bytes]:
    """One hostile message, signed with the box's own key (but for a few that are changed afterwards)."""
    what = rng.choices(
        ("record", "entries", "frame", "head", "envelope", "body", "receipts", "after", "bomb", "many"),
        (30, 15, 10, 8, 12, 15, 7, 3, 0.01, 0.002),
    )[0]
    entries: list[object] = rng.sample(payloads(rng), rng.randint(1, 4))
    pack = rng.choice((_fast, _with_dictionary)).compress
    match what:
        case "body":
            kind = rng.choice(list(BODIES))
            body = _pack(made_up(rng, BODIES[kind], known=(EPOCH, CHALLENGE, b"gateway1")))
            if rng.random() < 0.8:
                body = _mutated(rng, body)
            return kind, signed_by_its_box(kind, body, "up" if kind in DECODERS else None)
        case "receipts":
            return MessageKind.RECEIPTS, signed_by_its_box(MessageKind.RECEIPTS, _mutated(rng, _receipts(rng)))
        case "record":
            at = rng.randrange(len(entries))
            record = entries[at]
            assert isinstance(record, bytes)
            entries[at] = _mutated(rng, record)
            frame = pack(_pack(entries))
        case "entries":
            entries.append(Erased(bytes(16)))
            frame = pack(_mutated(rng, _pack(entries)))
        case "frame":
            frame = _mutated(rng, pack(_pack(entries)))
        case "head":
            frame = _false_head(rng, pack(_pack(entries)))
        case "bomb":
            frame = _bomb(rng)
        case "many":
            frame = _many_items(rng)
        case _:
            frame = pack(_pack(entries))
    body = _body(frame)
    if what == "envelope":
        body = _mutated(rng, body)
    signed = signed_by_its_box(MessageKind.ENVELOPE, body)
    return MessageKind.ENVELOPE, _mutated(rng, signed) if what == "after" else signed


def take_in(kind: MessageKind, signed: bytes) -> Taken:
    """What the program that hears it does with it. Lets out whatever is not a `WireError`."""
    done: Taken = Counter()
    try:
        match kind:
            case MessageKind.ENVELOPE:
                done += _take_envelope(decode_envelope(signed, school=SCHOOL, box=BOX, key=KEY))
            case MessageKind.STATE:
                decode_box_state(signed, school=SCHOOL, box=BOX, key=KEY)
            case _ if kind in DECODERS:
                DECODERS[kind](signed, school=SCHOOL, box=BOX, key=KEY)
            case _:
                received = _a_box().hear(signed)
                if received.refused is not None:
                    raise received.refused
                misfit(received.greeting)
                done["judged"] += len(received.judgements)
        done[kind.name.lower()] += 1
    except WireError:
        done["dropped"] += 1
    return done


class _Box:
    """A box that hears everything and remembers nothing: each message comes to the same outbox."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        create_tables(self._db)
        self._outbox = Outbox(self._db)
        self._db.execute("UPDATE outbox_epochs SET epoch = ?", (EPOCH,))
        self._db.execute("INSERT INTO outbox_challenges (challenge) VALUES (?)", (CHALLENGE,))
        for _ in range(9):
            self._outbox.append(Lane.RESULTS, b"record")
        self._session = BoxSession(school=SCHOOL, box=BOX, key=KEY, software="fuzz")

    def hear(self, message: bytes) -> Received:
        """As the link lets it hear what came on `down`."""
        self._db.execute("BEGIN")
        try:
            return self._session.receive(self._outbox, message)
        finally:
            self._db.execute("ROLLBACK")


@cache
def _a_box() -> _Box:
    return _Box()


def _take_envelope(envelope: Envelope) -> Taken:
    done: Taken = Counter()
    held = []
    records = []  # all of an envelope's records are in memory together, as in the gateway
    for seq, entry in envelope.numbered():
        if not isinstance(entry, Erased):
            try:
                records.append(decode_record(entry))
            except WireError:
                held.append(seq)
    advance(new_lane_state(envelope.epoch, envelope.lane), envelope, incarnation=b"gateway1", held=held)
    done["records"] += len(records)
    done["held"] += len(held)
    return done


def peak_mb() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _one_process(work: tuple[int, int | None, float]) -> Taken:
    """Messages of one seed, until so many (or so many seconds) are through."""
    seed, runs, seconds = work
    rng = random.Random(seed)
    before_mb, until = peak_mb(), time.perf_counter() + seconds
    total: Taken = Counter()
    count: Iterator[int] = itertools.count() if runs is None else iter(range(runs))
    for n in count:
        if runs is None and n % 1000 == 0 and time.perf_counter() > until:
            break
        kind, signed = message(rng)
        total["mutated"] += 1
        try:
            total += take_in(kind, signed)
        except Exception:  # noqa: BLE001 - that is what is looked for
            total["escaped"] += 1
            if total["escaped"] <= 3:
                traceback.print_exc()
    total["grown_mb"] = round(peak_mb() - before_mb)
    total["peak_mb"] = round(peak_mb())
    return total


def measure(*, runs: int | None, seconds: float, seed: int = 1, processes: int = 2) -> dict[str, object]:
    """So many messages, or what `seconds` are enough for, shared between processes with a seed each."""
    began_s = time.perf_counter()
    share = None if runs is None else -(-runs // processes)
    work = [(seed * 1000 + n, share, seconds) for n in range(processes)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        each = pool.map(_one_process, work, chunksize=1)
    keys = ("mutated", "escaped", "dropped", "held", "records", "judged", *(kind.name.lower() for kind in MessageKind))
    took_s = time.perf_counter() - began_s
    return {
        **{key: sum(one[key] for one in each) for key in keys},
        "peak_mb": max(one["peak_mb"] for one in each),
        "grown_mb": max(one["grown_mb"] for one in each),
        "limit_mb": LIMIT_MB,
        "seconds": round(took_s, 1),
        "processes": processes,
        "seed": seed,
    }


def main() -> int:
    """Exit 1 when an exception escaped or the memory grew beyond the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, help="so many messages (default: a million)")
    parser.add_argument("--seconds", type=float, help="as many as go into so many seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="20,000 messages")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    runs = options.runs or (20_000 if options.quick else None if options.seconds else 1_000_000)
    figures = measure(runs=runs, seconds=options.seconds or 0.0, seed=options.seed)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:10} {value}")
    grown = figures["grown_mb"]
    assert isinstance(grown, int)
    return int(bool(figures["escaped"]) or grown > LIMIT_MB)


if __name__ == "__main__":
    raise SystemExit(main())
