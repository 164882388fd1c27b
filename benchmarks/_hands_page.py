"""One page: a real hand fills it in, the desk's camera takes it, the box's own pipeline reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator

from benchmarks._hands_sheet import Sheet, Task, answers_of
from benchmarks._listening import Listening
from edge.frames import Capture, Image
from edge.pipeline import Books, GradedPage, grade_capture
from edge.reading.fields import writing_of
from edge.reading.ink import field_ink
from homework.answers import normalise
from homework.layout import Box, FieldKind
from homework.results import PageStatus, VerdictKind
from models.evaluation.crops import PageCrop, frame_name, photograph_name
from models.evaluation.figures import Judged
from models.evaluation.ink import Manner, beyond_mm, lay_out, write
from models.recognisers import Kind, Recognisers
from models.simulation.desk import Desk
from models.simulation.desk import Sheet as Paper
from models.simulation.ink import draw_strokes
from models.simulation.motion import Moment, Pose
from models.simulation.pen import Writer
from models.training.hands import Glyph, Hand, Strokes

SENSORS = {12: (2320, 3040), 5: (1480, 1944)}
"""Width and height of the part of a 4056 × 3040 or 2592 × 1944 sensor that an upright A4 page fills."""


@dataclass(frozen=True)
class Shot:
    """How a page was photographed: see `PageCrop`."""

    megapixels: int
    blur_px: float
    light: float
    jpeg: int

    @staticmethod
    def random(rng: Generator) -> Shot:
        """Most pages as the box's camera takes them, some with what goes wrong in a classroom."""
        megapixels = 12 if rng.random() < 0.7 else 5
        blur = rng.uniform(0.6, 1.8) if rng.random() < 0.3 else 0.0
        return Shot(
            megapixels,
            float(blur if megapixels == 12 else 0.6 * blur),
            float(rng.uniform(0.45, 0.8)) if rng.random() < 0.3 else 1.0,
            int(rng.integers(55, 93)) if rng.random() < 0.35 else 0,
        )


@dataclass(frozen=True)
class Answer:
    """One written field: what it held, how it came about, and what the box made of it."""

    kind: FieldKind
    form: str
    digits: int
    source: str
    pen: str
    photo: str
    frame: str
    judged: Judged
    page: int
    written: str
    read: str | None
    confidence: float


@dataclass(frozen=True)
class PageResult:
    """A page's answers and crops; none of both when it was not read. `photo` is BGR."""

    answers: list[Answer]
    crops: list[PageCrop]
    photo: Image


@dataclass(frozen=True)
class Hold:
    """Who wrote something, and how far beyond its frame."""

    writer: str
    over_mm: float


class Writers:
    """The hands of one split: whose digits fill a page, and whose signs stand in where they have none."""

    def __init__(self, hands: Sequence[Hand]) -> None:
        self.hands = [_well_cut(hand) for hand in hands]
        complete = [hand for hand in self.hands if all(hand.glyphs.get(digit) for digit in "0123456789")]
        self.scanned = [hand for hand in complete if hand.writer.startswith("mnist")]
        self.penned = [hand for hand in complete if hand.writer.startswith("unipen")]
        self.signs = [hand for hand in self.hands if hand.writer.startswith("unipen") and hand.glyphs.get("A")]

    def pair(self, rng: Generator) -> tuple[Hand, Hand]:
        """A hand with all digits, and another one for what it lacks."""
        group = self.scanned if not self.penned or (self.scanned and rng.random() < 0.55) else self.penned
        hand = group[int(rng.integers(len(group)))]
        others = [other for other in self.signs if other is not hand] or self.hands
        return hand, others[int(rng.integers(len(others)))]

    def glyph(self, symbol: str, pair: tuple[Hand, Hand], rng: Generator) -> tuple[Glyph, str]:
        """A glyph and its writer: of the page's hand, of the second one, or of anybody who has it."""
        symbol = {"×": "X"}.get(symbol, symbol)
        for hand in (*pair, *(self.hands[int(k)] for k in rng.permutation(len(self.hands)))):
            if choice := hand.glyphs.get(symbol):
                return choice[int(rng.integers(len(choice)))], hand.writer
        raise LookupError(f"nobody wrote {symbol!r}")


