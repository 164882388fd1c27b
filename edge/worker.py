"""Captures in, filed pages out: the one thread of the box that grades."""

from __future__ import annotations

import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2

from edge import pictures
from edge.again import STACK_SETTING
from edge.booking import assignment_key, pupil_key
from edge.calling import SlidClass
from edge.documents import Documents
from edge.facing import facing_pages, of_one_pupil
from edge.frames import Capture
from edge.ledger import FiledPage, Ledger, unsaved_page
from edge.lenses import lens_of
from edge.pictures import Pictures
from edge.pipeline import Books, GradedPage, grade_capture, slid_by_order
from edge.reading.recogniser import Recogniser
from edge.reading.red import RedIs
from edge.reading.who import WHO_UNKNOWN
from edge.stack import chosen_class
from homework.errors import ClassboxError
from homework.results import PageRecord
from sync.clock import Clock, ClockReading

log = logging.getLogger(__name__)
CLASS_SETTING = "class"


@dataclass(frozen=True)
class Shown:
    """A page as it came out of grading. `filed.capture` is 0 when the disk did not take it: it still shows."""

    capture: Capture
    filed: FiledPage


class Worker:
    """Grades and files. What came of each capture is told to `on_page`, what goes wrong to `on_trouble`.

    `on_change` says that earlier sheets have other owners than before: later ones, or a person, made them clear.
    `on_beat` is a sign of life at every turn, `on_graded` hears what each page cost.
    All are called from the worker's thread. `on_trouble(about, None)` says that it is over.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        documents: Documents,
        pictures: Pictures,
        recogniser: Recogniser,
        clock: Clock,
        class_name: str | None,
        red_is: RedIs = "teacher",
        on_page: Callable[[Shown], None],
        on_change: Callable[[], None],
        on_trouble: Callable[[str, ClassboxError | None], None],
        on_beat: Callable[[], None] = lambda: None,
        on_graded: Callable[[GradedPage], None] = lambda _page: None,
    ) -> None:
        self._ledger = ledger
        self._documents = documents
        self._pictures = pictures
        self._recogniser = recogniser
        self._clock = clock
        self._class_name = class_name
        self._red_is = red_is
        self._on_page = on_page
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._on_beat = on_beat
        self._on_graded = on_graded
        # One capture may wait: a second one costs 37 MB and takes the peak over the budget of 300 MB (measured).
        self._queue: queue.Queue[Capture | None] = queue.Queue(maxsize=1)
        self._seen: object = object()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="grading", daemon=True)

    def start(self) -> None:
        """Begin. Sheets that became known since the last run are graded first."""
        self._thread.start()

    def put(self, capture: Capture) -> bool:
        """Hand a capture over; waits while the worker is behind. False when the worker is ending."""
        while not self._stopping.is_set():
            try:
                self._queue.put(capture, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def stop(self, timeout_s: float = 10) -> None:
        """Finish the page in hand and end. What still waits is taken again at the next start by its source."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _work(self) -> None:
        cv2.setNumThreads(1)
        while not self._stopping.is_set():
            try:
                self._on_beat()
                self._regrade_what_became_known()
                if self._clear_up():
                    self._on_change()
                capture = self._queue.get(timeout=0.5)
                if capture is not None:
                    self._take(capture)
            except queue.Empty:
                continue
            except ClassboxError as error:
                log.warning("%s", error)
                self._on_trouble("grading", error)
            except Exception:
                # One page must never cost the pages after it.
                log.exception("a page could not be worked on")
                self._on_trouble(
                    "grading",
                    ClassboxError("One sheet could not be worked on.", remedy="Slide it again; the others go on."),
                )

    def _take(self, capture: Capture) -> None:
        picture = pictures.encoded(capture)
        digest = pictures.digest_of(picture)
        if self._ledger.knows(digest):
            return
        clock = self._clock.read()
        books = self._books()
        page = grade_capture(capture, books, self._recogniser)
        parts = facing_pages(page, books)
        if not parts:
            self._file(capture, page, picture, books, clock, beside=None)
            return
        first = None
        for part, graded in of_one_pupil([(part, grade_capture(part, books, self._recogniser)) for part in parts]):
            picture = pictures.encoded(part)
            self._file(part, graded, picture, books, clock, beside=first)
            # Also where it was filed before a kill that came between the two.
            first = first or self._ledger.capture_of(pictures.digest_of(picture))

    def _file(
        self,
        capture: Capture,
        page: GradedPage,
        picture: bytes,
        books: Books,
        clock: ClockReading,
        *,
        beside: int | None,
    ) -> None:
        """Keep a graded page and show it, unless it was filed before."""
        self._on_graded(page)
        digest = pictures.digest_of(picture)
        kept = self._keep(digest, picture)
        try:
            filed = self._ledger.file(
                capture,
                page,
                pupil=self._pupil(page),
                digest=digest,
                has_picture=kept,
                clock=clock,
                slid=self._slid(page, books, beside),
                again=self._in_again_stack(page),
            )
        except ClassboxError as error:
            log.error("%s", error)  # noqa: TRY400 - its words say all
            self._on_trouble(
                "disk",
                ClassboxError(
                    "This sheet could not be kept: the disk is full or may not be written.",
                    remedy="Make room on the disk, then slide it again.",
                ),
            )
            self._on_page(Shown(capture, unsaved_page(capture, page, digest=digest, clock=clock)))
            return
        if kept:
            self._on_trouble("disk", None)
        self._on_trouble("grading", None)
        if filed is not None:
            # Before it is shown: the sheets before it may make it clear, and it may make those clear.
            self._clear_up()
            self._on_page(Shown(capture, self._ledger.page(filed.capture) or filed))

    def _in_again_stack(self, page: GradedPage) -> bool:
        """Whether a person said that the stack on the desk is corrected sheets (订正) of this page's assignment."""
        stack = self._documents.setting(STACK_SETTING)
        return bool(stack) and page.record is not None and assignment_key(page.record) == stack

    def _slid(self, page: GradedPage, books: Books, beside: int | None) -> SlidClass | None:
        """The class in whose order a page was slid; None when it says itself whose it is, or there is no class."""
        record, layout = page.record, page.registered.layout
        if record is None or layout is None or not slid_by_order(page.registered):
            return None
        said = record.who.pupil is not None or any(problem.code == WHO_UNKNOWN for problem in record.problems)
        pupils = books.roster.of_class(books.class_name) if books.roster is not None and books.class_name else ()
        return SlidClass(pupils, layout, self._documents.layout, beside) if pupils and not said else None

    def _clear_up(self) -> bool:
        """Let the stack say whose its doubtful sheets are. What a disk does not take now is tried again later."""
        try:
            return self._ledger.clear_up(self._documents.roster())
        except ClassboxError as error:
            log.warning("%s", error)
            self._on_trouble("grading", error)
            return False

    def _keep(self, digest: str, picture: bytes) -> bool:
        """The picture goes to the disk before its transaction, so that no page ever points at nothing."""
        try:
            self._pictures.keep(digest, picture)
        except OSError as error:
            log.error("the picture could not be kept: %s", error)  # noqa: TRY400 - its words say all
            self._on_trouble(
                "disk",
                ClassboxError(
                    "The picture could not be kept: the disk is full or may not be written.",
                    remedy="Make room on the disk; results are still taken.",
                ),
            )
            return False
        return True

    def _books(self) -> Books:
        documents = self._documents
        roster = documents.roster()
        return Books(
            layout_of=documents.layout,
            assignment_of=documents.assignment,
            roster=roster if roster.pupils else None,
            class_name=chosen_class(roster, documents.setting(CLASS_SETTING), self._class_name),
            unmarked=documents.unmarked,
            lens_of=partial(lens_of, documents),
            red_is=self._red_is,
        )

    def _pupil(self, page: GradedPage) -> str | None:
        return pupil_key(page.record.who, self._documents.roster()) if page.record is not None else None

    def _judge_by_keys(self) -> bool:
        """Judge by its key, from the readings, what an older one judged or none. Says whether a verdict changed."""
        sheets = defaultdict[str | None, set[str]](set)
        for layout in self._documents.layouts():
            sheets[layout.assignment].add(layout.sheet)
        return sum(self._ledger.judge_by(key, sheets[key.id]) for key in self._documents.assignments()) > 0

    def _regrade_what_became_known(self) -> None:
        stamp = self._documents.stamp()
        if stamp == self._seen:
            return
        books = self._books()
        if self._judge_by_keys():
            self._on_change()
        for filed in self._ledger.waiting_for_documents():
            self._on_beat()
            image = self._pictures.image(filed.digest)
            if image is None:
                continue
            capture = Capture(image=image, source=filed.source)
            page = grade_capture(capture, books, self._recogniser)
            pupil = self._pupil(page)
            if (page.status, pupil, _class_of(page.record)) != (filed.status, filed.pupil, _class_of(filed.record)):
                self._on_page(Shown(capture, self._ledger.regrade(filed.capture, page, pupil=pupil)))
            if self._stopping.is_set():
                return
        if self._ledger.settle_corrections():
            self._on_change()
        self._seen = stamp


def _class_of(record: PageRecord | None) -> str | None:
    return record.who.class_name if record is not None else None
