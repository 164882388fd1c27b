"""The term that the benchmark loads: its numbers come out exactly, and its sheets are what a box would send."""

from collections import Counter
from datetime import date

import pytest

from benchmarks._district import DAYS, TERM, District, Size, apportion
from benchmarks._district_sheets import SchoolTerm
from homework.assignment import parse_assignment
from homework.grading import grade_page
from homework.layout import layout_from_json
from homework.results import VerdictKind, WhoWroteIt
from sync.lanes import Lane
from sync.records import VERDICT_CODES, FieldName, Tally, decode_record, encode_record, items_from, page_result_from

MONDAY = date(2026, 8, 31)
SMALL = Size(schools=2, teachers=9, pupils=130, given=45, sheets=1500)
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def small():
    return District(SMALL, first_day=MONDAY)


@pytest.fixture(scope="module")
def term(small):
    """Every record that the first school's boxes send, with its session."""
    school = SchoolTerm(small, 0, KEY)
    return school, [
        (session, box, lane, record)
        for day in range(DAYS)
        for session in school.sessions(day)
        for box, lanes in session.boxes.items()
        for lane, records in lanes.items()
        for record in records
    ]


def results(term):
    return [(session, record) for session, _, lane, record in term[1] if lane is Lane.RESULTS]


def test_a_whole_term_has_the_numbers_that_were_promised():
    district = District(first_day=MONDAY)
    given = list(district.all_given())
    classes = [one for school in district.schools for one in school.classes]
    assert (
        Size(
            schools=len(district.schools),
            teachers=sum(school.teachers for school in district.schools),
            pupils=sum(one.pupils for one in classes),
            given=len(given),
            sheets=sum(one.first + one.again for one in given),
        )
        == TERM
    )
    assert sum(district.sheets_by_day()) == TERM.sheets
    assert {len(school.classes) > 0 for school in district.schools} == {True}
    assert min(one.pupils for one in classes) >= 30
    assert max(one.pupils for one in classes) <= 50


@pytest.mark.parametrize("share", [0.1, 0.01, 0.005])
def test_a_part_of_a_district_has_its_part_of_everything(share):
    district = District(TERM.part(share), first_day=MONDAY)
    assert sum(one.first + one.again for one in district.all_given()) == round(share * TERM.sheets)
    assert sum(1 for _ in district.all_given()) == round(share * TERM.given)


def test_nobody_hands_in_more_often_than_there_are_pupils(small):
    for school in small.schools:
        for day in small.timetable(school.number).days:
            for given in day:
                assert given.again <= given.first <= school.classes[given.class_no].pupils


def test_shares_are_whole_and_sum_up():
    assert apportion(10, apportion(3, [1.0, 1.0, 1.0]).astype(float)).sum() == 10
    with pytest.raises(ValueError, match="do not fit"):
        apportion(10, [1.0, 2.0], apportion(9, [1.0, 1.0]))


def test_boxes_send_as_many_first_sheets_and_corrections_as_were_planned(small, term):
    counts = Counter((record.attempt, record.revision) for _, record in results(term))
    mine = small.schools[0].classes
    assert counts[1, 1] == sum(one.first for one in mine)
    assert counts[2, 1] == sum(one.again for one in mine)
    assert 0 < counts[1, 2] < 0.2 * counts[1, 1]
    assert set(counts) == {(1, 1), (2, 1), (1, 2)}


def test_the_same_seed_gives_the_same_bytes(small, term):
    again = SchoolTerm(District(SMALL, first_day=MONDAY), 0, KEY)
    day = max(range(DAYS), key=lambda n: len(small.timetable(0).days[n]))
    wanted = [encode_record(record) for session, _, _, record in term[1] if session.day == day]
    found = [
        encode_record(record)
        for session in again.sessions(day)
        for lanes in session.boxes.values()
        for records in lanes.values()
        for record in records
    ]
    assert found == wanted
    assert found


