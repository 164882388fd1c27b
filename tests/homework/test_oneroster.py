"""What is read of a OneRoster export, and what is left out and told."""

import tracemalloc
import zipfile
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.errors import BadFileError
from homework.oneroster import OneRoster, SeveralSchoolsError, is_oneroster, read_oneroster
from homework.roster import Pupil, Roster, roster_of
from tests.homework import oneroster_zips as zips
from tests.homework.oneroster_zips import Files, small_school, zipped

TODAY = date(2026, 11, 30)
NATIONAL = "110101201501011234"


def read(files: Files, *, school: str = "", known: Roster | None = None) -> OneRoster:
    return read_oneroster(zipped(files), today=TODAY, school=school, known=known or Roster(()))


def seats(found: OneRoster) -> list[tuple[str, int, str]]:
    return [(p.class_name, p.seat, p.name) for p in found.roster.pupils]


def left_out(found: OneRoster) -> dict[tuple[str, str], tuple[int, tuple[int, ...]]]:
    return {(one.file, one.why): (one.times, one.lines) for one in found.left_out}


def with_lines(files: Files, file: str, *lines: str) -> Files:
    return files | {file: files[file] + "".join(line + "\r\n" for line in lines)}


def refusal(files: Files) -> str:
    with pytest.raises(BadFileError) as caught:
        read(files)
    return str(caught.value)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_both_versions_give_the_classes_that_are_held_now(version: str) -> None:
    found = read(small_school(version))
    assert found.version == version
    assert found.school.name == "第一小学"
    assert seats(found) == [
        ("3-1", 1, "王小明"),
        ("3-1", 2, "李华"),
        ("3-1", 3, "Anna Berg"),
        ("3-2", 1, "张伟"),
        ("3-2", 2, "刘芳"),
    ]
    assert [p.pupil_id for p in found.roster.pupils] == ["20241", "20242", "20243", "20244", "20245"]
    assert found.counted == ("3-1", "3-2")
    assert "3-1, 3-2" in str(found.notes[0])
    assert left_out(found) == {
        ("classes.csv", "its term is over"): (1, (5,)),
        ("classes.csv", "a class of one subject: pupils are taken from their homeroom class"): (1, (4,)),
        ("enrollments.csv", "of a class that is not in classes.csv, or not held now"): (1, (8,)),
    }


def test_a_school_without_homeroom_classes_gives_all_and_a_pupil_is_in_the_first_of_hers() -> None:
    files = small_school()
    found = read(files | {"classes.csv": files["classes.csv"].replace("homeroom", "scheduled")})
    assert {p.class_name for p in found.roster.pupils} == {"3-1", "3-2"}  # nobody is in 3-1 数学 first
    assert left_out(found)["enrollments.csv", "the pupil is in another class already"] == (1, (7,))


def test_seats_of_a_metadata_column_are_taken() -> None:
    files = small_school()
    lines = files["enrollments.csv"].split("\r\n")
    lines[0] += ",metadata.jp.ShussekiNo"
    lines[1:4] = [line + f",{seat}" for line, seat in zip(lines[1:4], ("12", "7", "7"), strict=True)]
    found = read(files | {"enrollments.csv": "\r\n".join(lines)})
    # The second who says 7 gets the first that is free.
    assert seats(found)[:3] == [("3-1", 1, "Anna Berg"), ("3-1", 7, "李华"), ("3-1", 12, "王小明")]


def test_pupils_keep_the_seat_and_the_id_that_they_have() -> None:
    known = Roster(
        (Pupil("3-1", 1, "Anna Berg", "A1"), Pupil("3-1", 9, "王小明", "20241"), Pupil("3-2", 4, "赵六", "Z"))
    )
    found = read(small_school(), known=known)
    by_name = {p.name: p for p in found.roster.pupils}
    assert by_name["王小明"] == Pupil("3-1", 9, "王小明", "20241")
    assert by_name["Anna Berg"] == Pupil("3-1", 1, "Anna Berg", "A1")  # her results lie under A1
    assert by_name["李华"].seat == 2


def test_the_second_import_changes_nothing() -> None:
    first = read(small_school())
    assert read(small_school(), known=first.roster).roster == first.roster
    assert read(small_school(), known=first.roster).counted == ()


