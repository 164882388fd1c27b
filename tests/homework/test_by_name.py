"""Lists of schools and classes go by name as people read it."""

from hypothesis import given
from hypothesis import strategies as st

from homework.by_name import by_name

CHINESE = "零一二三四五六七八九"


def chinese(n: int) -> str:
    """1 to 99."""
    tens, ones = divmod(n, 10)
    return ("" if tens < 2 else CHINESE[tens]) + ("十" if tens else "") + (CHINESE[ones] if ones or not tens else "")


def test_schools_and_classes_stand_where_one_looks_for_them():
    for names in (
        ["no-1", "no-2", "no-3", "no-10", "no-100"],
        ["第一小学", "第二小学", "第三小学", "第九小学", "第十小学", "第十一小学", "第二十小学"],
        ["一年级1班", "一年级2班", "一年级10班", "二年级1班", "三年级1班", "六年级2班"],
        ["3-1", "3-2", "3-10", "4-1"],
    ):
        backwards = names[::-1]
        assert sorted(backwards, key=by_name) == names


@given(st.integers(1, 99), st.integers(1, 99), st.text(max_size=5), st.text(max_size=5))
def test_whatever_stands_round_a_number_the_smaller_comes_first(n: int, m: int, before: str, after: str):
    edge = "第", "小学"  # a digit before or after would be part of it
    for say in (str, chinese):
        one, other = (by_name(f"{before}{edge[0]}{say(each)}{edge[1]}{after}") for each in (n, m))
        assert (one < other, one == other) == (n < m, n == m)


@given(st.lists(st.text("0123九十百年级班 a", max_size=30), max_size=8, unique=True))
def test_whatever_is_written_there_is_one_order_and_nothing_is_lost(names: list[str]):
    ordered = sorted(names, key=by_name)
    backwards = names[::-1]
    assert sorted(backwards, key=by_name) == ordered
    assert len({by_name(name) for name in names}) == len(names)


def test_a_number_of_any_length_is_a_number():
    assert by_name("9" * 9000) < by_name("1" + "0" * 9000)
    by_name("九" * 9000)
