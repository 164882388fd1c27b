"""What bad photos do: pages read, asked, refused and silently wrong, for each thing that goes wrong with a picture."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from benchmarks._cards import FilledCards, camera_card, exam_card, filled_cards
from benchmarks._perturbations import ROWS, Scene, photograph
from edge.frames import Capture, Image
from edge.pipeline import Books, GradedPage, grade_capture
from homework.answers import normalise
from homework.assignment import parse_assignment
from homework.results import PageStatus, VerdictKind
from homework.sheets import make_sheets
from models.recognisers import Recognisers
from models.simulation.classroom import Classroom, made_up_roster
from models.simulation.paper import PrintedPages, written_page
from models.simulation.pupil import Habits, PageTruth

ASKED_SHARE = 0.1
"""A page counts as read when at most so many of its fields more are asked than on the undisturbed picture."""

CLASS = "3-1"
DPI = 300
CODE_CORNER = 1
"""The page's code is printed at its top right, beside that marker."""

Key = tuple[str, int]


@dataclass(frozen=True)
class Kind:
    """A kind of sheet to be photographed: its written pages with their truth, and what the box knows of them.

    `truths[n]` says what stands in each field of `papers[n]`, and `pupils[n]` whose it is; None: nobody is named.
    """

    name: str
    papers: Sequence[Image]
    page_mm: tuple[float, float]
    truths: Sequence[dict[Key, tuple[str, str]]]
    pupils: Sequence[str | None]
    books: Books
    code_corner: int = -1


def our_sheets(pages: int, seed: int) -> Kind:
    """A class's worksheets with markers: 12 numbers, bubbles, judgements, comparisons; the seat in digits."""
    assignment = parse_assignment(_assignment())
    sheets = make_sheets(assignment)
    roster = made_up_roster(pages, class_name=CLASS)
    room = Classroom(
        assignment,
        sheets.layout,
        roster,
        sheets.worksheets_pdf,
        class_name=CLASS,
        seed=seed,
        habits=Habits.tidy(),
        dpi=DPI,
    )
    printed = PrintedPages(sheets.worksheets_pdf, dpi=DPI)
    first = [index for index in range(len(room)) if room.truth(index).page == 1]
    papers = [written_page(printed.page(1), room.filled(index).strokes, printed.px_per_mm) for index in first]
    truths = [room.truth(index) for index in first]
    printed.close()
    room.close()
    return Kind(
        "our sheets",
        papers,
        sheets.layout.page_mm,
        [_written(truth) for truth in truths],
        [truth.pupil for truth in truths],
        Books(
            layout_of=lambda sheet: sheets.layout if sheet == sheets.layout.sheet else None,
            assignment_of=lambda name: assignment if name == assignment.id else None,
            roster=roster,
            class_name=CLASS,
        ),
        CODE_CORNER,
    )


def camera_cards(pages: int, seed: int) -> Kind:
    """Imported answer cards with four markers, found by their bubbles: filled, ticked, crossed, rubbed-out marks."""
    return _cards(filled_cards(camera_card(), pages, seed))


def exam_cards(pages: int, seed: int) -> Kind:
    """Imported answer cards without markers: sixty choices and a booklet's number."""
    return _cards(filled_cards(exam_card(), pages, seed))


def _cards(cards: FilledCards) -> Kind:
    books = Books(layout_of=lambda _: None, assignment_of=lambda _: None, unmarked=lambda: (cards.sheet,))
    return Kind(cards.name, cards.papers, cards.paper_mm, cards.truths, [None] * len(cards.papers), books)


KINDS: dict[str, Callable[[int, int], Kind]] = {
    "our sheets": our_sheets,
    "card with markers": camera_cards,
    "card found by its edge": exam_cards,
}


def _assignment() -> str:
    numbers = "".join(
        f'[[item]]\nkind = "number"\nprompt = "{12 + n} × {2 + n % 8} ="\nanswer = {(12 + n) * (2 + n % 8)}\n'
        for n in range(12)
    )
    choices = "".join(
        f'[[item]]\nkind = "choice"\nprompt = "{n} × 5 ="\noptions = ["{n * 5 - 3}", "{n * 5}", "{n * 5 + 2}", "7"]\n'
        'answer = "B"\n'
        for n in range(3, 6)
    )
    rest = (
        '[[item]]\nkind = "choices"\nprompt = "偶数有"\noptions = ["12", "15", "18", "21"]\nanswer = "AC"\n'
        '[[item]]\nkind = "judge"\nprompt = "3 是奇数"\nanswer = "√"\n'
        '[[item]]\nkind = "judge"\nprompt = "8 是奇数"\nanswer = "×"\n'
        '[[item]]\nkind = "compare"\nprompt = "3 ○ 5"\nanswer = "<"\n'
        '[[item]]\nkind = "compare"\nprompt = "7 ○ 5"\nanswer = ">"\n'
    )
    return f'[assignment]\nid = "perturb"\ntitle = "第三单元 练习"\ngrade = 3\n{numbers}{choices}{rest}'