def one_page(sheets: Sequence[Sheet], desks: Mapping[int, Desk], writers: Writers, seed: int, number: int) -> _Taken:
    """Fill page `number` (from 1) in and photograph it."""
    rng = np.random.default_rng([seed, number])
    sheet = sheets[number % len(sheets)]
    side = sheet.layout.pages[(number // len(sheets)) % len(sheet.pages)]
    assignment, tasks = answers_of(sheet.grade, rng)
    pair, manner, shot = writers.pair(rng), Manner.random(rng), Shot.random(rng)
    paper = sheet.pages[side.page - 1].copy()
    by: dict[str, Hold] = {}

    def put(text: str, box: Box, *, stacked: bool = False) -> Hold:
        if text == "√":  # no collection has any: the simulated classroom's own, which training never sees
            drawn = replace(Writer.random(int(rng.integers(1 << 30))), pen=manner.tool, size_mm=manner.size_mm)
            draw_strokes(paper, drawn.write(text, box, rng), sheet.px_per_mm)
            return Hold("synthetic-0", 0.0)
        who: list[str] = []

        def pick(symbol: str) -> Glyph:
            glyph, writer = writers.glyph(symbol, pair, rng)
            who.append(writer)
            return glyph

        placed = lay_out(text, box, manner, pick, rng=rng, stacked=stacked)
        write(paper, placed, manner, sheet.px_per_mm, rng)
        return Hold(pair[0].writer if any(c.isdigit() for c in text) else who[0], beyond_mm(placed, box))

    for field in side.fields:
        task = tasks[field.item]
        x, y, width, height = field.hull_mm()
        inset = 0.13 * width if field.round else 0.0
        box = (x + inset, y + inset, width - 2 * inset, height - 2 * inset)
        by[field.item] = put(task.text, box, stacked=task.form in ("stacked", "mixed"))
    seat = str(rng.integers(1, 61))
    cells = zip(reversed(seat), reversed(side.pupil.boxes_mm if side.pupil is not None else ()), strict=False)
    seats = [put(digit, box) for digit, box in cells]
    photo = _photograph(desks[shot.megapixels], Paper.of(paper, sheet.px_per_mm), shot, rng)
    books = Books(lambda name: sheet.layout if name == sheet.layout.sheet else None, lambda _: assignment)
    return _Taken(number, photo, books, tasks, by, seat, seats[::-1], manner.pen, shot)


@dataclass(frozen=True)
class _Taken:
    """A photographed page with all that is known of it."""

    number: int
    photo: Image
    books: Books
    tasks: dict[str, Task]
    by: dict[str, Hold]
    seat: str
    seats: list[Hold]
    pen: str
    shot: Shot

    def read(self, recognisers: Recognisers) -> PageResult:
        """Grade the photograph as the box would."""
        listening = Listening(recognisers)
        graded = grade_capture(Capture(self.photo, f"page {self.number}"), self.books, listening)
        if graded.status is not PageStatus.GRADED or graded.record is None:
            return PageResult([], [], self.photo)
        answers = []
        for item in graded.record.items:
            task = self.tasks[item.item]
            said = item.reading.text
            same = said is not None and normalise(task.kind, said) == normalise(task.kind, task.text)
            verdict = item.verdict.kind
            judged = Judged(
                same=same,
                asked=verdict is VerdictKind.REVIEW,
                right=task.right,
                ticked=verdict is VerdictKind.CORRECT,
            )
            by = self.by[item.item]
            source = by.writer.partition("-")[0]
            answers.append(
                Answer(
                    task.kind,
                    task.form,
                    _digits(task.text),
                    source,
                    self.pen,
                    photograph_name(self.shot.megapixels, self.shot.blur_px),
                    frame_name(by.over_mm),
                    judged,
                    self.number,
                    task.text,
                    said,
                    item.reading.confidence,
                )
            )
        return PageResult(answers, self._crops(graded, listening.calls), self.photo)

    def _crops(self, graded: GradedPage, calls: list[tuple[Kind, list[Image]]]) -> list[PageCrop]:
        """Every crop that was read, told apart by its bytes; fractions taken apart come in the order of the fields."""
        whole: dict[bytes, str] = {}
        for field in graded.fields:
            ink = field_ink(field.crop)
            if ink.inside:
                whole[writing_of(graded.registered, field.crop, ink).tobytes()] = field.item
        read_whole = {crop.tobytes() for _, crops in calls for crop in crops}
        apart = [item for content, item in whole.items() if content not in read_whole]
        cells = list(dict.fromkeys(crop.tobytes() for kind, crops in calls if kind == "digit" for crop in crops))
        # With a digit too faint to be cut nobody knows which is which.
        seat = dict(zip(cells, zip(self.seat, self.seats, strict=True), strict=False))
        seat = seat if len(cells) == len(self.seat) else {}
        found: list[PageCrop] = []
        for kind, crops in calls:
            if any(crop.tobytes() in cells for crop in crops):  # a seat's cells, in whatever kind they are read
                known = [(crop, *seat[crop.tobytes()]) for crop in crops if crop.tobytes() in seat]
                found += [self._crop(kind, crop, _part(digit, "seat"), by) for crop, digit, by in known]
                continue
            items = [whole.get(crop.tobytes()) for crop in crops]
            if crops and all(item is None for item in items):
                if apart and self.tasks[item := apart.pop(0)].form in ("stacked", "mixed"):
                    parts = zip(crops, _parts(self.tasks[item].text), strict=False)
                    found += [self._crop(kind, crop, _part(truth, "part"), self.by[item]) for crop, truth in parts]
                continue
            for crop, one in zip(crops, items, strict=True):
                if one is not None:
                    found.append(self._crop(kind, crop, self.tasks[one], self.by[one]))
        return found

    def _crop(self, kind: Kind, crop: Image, task: Task, by: Hold) -> PageCrop:
        source, _, number = by.writer.partition("-")
        shot = self.shot
        return PageCrop(
            crop, kind, task.text, task.key, task.form, source, int(number), self.pen, _digits(task.text),
            shot.megapixels, shot.blur_px, shot.light, shot.jpeg, self.number, by.over_mm,
        )  # fmt: skip


def _part(truth: str, form: str) -> Task:
    """A digit of the seat, or a part of a fraction: nobody has a key for it."""
    return Task("number", truth, "", right=False, form=form)


def _parts(fraction: str) -> list[str]:
    """The parts of a fraction in the order in which they are read: above, below, and the whole number before."""
    before, _, rest = fraction.rpartition(" ")
    return [*rest.split("/"), *([before] if before else [])]


def _photograph(desk: Desk, paper: Paper, shot: Shot, rng: Generator) -> Image:
    pose = Pose(float(rng.normal(0, 2.5)), float(rng.normal(0, 2.5)), float(rng.normal(0, 2.0)))
    moment = Moment(((0, pose),), (), 0.0)
    frame = desk.lay_out(moment, [paper])
    if shot.blur_px:
        frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), shot.blur_px), np.uint8)
    if shot.light < 1:
        frame = np.asarray(cv2.convertScaleAbs(frame, alpha=shot.light), np.uint8)
    frame = desk.expose(frame, moment)
    if shot.jpeg:
        _, coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, shot.jpeg])
        frame = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return frame


def _well_cut(hand: Hand) -> Hand:
    """The hand without UNIPEN's wrong cuts that a look at the pages showed: half a per cent of the digits."""
    kept = {
        symbol: [glyph for glyph in glyphs if not (symbol.isdigit() and isinstance(glyph, Strokes) and _miscut(glyph))]
        for symbol, glyphs in hand.glyphs.items()
    }
    return Hand(hand.writer, kept)


def _miscut(digit: Strokes) -> bool:
    """A digit twice as wide as tall, or with a dot that lies apart from it (and would rightly be read as a point)."""
    wide, high = np.ptp(np.concatenate(digit.lines), axis=0)
    if wide > 1.7 * high:
        return True
    for k, line in enumerate(digit.lines):
        rest = [other for j, other in enumerate(digit.lines) if j != k]
        if rest and np.ptp(line, axis=0).max() < 0.2:
            apart = np.concatenate(rest)[:, None] - line[None]
            if np.hypot(apart[..., 0], apart[..., 1]).min() > 0.1:
                return True
    return False


def _digits(text: str) -> int:
    return sum(c.isdigit() for c in text)
