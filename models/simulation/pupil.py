"""A virtual class: what each pupil answers, how it is written, and the truth of what stands on the paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import numpy as np

from homework.assignment import Assignment, Item
from homework.layout import Box, Field, Page, SheetLayout
from homework.roster import Pupil, Roster
from models.simulation.mistakes import plausible_mistake
from models.simulation.pen import BubbleStyle, Writer
from models.simulation.phrases import can_write
from models.simulation.strokes import Stroke

How = Literal["plain", "faint", "rewritten", "overwritten", "beside", "two-marks", "changed", "blank"]


class FieldTruth(msgspec.Struct, frozen=True):
    """What truly stands in one field. `text` is None where only a person can say: `open`, `text`, undrawn signs."""

    item: str
    blank: int
    kind: str
    text: str | None
    how: How


class PageTruth(msgspec.Struct, frozen=True):
    """Whose page it is and what stands on it. `seat_text` is what is written in the seat's cells."""

    sheet: str
    assignment: str
    page: int
    class_name: str
    seat: int
    pupil: str
    seat_text: str | None
    fields: tuple[FieldTruth, ...]


@dataclass(frozen=True)
class FilledPage:
    """One page that a pupil has written on. `page` counts from 1."""

    pupil: Pupil
    page: int
    strokes: list[Stroke]
    truth: PageTruth


@dataclass(frozen=True)
class Habits:
    """How often, out of 1, a field is treated unlike the plain way. Pupils differ by a factor of three or so."""

    blank: float = 0.02
    rewritten: float = 0.012
    overwritten: float = 0.004
    beside: float = 0.005
    two_marks: float = 0.008
    changed: float = 0.008
    faint_pupil: float = 0.04
    optional_blank: float = 0.3
    """How often an item of layer B or C is left out on purpose."""

    @staticmethod
    def tidy() -> Habits:
        """Every answer written once, plainly, in its place."""
        return Habits(0, 0, 0, 0, 0, 0, 0, 0)


def fill_class(
    assignment: Assignment,
    layout: SheetLayout,
    roster: Roster,
    *,
    class_name: str,
    seed: int,
    habits: Habits | None = None,
) -> list[FilledPage]:
    """Every page of every pupil of the class, in seat and page order; the same for the same seed."""
    return [
        page
        for pupil in roster.of_class(class_name)
        for page in fill_pupil(assignment, layout, pupil, seed=seed, habits=habits)
    ]


def fill_pupil(
    assignment: Assignment, layout: SheetLayout, pupil: Pupil, *, seed: int, habits: Habits | None = None
) -> list[FilledPage]:
    """The pages of one pupil, as `fill_class` would have them."""
    person = _Person(assignment, pupil, seed=seed, habits=habits or Habits())
    return [person.fill(layout, page) for page in layout.pages]