def _written(truth: PageTruth) -> dict[Key, tuple[str, str]]:
    return {(f.item, f.blank): (f.kind, f.text) for f in truth.fields if f.text is not None}


@dataclass(frozen=True)
class Outcome:
    """What became of one picture: the fields asked, those accepted wrongly (with what was read), and whose it is."""

    refused: str | None
    asked: frozenset[Key]
    wrong: frozenset[tuple[Key, str | None]]
    pupil: str | None
    fields: int


def outcome_of(page: GradedPage, truth: dict[Key, tuple[str, str]]) -> Outcome:
    """Judge the box's page by what truly stands on the paper."""
    if page.record is None or page.status is not PageStatus.GRADED:
        why = page.problems[-1].code if page.problems else page.status.value
        return Outcome(why, frozenset(), frozenset(), None, 0)
    asked, wrong = set(), set()
    for item in page.record.items:
        key = (item.item, item.blank)
        if key not in truth:
            continue
        kind, text = truth[key]
        read = item.reading.text
        if item.verdict.kind is VerdictKind.REVIEW:
            asked.add(key)
        elif read is None or normalise(kind, read) != normalise(kind, text):  # type: ignore[arg-type]
            wrong.add((key, read))
    return Outcome(None, frozenset(asked), frozenset(wrong), page.record.who.pupil, len(page.record.items))


def row_of(
    name: str, found: Sequence[Outcome], plain: Sequence[Outcome], pupils: Sequence[str | None]
) -> dict[str, Any]:
    """The counts of one row, against the same pages undisturbed.

    A page is silently wrong when an answer was accepted that is not what the pupil wrote, and was not so accepted
    from the undisturbed picture; or when it was booked to somebody else.
    """
    counts = {"read": 0, "asked": 0, "refused": 0, "silently_wrong": 0}
    reasons: dict[str, int] = {}
    wrong_items = wrong_pupil = asked_items = fields = 0
    for one, clean, pupil in zip(found, plain, pupils, strict=True):
        new = one.wrong - clean.wrong if one is not clean else frozenset()
        other = pupil is not None and one.pupil is not None and one.pupil != pupil
        wrong_items += len(new)
        wrong_pupil += other
        asked_items += len(one.asked)
        fields += one.fields
        nobody = one.pupil is None and clean.pupil is not None
        if new or other:
            counts["silently_wrong"] += 1
        elif one.refused is not None:
            counts["refused"] += 1
            reasons[one.refused] = reasons.get(one.refused, 0) + 1
        elif nobody or len(one.asked - clean.asked) > ASKED_SHARE * one.fields:
            counts["asked"] += 1
        else:
            counts["read"] += 1
    return {
        "name": name,
        "pages": len(found),
        **counts,
        "wrong_answers": wrong_items,
        "wrong_pupil": wrong_pupil,
        "answers_asked": asked_items,
        "answers": fields,
        "wrong_undisturbed": sum(bool(clean.wrong) for clean in plain),
        "why_refused": reasons,
    }


def rows_of(
    kind: Kind, recogniser: Recognisers, scenes: Sequence[tuple[str, Scene]], seed: int
) -> list[dict[str, Any]]:
    """Every scene with every page of a kind."""
    plain: list[Outcome] = []
    rows = []
    for name, scene in (("as it is", Scene()), *((n, s) for n, s in scenes if s != Scene())):
        found = []
        for index, paper in enumerate(kind.papers):
            rng = np.random.default_rng([seed, index, 0xBAD])
            picture = photograph(paper, kind.page_mm, scene, rng, code_corner=kind.code_corner)
            page = grade_capture(Capture(picture, name), kind.books, recogniser)
            found.append(outcome_of(page, kind.truths[index]))
        plain = plain or found
        rows.append({"sheets": kind.name, **row_of(name, found, plain, kind.pupils)})
        print(json.dumps(rows[-1], ensure_ascii=False), file=sys.stderr, flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, epilog="Example: python -m benchmarks.perturb --quick --json")
    parser.add_argument("--pages", type=int, default=40, help="pages a row")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--only", help="rows whose name holds this")
    parser.add_argument("--sheets", help="kinds of sheets whose name holds this, such as card")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    recogniser = Recognisers.load()
    scenes = [(name, scene) for name, scene in ROWS if options.only is None or options.only in name]
    rows = []
    for make in [make for name, make in KINDS.items() if options.sheets is None or options.sheets in name]:
        rows += rows_of(make(4 if options.quick else options.pages, options.seed), recogniser, scenes, options.seed)
    if options.json:
        print(json.dumps({"rows": rows}, ensure_ascii=False))
    else:
        for row in rows:
            print("  ".join(f"{key} {value}" for key, value in row.items() if key != "sheets"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
