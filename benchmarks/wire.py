"""Bytes that a graded sheet costs on the wire, in a class's batch and one by one.

A made-up class of 45 answers 20 items of one worksheet. What matters to the size is honest: every capture has
its own random digest and every pupil a pseudonym, times differ by seconds and jitter, pupils differ in ability,
wrong answers repeat (common mistakes) or are anyone's, and confidences are not all the same.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import statistics

import msgspec
import zstandard

from homework.results import Doubt, ItemResult, PageRecord, Reading, Verdict, VerdictKind, WhoWroteIt
from sync.clock import ClockQuality, ClockReading
from sync.envelope import LEVEL, Envelope, encode_envelope
from sync.lanes import Lane, first_link
from sync.records import encode_record, page_result_from
from sync.signed import TAG_BYTES

ITEMS = 20
PUPILS = 45


def made_up_class(rng: random.Random, *, sure: float) -> list[tuple[PageRecord, ClockReading]]:
    """A class's pages. `sure`: the share of readings whose confidence is above 0.998 (255 of 255 on the wire)."""
    answers = [str(rng.randint(10, 400)) for _ in range(ITEMS)]
    slips = [[str(int(a) + rng.choice((-10, 10, 1, -1, 90))) for _ in range(2)] for a in answers]
    hard = [rng.betavariate(5, 1.2) for _ in range(ITEMS)]
    boot, wall_ms, mono_ms = secrets.token_bytes(16), 1_790_000_000_000, 5_000_000
    pages = []
    for seat in rng.sample(range(1, PUPILS + 1), PUPILS):
        gap_ms = rng.randint(1_000, 2_600)
        wall_ms, mono_ms = wall_ms + gap_ms, mono_ms + gap_ms
        skill = rng.betavariate(6, 2) + 0.15
        items = [
            _item(rng, n, answer=answers[n], slips=slips[n], chance=hard[n] * skill, sure=sure) for n in range(ITEMS)
        ]
        record = PageRecord(
            sheet="7QK2M9XA",
            assignment="g3-mul-2x1",
            page=1,
            who=WhoWroteIt("三(1)班", seat, f"S{seat:03}", 0.99),
            items=tuple(items),
            score_hundredths=sum(i.verdict.score_hundredths or 0 for i in items),
            max_score_hundredths=ITEMS * 100,
            pending=sum(i.verdict.kind is VerdictKind.REVIEW for i in items),
        )
        clock = ClockReading(monotonic_ms=mono_ms, wall_ms=wall_ms, boot=boot, quality=ClockQuality.SYNCED)
        pages.append((record, clock))
    return pages


def _item(rng: random.Random, n: int, *, answer: str, slips: list[str], chance: float, sure: float) -> ItemResult:
    confidence = rng.uniform(0.998, 1.0) if rng.random() < sure else rng.betavariate(12, 1)
    doubt = None
    if rng.random() < 0.02:
        text, kind, doubt = rng.choice(slips), VerdictKind.REVIEW, Doubt.UNSURE
        confidence = rng.uniform(0.3, 0.9)
    elif rng.random() < chance:
        text, kind = answer, VerdictKind.CORRECT
    elif rng.random() < 0.15:
        text, kind = "", VerdictKind.BLANK
    else:
        text, kind = rng.choice(slips) if rng.random() < 0.5 else str(rng.randint(1, 500)), VerdictKind.WRONG
    score = None if kind is VerdictKind.REVIEW else 100 * (kind is VerdictKind.CORRECT)
    return ItemResult(str(n + 1), 1, "number", Reading(text, confidence, doubt), Verdict(kind, score))


def message_bytes(pages: list[tuple[PageRecord, ClockReading]], school_key: bytes) -> int:
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
    return len(encode_envelope(envelope, secrets.token_bytes(32)))


def json_messages(pages: list[tuple[PageRecord, ClockReading]]) -> list[bytes]:
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


def measure(*, runs: int, seed: int = 1) -> dict[str, object]:
    """Medians over `runs` made-up classes."""
    rng = random.Random(seed)
    key = secrets.token_bytes(32)
    classes = {sure: [made_up_class(rng, sure=sure) for _ in range(runs)] for sure in (0.9, 0.5)}
    typical = classes[0.9]
    per_sheet = [message_bytes(c, key) / PUPILS for c in typical]
    return {
        "bytes_per_sheet": round(statistics.median(per_sheet), 1),
        "bytes_per_sheet_worst": round(max(per_sheet), 1),
        "bytes_per_sheet_unsure_reader": round(
            statistics.median(message_bytes(c, key) / PUPILS for c in classes[0.5]), 1
        ),
        "bytes_per_sheet_batches_of_5": round(
            statistics.median(
                sum(message_bytes(c[at : at + 5], key) for at in range(0, PUPILS, 5)) / PUPILS for c in typical
            ),
            1,
        ),
        "bytes_of_a_single_sheet": round(statistics.median(message_bytes(c[:1], key) for c in typical)),
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer classes")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    figures = measure(runs=5 if options.quick else 40)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value}")


if __name__ == "__main__":
    main()
