"""Bytes that a graded sheet costs on the wire, in a class's batch and one by one.

A made-up class of 45 answers 20 items of one worksheet (`benchmarks._class_pages`), of which the dictionary has seen
nothing: it was trained on others, made up in another way (`sync.simulation.training`). `plain` is without it, as
towards a gateway that does not know it. `rows`: what goes over the line for one class when the connection is up, bytes
a sheet, from box to broker and back; the headers of each layer apart. On the way back `mqtt` has the receipt in it.
`tls` is by difference, from the same over TLS 1.3.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import statistics
import sys
from bisect import bisect_right

import msgspec
import zstandard

from benchmarks._class_pages import ITEMS, PUPILS, made_up_class
from benchmarks._line import Counted, LineError, Way
from benchmarks._line_ends import BoxAtTheLine, Took, school
from homework.results import ItemResult, PageRecord
from sync.box_link import PACE
from sync.clock import ClockReading
from sync.dictionaries import LEVEL, NEWEST_ID
from sync.envelope import Envelope, encode_envelope
from sync.lanes import Lane, first_link
from sync.records import encode_record, page_result_from
from sync.signed import TAG_BYTES

LINE = Way(bits_per_s=2_000_000, delay_s=0.05)


Pages = list[tuple[PageRecord, ClockReading]]


def message_bytes(pages: Pages, school_key: bytes, dictionary: int | None = NEWEST_ID) -> int:
    """The bytes of one signed envelope with these pages, as published."""
    epoch = secrets.token_bytes(8)
    payloads = tuple(
        encode_record(page_result_from(record, capture=secrets.token_bytes(16), clock=clock, school_key=school_key))
        for record, clock in pages
    )
    envelope = Envelope(
        school="school-1",
        box="box-3-1",
        epoch=epoch,
        lane=Lane.RESULTS,
        first_seq=1234,
        before=first_link(epoch, Lane.RESULTS),
        challenge=secrets.token_bytes(8),
        entries=payloads,
    )
    return len(encode_envelope(envelope, secrets.token_bytes(32), dictionary=dictionary))


def json_messages(pages: Pages) -> list[bytes]:
    """The same pages as one JSON message each, with field names: what is written first when nobody counts bytes."""
    messages = []
    for record, clock in pages:
        page = msgspec.to_builtins(record)
        page |= {"capture": secrets.token_hex(16), "wall_ms": clock.wall_ms, "monotonic_ms": clock.monotonic_ms}
        page["items"] = [_plain(item) for item in record.items]
        messages.append(msgspec.json.encode(page))
    return messages


def _plain(item: ItemResult) -> dict[str, object]:
    plain: dict[str, object] = {"item": item.item, "blank": item.blank, "kind": item.kind}
    plain |= {"reading": item.reading.text, "confidence": round(item.reading.confidence, 3)}
    plain |= {"verdict": item.verdict.kind, "score_hundredths": item.verdict.score_hundredths}
    return plain | ({"doubt": item.reading.doubt} if item.reading.doubt else {})


def on_the_line() -> list[dict[str, object]]:
    """A class over a line without losses, layer by layer. Raises `LineError` where this machine allows no line."""
    plain, guarded = (_a_class(tls=tls) for tls in (False, True))
    # The two classes differ by some bytes, MQTT's headers do not.
    up_mqtt = plain.up.payload_bytes - plain.payload_bytes
    up_tls = guarded.up.payload_bytes - guarded.payload_bytes - up_mqtt
    down_tls = guarded.down.payload_bytes - plain.down.payload_bytes
    return [
        _row("up", guarded.up, payload=guarded.payload_bytes, mqtt=up_mqtt, tls=up_tls),
        _row("down", guarded.down, mqtt=plain.down.payload_bytes, tls=down_tls),
    ]


def _a_class(*, tls: bool) -> Took:
    with school(tls=tls) as (line, what):
        box = BoxAtTheLine(line, what)
        box.sends(PUPILS, up=LINE, down=LINE, seed=1)
        took = box.sends(PUPILS, up=LINE, down=LINE, seed=1)
        box.close()
    return took


def _row(way: str, counted: Counted, **layers: int) -> dict[str, object]:
    layers |= {"tcp": counted.tcp_bytes, "ip": counted.ip_bytes}
    per_sheet = {name: round(size / PUPILS, 1) for name, size in layers.items()}
    all_of_it = round(sum(layers.values()) / PUPILS, 1)
    return {"way": way, **per_sheet, "all": all_of_it, "packets": counted.packets}


def measure(*, runs: int, seed: int = 1) -> dict[str, object]:
    """Medians over `runs` made-up classes."""
    rng = random.Random(seed)
    key = secrets.token_bytes(32)
    classes = {sure: [made_up_class(rng, sure=sure) for _ in range(runs)] for sure in (0.9, 0.5)}
    typical = classes[0.9]
    return {
        **_batches(classes, key, NEWEST_ID),
        **{f"{name}_plain": size for name, size in _batches(classes, key, None).items()},
        "naive_json_bytes_per_sheet": round(
            statistics.median(sum(map(len, json_messages(c))) / PUPILS for c in typical), 1
        ),
        "batched_zstd_json_bytes_per_sheet": round(
            statistics.median(
                len(zstandard.ZstdCompressor(level=LEVEL).compress(b"\n".join(json_messages(c)))) / PUPILS
                for c in typical
            ),
            1,
        ),
        "signature_bytes": TAG_BYTES,
        "items": ITEMS,
        "pupils": PUPILS,
        "classes": runs,
    }


def _batches(classes: dict[float, list[Pages]], key: bytes, dictionary: int | None) -> dict[str, float]:
    """Bytes a sheet in batches of several sizes."""
    typical = classes[0.9]

    def sheets(pages: Pages, each: int) -> float:
        cuts = range(0, len(pages), each)
        return sum(message_bytes(pages[at : at + each], key, dictionary) for at in cuts) / len(pages)

    whole = [sheets(pages, PUPILS) for pages in typical]
    return {
        "bytes_per_sheet": round(statistics.median(whole), 1),
        "bytes_per_sheet_worst": round(max(whole), 1),
        "bytes_per_sheet_unsure_reader": round(statistics.median(sheets(pages, PUPILS) for pages in classes[0.5]), 1),
        "bytes_per_sheet_batches_of_5": round(statistics.median(sheets(pages, 5) for pages in typical), 1),
        "bytes_per_sheet_while_slid": round(statistics.median(_slid(pages, key, dictionary) for pages in typical), 1),
        "bytes_of_a_single_sheet": round(statistics.median(sheets(pages, 1) for pages in typical)),
    }


def _slid(pages: Pages, key: bytes, dictionary: int | None) -> float:
    """Bytes a sheet of a stack that is slid a sheet a second, as the box's link groups it."""
    slid_ms = range(0, 1000 * len(pages), 1000)
    size, at, sent_ms = 0, 0, 0
    while at < len(pages):
        there = bisect_right(slid_ms, sent_ms)
        size += message_bytes(pages[at:there], key, dictionary)
        at, sent_ms = there, sent_ms + PACE.gather_ms
    return size / len(pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer classes")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    figures = measure(runs=5 if options.quick else 40)
    try:
        figures["rows"] = on_the_line()
    except LineError as error:
        print(error, file=sys.stderr)  # what does not need a line is measured all the same
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value}")


if __name__ == "__main__":
    main()