def test_what_is_deleted_ended_or_twice_is_left_out_and_told() -> None:
    files = with_lines(
        small_school(),
        "enrollments.csv",
        zips.enrolment(10, "c32", "u6", more="true,2026-09-01,2026-11-30"),
        "E11,tobedeleted,,c32,S1,u7,student,true,,",
        zips.enrolment(12, "c32", "ghost"),
        zips.enrolment(13, "c31", "u1"),
        zips.enrolment(14, "nowhere", "u1"),
    )
    files = with_lines(files, "users.csv", zips.user("u1", "大明", "王", number="9"))
    found = read(files)
    told = left_out(found)
    assert told["enrollments.csv", "the enrolment is over"] == (1, (10,))
    assert told["enrollments.csv", "marked as deleted"] == (1, (11,))
    assert told["enrollments.csv", "the pupil is not in users.csv, or was left out there"] == (1, (12,))
    assert told["enrollments.csv", "the pupil stands in this class twice"] == (1, (13,))
    assert told["users.csv", "its sourcedId stands there twice: the first one counts"] == (1, (8,))
    assert len(found.roster.pupils) == 5
    assert "王小明" in {p.name for p in found.roster.pupils}


def test_an_enrolment_counts_until_the_day_before_its_end() -> None:
    # End dates are exclusive (1.2.1, enrollments.csv, endDate).
    files = with_lines(
        small_school(), "enrollments.csv", zips.enrolment(10, "c32", "u6", more="true,2026-09-01,2026-12-01")
    )
    found = read(with_lines(files, "users.csv", zips.user("u6", "六", "赵")))
    assert ("3-2", 3, "赵六") in seats(found)


def test_names_that_a_spreadsheet_would_run_and_names_that_are_none_are_left_out() -> None:
    files = small_school()
    files["users.csv"] = files["users.csv"].replace("Anna,Berg", '"=HYPERLINK(""x"")",').replace("伟,张", ",")
    found = read(files)
    assert left_out(found)["users.csv", "the name cannot be used: it is empty, too long, or has special signs"] == (
        2,
        (4, 5),
    )
    assert len(found.roster.pupils) == 3


def test_a_national_number_is_neither_kept_nor_hidden_nor_told() -> None:
    files = small_school()
    for file in ("users.csv", "enrollments.csv"):
        files[file] = files[file].replace("u3", NATIONAL)  # as its sourcedId
    files["users.csv"] = files["users.csv"].replace(",20243,", f",G{NATIONAL},")
    found = read(files)
    assert NATIONAL[:6] not in repr(found)
    anna = next(p for p in found.roster.pupils if p.name == "Anna Berg")
    assert anna.pupil_id.startswith("p")  # minted of class, seat and name
    assert any("national" in str(note) for note in found.notes)


def test_two_with_one_number_are_told_apart_by_their_ids_in_the_file() -> None:
    files = small_school()
    files["users.csv"] = files["users.csv"].replace(",20242,", ",20241,")
    ids = [p.pupil_id for p in read(files).roster.pupils]
    assert ids[:2] == ["u1", "u2"]
    assert len(set(ids)) == 5


