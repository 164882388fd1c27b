"""A class's pages that nobody wrote, as they weigh on the wire.

What matters to the size is honest: every capture has its own random digest and every pupil a pseudonym, times differ
by seconds and jitter, pupils differ in ability, wrong answers repeat (common mistakes) or are anyone's, and confidences
are not all the same.
"""

from __future__ import annotations

import random
import secrets

from homework.results import Doubt, ItemResult, PageRecord, Reading, Verdict, VerdictKind, WhoWroteIt
from sync.clock import ClockQuality, ClockReading

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
