"""Which pictures of fields go to the school, from a real ledger and real pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import numpy as np
import pytest

from edge.correcting import Change
from edge.deeds import By
from edge.documents import Documents
from edge.filed import FiledPage
from edge.frames import Capture
from edge.ledger import Ledger
from edge.pictures import Pictures, digest_of
from edge.school_crops import SchoolCrops
from homework.assignment import parse_assignment
from homework.corrections import Word
from homework.layout import Field, Page, SheetLayout
from homework.results import Doubt
from sync.envelope import Erased
from sync.lanes import Lane
from sync.records import CropRecord, crop_place, decode_record
from sync.sealing import open_sealed
from tests.edge.filing import CLOCK, graded

SCHOOL_KEY = bytes(range(32))
KEY = parse_assignment(
    '[assignment]\nid = "g3"\ntitle = "t"\n[[item]]\nkind = "number"\nprompt = "23 × 4 ="\nanswer = "92"'
)
BOX_MM = (30.0, 40.0, 20.0, 9.0)
PX_PER_MM = 8.0
LAYOUT = SheetLayout(
    sheet="ABCD1234",
    assignment="g3",
    page_mm=(100.0, 100.0),
    pages=(Page(page=1, markers=(), fields=(Field(item="1", blank=1, kind="number", box_mm=BOX_MM),)),),
)


def photo(text: str) -> np.ndarray:
    """Paper with a number in the field; what is beyond the paper is red."""
    side = round(130 * PX_PER_MM)
    image = np.full((side, side, 3), (0, 0, 255), np.uint8)
    paper = round(100 * PX_PER_MM)
    image[:paper, :paper] = 235
    at = (round((BOX_MM[0] + 2) * PX_PER_MM), round((BOX_MM[1] + 8) * PX_PER_MM))
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 2.0, (60, 40, 40), 5)
    return image


class Box(NamedTuple):
    ledger: Ledger
    pictures: Pictures
    crops: SchoolCrops
    wanted: list[bool]

    def slide(self, text: str, pupil: str, *, pending: int = 1) -> FiledPage:
        image = photo(text)
        picture = bytes(cv2.imencode(".png", image)[1])
        self.pictures.keep(digest_of(picture), picture)
        page = graded(pupil, pending=pending)
        assert page.record is not None
        if pending:
            (item,) = page.record.items
            doubt = msgspec.structs.replace(item.reading, doubt=Doubt.UNSURE)
            items = (msgspec.structs.replace(item, reading=doubt),)
            page = replace(page, record=msgspec.structs.replace(page.record, items=items))
        page = replace(page, registered=replace(page.registered, mm_to_px=np.diag([PX_PER_MM, PX_PER_MM, 1.0])))
        filed = self.ledger.file(
            Capture(image, "t"), page, pupil=pupil, digest=digest_of(picture), has_picture=True, clock=CLOCK
        )
        assert filed is not None
        return filed

    def look(self) -> None:
        self.crops.look(lambda: False)

    def settle(self, page: FiledPage) -> None:
        """The teacher says what it is."""
        word = Word(text="92")
        done = self.ledger.correct([Change(page.capture, page.revision, ("1", 1), word)], by=By("teacher", CLOCK))
        assert done.deed is not None

    def queued(self) -> list[CropRecord | Erased]:
        with self.ledger.outbox() as outbox:
            entries = [entry for _, entry in outbox.waiting(Lane.CROPS, 100)]
        records = [entry if isinstance(entry, Erased) else decode_record(entry) for entry in entries]
        assert all(isinstance(record, CropRecord | Erased) for record in records)
        return records  # type: ignore[return-value]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    ledger = Ledger(tmp_path, school_key=SCHOOL_KEY, key_of=lambda _: KEY)
    documents = Documents(tmp_path)
    documents.put_layout(LAYOUT)
    pictures = Pictures(tmp_path / "pictures")
    wanted = [True]
    crops = SchoolCrops(
        ledger, documents, pictures, school_key=SCHOOL_KEY, wanted=lambda: wanted[0], on_news=lambda: None
    )
    yield Box(ledger, pictures, crops, wanted)
    ledger.close()


def opened(crop: CropRecord | Erased) -> np.ndarray:
    assert isinstance(crop, CropRecord)
    picture = open_sealed(SCHOOL_KEY, crop.sealed, crop_place(crop.capture, crop.item, crop.blank))
    assert len(picture) < 3000
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)


def test_a_field_in_review_goes_as_a_small_picture_of_the_paper_alone(box: Box):
    """D8: sealed, and tied to its field; what lies beside the paper is not on it."""
    page = box.slide("92", "S001")
    box.slide("48", "S002", pending=0)
    box.look()
    (crop,) = box.queued()
    picture = opened(crop)
    assert isinstance(crop, CropRecord)
    assert (crop.capture.hex(), crop.item, crop.blank, crop.revision) == (page.digest, "1", 1, page.revision)
    expected = photo("92")[(38 * 8) : (51 * 8), (28 * 8) : (52 * 8)]
    expected = cv2.resize(expected, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.mean(cv2.absdiff(expected, picture)) < 16, "the same writing in the same place"
    assert (picture.min(axis=2) < 120).mean() > 0.02, "and it can be seen"


def test_what_lies_beside_the_paper_is_never_on_it(box: Box, tmp_path: Path):
    at_the_edge = Field(item="1", blank=1, kind="number", box_mm=(85.0, 92.0, 14.5, 7.5))
    pages = (Page(page=1, markers=(), fields=(at_the_edge,)),)
    Documents(tmp_path).put_layout(msgspec.structs.replace(LAYOUT, pages=pages))
    box.slide("92", "S001")
    box.look()
    blue, _, red = cv2.split(opened(box.queued()[0]))
    assert not ((red.astype(int) - blue) > 100).any()


def test_each_field_goes_once_and_after_a_kill_too(box: Box, tmp_path: Path):
    """A kill between booking and cutting loses none: what is missing is found in the ledger."""
    box.slide("92", "S001")
    again = SchoolCrops(
        box.ledger,
        Documents(tmp_path),
        box.pictures,
        school_key=SCHOOL_KEY,
        wanted=lambda: True,
        on_news=lambda: None,
    )
    again.look(lambda: False)
    again.look(lambda: False)
    box.look()
    assert len(box.queued()) == 1
    box.slide("93", "S002")
    again.look(lambda: False)
    assert len(box.queued()) == 2


def test_a_field_that_is_settled_before_its_picture_went_takes_it_back(box: Box):
    """D9: the number stays in the chain, the picture does not travel."""
    page = box.slide("92", "S001")
    box.slide("93", "S002")
    box.look()
    box.settle(page)
    first, second = box.queued()
    assert isinstance(first, Erased)
    assert isinstance(second, CropRecord)


def test_a_field_that_was_settled_before_is_not_cut_at_all(box: Box):
    page = box.slide("92", "S001")
    box.settle(page)
    box.look()
    assert box.queued() == []


def test_of_a_page_that_changes_while_it_is_cut_nothing_is_queued(box: Box):
    page = box.slide("92", "S001")
    ((found, items),) = box.ledger.without_crops()
    box.settle(page)
    crop = box.crops._of_page(found, items)
    assert (crop, box.queued()) == (0, [])


def test_a_school_that_cannot_take_them_gets_none_until_it_can(box: Box):
    box.slide("92", "S001")
    box.wanted[0] = False
    box.look()
    assert box.queued() == []
    box.wanted[0] = True
    box.look()
    assert len(box.queued()) == 1


def test_ink_beside_the_field_is_shown_with_its_surroundings(box: Box):
    page = box.slide("92", "S001")
    assert page.record is not None
    item = page.record.items[0]
    beside = msgspec.structs.replace(item, reading=msgspec.structs.replace(item.reading, doubt=Doubt.INK_BESIDE))
    image = photo("92")
    wide, narrow = (box.crops._crop(page, one, image, LAYOUT.pages[0], LAYOUT.page_mm) for one in (beside, item))
    assert wide is not None
    assert narrow is not None
    assert opened(wide).shape != opened(narrow).shape


def test_a_page_whose_picture_is_gone_is_not_tried_again_and_again(box: Box, monkeypatch: pytest.MonkeyPatch):
    page = box.slide("92", "S001")
    box.pictures.remove([page.digest])
    asked = []
    monkeypatch.setattr(Pictures, "image", lambda _self, digest: asked.append(digest))
    box.look()
    box.slide("93", "S002")
    box.look()
    assert asked.count(page.digest) == 1


def test_a_school_that_wants_none_any_more_gets_none_that_were_queued(box: Box):
    box.slide("92", "S001")
    box.look()
    box.ledger.take_back_crops()
    assert isinstance(box.queued()[0], Erased)
    box.slide("93", "S002")
    box.look()
    assert [isinstance(crop, CropRecord) for crop in box.queued()] == [False, True, True], "wanted again, both go"


def test_an_answer_whose_correction_is_taken_back_goes_again(box: Box):
    page = box.slide("92", "S001")
    box.look()
    box.settle(page)
    deed = box.ledger.newest_deeds(limit=1)[0]
    assert box.ledger.undo(deed.number, by=By("teacher", CLOCK)) is not None
    box.look()
    assert [isinstance(crop, CropRecord) for crop in box.queued()] == [False, True]
