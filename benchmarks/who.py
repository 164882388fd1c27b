"""Whose page: how often the box asks, by the page alone and with the stack, and how often it names the wrong pupil.

Stacks of simulated classes, at the level of the seat cells: written by simulated pens (with `--data` by real hands set
aside) into printed cells, photographed, and read by the shipped recognisers. What goes wrong how often is in `RATES`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator

from benchmarks._seat_cells import Pen, SeatPaper, hands_set_aside, real_pen, simulated_pen
from edge.owners import Booked, Doubtful, make_clear
from edge.reading.seats import Seat
from edge.reading.signature import GRID, ink_signature, same_ink
from edge.reading.who import crop_seat, read_seat, who_wrote_it
from homework.page_code import PageCode
from homework.roster import Pupil, Roster
from models.evaluation.figures import wilson
from models.recognisers import Recognisers

CLASS = "3-1"
CELLS = 10 * GRID[0] * GRID[1]
"""Of the answers' part of an ink signature, which is made up: noise of its own for each paper."""

RATES = {
    "absent": 0.05,
    "wrong_number": 0.005,
    "empty": 0.003,
    "no_digit": 0.003,
    "corrected": 0.005,
    "slid_twice": 0.01,
    "second_sheet": 0.002,
    "faint": 0.03,
    "left_the_class": 0.03,
}
"""By pupil. `no_digit`: a letter or a sign in one of the cells; `corrected`: a digit rubbed out, not quite, and the
right one written over it; `second_sheet`: a pupil hands in two; `left_the_class`: seats that nobody has. Of the pupils
up to 9 a quarter leave the first cell empty, and 3 % the second."""


@dataclass(frozen=True)
class Slid:
    """One photo of one paper: whose it is, the number that they wrote (0: none that can be read), what was read."""

    owner: int
    wrote: int
    seat: Seat
    ink: bytes


@dataclass
class Tally:
    """What became of the pages.

    `asked_rightly`: pages in question at the end that a perfect reader would ask about too: no number, one that nobody
    has, or one under which another paper was handed in. `misled`: a wrong number that the pupil wrote, booked as
    written; when its owner hands in too, that page is asked. `lost`: taken for another pupil's paper seen again.
    """

    pages: int = 0
    asked_alone: int = 0
    asked_when_slid: int = 0
    asked_jointly: int = 0
    asked_rightly: int = 0
    wrong_alone: int = 0
    wrong_pupil: int = 0
    wrong_for_a_while: int = 0
    misled: int = 0
    lost: int = 0
    wrong_numbers: int = 0

    def figures(self, written_by: str) -> dict[str, Any]:
        """The JSON object's row."""
        row: dict[str, Any] = {"name": written_by, "pages": self.pages, "wrong_numbers": self.wrong_numbers}
        shares = ("asked_alone", "asked_when_slid", "asked_jointly", "asked_rightly")
        for name in (*shares, "wrong_alone", "wrong_pupil", "wrong_for_a_while", "misled", "lost"):
            count = int(getattr(self, name))
            row[name] = round(count / max(self.pages, 1), 5) if name in shares else count
            row[f"{name}_95"] = [round(bound, 6) for bound in wilson(count, self.pages)]
        return row


def a_class(rng: Generator) -> Roster:
    """Thirty to fifty seats, of which a few are nobody's."""
    seats = [n for n in range(1, int(rng.integers(30, 51)) + 1) if rng.random() >= RATES["left_the_class"]]
    return Roster(tuple(Pupil(CLASS, seat, f"学生{seat:02}", f"S{seat:03}") for seat in seats))


def a_stack(
    roster: Roster, rng: Generator, new_pen: Callable[[Generator], Pen], paper: SeatPaper, recognisers: Recognisers
) -> list[Slid]:
    """The pages of a class in the order in which they are slid."""
    slid: list[Slid] = []
    for pupil in roster.pupils:
        if rng.random() < RATES["absent"]:
            continue
        pen = new_pen(rng)
        for _ in range(2 if rng.random() < RATES["second_sheet"] else 1):
            number = _wrong_number(pupil.seat, rng) if rng.random() < RATES["wrong_number"] else pupil.seat
            text = "  " if rng.random() < RATES["empty"] else _laid_out(number, rng)
            sheet = paper.written(text, pen, rng, rubbed_out=_slip(text, rng))
            if rng.random() < RATES["no_digit"]:
                odd = str(rng.choice(list("AEFH×%=")))
                sheet = paper.written(odd + text[1] if rng.random() < 0.5 else text[0] + odd, pens_of_pupils(rng), rng)
                number = 0
            answers = rng.integers(0, 256, CELLS) * (rng.random(CELLS) > 0.6)
            for _ in range(2 if rng.random() < RATES["slid_twice"] else 1):
                page = paper.photograph(sheet, rng)
                crops = crop_seat(page, paper.pupil)
                seat = read_seat(page, paper.pupil, crops, recognisers)
                noisy = np.clip(answers + rng.normal(0, 4, len(answers)) * (answers > 0), 0, 255).astype(np.uint8)
                cells = ink_signature(crops.crops).ljust(2 * GRID[0] * GRID[1], b"\0")
                slid.append(Slid(pupil.seat, number if text.strip() else 0, seat, noisy.tobytes() + cells))
    return [slid[n] for n in rng.permutation(len(slid))]


