"""The sheets of a district's term, as its boxes would send them: records of each school's mornings and evenings.

A pupil answers by an item response model (three parameters; Birnbaum 1968): the better he is and the easier the item,
the likelier it is right. A worksheet is collected in the hour before school: in time by most, by a few on the next
morning; then also come the sheets of those who correct (订正). What a box asked, a teacher answers in the evening of
three worksheets in four, and the box sends those pages again, as a greater revision. Everything follows from the
district's seed, so that a worksheet's sheets can be made again where the next morning needs them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks._district import DAYS, SUBJECTS, District, Given
from benchmarks._item_bank import ITEMS_OF_A_POINT, Answered, BankItem, bank, difficulties, scores
from gateway.simulated_class import plain_layout
from homework.assignment import Assignment, assignment_to_toml
from homework.layout import SheetLayout, layout_to_json
from homework.roster import Pupil, Roster
from sync.clock import ClockQuality, ClockReading
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from sync.records import DocumentRecord, PageResult, Record, Tally

_LATE = 0.03
_ASKED = 0.006
"""The share of fields that wait for a person."""
_ANSWERED_WORKSHEETS = 0.75
_BLANK_OF_WRONG = 0.12
_CORRECTED_RIGHT = 0.8
_TITLES = {"math": "数学练习", "chinese": "语文练习", "english": "英语练习"}
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
_GIVEN_NAMES = "伟芳娜敏静磊洋勇艳杰涛明超霞平刚桂英华玉兰飞鹏宇欣怡浩然子涵梓轩雨桐诗琪博文"

Half = Literal[0, 1]
Codes = NDArray[np.int8]


class Worksheet(NamedTuple):
    """What a course is given: its id, that of its sheet, and its items of the bank."""

    name: str
    sheet: str
    items: tuple[BankItem, ...]
    scores: NDArray[np.int64]


class Session(NamedTuple):
    """What a school's boxes send of a morning (`half` 0) or an evening (1); lanes of a box in their order."""

    day: int
    half: Half
    received_ms: int
    boxes: dict[str, dict[Lane, list[Record]]]


class _Outcome(NamedTuple):
    """What a class makes of a worksheet; a row for each pupil who hands in, in the order of the stack.

    `asked` is where a box asks, `codes` what stands there to whoever looks. `again` are the rows of those who correct,
    `better` what stands on their sheets then.
    """

    who: NDArray[np.int64]
    late: NDArray[np.bool_]
    codes: Codes
    asked: Codes
    again: NDArray[np.int64]
    better: Codes
    captures: bytes
    gaps_ms: NDArray[np.int64]
    looked_at: bool


