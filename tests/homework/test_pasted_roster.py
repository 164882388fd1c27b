"""A class list is understood however it was copied, and a new one loses nobody's results."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.errors import BadFileError
from homework.pasted_roster import Change, changes, merged, pasted_roster, with_known_ids, without_national
from homework.roster import MAX_PUPILS_A_CLASS, Pupil, Roster, minted_pupil_id

NATIONAL = "11010119900101123X"
THREE = [("3-1", 1, "王小明"), ("3-1", 2, "李华"), ("3-1", 3, "张三")]


def understood(text: str, class_name: str = "") -> list[tuple[str, int, str]]:
    return [(p.class_name, p.seat, p.name) for p in pasted_roster(text, class_name=class_name).roster.pupils]


@pytest.mark.parametrize(
    ("text", "class_name"),
    [
        ("班级\t座号\t姓名\n3-1\t1\t王小明\n3-1\t2\t李华\n3-1\t3\t张三", ""),
        ("姓名\t座号\t电话\t班级\n张三\t3\t1\t3-1\n王小明\t1\t\t3-1\n李华\t2\t2\t3-1\n", ""),
        ("\ufeff3-1\t１\t王小明\r\n\r\n3-1\t２\t李华\r\n3-1\t０３\t张三\r\n\r\n", ""),
        ("3-1\t1\t王小明\n\t2\t李华\n\t3\t张三", ""),
        ("1\t王小明\n2\t李华\n3\t张三", "3-1"),
        ("王小明\t1\n李华\t2\n张三\t3", "3-1"),
        ("王小明\n李华\n张三", "3-1"),
        ("王小明、李华、张三", "3-1"),
        ("王小明 李华　张三", "3-1"),
        ("3-1\t王小明\n3-1\t李华\n3-1\t张三", ""),
        ("01 王小明\n02 李华\n03 张三", "3-1"),
        ("1.王小明\n2、李华\n3号 张三", "3-1"),
        ("3-1 01 王小明\n3-1 02 李华\n3-1 03 张三", ""),
        ("1,王小明\n2,李华\n3,张三", "3-1"),
        ("座号\t姓名\n1\t王小明\n2\t李华\n3\t张三", "3-1"),
        (f"1\t王小明\t{NATIONAL}\n2\t李华\t{NATIONAL}\n3\t张三\t{NATIONAL}", "3-1"),
        (f"班级\t学号\t座号\t姓名\n3-1\t{NATIONAL}\t1\t王小明\n3-1\t\t2\t李华\n3-1\t\t3\t张三", ""),
        ("1.0\t王小明\n2.0\t李华\n3.0\t张三", "3-1"),
    ],
)
def test_the_same_class_however_it_was_pasted(text: str, class_name: str) -> None:
    assert understood(text, class_name) == THREE


def test_a_class_name_as_schools_say_it_is_seen_without_a_header() -> None:
    assert understood("三年级2班\t1\t王小明\n三年级2班\t2\t李华")[0][0] == "三年级2班"
    assert understood("三(2)班\t1\t王小明\n三(3)班\t1\t李华")[1] == ("三(3)班", 1, "李华")


def test_seats_are_counted_where_the_list_has_none_and_the_page_is_told() -> None:
    assert pasted_roster("王小明\n李华", class_name="3-1").numbered
    assert not pasted_roster("1\t王小明", class_name="3-1").numbered


def test_national_numbers_are_left_out_and_never_repeated() -> None:
    found = pasted_roster(f"座号\t姓名\t学号\n1\t王小明\t{NATIONAL}", class_name="3-1")
    assert found.left_out
    assert found.roster.pupils[0].pupil_id == minted_pupil_id("3-1", 1, "王小明")
    with pytest.raises(BadFileError) as caught:
        pasted_roster(f"座号\t姓名\n1\t{NATIONAL}\n2\t李华", class_name="3-1")
    assert NATIONAL not in str(caught.value)
    assert "Line 2" in str(caught.value)
    assert without_national(f"1\t王小明\t{NATIONAL}\n2\t李华\t 110101 19900101 123X") == "1\t王小明\t\n2\t李华\t"


@pytest.mark.parametrize(
    ("text", "class_name", "words"),
    [
        ("", "3-1", "empty"),
        (" \n\t\n", "3-1", "empty"),
        ("1\t王小明", "", "which class"),
        ("1\t王小明\n1\t李华", "3-1", "Line 2.*seat 1 of class 3-1 was taken on line 1"),
        ("座号\t姓名\n1\t王小明\nx\t李华", "3-1", "Line 3.*the seat `x`"),
        ("座号\t姓名\n1\t\n2\t李华", "3-1", "Line 2.*the column 姓名 is empty"),
        ("座号\t姓名\n0\t王小明", "3-1", "the seat `0`"),
        ("座号\t姓名\n", "3-1", "no pupils"),
        ("座号\t姓名\n1\t=HYPERLINK(1)", "3-1", "begins with ="),
        ("12\n13\n14", "3-1", "looks like names"),
        ("王" * 100_001, "3-1", "too long"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_line(text: str, class_name: str, words: str) -> None:
    with pytest.raises(BadFileError, match=words) as caught:
        pasted_roster(text, class_name=class_name)
    assert caught.value.remedy


def test_a_class_of_more_than_sixty_is_refused() -> None:
    names = "\n".join(f"{n}\t学生{chr(0x4E00 + n)}" for n in range(1, MAX_PUPILS_A_CLASS + 2))
    with pytest.raises(BadFileError, match="61 pupils"):
        pasted_roster(names, class_name="3-1")


KNOWN = Roster((Pupil("3-1", 1, "王小明", "a"), Pupil("3-1", 2, "李华", "b"), Pupil("3-2", 1, "张三", "c")))


def test_a_new_list_keeps_the_ids_of_those_who_are_known() -> None:
    new = with_known_ids(pasted_roster("1\t李华\n2\t王小明\n3\t赵六", class_name="3-1").roster, KNOWN)
    assert [(p.seat, p.pupil_id) for p in new.pupils[:2]] == [(1, "b"), (2, "a")]
    told, gone = changes(new, KNOWN)
    assert [change for _, change in told] == [Change.MOVED, Change.MOVED, Change.NEW]
    assert gone == ()
    assert set(merged(new, KNOWN)) == {"3-1"}


def test_two_of_one_name_are_told_apart_by_their_seats() -> None:
    known = Roster((Pupil("3-1", 1, "王小明", "a"), Pupil("3-1", 2, "王小明", "b")))
    new = with_known_ids(pasted_roster("1\t王小明\n3\t王小明", class_name="3-1").roster, known)
    assert new.pupils[0].pupil_id == "a"
    assert new.pupils[1].pupil_id not in ("a", "b")
    assert [pupil.pupil_id for pupil in changes(new, known)[1]] == ["b"]


def test_a_pupil_who_changes_class_leaves_the_other() -> None:
    new = with_known_ids(pasted_roster("班级\t座号\t姓名\t学号\n3-1\t1\t张三\tc").roster, KNOWN)
    assert changes(new, KNOWN)[0] == ((Pupil("3-1", 1, "张三", "c"), Change.MOVED),)
    assert merged(new, KNOWN) == {"3-1": (Pupil("3-1", 1, "张三", "c"),), "3-2": ()}


names = st.text(alphabet="王李张赵小明华三", min_size=2, max_size=4)


@given(st.lists(st.tuples(st.integers(1, 60), names), min_size=1, max_size=60, unique_by=lambda row: row[0]))
def test_what_was_copied_comes_out_whatever_the_pupils_are_called(rows: list[tuple[int, str]]) -> None:
    text = "座号\t姓名\r\n" + "\r\n".join(f"{seat}\t{name}" for seat, name in rows)
    assert understood(text, "3-1") == sorted(("3-1", seat, name) for seat, name in rows)


@given(st.text(max_size=200))
def test_anything_can_be_pasted(text: str) -> None:
    with contextlib.suppress(BadFileError):
        assert pasted_roster(text, class_name="3-1").roster.pupils
