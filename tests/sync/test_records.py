from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.results import (
    Doubt,
    ItemResult,
    MarkKind,
    PageRecord,
    Problem,
    Reading,
    TeacherMark,
    Verdict,
    VerdictKind,
    WhoWroteIt,
)
from sync.clock import ClockQuality, ClockReading
from sync.errors import FutureVersion, MalformedRecord
from sync.pseudonym import PSEUDONYM_BYTES, pseudonym
from sync.records import (
    DOUBT_CODES,
    MAX_CROP_BYTES,
    MAX_READING,
    VERDICT_CODES,
    CropRecord,
    DocumentRecord,
    HealthRecord,
    PageResult,
    Tally,
    decode_record,
    encode_record,
    field_names,
    items_from,
    page_result_from,
)

KEY = bytes(32)
CLOCK = ClockReading(monotonic_ms=1, wall_ms=2, boot=bytes(16), quality=ClockQuality.UNSET)

scores = st.none() | st.integers(0, 10_000)
readings = st.builds(
    Reading,
    text=st.none() | st.text(max_size=MAX_READING),
    confidence=st.floats(0, 1),
    doubt=st.none() | st.sampled_from(Doubt),
)
items = st.builds(
    ItemResult,
    item=st.text(min_size=1, max_size=8),
    blank=st.integers(1, 9),
    kind=st.sampled_from(["number", "choice"]),
    reading=readings,
    verdict=st.builds(Verdict, kind=st.sampled_from(VerdictKind), score_hundredths=scores),
    mark=st.none()
    | st.builds(
        TeacherMark,
        kind=st.sampled_from(MarkKind),
        sure=st.booleans(),
        score_hundredths=scores,
        stroke=st.integers(0, 400),
    ),
)
names = st.text(min_size=1, max_size=32)
pages = st.builds(
    PageRecord,
    sheet=names,
    assignment=st.none() | names,
    page=st.integers(1, 99),
    who=st.builds(
        WhoWroteIt,
        class_name=st.none() | names,
        seat=st.none() | st.integers(1, 99),
        pupil=st.none() | names,
        confidence=st.floats(0, 1),
    ),
    items=st.lists(items, max_size=30).map(tuple),
    score_hundredths=scores,
    max_score_hundredths=scores,
    pending=st.integers(0, 30),
    attempt=st.integers(1, 5),
    problems=st.lists(st.builds(Problem, code=names, message=st.text()), max_size=20).map(tuple),
)


@given(pages, st.integers(1, 9))
def test_a_page_comes_out_as_it_went_in(page: PageRecord, revision: int):
    result = page_result_from(page, capture=bytes(16), clock=CLOCK, school_key=KEY, revision=revision)
    back = decode_record(encode_record(result))
    assert back == result
    assert isinstance(back, PageResult)
    for came, went in zip(items_from(back, field_names(page)), page.items, strict=True):
        assert (came.item, came.blank, came.kind, came.verdict) == (went.item, went.blank, went.kind, went.verdict)
        assert (came.mark, came.own) == (went.mark, went.own)
        assert (came.reading.text, came.reading.doubt) == (went.reading.text, went.reading.doubt)
        assert abs(came.reading.confidence - went.reading.confidence) <= 0.5 / 255 + 1e-9


@pytest.mark.parametrize("unknown", [1, 2])
def test_a_page_of_a_box_that_knows_no_corrections_or_marks_still_comes_in(unknown: int):
    page = PageRecord(
        sheet="S",
        assignment="a",
        page=1,
        who=WhoWroteIt(),
        items=(),
        score_hundredths=0,
        max_score_hundredths=0,
        pending=0,
    )
    now = encode_record(page_result_from(page, capture=bytes(16), clock=CLOCK, school_key=KEY))
    before = msgspec.msgpack.encode(msgspec.msgpack.decode(now)[:-unknown])
    assert decode_record(before) == decode_record(now)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_record_or_a_clear_error(payload: bytes):
    with contextlib.suppress(FutureVersion, MalformedRecord):
        assert decode_record(payload).version == 1


@given(pages, st.data())
def test_a_record_cut_short_or_changed_never_passes_for_another_kind_of_error(page: PageRecord, data: st.DataObject):
    payload = encode_record(page_result_from(page, capture=bytes(16), clock=CLOCK, school_key=None))
    cut = payload[: data.draw(st.integers(0, len(payload) - 1))]
    with pytest.raises(MalformedRecord):
        decode_record(cut)


