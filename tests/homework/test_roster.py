import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.errors import BadFileError
from homework.roster import (
    MAX_PUPILS_A_CLASS,
    Pupil,
    Roster,
    minted_pupil_id,
    parse_roster,
    roster_to_csv,
)

PLAIN = "class,seat,name,pupil_id\n3-1,1,学生01,S001\n3-1,2,学生02,S002\n"
EXPECTED = Roster((Pupil("3-1", 1, "学生01", "S001"), Pupil("3-1", 2, "学生02", "S002")))


def refusal(text: str | bytes) -> str:
    with pytest.raises(BadFileError) as caught:
        parse_roster(text.encode() if isinstance(text, str) else text)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.remedy
    return message


def row(line: str) -> str:
    return f"class,seat,name,pupil_id\n{line}\n"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.encode("gbk"),
        PLAIN.encode("gb18030"),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "，").encode(),
        ("sep=;\n" + PLAIN.replace(",", ";")).encode(),
        ("\n\n" + PLAIN + ",,,\n\n").encode(),
        PLAIN.replace("class,seat,name,pupil_id", "班级,座号,姓名,学号").encode("gbk"),
        PLAIN.replace("class,seat,name,pupil_id", " Class , SEAT,Name,Pupil ID").encode(),
        PLAIN.replace("3-1,1", "3-1,０１").replace("学生01", '"学生01"').encode(),
        b"name,seat,phone,class,pupil_id\n" + "学生02,2,1,3-1,S002\n学生01,1,,3-1,S001".encode(),
    ],
)
def test_the_same_list_is_read_however_it_was_saved(data: bytes) -> None:
    assert parse_roster(data) == EXPECTED


def as_a_name(text: str) -> str:
    kept = "".join(c for c in unicodedata.normalize("NFC", text) if c.isprintable())
    return " ".join(kept.split()).lstrip("=+-@ ") or "学生"


names = st.text(st.characters(codec="utf-8"), max_size=8).map(as_a_name)


@st.composite
def rosters(draw: st.DrawFn) -> Roster:
    pupils = []
    for class_name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        seats = sorted(draw(st.sets(st.integers(1, 99), min_size=1, max_size=4)))
        pupils += [(class_name, seat, draw(names)) for seat in seats]
    return Roster(tuple(Pupil(c, s, n, f"S{i}") for i, (c, s, n) in enumerate(pupils)))


@given(rosters(), st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))
def test_a_roster_survives_being_written_and_read(roster: Roster, encoding: str) -> None:
    assert parse_roster(roster_to_csv(roster).encode(encoding)) == roster


@given(st.binary(max_size=60) | st.text("class,seat name;\t\n\"'1=-@", max_size=60).map(str.encode))
def test_any_bytes_at_all_are_a_roster_or_a_refusal_in_one_line(data: bytes) -> None:
    said = ""
    for head in (b"", b"class,seat,name\n"):
        try:
            parse_roster(head + data)
        except BadFileError as error:
            said += str(error)
    assert "\n" not in said


def test_pupils_stand_by_class_as_first_met_and_by_seat() -> None:
    roster = parse_roster(b"class,seat,name\n3-2,2,a\n3-1,9,b\n3-2,1,c\n")
    assert [(p.class_name, p.seat) for p in roster.pupils] == [("3-2", 1), ("3-2", 2), ("3-1", 9)]
    assert roster.classes() == ("3-2", "3-1")
    assert roster.at_seat("3-2", 2) == roster.pupils[1]
    assert roster.at_seat("3-2", 9) is None