class SchoolTerm:
    """One school's term. `key` is the school's, under which pupils have their pseudonyms."""

    def __init__(self, district: District, school_no: int, key: bytes) -> None:
        self.district, self.plan = district, district.schools[school_no]
        self.table = district.timetable(school_no)
        self._key = key
        self._seed = (district.seed, 2, school_no)
        rng = np.random.default_rng([*self._seed, 0])
        self._level = float(rng.normal(0.0, 0.3))

    # --- who is there ---------------------------------------------------------------------------------------

    def roster(self) -> Roster:
        """All pupils, class by class."""
        return Roster(tuple(pupil for number in range(len(self.plan.classes)) for pupil in self.pupils(number)))

    def pupils(self, class_no: int) -> Iterator[Pupil]:
        """The pupils of a class, by seat."""
        one = self.plan.classes[class_no]
        rng = np.random.default_rng([*self._seed, 1, class_no])
        for seat in range(1, one.pupils + 1):
            first, *rest = rng.integers(0, 1000, 3)
            name = _SURNAMES[first % len(_SURNAMES)] + "".join(_GIVEN_NAMES[n % len(_GIVEN_NAMES)] for n in rest)
            yield Pupil(one.name, seat, name, f"{self.plan.name}-{one.name}-{seat:02}")

    @lru_cache(maxsize=256)  # noqa: B019 - as long as its school
    def pseudonyms(self, class_no: int) -> tuple[bytes, ...]:
        """The pseudonyms of a class's pupils, by seat."""
        return tuple(pseudonym(self._key, pupil.pupil_id) for pupil in self.pupils(class_no))

    @lru_cache(maxsize=256)  # noqa: B019
    def _able(self, class_no: int) -> NDArray[np.float64]:
        """How able the pupils of a class are (first row), and how surely they hand in (second)."""
        rng = np.random.default_rng([*self._seed, 2, class_no])
        able: NDArray[np.float64] = rng.normal(0.0, 1.0, (2, self.plan.classes[class_no].pupils))
        able[0] += self._level + rng.normal(0.0, 0.2)
        return able

    # --- what they are given --------------------------------------------------------------------------------

    def worksheet(self, given: Given) -> Worksheet:
        """The worksheet of something given."""
        return self._worksheet(given.course_no, given.worksheet)

    @lru_cache(maxsize=1024)  # noqa: B019
    def _worksheet(self, course_no: int, number: int) -> Worksheet:
        course = self.table.courses[course_no]
        items = bank(course.subject, course.grade)
        rng = np.random.default_rng([*self._seed, 3, course_no, number])
        points = len(items) // ITEMS_OF_A_POINT
        now = min(points - 1, number * points // max(1, course.worksheets))
        size = int(rng.integers(10, 31))
        # Two in three are of what is taught just now, the others of what was taught before.
        new = min(ITEMS_OF_A_POINT, size if now == 0 else -(-2 * size // 3))
        chosen = now * ITEMS_OF_A_POINT + rng.permutation(ITEMS_OF_A_POINT)[:new]
        old = rng.permutation(now * ITEMS_OF_A_POINT)[: size - new]
        name = f"{course.subject[0]}{course.grade}-{course.teacher + 1:03}-{number + 1:03}"
        sheet = f"{SUBJECTS.index(course.subject) + 1}{course.grade}{course.teacher + 1:03X}{number + 1:03X}"
        mine = tuple(items[n] for n in (*chosen, *old))
        return Worksheet(name, sheet, mine, scores(mine))

    def assignment(self, given: Given) -> Assignment:
        """The assignment as the teacher made it."""
        made, course = self.worksheet(given), self.table.courses[given.course_no]
        items = (msgspec.structs.replace(one.item, id=str(n)) for n, one in enumerate(made.items, 1))
        return Assignment(
            id=made.name,
            title=f"{_TITLES[course.subject]} {given.worksheet + 1}",
            items=tuple(items),
            subject=course.subject,
            grade=course.grade,
            due=self.district.due(given.day),
            minutes=-(-len(made.items) * 4 // 5),
        )

    def layout(self, given: Given) -> SheetLayout:
        """Where its fields are."""
        return plain_layout(self.assignment(given), sheet=self.worksheet(given).sheet)

    def documents(self, given: Given) -> tuple[DocumentRecord, DocumentRecord]:
        """What a box tells of a worksheet before the first sheet."""
        made = self.worksheet(given)
        texts = assignment_to_toml(self.assignment(given)), layout_to_json(self.layout(given))
        return _document("assignment", made.name, texts[0]), _document("layout", made.sheet, texts[1])

    def extra(self, class_no: int, *, number: int = 0, day: int = DAYS) -> Given:
        """A worksheet beyond the term's, that the whole class hands in on that day: what comes while reports are read.

        `number` counts them from 0. Each class has its own; those of one course are numbered differently.
        """
        course_no = next(given.course_no for day_ in self.table.days for given in day_ if given.class_no == class_no)
        course, one = self.table.courses[course_no], self.plan.classes[class_no]
        worksheet = course.worksheets + number * len(self.plan.classes) + class_no
        return Given(day, class_no, course_no, worksheet, one.pupils, 0, leads=True)

    # --- what they hand in ----------------------------------------------------------------------------------

    def sessions(self, day: int) -> tuple[Session, Session]:
        """What the boxes send on a school day."""
        yesterday = [(g, self._outcome(g)) for g in self.table.days[day - 1]] if day else []
        today = [(g, self._outcome(g)) for g in self.table.days[day]]
        morning, evening = _Boxes(self, day, 0), _Boxes(self, day, 1)
        for given, outcome in yesterday:
            morning.late_and_again(given, outcome)
        for given, outcome in today:
            morning.stack(given, outcome)
        for given, outcome in today:
            evening.answered(given, outcome)
        begun_ms = self.district.at_ms(day, 9, 10)
        return Session(day, 0, begun_ms, morning.boxes), Session(day, 1, self.ends_ms(day), evening.boxes)

    def ends_ms(self, day: int) -> int:
        """When the evening of a school day has been received (Unix ms)."""
        return self.district.at_ms(day, 17)

    def whole_stack(self, given: Given, *, begun_ms: int) -> dict[Lane, list[Record]]:
        """A stack with nobody late, slid from that moment on (Unix ms)."""
        outcome = self._outcome(given)
        outcome = outcome._replace(late=np.zeros_like(outcome.late))
        boxes = _Boxes(self, given.day, 0, begun_ms=begun_ms)
        boxes.stack(given, outcome)
        return boxes.boxes[self.plan.box_of(given.class_no)]

    @lru_cache(maxsize=256)  # noqa: B019 - a day's are asked for again on the next
    def _outcome(self, given: Given) -> _Outcome:
        rng = np.random.default_rng([*self._seed, 4, given.class_no, given.course_no, given.worksheet])
        able, surely = self._able(given.class_no)
        who = np.argsort(-(surely + rng.gumbel(0.0, 1.0, len(surely))))[: given.first]
        who = rng.permutation(who)
        hard, guessed = difficulties(self.worksheet(given).items)
        shape = (len(who), len(hard))
        known = 1 / (1 + np.exp(-1.2 * (able[who][:, None] - hard)))
        right = rng.random(shape) < guessed + (1 - guessed) * known
        codes = np.where(right, _right(rng, shape), _wrong(rng, shape)).astype(np.int8)
        asked = np.where(
            rng.random(shape) < _ASKED,
            np.where(
                rng.random(shape) < 0.3,
                Answered.ASKED_UNREADABLE,
                np.where(right, Answered.ASKED_RIGHT, Answered.ASKED_WRONG),
            ),
            codes,
        ).astype(np.int8)
        mistakes = (codes >= Answered.BLANK).sum(axis=1)
        again = np.argsort(-(mistakes + rng.normal(0.0, 2.0, len(who))))[: given.again]
        mended = np.where(rng.random((len(again), shape[1])) < _CORRECTED_RIGHT, Answered.RIGHT, Answered.OTHER)
        return _Outcome(
            who=who,
            late=rng.random(len(who)) < _LATE,
            codes=codes,
            asked=asked,
            again=again,
            better=np.where(codes[again] >= Answered.BLANK, mended, codes[again]).astype(np.int8),
            captures=rng.bytes(16 * (len(who) + len(again))),
            gaps_ms=rng.integers(900, 2_400, len(who) + len(again)),
            looked_at=bool(rng.random() < _ANSWERED_WORKSHEETS),
        )


class _Boxes:
    """Collects what the boxes of a school send in half a day, each stack after the one before."""

    def __init__(self, school: SchoolTerm, day: int, half: Half, *, begun_ms: int | None = None) -> None:
        self._school = school
        self._begun_ms = begun_ms or school.district.at_ms(day, 16 if half else 8)
        self._boot_ms = self._begun_ms - 60_000
        self._clock_ms: dict[str, int] = {}
        self._boots: dict[str, bytes] = {}
        self.boxes: dict[str, dict[Lane, list[Record]]] = defaultdict(lambda: {lane: [] for lane in Lane})

    def stack(self, given: Given, outcome: _Outcome) -> None:
        """The sheets that come in time, the worksheet's documents before them and the box's count after them."""
        if given.leads:
            self.boxes[self._school.plan.box_of(given.class_no)][Lane.DOCUMENTS] += self._school.documents(given)
        rows = np.flatnonzero(~outcome.late)
        self._show(given, outcome, rows, outcome.asked[rows])
        self._count(given, outcome, rows, corrections=0)

    def late_and_again(self, given: Given, outcome: _Outcome) -> None:
        """Of the day before: what comes late, and what comes once more with corrections."""
        rows = np.flatnonzero(outcome.late)
        self._show(given, outcome, rows, outcome.asked[rows])
        self._show(given, outcome, outcome.again, outcome.better, attempt=2)
        if len(rows) or given.again:
            self._count(given, outcome, np.arange(given.first), corrections=given.again)

    def answered(self, given: Given, outcome: _Outcome) -> None:
        """The pages of which a person has answered what the box asked."""
        rows = np.flatnonzero(~outcome.late & (outcome.asked != outcome.codes).any(axis=1))
        if outcome.looked_at and len(rows):
            self._show(given, outcome, rows, outcome.codes[rows], revision=2)

    def _show(
        self,
        given: Given,
        outcome: _Outcome,
        rows: NDArray[np.int64],
        codes: Codes,
        *,
        attempt: int = 1,
        revision: int = 1,
    ) -> None:
        box = self._school.plan.box_of(given.class_no)
        places = rows if attempt == 1 else given.first + np.arange(len(rows))
        school, made = self._school, self._school.worksheet(given)
        lane = self.boxes[box][Lane.RESULTS]
        names, class_name = school.pseudonyms(given.class_no), school.plan.classes[given.class_no].name
        answers = [one.answers for one in made.items]
        worth = sum(one.item.points_hundredths for one in made.items)
        earned = made.scores[np.arange(len(answers)), codes].sum(axis=1).tolist()
        pending = (codes >= Answered.ASKED_RIGHT).sum(axis=1).tolist()
        seats = (outcome.who[rows] + 1).tolist()
        sheets = zip(seats, codes.tolist(), places.tolist(), earned, pending, strict=True)
        for seat, page, place, score_hundredths, asked in sheets:
            lane.append(
                PageResult(
                    capture=outcome.captures[16 * place : 16 * place + 16],
                    pseudonym=names[seat - 1],
                    seat=seat,
                    clock=self._clock(box, int(outcome.gaps_ms[place])),
                    assignment=made.name,
                    sheet=made.sheet,
                    page=1,
                    attempt=attempt,
                    revision=revision,
                    class_name=class_name,
                    max_score_hundredths=worth,
                    score_hundredths=score_hundredths,
                    pending=asked,
                    duplicate_of=None,
                    problems=(),
                    # A list first: a generator costs twice as much, twenty times a sheet.
                    items=tuple([answer[code] for answer, code in zip(answers, page, strict=True)]),
                )
            )

    def _count(self, given: Given, outcome: _Outcome, rows: NDArray[np.int64], *, corrections: int) -> None:
        box = self._school.plan.box_of(given.class_no)
        one = self._school.plan.classes[given.class_no]
        self.boxes[box][Lane.HEALTH].append(
            Tally(
                clock=self._clock(box, 5_000),
                assignment=self._school.worksheet(given).name,
                class_name=one.name,
                expected=one.pupils,
                slid=len(rows),
                corrections=corrections,
                twice=0,
                asked=0,
                not_graded=0,
                withdrawn=0,
                places=tuple((seat + 1, 1) for seat in sorted(outcome.who[rows].tolist())),
            )
        )

    def _clock(self, box: str, gap_ms: int) -> ClockReading:
        now_ms = self._clock_ms.get(box, self._begun_ms) + gap_ms
        self._clock_ms[box] = now_ms
        boot = self._boots.get(box)
        if boot is None:
            name = f"{self._school.plan.name} {box} {self._boot_ms}".encode()
            boot = self._boots[box] = hashlib.blake2b(name, digest_size=16).digest()
        return ClockReading(monotonic_ms=now_ms - self._boot_ms, wall_ms=now_ms, boot=boot, quality=ClockQuality.SYNCED)


def _right(rng: np.random.Generator, shape: tuple[int, int]) -> Codes:
    """Mostly read surely."""
    return np.where(rng.random(shape) < 0.9, Answered.RIGHT, rng.integers(1, Answered.BLANK, shape)).astype(np.int8)


def _wrong(rng: np.random.Generator, shape: tuple[int, int]) -> Codes:
    """Left blank, one of two common mistakes, or something else."""
    chance = rng.random(shape)
    slips = np.where(chance < 0.5, Answered.SLIP, Answered.SLIP + 1)
    some = np.where(chance < 0.65, slips, rng.integers(Answered.OTHER, Answered.ASKED_RIGHT, shape))
    return np.where(chance < _BLANK_OF_WRONG, Answered.BLANK, some).astype(np.int8)


def _document(kind: Literal["assignment", "layout"], name: str, text: str) -> DocumentRecord:
    body = text.encode()
    return DocumentRecord(document=kind, id=name, digest=hashlib.blake2b(body, digest_size=16).digest(), body=body)