@pytest.mark.parametrize("head", [[1, 2], [150, 1], [200, 7, "what will come"], [2, 99]])
def test_what_is_from_the_future_is_told_apart_from_what_is_broken(head: list[object]):
    with pytest.raises(FutureVersion):
        decode_record(msgspec.msgpack.encode(head))


def test_a_field_appended_by_a_newer_box_of_the_same_version_does_no_harm():
    health = HealthRecord(clock=CLOCK, software="9", free_mb=1, temperature_c=50, waiting=0)
    longer = [*msgspec.msgpack.decode(encode_record(health)), "a new field"]
    assert decode_record(msgspec.msgpack.encode(longer)) == health


def test_every_verdict_and_doubt_has_its_code():
    assert set(VERDICT_CODES) == set(VerdictKind)
    assert set(DOUBT_CODES) == {None, *Doubt}


def test_a_reading_that_is_too_long_is_cut_and_not_refused():
    item = ItemResult("1", 1, "text", Reading("9" * 1000, 0.5), Verdict(VerdictKind.REVIEW, None))
    page = PageRecord(
        sheet="S", assignment=None, page=1, who=WhoWroteIt(), items=(item,), score_hundredths=None,
        max_score_hundredths=None, pending=1,
    )  # fmt: skip
    result = page_result_from(page, capture=bytes(16), clock=CLOCK, school_key=None)
    assert isinstance(decode_record(encode_record(result)), PageResult)
    assert result.items[0].reading == "9" * MAX_READING


def test_items_under_another_layouts_names_are_refused():
    page = PageRecord(
        sheet="S", assignment=None, page=1, who=WhoWroteIt(), items=(), score_hundredths=None,
        max_score_hundredths=None, pending=0,
    )  # fmt: skip
    result = page_result_from(page, capture=bytes(16), clock=CLOCK, school_key=None)
    with pytest.raises(MalformedRecord, match="0 items for 1 fields"):
        items_from(result, [("1", 1, "number")])  # type: ignore[list-item]


def test_no_name_and_no_id_of_a_pupil_travels():
    """D8."""
    page = PageRecord(
        sheet="S", assignment="a", page=1, who=WhoWroteIt("3-1", 7, "S-SECRET-007", 1.0), items=(),
        score_hundredths=0, max_score_hundredths=0, pending=0,
    )  # fmt: skip
    payload = encode_record(page_result_from(page, capture=bytes(16), clock=CLOCK, school_key=KEY))
    assert b"SECRET" not in payload
    assert pseudonym(KEY, "S-SECRET-007") in payload


def test_a_pseudonym_is_the_schools_own_and_of_fixed_length():
    assert len(pseudonym(KEY, "S001")) == PSEUDONYM_BYTES
    assert pseudonym(KEY, "S001") == pseudonym(KEY, "S001")
    assert len({pseudonym(KEY, "S001"), pseudonym(KEY, "S002"), pseudonym(b"k" * 32, "S001")}) == 3


def test_a_document_beyond_the_limit_is_refused():
    document = DocumentRecord(document="layout", id="x", digest=bytes(16), body=bytes((1 << 20) + 1))
    with pytest.raises(MalformedRecord):
        decode_record(encode_record(document))


TALLY = Tally(
    clock=CLOCK,
    assignment="g3",
    class_name="3-1",
    expected=45,
    slid=47,
    corrections=0,
    twice=2,
    asked=1,
    not_graded=0,
    withdrawn=0,
    places=tuple((seat, 1) for seat in range(1, 45)),
)


def test_a_tally_travels_whole_and_a_class_of_45_takes_less_than_200_bytes():
    assert decode_record(encode_record(TALLY)) == TALLY
    assert len(encode_record(TALLY)) < 200


@pytest.mark.parametrize("spoilt", [{"places": ((1000, 1),)}, {"places": ((1, 1),) * 1001}, {"slid": -1}])
def test_a_tally_outside_its_limits_is_malformed(spoilt: dict[str, object]):
    with pytest.raises(MalformedRecord):
        decode_record(encode_record(msgspec.structs.replace(TALLY, **spoilt)))


def test_a_crop_comes_out_as_it_went_in_and_is_never_large():
    crop = CropRecord(capture=b"c" * 16, item="7", blank=1, revision=2, sealed=bytes(MAX_CROP_BYTES))
    assert decode_record(encode_record(crop)) == crop
    with pytest.raises(MalformedRecord):
        decode_record(encode_record(msgspec.structs.replace(crop, sealed=bytes(MAX_CROP_BYTES + 1))))
