"""A class's worksheets, filled in and stacked: everything between the printer and the camera."""

from __future__ import annotations

import numpy as np

from homework.assignment import Assignment
from homework.errors import BadFileError, UsageError
from homework.layout import SheetLayout
from homework.roster import Pupil, Roster
from models.simulation.desk import Sheet
from models.simulation.paper import DPI, PrintedPages, written_page
from models.simulation.pupil import FilledPage, Habits, PageTruth, fill_pupil


class Classroom:
    """The stack on the teacher's desk: each pupil's pages together, pupils in the order that they handed in.

    `pdf` is what `classbox print` printed: one page set to photocopy, or every pupil's own in roster order. Pages
    are numbered by their place in the stack, from 0. Writing and rasterising happen when a page is asked for.
    Raises `UsageError` for a class that the roster does not have, `BadFileError` for a PDF that does not fit.
    """

    def __init__(
        self,
        assignment: Assignment,
        layout: SheetLayout,
        roster: Roster,
        pdf: bytes,
        *,
        class_name: str,
        seed: int,
        pupils: int | None = None,
        habits: Habits | None = None,
        dpi: int = DPI,
    ) -> None:
        everybody = roster.of_class(class_name)
        if not everybody:
            raise UsageError(
                "Nobody of class {name} is in the roster.", remedy="Name a class of the roster.", name=class_name
            )
        self.assignment, self.layout, self.seed = assignment, layout, seed
        self._habits = habits
        self._printed = PrintedPages(pdf, dpi=dpi)
        self._pages_each = self._pages_of_one(len(everybody))
        who = list(everybody[:pupils])
        if not self._in_seat_order():
            np.random.default_rng([seed, 0x57AC]).shuffle(who)
        self._place = {pupil.pupil_id: k for k, pupil in enumerate(everybody)}
        self._stack = [(pupil, number) for pupil in who for number in range(len(layout.pages))]
        self._filled: dict[str, list[FilledPage]] = {}

    def __len__(self) -> int:
        return len(self._stack)

    def filled(self, index: int) -> FilledPage:
        """Page `index` of the stack: its strokes and the truth."""
        pupil, number = self._stack[index]
        return self._pages_of(pupil)[number]

    def write(self) -> None:
        """Let everybody write now, rather than when their page is first asked for: some 30 ms a page."""
        for pupil, _ in self._stack:
            self._pages_of(pupil)

    def truth(self, index: int) -> PageTruth:
        """Whose page it is and what truly stands on it."""
        return self.filled(index).truth

    def sheet(self, index: int) -> Sheet:
        """The page as paper and ink, ready for the desk."""
        pupil, number = self._stack[index]
        copy = self._place[pupil.pupil_id] if self._printed_for_each() else 0
        blank = self._printed.page(copy * self._pages_each + number + 1)
        scale = self._printed.px_per_mm
        return Sheet.of(written_page(blank, self.filled(index).strokes, scale), scale)

    def close(self) -> None:
        """Let the PDF go."""
        self._printed.close()

    def _pages_of(self, pupil: Pupil) -> list[FilledPage]:
        if pupil.pupil_id not in self._filled:
            pages = fill_pupil(self.assignment, self.layout, pupil, seed=self.seed, habits=self._habits)
            self._filled[pupil.pupil_id] = pages
        return self._filled[pupil.pupil_id]

    def _printed_for_each(self) -> bool:
        return any(page.pupil is not None and page.pupil.kind == "printed" for page in self.layout.pages)

    def _in_seat_order(self) -> bool:
        return any(page.pupil is not None and page.pupil.kind == "order" for page in self.layout.pages)

    def _pages_of_one(self, pupils: int) -> int:
        """Pages of one copy in the PDF: the layout's, and an empty back where one was added."""
        total, wanted = len(self._printed), len(self.layout.pages)
        each = total // pupils if self._printed_for_each() else wanted
        if each < wanted or total < wanted or (self._printed_for_each() and total % pupils):
            raise BadFileError(
                "The PDF has {total} pages, which does not fit {pupils} pupils with {each} pages each.",
                remedy="Print the worksheets again for this class.",
                total=total,
                pupils=pupils,
                each=wanted,
            )
        return each


def made_up_roster(count: int, *, class_name: str = "3-1") -> Roster:
    """A class of pupils that do not exist: 学生01 and on."""
    return Roster(tuple(Pupil(class_name, seat, f"学生{seat:02d}", f"S{seat:03d}") for seat in range(1, count + 1)))
