"""Zips that a stranger made."""

import io
import struct
import zipfile

import pytest

from homework.errors import BadFileError
from homework.zipped_tables import MOST_BYTES, MOST_FILES, ZippedTables
from tests.homework.oneroster_zips import zipped

HEAD = "manifest.csv"


def refusal(data: bytes) -> str:
    with pytest.raises(BadFileError) as caught:
        for _ in ZippedTables(data, beside=HEAD).rows(HEAD, ("a",)):
            pass
    return str(caught.value)


def patched(data: bytes, at: bytes, offset: int, value: bytes) -> bytes:
    """The bytes with `value` `offset` bytes after the last `at`."""
    place = data.rindex(at) + offset
    return data[:place] + value + data[place + len(value) :]


CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"
PLAIN = zipped({HEAD: "a,b\n1,2\n\n3\n"})


def test_rows_come_by_the_columns_asked_for_with_their_lines() -> None:
    tables = ZippedTables(PLAIN, beside=HEAD)
    assert list(tables.rows(HEAD, ("b",), ("c", "a"))) == [(2, ["2", "", "1"]), (4, ["", "", "3"])]
    assert "MANIFEST.csv" in tables
    assert "other.csv" not in tables


def test_the_folder_nearest_to_the_top_counts() -> None:
    tables = ZippedTables(
        zipped({"x/y/manifest.csv": "a\n2\n", "x/manifest.csv": "a\n1\n", "__MACOSX/._a": ""}), beside=HEAD
    )
    assert list(tables.rows(HEAD, ("a",))) == [(2, ["1"])]


def test_a_bomb_is_refused_before_a_byte_of_it_is_unpacked() -> None:
    large = zipped({HEAD: "a\n", "users.csv": b"0" * 900_000})
    assert "district" in refusal(patched(large, CENTRAL, 24, struct.pack("<I", 300 * 1024**2)))
    assert "district" in refusal(zipped({HEAD: "a\n", "users.csv": b"0" * 2 * 1024**2}))  # a thousand times
    many = zipped({HEAD: "a\n", **{f"{n}.csv": "" for n in range(MOST_FILES)}})
    assert "district" in refusal(many)
    assert "district" in refusal(PLAIN + b"\0" * MOST_BYTES)


def test_a_zip_that_lies_about_its_sizes_is_bounded_by_what_it_says() -> None:
    bomb = zipped({HEAD: b"a\n" + b"1\n" * 500_000})
    small = patched(bomb, CENTRAL, 24, struct.pack("<I", 4))  # "4 bytes when unpacked"
    small = patched(small, b"PK\x03\x04", 22, struct.pack("<I", 4))
    assert "damaged" in refusal(small)  # its checksum is that of all


def test_a_directory_of_a_hundred_thousand_files_is_not_listed() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        for n in range(2000):
            parts.writestr(f"{n}", "")
    assert "district" in refusal(out.getvalue())


def test_a_larger_directory_in_64_bits_is_not_believed() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr(HEAD, "a\n")
    data = out.getvalue()
    end = data.rindex(END)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, 0, 1)
    assert "district" in refusal(data[:end] + locator + data[end:])


@pytest.mark.parametrize(
    "name", ["../manifest.csv", "/etc/passwd", "a/../../b.csv", "..\\b.csv", "C:\\b.csv", "a\\b.csv"]
)
def test_a_file_outside_of_the_zip_is_refused(name: str) -> None:
    assert "outside" in refusal(zipped({HEAD: "a\n", name: "a\n"}))


def test_a_locked_a_rare_and_a_doubled_zip_are_refused() -> None:
    assert "password" in refusal(patched(PLAIN, CENTRAL, 8, b"\x01"))
    assert "rare" in refusal(zipped({HEAD: "a\n1\n"}, compression=zipfile.ZIP_LZMA))
    doubled = zipped({HEAD: "a\n", "manifest.cs2": "a\n"}).replace(b"manifest.cs2", HEAD.encode())
    assert "twice" in refusal(doubled)
    assert "twice" in refusal(zipped({HEAD: "a\n", "Manifest.CSV": "a\n"}))


@pytest.mark.parametrize("cut", [1, 10, 40, len(PLAIN) // 2])
def test_a_zip_cut_short_is_damaged(cut: int) -> None:
    assert "damaged" in refusal(PLAIN[:-cut])


def test_a_flipped_byte_is_noticed() -> None:
    stored = zipped({HEAD: "a\n1\n"}, compression=zipfile.ZIP_STORED)
    assert "damaged" in refusal(stored.replace(b"a\n1\n", b"a\n7\n"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("b\n1\n", "column a"),
        ("a,a\n1,2\n", "column a"),
        ('a\n"1\n2\n', "quotation"),
        ("a\n" + "1" * 70_000 + "\n", "without end"),
        ("", "column a"),
        (b"a\n\0\n", "no text"),
        (b"a\n\xff\xff\n", "no text"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(text: str | bytes, word: str) -> None:
    assert word in refusal(zipped({HEAD: text}))


def test_a_zip_without_the_file_that_makes_it_one_is_told_so() -> None:
    assert "OneRoster" in refusal(zipped({"other.csv": "a\n"}))
    assert "damaged" in refusal(b"PK")
    assert "damaged" in refusal(b"")
