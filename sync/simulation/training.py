"""Trains the dictionary that small envelopes are packed with: `python -m sync.simulation.training`.

From made-up homework of many kinds (results in batches as they come, assignments and layouts as `classbox print` makes
them, tallies, signs of health), of which nothing is measured: `benchmarks.wire` makes up its classes in another way. A
seed decides all of it. Layouts depend a little on the machine's typefaces, and the bytes on the version of zstd; so the
file is kept, not made at each build, and a new one gets a new id.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

import msgspec
import zstandard

from homework.assignment import Assignment, assignment_to_toml, parse_assignment
from homework.layout import layout_to_json
from homework.results import (
    Doubt,
    ItemResult,
    MarkKind,
    PageRecord,
    Problem,
    Reading,
    TeacherMark,
    Verdict,
    VerdictKind,
    WhoWroteIt,
)
from homework.sheets.make import make_sheets
from sync.clock import ClockQuality, ClockReading
from sync.dictionaries import NEWEST_ID, file_of
from sync.records import DocumentRecord, HealthRecord, Record, Tally, encode_record, page_result_from

SEED = 20_261_201
SIZE = 16 << 10
"""Twice as much saves half a per cent more."""
CLASSES = 600
"""Of results; one in four has its documents in the training, too."""
_TITLES = ("口算", "两位数乘一位数", "分数的初步认识", "期中复习", "小数加减法", "解方程", "单元测试", "课堂练习")
_SECTIONS = ("一、口算", "二、填空", "三、选择", "四、判断", "五、竖式计算", "六、解决问题")
_CLASSES = "一二三四五六"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PROBLEMS = ("blurred", "glare", "seat-unsure", "dark", "folded")
_KINDS = (("number", 12), ("choice", 4), ("judge", 2), ("letter", 1), ("compare", 2), ("text", 1), ("open", 1))


def made_up_assignment(rng: random.Random, *, items: int) -> Assignment:
    """An assignment of several sections, its kinds and answers mixed as on worksheets."""
    lines = ["[assignment]", f'title = "{rng.choice(_TITLES)} {rng.randint(1, 40)}"', f"grade = {rng.randint(1, 6)}"]
    lines += [f'paper = "{rng.choice(("A4", "A4", "B5", "16K"))}"']
    section, kind = 0, "number"
    for number in range(items):
        if number % 8 == 0:
            section, kind = number // 8, rng.choices([k for k, _ in _KINDS], [w for _, w in _KINDS])[0]
        lines += ["[[item]]", f'section = "{_SECTIONS[section % len(_SECTIONS)]}"', *_item_lines(rng, kind)]
    return parse_assignment("\n".join(lines))


def _item_lines(rng: random.Random, kind: str) -> list[str]:
    a, b = rng.randint(2, 99), rng.randint(2, 99)
    match kind:
        case "choice":
            options = ", ".join(f'"{rng.randint(1, 200)}"' for _ in range(rng.choice((3, 4))))
            lines = [f'prompt = "{a} + {b} = ____"', f"options = [{options}]", f'answer = "{rng.choice("ABC")}"']
        case "judge":
            lines = [f'prompt = "{a} × {b} > {a * b - rng.randint(-5, 5)}"', f'answer = "{rng.choice("√×")}"']
        case "letter":
            lines = [f'prompt = "{a} ÷ {b}"', f'answer = "{rng.choice("ABCD")}"']
        case "compare":
            lines = [f'prompt = "{a} ○ {b}"', f'answer = "{">" if a > b else "<" if a < b else "="}"']
        case "text" | "open":
            lines = [f'prompt = "{a} 个苹果，吃了 {b} 个，为什么？"']
        case _:
            prompt, answer = rng.choice(((f"{a} × {b} =", a * b), (f"{a} + {b} =", a + b), (f"{a + b} - {a} =", b)))
            lines = [f'prompt = "{prompt}"', f'answer = "{answer}"']
    points = [f"points = {rng.choice((1, 2, 4, 5))}"] if rng.random() < 0.3 else []
    return [f'kind = "{kind}"', *lines, *points]


class _Class:
    """One class and its homework; its pages come out in the order in which they were slid."""

    def __init__(self, rng: random.Random, assignment: Assignment) -> None:
        self._rng, self._assignment = rng, assignment
        self._sheet = "".join(rng.choices(_CROCKFORD, k=8))
        grade, number = rng.randint(1, 6), rng.randint(1, 12)
        self.name = rng.choice((f"{_CLASSES[grade - 1]}({number})班", f"{grade}-{number}", f"{grade}{number:02}班"))
        self._key = rng.randbytes(32)
        self._boot = rng.randbytes(16)
        self._wall_ms = 1_764_000_000_000 + rng.randrange(200_000_000_000)
        self._mono_ms = rng.randrange(5_000_000_000)
        self._quality = rng.choice((ClockQuality.SYNCED, *ClockQuality))
        self._sure = rng.uniform(0.3, 0.97)
        self._hard = [rng.betavariate(5, 1.3) for _ in assignment.items]
        self._slips = [[_slip(rng, answer) for _ in range(2)] for answer in self._answers()]

    def clock(self) -> ClockReading:
        """Now; a second or two later than before."""
        gap_ms = self._rng.randint(700, 4_000)
        self._wall_ms, self._mono_ms = self._wall_ms + gap_ms, self._mono_ms + gap_ms
        return ClockReading(monotonic_ms=self._mono_ms, wall_ms=self._wall_ms, boot=self._boot, quality=self._quality)

    def page(self, seat: int) -> bytes:
        """The record of one pupil's page."""
        rng = self._rng
        skill = rng.betavariate(5, 2) + 0.2
        marked = rng.random() < 0.1
        items = tuple(
            self._item(place, item.kind, answer, right=rng.random() < self._hard[place] * skill, marked=marked)
            for place, (item, answer) in enumerate(zip(self._assignment.items, self._answers(), strict=True))
        )
        named = rng.random() < 0.95
        record = PageRecord(
            sheet=self._sheet,
            assignment=self._assignment.id,
            page=1,
            who=WhoWroteIt(self.name, seat if named else None, f"S{seat:03}" if named else None, 0.99),
            items=items,
            score_hundredths=sum(item.verdict.score_hundredths or 0 for item in items),
            max_score_hundredths=sum(item.points_hundredths for item in self._assignment.items),
            pending=sum(item.verdict.kind is VerdictKind.REVIEW for item in items),
            attempt=2 if rng.random() < 0.05 else 1,
            problems=(Problem(rng.choice(_PROBLEMS), ""),) if rng.random() < 0.03 else (),
        )
        result = page_result_from(record, capture=rng.randbytes(16), clock=self.clock(), school_key=self._key)
        return encode_record(result)

    def tally(self, pupils: int) -> bytes:
        """What the box says that it has of the class."""
        rng = self._rng
        slid = rng.randint(1, pupils)
        places = tuple((seat, 1) for seat in sorted(rng.sample(range(1, pupils + 1), slid)))
        return encode_record(
            Tally(
                clock=self.clock(),
                assignment=self._assignment.id,
                class_name=self.name,
                expected=pupils if rng.random() < 0.8 else None,
                slid=slid,
                corrections=0,
                twice=rng.choice((0, 0, 0, 1)),
                asked=rng.choice((0, 0, 1, 2)),
                not_graded=0,
                withdrawn=0,
                places=places,
            )
        )

    def _answers(self) -> list[str]:
        return [next(iter(item.rule.accepted[0]), "") for item in self._assignment.items]

    def _item(self, place: int, kind: str, answer: str, *, right: bool, marked: bool) -> ItemResult:
        rng = self._rng
        points = self._assignment.items[place].points_hundredths
        confidence = rng.uniform(0.998, 1.0) if rng.random() < self._sure else rng.betavariate(12, 1)
        doubt = None
        if kind in ("open", "text"):
            text, verdict, doubt = None, VerdictKind.REVIEW, Doubt.FOR_THE_TEACHER
        elif rng.random() < 0.03:
            text, verdict = rng.choice((*self._slips[place], None)), VerdictKind.REVIEW
            doubt, confidence = rng.choice((Doubt.UNSURE, Doubt.INK_BESIDE, Doubt.TWO_MARKS)), rng.uniform(0.2, 0.9)
        elif right:
            text, verdict = answer, VerdictKind.CORRECT
        elif rng.random() < 0.2:
            text, verdict = "", VerdictKind.BLANK
        else:
            slip = rng.choice(self._slips[place]) if rng.random() < 0.5 else _slip(rng, answer)
            text, verdict = slip, VerdictKind.WRONG
        score = None if verdict is VerdictKind.REVIEW else points * (verdict is VerdictKind.CORRECT)
        tick = MarkKind.TICK if verdict is VerdictKind.CORRECT else MarkKind.CROSS
        mark = TeacherMark(tick, sure=True, stroke=place + 1) if marked else None
        return ItemResult(str(place + 1), 1, kind, Reading(text, confidence, doubt), Verdict(verdict, score), mark)


