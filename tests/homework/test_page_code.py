"""The page's code says what was put into it, and nothing else is taken for one."""

from hypothesis import given
from hypothesis import strategies as st

from homework.page_code import PageCode, page_code_text, parse_page_code

SHEETS = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=8, max_size=8)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


@given(SHEETS, st.integers(1, 99), NAMES, NAMES)
def test_a_printed_pupils_code_is_read_as_it_was_written(sheet: str, page: int, class_name: str, pupil: str) -> None:
    code = PageCode(sheet, page, class_name, pupil)
    assert parse_page_code(page_code_text(code)) == code


@given(SHEETS, st.integers(1, 99))
def test_a_masters_code_is_read_as_it_was_written(sheet: str, page: int) -> None:
    assert parse_page_code(page_code_text(PageCode(sheet, page))) == PageCode(sheet, page)


@given(NAMES, NAMES)
def test_a_code_is_plain_ascii_whatever_the_names(class_name: str, pupil: str) -> None:
    text = page_code_text(PageCode("ABCD1234", 1, class_name, pupil))
    assert text.isascii()
    assert text.count("/") == 4


@given(st.text())
def test_a_strangers_code_is_none_of_ours(text: str) -> None:
    code = parse_page_code(text)
    assert code is None or page_code_text(code).startswith("CB1/")


def test_almost_right_codes_are_refused() -> None:
    for text in ("", "CB1/ABCD1234", "CB1/ABCD1234/0", "CB1/ABCD1234/100", "CB1/abcd1234/1", "CB2/ABCD1234/1"):
        assert parse_page_code(text) is None
    for text in ("CB1/ABCD1234/1/3-1", "CB1/ABCD1234/1//S1", "CB1/ABCD1234/1/3-1/", "https://example.org/CB1"):
        assert parse_page_code(text) is None