def test_a_page_is_what_the_box_would_have_sent_of_these_readings(small, term):
    """From the record back to readings, through the grader, and to a record again."""
    school, sent = term
    bodies = {(r.document, r.id): r.body for _, _, lane, r in sent if lane is Lane.DOCUMENTS}
    pupils = dict(enumerate(school.pupils(0), 1))
    looked_at = 0
    for _, record in results(term)[:200]:
        assert decode_record(encode_record(record)) == record
        if record.class_name != small.schools[0].classes[0].name:
            continue
        assignment = parse_assignment(bodies["assignment", record.assignment].decode())
        page = layout_from_json(bodies["layout", record.sheet]).pages[0]
        names = [FieldName(field.item, field.blank, field.kind) for field in page.fields]
        readings = [item.reading for item in items_from(record, names)]
        pupil = pupils[record.seat]
        graded = grade_page(
            assignment,
            record.sheet,
            1,
            list(zip(page.fields, readings, strict=True)),
            WhoWroteIt(pupil.class_name, pupil.seat, pupil.pupil_id, 1.0),
            attempt=record.attempt,
        )
        same = page_result_from(
            graded, capture=record.capture, clock=record.clock, school_key=KEY, revision=record.revision
        )
        assert same == record
        looked_at += 1
    assert looked_at > 20


def test_pupils_answer_as_pupils_do(term):
    pages = [record for _, record in results(term) if record.attempt == 1 and record.revision == 1]
    share = sum(page.score_hundredths for page in pages) / sum(page.max_score_hundredths for page in pages)
    assert 0.6 < share < 0.95
    verdicts = Counter(item.verdict for page in pages for item in page.items)
    review = verdicts[VERDICT_CODES.index(VerdictKind.REVIEW)] / sum(verdicts.values())
    assert 0.003 < review < 0.01
    better = [record for _, record in results(term) if record.attempt == 2]
    assert sum(p.score_hundredths for p in better) / sum(p.max_score_hundredths for p in better) > share


def test_most_come_in_the_hour_before_school_and_a_few_a_day_late(small, term):
    first = [(s, r) for s, r in results(term) if r.attempt == 1 and r.revision == 1]
    assert all(s.half == 0 for s, _ in first)
    for session, record in first:
        begun_ms = small.at_ms(session.day, 8)
        assert begun_ms < record.clock.wall_ms < begun_ms + 3_600_000
        assert record.clock.wall_ms <= session.received_ms
    of_sheet = Counter()
    for given in (g for day in small.timetable(0).days for g in day):
        of_sheet[term[0].worksheet(given).name] = given.day
    late = sum(session.day > of_sheet[record.assignment] for session, record in first)
    assert 0.01 < late / len(first) < 0.06


def test_documents_come_once_and_before_their_sheets(term):
    known = set()
    documents = [r.id for _, _, lane, r in term[1] if lane is Lane.DOCUMENTS]
    assert len(documents) == len(set(documents))
    for _, _, lane, record in sorted(term[1], key=lambda one: (one[0].received_ms, one[2])):
        if lane is Lane.DOCUMENTS:
            known.add(record.id)
        elif lane is Lane.RESULTS:
            assert {record.assignment, record.sheet} <= known


def test_a_box_counts_its_stacks(term):
    tallies = [r for _, _, lane, r in term[1] if lane is Lane.HEALTH]
    assert tallies
    assert all(isinstance(t, Tally) and t.slid == len(t.places) <= t.expected for t in tallies)


def test_a_class_can_be_given_one_worksheet_more(small):
    school = SchoolTerm(small, 1, KEY)
    given = school.extra(0)
    lanes = school.whole_stack(given, begun_ms=1_800_000_000_000)
    assert len(lanes[Lane.RESULTS]) == small.schools[1].classes[0].pupils
    assert {d.id for d in lanes[Lane.DOCUMENTS]} == {school.worksheet(given).name, school.worksheet(given).sheet}
    assert not any(school.worksheet(g).name == school.worksheet(given).name for d in school.table.days for g in d)
