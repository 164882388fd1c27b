"""A layout survives its JSON, and a broken one is refused in one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.errors import BadFileError
from homework.layout import (
    Bubble,
    Code,
    Field,
    Marker,
    Page,
    PupilField,
    SheetLayout,
    layout_from_json,
    layout_to_json,
)

LENGTH = st.floats(0, 500, allow_nan=False).map(lambda v: round(v, 2))
BOX = st.tuples(LENGTH, LENGTH, LENGTH, LENGTH)
BUBBLES = st.lists(st.builds(Bubble, label=st.text(min_size=1, max_size=3), box_mm=BOX), min_size=1, max_size=5)
POINT = st.tuples(LENGTH, LENGTH)
FIELD = st.builds(
    Field,
    item=st.text(min_size=1, max_size=8),
    blank=st.integers(1, 20),
    kind=st.sampled_from(["choice", "number", "judge", "compare", "open"]),
    box_mm=st.none() | BOX,
    bubbles=BUBBLES.map(tuple),
    around_mm=st.none() | BOX,
    round=st.booleans(),
    score_box_mm=st.none() | BOX,
)
PUPIL = st.builds(
    PupilField,
    kind=st.sampled_from(["digits", "bubbles", "printed", "order"]),
    boxes_mm=st.lists(BOX, max_size=3).map(tuple),
    columns=st.lists(BUBBLES.map(tuple), max_size=2).map(tuple),
    name_mm=st.none() | BOX,
)
PAGE = st.builds(
    Page,
    page=st.integers(1, 99),
    markers=st.lists(
        st.builds(Marker, id=st.integers(0, 3), corners_mm=st.tuples(POINT, POINT, POINT, POINT)), max_size=4
    ).map(tuple),
    code=st.none() | st.builds(Code, box_mm=BOX),
    pupil=st.none() | PUPIL,
    fields=st.lists(FIELD, max_size=4).map(tuple),
)
LAYOUT = st.builds(
    SheetLayout,
    sheet=st.text(min_size=1, max_size=16),
    assignment=st.none() | st.text(max_size=10),
    page_mm=st.tuples(LENGTH, LENGTH),
    pages=st.lists(PAGE, max_size=3).map(tuple),
    register=st.sampled_from(["markers", "print", "page-edge", "marker-image"]),
    reference=st.none() | st.text(max_size=10),
)


@given(LAYOUT)
def test_a_layout_survives_a_round_trip_through_json(layout: SheetLayout) -> None:
    assert layout_from_json(layout_to_json(layout)) == layout


def test_the_json_has_the_shape_of_the_contract() -> None:
    layout = SheetLayout(
        "ABCD1234", "a1", (210.0, 297.0), (Page(1, (), fields=(Field("1", 1, "number", (1, 2, 3, 4)),)),)
    )
    said = json.loads(layout_to_json(layout))
    assert (said["layout"], said["sheet"], said["assignment"], said["page_mm"]) == (1, "ABCD1234", "a1", [210, 297])
    assert said["register"] == "markers"
    assert said["pages"] == [
        {
            "page": 1,
            "markers": [],
            "fields": [{"item": "1", "blank": 1, "kind": "number", "box_mm": [1, 2, 3, 4]}],
        }
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"layout": 2, "sheet": "A", "page_mm": [1, 2], "pages": []}',
        '{"layout": 1, "sheet": "A", "assignment": null, "page_mm": [1], "pages": []}',
        '{"layout": 1, "sheet": "A", "assignment": null, "page_mm": [1, 2], "pages": [{"page": "one"}]}',
        b"\xff\xfe\x00",
    ],
)
def test_a_broken_layout_is_refused_in_one_line_with_a_remedy(text: str | bytes) -> None:
    with pytest.raises(BadFileError) as caught:
        layout_from_json(text)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_the_hull_of_a_bubble_field_bounds_all_its_bubbles() -> None:
    bubbles = (Bubble("A", (10, 20, 5, 5)), Bubble("B", (40, 22, 5, 5)), Bubble("C", (10, 30, 5, 5)))
    assert Field("1", 1, "choice", bubbles=bubbles).hull_mm() == (10, 20, 35, 15)
    assert Field("1", 1, "number", box_mm=(1, 2, 3, 4)).hull_mm() == (1, 2, 3, 4)