def test_a_uuid_becomes_a_short_id_that_stays() -> None:
    files = small_school()
    uuid = "6F9619FF-8B86-D011-B42D-00C04FC964FF"
    for file in ("users.csv", "enrollments.csv"):
        files[file] = files[file].replace("u3", uuid)
    files["users.csv"] = files["users.csv"].replace(",20243,", ",,")
    small = {file: text.replace(uuid, uuid.lower()) for file, text in files.items()}
    ids = [next(p.pupil_id for p in read(f).roster.pupils if p.name == "Anna Berg") for f in (files, small)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 16


def test_classes_of_one_title_get_their_grade() -> None:
    files = small_school()
    files["classes.csv"] = files["classes.csv"].replace(",3-1,03", ",1班,03").replace(",3-2,03", ",1班,04")
    assert {p.class_name for p in read(files).roster.pupils} == {"3-1班", "4-1班"}


def test_classes_that_cannot_be_told_apart_are_left_out() -> None:
    files = small_school()
    for code in ("C31", "C32"):
        files["classes.csv"] = files["classes.csv"].replace(code, "C")
    files["classes.csv"] = files["classes.csv"].replace(",3-1,03", ",1班,").replace(",3-2,03", ",1班,")
    assert "no pupil" in refusal(files)


def test_a_class_of_61_is_left_out_and_the_others_stay() -> None:
    files = with_lines(small_school(), "enrollments.csv", *(zips.enrolment(n, "c32", f"x{n}") for n in range(100, 159)))
    files = with_lines(files, "users.csv", *(zips.user(f"x{n}", f"生{n}", "学") for n in range(100, 159)))
    found = read(files)
    assert left_out(found)["classes.csv", "it has more pupils than a class can have"] == (1, (3,))
    assert found.roster.classes() == ("3-1",)


def test_of_several_schools_the_one_that_is_said_is_taken() -> None:
    files = with_lines(small_school(), "orgs.csv", "S2,,,第二小学,school,3102,D")
    files = with_lines(files, "classes.csv", "c91,,,3-1,03,K,C91,homeroom,,S2,T1,,,")
    files = with_lines(files, "users.csv", zips.user("u9", "远", "周"))
    files = with_lines(files, "enrollments.csv", zips.enrolment(20, "c91", "u9"))
    with pytest.raises(SeveralSchoolsError) as caught:
        read(files)
    assert [one.name for one in caught.value.schools] == ["第一小学", "第二小学"]
    for said in ("第二小学", "3102", "S2"):
        assert seats(read(files, school=said)) == [("3-1", 1, "周远")]
    with pytest.raises(SeveralSchoolsError):
        read(files, school="第三小学")


def test_a_zip_of_changes_is_refused() -> None:
    files = small_school()
    assert "bulk" in refusal(files | {"manifest.csv": zips.manifest("1.1", enrollments="delta")})


@pytest.mark.parametrize("version", ["1.0", "2.0", "", "1.10"])
def test_another_version_is_refused(version: str) -> None:
    assert "OneRoster" in refusal(small_school() | {"manifest.csv": zips.manifest(version)})


@pytest.mark.parametrize("version", ["1.1.1", "1.2.1", "v1.2"])
def test_a_version_with_its_revision_is_known(version: str) -> None:
    assert read(small_school() | {"manifest.csv": zips.manifest(version)}).version in version


@pytest.mark.parametrize("file", ["classes.csv", "enrollments.csv", "users.csv"])
def test_a_file_that_is_missing_or_lacks_a_column_is_named(file: str) -> None:
    files = small_school()
    assert file in refusal({name: text for name, text in files.items() if name != file})
    assert file in refusal(files | {file: files[file].replace("sourcedId,", "number,", 1).replace("SourcedId", "")})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_files_are_read_as_excel_and_wps_save_them(encoding: str) -> None:
    files = {name: text.encode(encoding) for name, text in small_school().items()}
    found = read_oneroster(zipped(files), today=TODAY)
    assert found.roster == read(small_school()).roster
    assert any("UTF-8" in str(note) for note in found.notes) == (encoding != "utf-8-sig")


def test_headers_are_known_whatever_their_case_and_rows_may_be_short() -> None:
    files = small_school()
    files["enrollments.csv"] = files["enrollments.csv"].replace(",true,,\r\n", "\r\n")
    for name, text in files.items():
        header, _, rest = text.partition("\r\n")
        files[name] = header.upper() + "\n" + rest.replace("\r\n", "\n")
    files["manifest.csv"] = files["manifest.csv"].replace("PROPERTYNAME", "PropertyName")
    assert read(files).roster == read(small_school()).roster


def with_other_schools(users: int) -> bytes:
    files = small_school()
    files["users.csv"] += "".join(zips.user(f"w{n}", f"生{n}", "学") + "\r\n" for n in range(users))
    files["enrollments.csv"] += "".join(zips.enrolment(n, "elsewhere", f"w{n}") + "\r\n" for n in range(users))
    return zipped(files, compression=zipfile.ZIP_STORED)


def test_a_district_of_a_hundred_thousand_users_is_read() -> None:
    found = read_oneroster(with_other_schools(100_000), today=TODAY)
    assert len(found.roster.pupils) == 5
    assert left_out(found)["enrollments.csv", "of a class that is not in classes.csv, or not held now"][0] == 100_001


def test_of_other_schools_nothing_is_kept_in_memory() -> None:
    data = with_other_schools(5000)
    tracemalloc.start()
    try:
        read_oneroster(data, today=TODAY)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1024**2, peak  # their lines alone are 1.4 MB


def test_more_pupils_than_a_school_has_are_refused() -> None:
    files = small_school()
    files["enrollments.csv"] += "".join(zips.enrolment(n, "c31", f"w{n}") + "\r\n" for n in range(20_001))
    assert "20000" in refusal(files)


@given(data=st.binary(max_size=200), where=st.sampled_from(["users.csv", "classes.csv", "manifest.csv", "orgs.csv"]))
def test_garbage_is_read_or_refused_and_never_escapes(data: bytes, where: str) -> None:
    files = {name: text.encode() for name, text in small_school().items()}
    for body in (files[where] + data, data):
        with suppress(BadFileError):
            found = read_oneroster(zipped(files | {where: body}), today=TODAY)
            assert roster_of(enumerate(map(_cells, found.roster.pupils))) == found.roster


def _cells(pupil: Pupil) -> dict[str, str]:
    return {"class": pupil.class_name, "seat": str(pupil.seat), "name": pupil.name, "pupil_id": pupil.pupil_id}


def test_what_is_a_oneroster_zip_is_known_by_its_manifest() -> None:
    assert is_oneroster(zipped(small_school()))
    assert is_oneroster(zipped({f"export/{name}": text for name, text in small_school().items()}))
    assert not is_oneroster(zipped({"layout.json": "{}"}))
    assert not is_oneroster(b"PK\x03\x04 nothing")
    assert not is_oneroster(b"class,seat,name\n")
