"""Photos of an open workbook through the box's worker: both pages are the called pupil's, whatever cuts in between."""

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from edge.calling import SlidClass
from edge.documents import Documents
from edge.frames import Capture, Image
from edge.learning.flatten import flat_page
from edge.ledger import Ledger
from edge.pictures import Pictures
from edge.web.live import live_view
from edge.worker import Shown, Worker
from homework.errors import ClassboxError
from homework.layout import PupilField
from homework.roster import Pupil, Roster
from models.recognisers import Recognisers
from models.simulation.paper import written_page
from models.simulation.pupil import Habits, fill_pupil
from models.simulation.workbook import WorkbookPage, workbook_page
from sync.clock import SystemClock

CLASS = tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 5))
PATIENCE_S = 60


def of_pupil(book: WorkbookPage, seat: int) -> Image:
    pupil = Pupil("3-1", seat, "x", f"p{seat}")
    done = fill_pupil(book.assignment, book.layout, pupil, seed=2, habits=Habits.tidy())[0]
    return written_page(book.image.copy(), done.strokes, book.px_per_mm)


@dataclass
class Box:
    """A worker that knows two learned pages, each a worksheet of its own."""

    worker: Worker
    ledger: Ledger
    documents: Documents
    shown: "queue.Queue[Shown]" = field(default_factory=queue.Queue)
    troubles: list[str] = field(default_factory=list)

    def slide(self, photo: Capture, pages: int = 2) -> list[Shown]:
        assert self.worker.put(photo)
        return [self.shown.get(timeout=PATIENCE_S) for _ in range(pages)]

    @property
    def slid(self) -> SlidClass:
        return SlidClass(CLASS, self.documents.layouts()[-1], self.documents.layout)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    ledger, documents = Ledger(tmp_path), Documents(tmp_path)
    documents.put_roster(Roster(CLASS))
    for number in (3, 4):
        book = workbook_page(number)
        flat = flat_page(book.image, paper="16K")
        side = msgspec.structs.replace(book.layout.pages[0], pupil=PupilField("order"))
        layout = msgspec.structs.replace(
            book.layout, page_mm=flat.page_mm, reference="blank.png", assignment=None, pages=(side,)
        )
        documents.put_layout(layout, bytes(cv2.imencode(".png", flat.image)[1]))

    def trouble(about: str, error: ClassboxError | None) -> None:
        if error is not None:
            made.troubles.append(f"{about}: {error}")

    def show(shown: Shown) -> None:
        made.shown.put(shown)

    worker = Worker(
        ledger=ledger,
        documents=documents,
        pictures=Pictures(tmp_path / "pictures"),
        recogniser=Recognisers.load(),
        clock=SystemClock(),
        class_name="3-1",
        on_page=show,
        on_change=lambda: None,
        on_trouble=trouble,
    )
    made = Box(worker, ledger, documents)
    worker.start()
    yield made
    worker.stop()
    ledger.close()


@pytest.fixture(scope="module")
def photos(photograph: Callable[..., Capture]) -> list[Capture]:
    """The open book of three pupils."""
    books = [workbook_page(3), workbook_page(4)]
    spreads = [np.hstack([of_pupil(book, seat) for book in books]) for seat in (1, 2, 3)]
    return [photograph(spread, size_px=(4000, 3000), turn_deg=2) for spread in spreads]


@pytest.mark.timeout(300)
def test_an_open_book_is_one_pupils_and_a_cut_between_its_pages_does_not_shift_the_class(
    box: Box, photos: list[Capture], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = box.slide(photos[0])
    assert [one.filed.pupil for one in first] == ["S001", "S001"]
    file, calls = Ledger.file, []

    def cut(self: Ledger, *values: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the power went")
        return file(self, *values, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "file", cut)
        [left] = box.slide(photos[1], pages=1)
        assert box.worker.put(photos[1]), "its source gives it again"
        [right] = [box.shown.get(timeout=PATIENCE_S)]
    assert (left.filed.pupil, right.filed.pupil) == ("S002", "S002")
    assert len(calls) == 4
    third = box.slide(photos[2])
    assert [one.filed.pupil for one in third] == ["S003", "S003"]
    call = box.ledger.calling(box.slid).call
    assert call is not None
    assert call.seat == 4
    view = live_view(box.ledger, box.documents, class_name="3-1", belongs_to_school=False)
    assert view.stack.missing == (4,), "the grid fills before there is a key"
    assert view.call is not None
    assert (view.call.seat, view.call.name) == (4, "学生04")
