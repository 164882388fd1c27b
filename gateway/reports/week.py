"""A teacher's week: what her classes had to do, what came, and what waits for her."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import msgspec


class WeekClass(NamedTuple):
    """A class whose homework belongs into somebody's week; `class_name` None: every class, `subject` None: any."""

    school: str
    class_name: str | None
    subject: str | None


class WeekLine(msgspec.Struct, frozen=True, kw_only=True):
    """One class's homework in the week. `title` is the assignment's id until its document has come.

    `expected` is None without a class list. `pending` counts answers that wait for a look (待确认), `missing` pupils
    who have not handed in, `again_owes` and `again_done` those who have to put mistakes right and who did (订正; both
    None where no corrected sheet of the class came). `reteach` are the items below the line. `finished_ms` is when
    everything was in, or an hour after it was due; None while it is open.
    """

    school: str
    class_name: str
    assignment: str
    title: str
    subject: str
    day: date
    expected: int | None
    handed_in: int
    late: int
    missing: int
    pending: int
    again_owes: int | None
    again_done: int | None
    reteach: int
    mean_rate: float | None
    minutes: int
    minutes_estimated: bool
    finished_ms: int | None


class WeekDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day of the week with what is counted on it (`ClassDay` says which day that is)."""

    day: date
    lines: tuple[WeekLine, ...]


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """Seven days from `monday`; the sums are over all of their lines."""

    monday: date
    days: tuple[WeekDay, ...]

    @property
    def lines(self) -> tuple[WeekLine, ...]:
        """Every class's homework of the week."""
        return tuple(line for day in self.days for line in day.lines)

    @property
    def pending(self) -> int:
        """Answers that wait for a look."""
        return sum(line.pending for line in self.lines)