def _slip(rng: random.Random, answer: str) -> str:
    if answer.isdigit():
        return str(max(0, int(answer) + rng.choice((-100, -10, -2, -1, 1, 2, 9, 10, 90))))
    return rng.choice("ABCD><=√×") if len(answer) <= 1 else answer[:-1]


def _documents(assignment: Assignment) -> Iterator[bytes]:
    layout = make_sheets(assignment).layout
    for kind, name, body in (
        ("assignment", assignment.id, assignment_to_toml(assignment)),
        ("layout", layout.sheet, layout_to_json(layout)),
    ):
        raw = body.encode()
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        yield encode_record(DocumentRecord(document=kind, id=name, digest=digest, body=raw))  # type: ignore[arg-type]


def samples(seed: int = SEED, classes: int = CLASSES) -> Iterator[bytes]:
    """What frames of small envelopes hold: 1 to 12 results, a document, a tally, a sign of health."""
    rng = random.Random(seed)  # noqa: S311 - a seed is the point
    encode = msgspec.msgpack.Encoder().encode
    for number in range(classes):
        assignment = made_up_assignment(rng, items=rng.choice((8, 10, 12, 15, 20, 20, 24, 30, 40)))
        one = _Class(rng, assignment)
        pupils = rng.randint(20, 56)
        for _ in range(4):
            yield encode([one.page(seat) for seat in rng.sample(range(1, pupils + 1), rng.choice((1, 1, 1, 2, 5, 12)))])
        yield encode([one.tally(pupils)])
        yield encode([_health(rng, one.clock())])
        if number % 4 == 0:
            for document in _documents(assignment):
                yield encode([document])


def _health(rng: random.Random, clock: ClockReading) -> bytes:
    record: Record = HealthRecord(
        clock=clock,
        software=f"0.{rng.randint(1, 9)}.{rng.randint(0, 9)}",
        free_mb=rng.randint(500, 120_000),
        temperature_c=rng.choice((None, rng.randint(20, 85))),
        waiting=rng.choice((0, 0, rng.randint(0, 500))),
    )
    return encode_record(record)


def train(seed: int = SEED) -> bytes:
    """The dictionary's file."""
    trained = zstandard.train_dictionary(SIZE, list(samples(seed)), dict_id=NEWEST_ID, k=256, d=8, level=19)
    return trained.as_bytes()


def main() -> None:
    """Write the file that the program carries."""
    path = file_of(NEWEST_ID)
    path.write_bytes(train())
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
