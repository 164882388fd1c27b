"""“Whose sheet is this?”: the buttons that are offered first."""

from edge.reading.seats import Seat
from edge.web.whose import likely_pupils
from homework.roster import Pupil

CLASS = tuple(Pupil("3-1", seat, f"学生{seat:02}", f"S{seat:03}") for seat in range(1, 46))
EVERYBODY = range(1, 46)


def offered(seat: Seat | None, missing: object) -> list[int]:
    return [pupil.seat for pupil in likely_pupils(seat, CLASS, missing)]  # type: ignore[arg-type]


def test_the_likeliest_by_the_written_number_come_first_and_no_more_than_three() -> None:
    seat = Seat(((17, 0.5), (11, 0.3), (71, 0.1), (41, 0.05), (47, 0.04), (12, 0.02)), agreed=True)
    assert offered(seat, EVERYBODY) == [17, 11, 41]


def test_who_has_handed_in_comes_after_who_has_not() -> None:
    seat = Seat(((17, 0.6), (11, 0.39)), agreed=True)
    assert offered(seat, set(EVERYBODY) - {17}) == [11, 17]


def test_without_a_number_the_few_who_are_missing_are_offered_and_many_are_not() -> None:
    assert offered(Seat(), {3, 9}) == [3, 9]
    assert offered(None, {3, 9, 12, 13}) == []
    assert offered(Seat(((77, 0.99), (17, 0.001)), agreed=True), {3}) == [3]
