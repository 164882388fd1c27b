"""Tells the school what this box has of each class's homework, so that nothing under way is taken for missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edge.accounts import box_account
from edge.documents import Documents
from edge.ledger import Ledger
from edge.stack import owner_of
from homework.accounts import Account, Fate
from sync.clock import Clock, ClockReading
from sync.records import MAX_PLACES, Tally

_RECENT = 500
"""Records that are looked at again after a start: what was said of them may not have been told."""


class Tallies:
    """Made once; `look` is for one thread."""

    def __init__(self, ledger: Ledger, documents: Documents, clock: Clock, *, on_news: Callable[[], None]) -> None:
        self._ledger, self._documents, self._clock, self._on_news = ledger, documents, clock, on_news
        self._heard: tuple[bytes, int] | None = None
        self._away: int | None = None

    def look(self, _ending: Callable[[], bool]) -> None:
        """Queue the account of every class of which something was said since the last look, where it differs."""
        heard, away = self._ledger.said_until(), self._ledger.last_absence()
        if (heard, away) == (self._heard, self._away):
            return
        epoch, seq = heard
        after = self._heard[1] if self._heard is not None and self._heard[0] == epoch else max(0, seq - _RECENT)
        news = False
        since = self._away if self._away is not None else away - _RECENT
        for assignment, class_name in sorted(self._changed(after) | self._others_expected(since)):
            account = box_account(self._ledger, self._documents, assignment, class_name, of_a_school=False)
            tally = _tally(account, assignment, class_name, self._clock.read())
            news |= self._ledger.queue_tally(tally)
        self._heard, self._away = heard, away
        if news:
            self._on_news()

    def _changed(self, after: int) -> set[tuple[str, str]]:
        """Assignments and classes that something was said of."""
        sheets = self._ledger.sheets_said_of(after)
        found = set()
        for layout in self._documents.layouts():
            if layout.sheet in sheets:
                assignment = layout.assignment or f"sheet:{layout.sheet}"
                classes = {*self._classes(layout.sheet), *self._ledger.tallied_classes(assignment)}
                found |= {(assignment, class_name) for class_name in classes}
        return found

    def _others_expected(self, after: int) -> set[tuple[str, str]]:
        """Assignments and classes that the school was told of and that fewer or more sheets are expected of since."""
        roster = self._documents.roster()
        found = set()
        for assignment, pupil_id in self._ledger.away_said_of(after):
            pupil = roster.by_id(pupil_id)
            if pupil is not None and pupil.class_name in self._ledger.tallied_classes(assignment):
                found.add((assignment, pupil.class_name))
        return found

    def _classes(self, sheet: str) -> Iterator[str]:
        """The classes whose pupils handed in."""
        roster = self._documents.roster()
        for page in self._ledger.pages_of_sheets([sheet]):
            owner = owner_of(page.record, roster, None) if page.record is not None else None
            if owner is not None:
                yield owner.class_name


def _tally(account: Account, assignment: str, class_name: str, clock: ClockReading) -> Tally:
    return Tally(
        clock=clock,
        assignment=assignment,
        class_name=class_name,
        expected=account.expected,
        slid=account.slid,
        corrections=account.fates[Fate.CORRECTION],
        twice=account.fates[Fate.TWICE],
        asked=account.fates[Fate.ASKED],
        not_graded=account.fates[Fate.NOT_GRADED],
        withdrawn=account.fates[Fate.WITHDRAWN],
        places=account.places[:MAX_PLACES],
    )