def test_a_missing_id_is_minted_the_same_from_every_copy() -> None:
    one = parse_roster("class,seat,name\n3-1,1,学生01\n".encode()).pupils[0]
    other = parse_roster("姓名;座号;班级;学号\n学生01;01;3-1;\n".encode("gbk")).pupils[0]
    assert one == other
    assert one.pupil_id == minted_pupil_id("3-1", 1, "学生01")
    assert one.pupil_id != minted_pupil_id("3-1", 2, "学生01")
    assert minted_pupil_id("3-1", 11, "a") != minted_pupil_id("3-11", 1, "a")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is empty"),
        ("\n , \n", "is empty"),
        ("class,seat,name\n", "has no pupils"),
        ("3-1,1,学生01\n", "no column class, seat, name"),
        ("class,name\n3-1,学生01\n", "no column seat"),
        ("class,seat,name,姓名\n", "two columns for name"),
        (row("3-1,x,学生01,"), "Line 2 of the roster: the seat `x` is no number from 1 to 99"),
        (row("3-1,0,学生01,"), "the seat `0`"),
        (row("3-1,100,学生01,"), "the seat `100`"),
        (row("3-1,-1,学生01,"), "begins with -"),
        (row("3-1,1.5,学生01,"), "the seat `1.5`"),
        (row("3-1,²,学生01,") + "3-1,٣,学生02,", "Line 3 of the roster: the seat `٣`"),
        (row("3-1,1,,S1"), "Line 2 of the roster: the column name is empty"),
        (row("3-1,1"), "the column name is empty"),
        ("班级,座号,学生姓名\n3-1,1,\n", "the column 学生姓名 is empty"),
        (row(",1,学生01,S1"), "the column class is empty"),
        (row("3-1,,学生01,S1"), "the column seat is empty"),
        (row("3-1,1,a,S1\n3-1,2,b,S1"), "Line 3 of the roster: the pupil_id `S1` stands on line 2 too"),
        (row("3-1,1,a,S1\n3-2,1,b,S1"), "stands on line 2 too"),
        (row("3-1,1,a,S1\n\n3-1,1,b,S2"), "Line 4 of the roster: seat 1 of class 3-1 was taken on line 2"),
        (row("3-1,1,=cmd(),S1"), "begins with ="),
        (row("3-1,1," + "长" * 33 + ",S1"), "at most 32 characters"),
        (row("3-1,1,a\x07b,S1"), "without special signs"),
        (row('3-1,1,"a,S1'), "quotation mark"),
    ],
)
def test_a_bad_list_is_refused_with_its_line_and_a_remedy(text: str, part: str) -> None:
    assert part in refusal(text)


def test_sixty_pupils_are_a_class_and_sixty_one_are_refused() -> None:
    lines = ["class,seat,name"] + [f"3-1,{n},学生{n}" for n in range(1, MAX_PUPILS_A_CLASS + 2)]
    assert len(parse_roster("\n".join(lines[:-1]).encode()).pupils) == 60
    message = refusal("\n".join(lines))
    assert "Class 3-1 has 61 pupils; 60 is the most. Split it" in message
    two = [*lines[:-1], "3-2,1,学生61"]
    assert len(parse_roster("\n".join(two).encode()).pupils) == 61


@pytest.mark.parametrize(
    "number",
    [
        "110101201501011234",
        "11010120150101123X",
        "11010120150101123x",
        "G110101201501011234",
        "110101-20150101-1234",
        "１１０１０１２０１５０１０１１２３４",
        "1.10101E+17",
    ],
)
@pytest.mark.parametrize("line", ["3-1,1,学生01,{}", "3-1,1,{},S1", "{},1,学生01,S1"])
def test_a_national_number_is_refused_and_never_repeated(number: str, line: str) -> None:
    message = refusal(row(line.format(number)))
    assert "looks like a national number" in message
    assert not any(piece in message for piece in (number, "20150101", "E+17"))


@pytest.mark.parametrize("number", ["S001", "20240101", "2024010112345678", "3-1-12"])
def test_the_schools_own_numbers_are_taken(number: str) -> None:
    assert parse_roster(row(f"3-1,1,学生01,{number}").encode()).pupils[0].pupil_id == number


def test_a_number_column_that_nobody_asked_for_is_not_kept() -> None:
    text = "class,seat,name,身份证号\n3-1,1,学生01,110101201501011234\n"
    assert "110101" not in repr(parse_roster(text.encode()))


@pytest.mark.parametrize("data", [b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0rest"])
def test_a_workbook_is_named_as_one(data: bytes) -> None:
    assert "Excel workbook" in refusal(data)


def test_bytes_that_are_no_text_are_refused() -> None:
    assert "no text that can be read" in refusal(b"\xff\xd8\xff\xe0\x80\xff")
    assert "no text that can be read" in refusal(b"\xff\xfea")


def test_the_written_list_opens_as_plain_csv() -> None:
    rows = list(csv.reader(io.StringIO(roster_to_csv(EXPECTED))))
    assert rows == [
        ["class", "seat", "name", "pupil_id"],
        ["3-1", "1", "学生01", "S001"],
        ["3-1", "2", "学生02", "S002"],
    ]
