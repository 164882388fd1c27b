"""What a pupil's term counts straight from stored pages is what page records say of them; and worksheets in short."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.booking import BookedRow, RowName
from gateway.reports.graded import all_graded
from gateway.reports.pupil_pages import blanks_of, went
from gateway.store.pages import PageRow, pack_items
from gateway.store.parsed import Outline, assignment_in, heading_in, outline_in, pack_assignment
from homework.again import Attempt, again_of
from homework.assignment import Assignment
from homework.layout import Field, Page, SheetLayout
from homework.results import VerdictKind
from homework.roster import Pupil
from homework.statistics import item_states
from sync.records import VERDICT_CODES, PackedItem

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.toml"))
PUPIL = Pupil("3-1", 1, "王小明", "p1")
ITEMS = st.builds(
    PackedItem,
    verdict=st.integers(0, len(VERDICT_CODES) - 1),
    score_hundredths=st.none() | st.integers(0, 300),
    reading=st.none() | st.text(max_size=3),
    confidence=st.just(200),
    doubt=st.just(0),
)


@st.composite
def sheets(draw: st.DrawFn) -> tuple[list[PageRow], SheetLayout]:
    """A sheet of some pages; items of several blanks, also over two pages, and a layout that need not fit."""
    rows, pages = [], []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        items = draw(st.lists(ITEMS, max_size=6))
        names = draw(st.lists(st.sampled_from("abcd"), min_size=len(items), max_size=len(items)))
        fields = tuple(Field(name, names[:place].count(name) + 1, "text") for place, name in enumerate(names))
        pages.append(Page(number, (), fields=fields if draw(st.booleans()) else fields[:1]))
        name = RowName("box", b"e" * 8, number)
        rows.append(
            PageRow(
                booked=BookedRow(
                    name=name, capture=bytes(16), revision=1, duplicate_of=None, slot=None, received_ms=number
                ),
                month=202612, digest=b"", assignment="x", class_name="3-1", pupil=b"p", seat=1, sheet="S", page=number,
                attempt=1, score_hundredths=None, max_score_hundredths=None, pending=0, items=pack_items(items),
                problems="", clock=b"",
            )
        )  # fmt: skip
    return rows, SheetLayout("S", "x", (210.0, 297.0), tuple(pages))


@given(sheets(), st.booleans())
def test_items_and_corrections_are_as_page_records_tell_them(
    found: tuple[list[PageRow], SheetLayout], layout_has_come: bool
) -> None:
    rows, layout = found
    layouts = {"S": layout} if layout_has_come else {}
    records = all_graded(rows, layouts)
    blanks = blanks_of(rows, layouts)
    results = [item for record in records for item in record.items]
    (again,) = again_of([Attempt(PUPIL, record, b"") for record in records])
    assert list(went(blanks).states.items()) == list(item_states(results).items())
    assert went(blanks).again is again.state
    assert {name: [one.reading for one in own] for name, own in blanks.items()} == {
        name: [item.reading.text for item in results if item.item == name] for name in blanks
    }


def test_an_item_that_was_left_alone_counts_nowhere_and_is_not_owed() -> None:
    alone = PackedItem(VERDICT_CODES.index(VerdictKind.BLANK), None, "", 255, 0)
    owed = PackedItem(VERDICT_CODES.index(VerdictKind.BLANK), 0, "", 255, 0)
    assert went({"1": [alone]}).states == {"1": None}
    assert went({"1": [alone]}).again == "nothing"
    assert went({"1": [owed]}).states == {"1": VerdictKind.BLANK}
    assert went({"1": [owed]}).again == "owes"


def in_short(worksheet: Assignment | Outline) -> tuple[object, ...]:
    items = [(item.id, item.knowledge) for item in worksheet.items]
    return worksheet.title, worksheet.subject, worksheet.due, worksheet.mode, items


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_worksheet_in_short_says_what_the_whole_one_says_from_its_form_and_from_its_text(example: Path) -> None:
    text = example.read_bytes()
    whole = assignment_in(text, is_packed=False)
    assert whole is not None
    for body, is_packed in ((pack_assignment(whole), True), (text, False)):
        outline, heading = outline_in(body, is_packed=is_packed), heading_in(body, is_packed=is_packed)
        assert outline is not None
        assert heading is not None
        assert in_short(outline) == in_short(whole)
        assert (heading.title, heading.subject) == (whole.title, whole.subject)


def test_what_is_no_worksheet_says_nothing_in_short_either() -> None:
    for body, is_packed in ((b"\xc1", True), (b"no worksheet", False)):
        assert outline_in(body, is_packed=is_packed) is None
        assert heading_in(body, is_packed=is_packed) is None