def _wrong_number(seat: int, rng: Generator) -> int:
    """A number turned round, a neighbour's, or any other."""
    others = [seat % 10 * 10 + seat // 10, seat - 1, seat + 1, int(rng.integers(1, 61))]
    return int(rng.choice([n for n in others if 0 < n < 100 and n != seat] or [seat + 1]))


def _slip(text: str, rng: Generator) -> str | None:
    """A wrong digit in one of the cells, for a number that is to be corrected; most are not."""
    if rng.random() >= RATES["corrected"] or not text.strip():
        return None
    cell = int(rng.choice([at for at, sign in enumerate(text) if sign != " "]))
    return "".join(
        str((int(sign) + int(rng.integers(1, 10))) % 10) if at == cell else " " for at, sign in enumerate(text)
    )


def _laid_out(number: int, rng: Generator) -> str:
    if number > 9:
        return str(number)
    return str(rng.choice([f"0{number}", f" {number}", f"{number} "], p=[0.72, 0.25, 0.03]))


def slide(stack: list[Slid], roster: Roster, tally: Tally) -> None:
    """Slide a stack past the box's rules: alone, with what was shown by then, and with the whole stack."""
    seats = {pupil.seat for pupil in roster.pupils}
    code = PageCode("ABCD1234", 1)
    booked: dict[int, int] = {}
    doubtful: list[int] = []
    claims: dict[int, int] = {}
    for n, page in enumerate(stack):
        owner = who_wrote_it(code, page.seat, roster, CLASS)
        seat = owner.who.seat if owner.who.pupil is not None else None
        tally.pages += 1
        tally.wrong_numbers += page.wrote not in (page.owner, 0)
        if seat is None:
            doubtful.append(n)
            tally.asked_alone += 1
        else:
            rival = next((other for other, at in booked.items() if at == seat), None)
            if rival is None:
                booked[n] = seat
            else:
                claims[n] = seat  # the same paper again, or a question
                tally.asked_alone += not same_ink(page.ink, stack[rival].ink)
            tally.wrong_alone += _is_wrong(page, seat) and n in booked
        clear = _clear(stack, doubtful, booked, seats)
        tally.asked_when_slid += n not in clear if seat is None else n in claims and not _again(stack, n, booked, seat)
        tally.wrong_for_a_while += any(_is_wrong(stack[at], found) for at, found in clear.items())
    clear = _clear(stack, doubtful, booked, seats)
    tally.asked_jointly += sum(n not in clear for n in doubtful)
    tally.asked_jointly += sum(not _again(stack, n, booked, seat) for n, seat in claims.items())
    tally.asked_rightly += sum(stack[n].wrote != stack[n].owner for n in doubtful if n not in clear)
    tally.asked_rightly += sum(
        not _again(stack, n, booked, seat) and stack[n].wrote == seat for n, seat in claims.items()
    )
    named = {**booked, **clear}
    tally.wrong_pupil += sum(_is_wrong(stack[n], seat) for n, seat in named.items())
    tally.misled += sum(stack[n].owner != seat == stack[n].wrote for n, seat in named.items())
    # A paper that is taken for another pupil's again counts for nobody.
    tally.lost += sum(
        _again(stack, n, booked, seat) and not any(stack[o].owner == stack[n].owner for o in booked)
        for n, seat in {**claims, **clear}.items()
    )


def _clear(stack: list[Slid], doubtful: list[int], booked: dict[int, int], seats: set[int]) -> dict[int, int]:
    found = make_clear(
        [Doubtful(n, stack[n].seat, stack[n].ink) for n in doubtful],
        [Booked(seat, stack[n].ink) for n, seat in booked.items()],
        seats,
    )
    return {n: one.seat for n, one in found.items()}


def _again(stack: list[Slid], page: int, booked: dict[int, int], seat: int) -> bool:
    return any(at == seat and same_ink(stack[page].ink, stack[other].ink) for other, at in booked.items())


def _is_wrong(page: Slid, seat: int) -> bool:
    return seat not in (page.owner, page.wrote)


def stacks(pages: int, new_pen: Callable[[Generator], Pen], seed: int) -> Iterator[tuple[list[Slid], Roster]]:
    """Classes until there are so many pages."""
    paper, recognisers = SeatPaper(), Recognisers.load()
    done = number = 0
    while done < pages:
        rng = np.random.default_rng([seed, number, 0x5EA7])
        roster = a_class(rng)
        stack = a_stack(roster, rng, new_pen, paper, recognisers)[: pages - done]
        yield stack, roster
        done += len(stack)
        number += 1


def measured(name: str, pages: int, new_pen: Callable[[Generator], Pen], seed: int) -> dict[str, Any]:
    """One row of figures."""
    tally = Tally()
    for stack, roster in stacks(pages, new_pen, seed):
        slide(stack, roster, tally)
    return tally.figures(name)


def pens_of_pupils(rng: Generator) -> Pen:
    """A simulated writer, now and then a faint one."""
    return simulated_pen(int(rng.integers(1 << 30)), faint=bool(rng.random() < RATES["faint"]))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--data", type=Path, help="folder with the handwriting: adds a development row")
    parser.add_argument("--seed", type=int, default=6)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    pages = min(options.pages, 600) if options.quick else options.pages
    rows = [measured("simulated pens", pages, pens_of_pupils, options.seed)]
    if options.data is not None:
        hands = hands_set_aside(options.data)

        def pens_set_aside(rng: Generator) -> Pen:
            return real_pen(hands[int(rng.integers(len(hands)))], rng)

        rows.append(measured("writers set aside (development)", pages, pens_set_aside, options.seed))
    result = {"rates": RATES, "rows": rows}
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    for row in rows:
        print(
            f"{row['name']}: {row['pages']} pages, wrong pupil {row['wrong_pupil']} (alone {row['wrong_alone']}), asked"
            f" {row['asked_alone']:.2%} alone, {row['asked_when_slid']:.2%} when slid, {row['asked_jointly']:.2%} with"
            f" the whole stack; of {row['wrong_numbers']} wrong numbers {row['misled']} booked as written"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