class _Person:
    """One pupil at work: skill, hand, manners."""

    def __init__(self, assignment: Assignment, pupil: Pupil, *, seed: int, habits: Habits) -> None:
        self.assignment, self.pupil, self.seed, self.habits = assignment, pupil, seed, habits
        self.rng = np.random.default_rng([seed, pupil.seat, 0xC1A55])
        self.writer = Writer.random(int(np.random.default_rng([seed, pupil.seat]).integers(1 << 30)))
        self.skill = float(self.rng.normal(1.9, 0.9))
        self.untidy = float(self.rng.gamma(1.3, 1 / 1.3))
        self.faint = self.rng.random() < habits.faint_pupil
        self.mark: BubbleStyle = self.rng.choice(["fill", "scribble", "tick", "cross"], p=[0.74, 0.14, 0.1, 0.02])

    def fill(self, layout: SheetLayout, page: Page) -> FilledPage:
        strokes: list[Stroke] = []
        seat_text = self._say_who(page, strokes)
        fields = tuple(self._answer(field, strokes) for field in page.fields)
        truth = PageTruth(
            sheet=layout.sheet,
            assignment=self.assignment.id,
            page=page.page,
            class_name=self.pupil.class_name,
            seat=self.pupil.seat,
            pupil=self.pupil.pupil_id,
            seat_text=seat_text,
            fields=fields,
        )
        return FilledPage(self.pupil, page.page, strokes, truth)

    def _say_who(self, page: Page, strokes: list[Stroke]) -> str | None:
        who = page.pupil
        if who is None:
            return None
        if who.name_mm is not None and who.kind != "printed":
            strokes += self.writer.write_words(self.pupil.name, who.name_mm, self.rng)
        if who.kind == "digits":
            text = str(self.pupil.seat).zfill(len(who.boxes_mm))
            for digit, box in zip(text, who.boxes_mm, strict=True):
                strokes += self.writer.write(digit, box, self.rng)
            return text
        if who.kind == "bubbles":
            text = str(self.pupil.seat).zfill(len(who.columns))
            for digit, column in zip(text, who.columns, strict=True):
                box = next(b.box_mm for b in column if b.label == digit)
                strokes += self.writer.mark_bubble(box, self.rng, style="fill")
            return text
        return None

    def _answer(self, field: Field, strokes: list[Stroke]) -> FieldTruth:
        item = self.assignment.item(field.item)
        if item is None:
            return FieldTruth(field.item, field.blank, field.kind, "", "blank")
        text, right = self._decide(item, field.blank)
        if text == "":
            return FieldTruth(item.id, field.blank, item.kind, "", "blank")
        if item.kind in ("open", "text") or not can_write(text + right):
            strokes += self._words(item, field)
            return FieldTruth(item.id, field.blank, item.kind, None, "plain")
        if field.bubbles:
            text, how = self._mark(field, text, right, strokes)
        else:
            text, how = self._write(item, field, text, right, strokes)
        return FieldTruth(item.id, field.blank, item.kind, text, how)

    def _decide(self, item: Item, blank: int) -> tuple[str, str]:
        """What the pupil means to answer ("" for nothing), and the right answer."""
        accepted = item.rule.accepted
        # Blanks in any order are still answered in the order of the key: pupils read from left to right.
        right = accepted[blank - 1][0] if len(accepted) >= blank and accepted[blank - 1] else ""
        if item.layer != "A" and self._often(self.habits.optional_blank, f"optional {item.id}"):
            return "", right
        if self._often(min(0.5, self.habits.blank * self.untidy * 1.2), f"blank {item.id} {blank}"):
            return "", right
        if item.kind in ("open", "text"):
            return "…", right
        # The difficulty and the tempting mistakes belong to the item: all who fall, fall into the same two holes.
        shared = np.random.default_rng([self.seed, *item.id.encode(), blank])
        difficulty = float(shared.normal({"A": 0.0, "B": 0.6, "C": 1.2}[item.layer], 0.8))
        knows = 1 / (1 + np.exp(-(self.skill - difficulty) * 1.5))
        if self.rng.random() < knows or right == "":
            return right or str(int(shared.integers(2, 99))), right
        tempting = [plausible_mistake(item, right, shared) for _ in range(2)]
        draw = self.rng.random()
        if draw < 0.75:
            return tempting[0 if draw < 0.5 else 1], right
        return plausible_mistake(item, right, self.rng), right

    def _often(self, rate: float, what: str) -> bool:
        """Whether it happens this time. Each question has its own chance, so that one habit does not move another."""
        return float(np.random.default_rng([self.seed, self.pupil.seat, *what.encode()]).random()) < rate

    def _manner(self, field: Field, kinds: dict[How, float]) -> How:
        draw = np.random.default_rng([self.seed, self.pupil.seat, field.blank, *field.item.encode(), 3]).random()
        for how, rate in kinds.items():
            draw -= min(0.3, rate * self.untidy)
            if draw < 0:
                return how
        return "faint" if self.faint else "plain"

    def _write(self, item: Item, field: Field, text: str, right: str, strokes: list[Stroke]) -> tuple[str, How]:
        box = field.hull_mm()
        habits, rng, writer = self.habits, self.rng, self.writer
        how = self._manner(
            field, {"rewritten": habits.rewritten, "overwritten": habits.overwritten, "beside": habits.beside}
        )
        if how == "beside" and (beside := _room_beside(field, box)) is not None:
            strokes += writer.write(text, beside, rng)
            return text, "beside"
        if how == "rewritten" and box[2] > 16:
            first = text if text != right else plausible_mistake(item, right or "1", rng)
            left, half = (box[0], box[1], box[2] * 0.5, box[3]), box[2] * 0.5
            cancelled = writer.write(first, left, rng)
            strokes += cancelled + writer.cross_out(cancelled, rng)
            strokes += writer.write(text, (box[0] + half, box[1], half, box[3]), rng)
            return text, "rewritten"
        if how == "overwritten" and item.kind == "number" and len(text) <= 3:
            # The second answer goes over the first, sign on sign (the same chance twice), and is pressed harder.
            chance = int(rng.integers(1 << 30))
            first = text
            for _ in range(8):
                first = plausible_mistake(item, text, rng)
                if len(first) == len(text):
                    break
            harder = replace(writer, pen=replace(writer.pen, width_mm=1.25 * writer.pen.width_mm))
            strokes += writer.write(first, box, np.random.default_rng(chance))
            strokes += harder.write(text, box, np.random.default_rng(chance))
            return text, "overwritten"
        strokes += writer.write(text, box, rng, faint=self.faint)
        return text, "faint" if self.faint else "plain"

    def _mark(self, field: Field, text: str, right: str, strokes: list[Stroke]) -> tuple[str, How]:
        boxes = {b.label: b.box_mm for b in field.bubbles}
        rng, writer = self.rng, self.writer
        others = [label for label in boxes if label not in text]
        rates: dict[How, float] = {"changed": self.habits.changed}
        if field.kind == "choice":
            rates = {"two-marks": self.habits.two_marks, **rates}
        how = self._manner(field, rates)
        if how in ("two-marks", "changed") and others:
            other = str(rng.choice(others))
            if how == "two-marks":
                text = "".join(sorted(text + other))
            else:
                strokes += writer.mark_bubble(boxes[other], rng, style="faint")  # rubbed out, not quite gone
        for label in text:
            strokes += writer.mark_bubble(boxes[label], rng, style="faint" if how == "faint" else self.mark)
        return text, how

    def _words(self, item: Item, field: Field) -> list[Stroke]:
        x, y, w, h = field.hull_mm()
        if item.kind != "open":
            return self.writer.write_words("甲乙丙丁戊"[: 2 + self.pupil.seat % 4], (x, y, w, h), self.rng)
        line = min(h, 9.0)
        strokes: list[Stroke] = []
        for row in range(max(1, min(3, int(h / 10)))):
            a, b = (int(v) for v in self.rng.integers(2, 60, 2))
            text = f"{a}+{b}={a + b}" if row % 2 == 0 else f"{a + b}-{a}={b}"
            strokes += self.writer.write(text, (x + 2, y + 1 + row * 10, min(w - 2, 60), line), self.rng)
        return strokes


def _room_beside(field: Field, box: Box) -> Box | None:
    """The largest clear place next to the frame where a short answer fits, or None."""
    if field.around_mm is None:
        return None
    ax, ay, aw, ah = field.around_mm
    x, y, w, h = box
    gap = 1.0
    places: list[Box] = [
        (x + w + gap, y, ax + aw - (x + w + gap), h),
        (x, y + h + gap, w, ay + ah - (y + h + gap)),
        (ax, y, x - gap - ax, h),
        (x, ay, w, y - gap - ay),
    ]
    big = [p for p in places if p[2] >= 8 and p[3] >= 4]
    return max(big, key=lambda p: min(p[2], 20) * min(p[3], 8)) if big else None
