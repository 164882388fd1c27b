import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.results import points


@pytest.mark.parametrize(("hundredths", "shown"), [(1700, 17), (1750, 17.5), (33, 0.33), (0, 0), (None, None)])
def test_hundredths_become_the_number_that_a_person_writes(hundredths: int | None, shown: float | None) -> None:
    assert points(hundredths) == shown
    assert type(points(hundredths)) is type(shown)


@given(st.integers(0, 10**7))
def test_no_hundredth_is_lost_on_the_way_to_the_screen(hundredths: int) -> None:
    shown = points(hundredths)
    assert shown is not None
    assert round(shown * 100) == hundredths
