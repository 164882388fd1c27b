"""The class list: who sits where. Parsing is pure: bytes or text in, a `Roster` out."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import msgspec

from homework.errors import BadFileError, Phrase

MAX_PUPILS_A_CLASS = 60
MAX_SEAT = 99
"""Seats are written into two cells."""

MAX_TEXT = 32
MAX_PUPILS = 20_000
"""Of one list: several schools together are brought in one by one."""

_COLUMNS = {
    "class": ("class", "class_name", "班级", "班"),
    "seat": ("seat", "seat_no", "座号", "座位号", "座位", "序号"),
    "name": ("name", "姓名", "学生姓名"),
    "pupil_id": ("pupil_id", "pupil", "id", "学号", "编号"),
}
_COLUMN_WORDS = {column: Phrase(column) for column in _COLUMNS}
_FORMULA = ("=", "+", "-", "@")
_HEADER_REMEDY = "Its first line should be: class,seat,name,pupil_id (or 班级,座号,姓名,学号)."


class Pupil(msgspec.Struct, frozen=True, gc=False):
    """One pupil. `pupil_id` is the school's own id, never a national number; `seat` counts from 1."""

    class_name: str
    seat: int
    name: str
    pupil_id: str


class Roster(msgspec.Struct, frozen=True, gc=False):
    """Pupils of one or more classes, in class and seat order."""

    pupils: tuple[Pupil, ...]

    def classes(self) -> tuple[str, ...]:
        """Class names in order of first appearance."""
        return tuple(dict.fromkeys(p.class_name for p in self.pupils))

    def of_class(self, class_name: str) -> tuple[Pupil, ...]:
        """The pupils of one class, by seat."""
        return tuple(sorted((p for p in self.pupils if p.class_name == class_name), key=lambda p: p.seat))

    def by_class(self) -> dict[str, tuple[Pupil, ...]]:
        """The pupils of every class, by seat; classes in order of first appearance."""
        found: dict[str, list[Pupil]] = {}
        for pupil in self.pupils:
            found.setdefault(pupil.class_name, []).append(pupil)
        return {name: tuple(sorted(pupils, key=lambda p: p.seat)) for name, pupils in found.items()}

    def at_seat(self, class_name: str, seat: int) -> Pupil | None:
        """Who sits at `seat` (from 1) in a class, or None."""
        return next((p for p in self.pupils if p.class_name == class_name and p.seat == seat), None)

    def by_id(self, pupil_id: str) -> Pupil | None:
        """The pupil of that id, or None."""
        return next((p for p in self.pupils if p.pupil_id == pupil_id), None)


def parse_roster(data: bytes) -> Roster:
    """Parse a class list: CSV with the columns class, seat, name and optionally pupil_id, in any order.

    Understood as they come from Excel, WPS and Notepad: UTF-8 with or without BOM, GBK/GB18030, UTF-16; commas,
    semicolons or tabs; any line ends; Chinese or English column names; other columns are ignored, never kept.
    A pupil without an id gets one made from class, seat and name. Classes keep their order; pupils go by seat.

    Raises `BadFileError` with the line of the file. Its messages never repeat a number that looks national.
    """
    text = decoded(data)
    if max(text.count("\n"), text.count("\r")) > 2 * MAX_PUPILS:  # told before each of the lines is looked at
        raise _too_many()
    rows = table_rows(text)
    if not rows:
        raise BadFileError("The roster is empty.", remedy=_HEADER_REMEDY)
    columns = _columns(rows[0][1])
    called = names_of(rows[0][1], columns)
    return roster_of(((line, cells_by_column(cells, columns)) for line, cells in rows[1:]), called=called)


def roster_of(rows: Iterable[tuple[int, dict[str, str]]], *, called: Mapping[str, str] | None = None) -> Roster:
    """The class list of rows: the line that each stands on, and its cells by column (class, seat, name, pupil_id).

    `called` is what the columns are called where the rows came from; without it they go by our own words.
    Raises `BadFileError` as `parse_roster` does.
    """
    pupils: list[Pupil] = []
    lines: dict[tuple[str, ...], int] = {}
    for line, found in rows:
        pupil = _pupil(line, found, called or {})
        _once(lines, ("seat", pupil.class_name, str(pupil.seat)), line)
        _once(lines, ("id", pupil.pupil_id), line)
        pupils.append(pupil)
        if len(pupils) > MAX_PUPILS:
            raise _too_many()
    if not pupils:
        raise BadFileError("The roster has no pupils.", remedy="Write one line for each pupil under the header.")
    order = {name: index for index, name in enumerate(dict.fromkeys(p.class_name for p in pupils))}
    roster = Roster(tuple(sorted(pupils, key=lambda p: (order[p.class_name], p.seat))))
    for name, count in Counter(p.class_name for p in pupils).items():
        if count > MAX_PUPILS_A_CLASS:
            raise BadFileError(
                "Class {name} has {count} pupils; {limit} is the most.",
                remedy="Split it into two classes, or look for a class name that is missing in the file.",
                name=name,
                count=count,
                limit=MAX_PUPILS_A_CLASS,
            )
    return roster


def cells_by_column(cells: Sequence[str], columns: Mapping[str, int]) -> dict[str, str]:
    """The cells of a row under the names of their columns; "" where the row is shorter."""
    return {column: cells[index] if index < len(cells) else "" for column, index in columns.items()}


def names_of(header: Sequence[str], columns: Mapping[str, int]) -> dict[str, str]:
    """What the columns are called in the file itself, so that messages speak its words."""
    return {column: header[index].strip() for column, index in columns.items()}


def column_of(header: str) -> str | None:
    """Which column a header's cell names, in Chinese or English; None when it is none of a class list."""
    word = unicodedata.normalize("NFKC", header).strip().lower().replace(" ", "_")
    return next((column for column, names in _COLUMNS.items() if word in names), None)


def roster_to_csv(roster: Roster) -> str:
    """The class list as CSV with the English header. Write it with a BOM (`utf-8-sig`) for Excel's sake."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for pupil in roster.pupils:
        writer.writerow((pupil.class_name, pupil.seat, pupil.name, pupil.pupil_id))
    return out.getvalue()


def minted_pupil_id(class_name: str, seat: int, name: str) -> str:
    """The id of a pupil whose school gave none: the same from every copy of the list."""
    digest = hashlib.sha256("\0".join((class_name, str(seat), name)).encode()).digest()
    return "p" + base64.b32encode(digest).decode().lower()[:11]


def looks_national(text: str) -> bool:
    """Whether `text` holds 18 digits in a row (the last may be X), as citizen and national pupil numbers do.

    GB 11643-1999 for the citizen number; spaces and dashes in between do not hide it, and neither does Excel's
    1.10101E+17, what is left of one.
    """
    folded = re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", text))
    return (
        re.search(r"[0-9]{17}[0-9Xx]", folded) is not None or re.fullmatch(r"[0-9.]+[Ee]\+?1[78]", folded) is not None
    )


def usable_text(text: str) -> bool:
    """Whether `text` can be a name, a class or an id: not empty, not long, and nothing that a spreadsheet would run."""
    return 0 < len(text) <= MAX_TEXT and text.isprintable() and not text.startswith(_FORMULA)


def decoded(data: bytes) -> str:
    """The text of a file as Excel, WPS and Notepad save it. Raises `BadFileError`."""
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise BadFileError("The roster is an Excel workbook.", remedy="Save it as CSV first (another format, *.csv).")
    encodings = ["utf-8-sig", "gb18030"]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif data[1:2] == b"\0":
        # UTF-16 without its mark: the header's ASCII letters leave every second byte zero.
        encodings = ["utf-16-le"]
    elif data[:1] == b"\0":
        encodings = ["utf-16-be"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadFileError("The roster is no text that can be read.", remedy="Save it as CSV in UTF-8 and try again.")


def table_rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that hold anything, with the line each ends on, cells cleaned."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    head = next((line for line in lines.split("\n") if line.strip()), "")
    delimiter = max(",\t;，", key=head.count)
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(lines, newline="\n"), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            cleaned = [" ".join(unicodedata.normalize("NFC", cell).split()) for cell in cells]
            # Excel may begin a file with the line `sep=;` to say what parts its cells.
            if any(cleaned) and not (not rows and cleaned[0].lower().startswith("sep=")):
                rows.append((reader.line_num, cleaned))
    except csv.Error as error:
        _fail(
            reader.line_num, "the cells cannot be told apart.", "Look for a quotation mark that is not closed.", error
        )
    return rows


def _too_many() -> BadFileError:
    return BadFileError(
        "The list has more than {limit} pupils.", remedy="Bring in one school at a time.", limit=MAX_PUPILS
    )


def _columns(header: list[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for index, cell in enumerate(header):
        column = column_of(cell)
        if column is not None:
            if column in columns:
                raise BadFileError(
                    "The roster has two columns for {column}.",
                    remedy="Remove one of them.",
                    column=_COLUMN_WORDS[column],
                )
            columns[column] = index
    missing = [column for column in ("class", "seat", "name") if column not in columns]
    if missing:
        raise BadFileError("The roster has no column {missing}.", remedy=_HEADER_REMEDY, missing=", ".join(missing))
    return columns


def _pupil(line: int, found: dict[str, str], called: Mapping[str, str]) -> Pupil:
    for name_of_column, text in found.items():
        column = called.get(name_of_column) or _COLUMN_WORDS[name_of_column]
        if looks_national(text):
            _fail(
                line,
                "the column {column} holds what looks like a national number.",
                "Use the school's own short number; a national one must never stand on a sheet.",
                column=column,
            )
        if not text and name_of_column != "pupil_id":
            _fail(line, "the column {column} is empty.", "Fill it in, or remove the line.", column=column)
        if len(text) > MAX_TEXT or not text.isprintable():
            _fail(
                line,
                "the column {column} cannot be used.",
                "Write at most {limit} characters without special signs.",
                column=column,
                limit=MAX_TEXT,
            )
        if text.startswith(_FORMULA):
            # In a list that is exported later, a spreadsheet would run it.
            _fail(line, "the column {column} begins with {sign}.", "Remove the sign.", column=column, sign=text[0])
    seat_text = unicodedata.normalize("NFKC", found["seat"])
    seat = int(seat_text) if re.fullmatch(r"[0-9]{1,4}", seat_text) else 0
    if not 1 <= seat <= MAX_SEAT:
        _fail(line, "the seat `{seat}` is no number from 1 to {limit}.", "Correct it.", seat=seat_text, limit=MAX_SEAT)
    class_name, name = found["class"], found["name"]
    return Pupil(class_name, seat, name, found.get("pupil_id") or minted_pupil_id(class_name, seat, name))


def _once(lines: dict[tuple[str, ...], int], key: tuple[str, ...], line: int) -> None:
    first = lines.setdefault(key, line)
    if first == line:
        return
    if key[0] == "seat":
        _fail(
            line,
            "seat {seat} of class {name} was taken on line {first}.",
            "Give each pupil of a class a seat of their own.",
            name=key[1],
            seat=key[2],
            first=first,
        )
    _fail(
        line,
        "the pupil_id `{id}` stands on line {first} too.",
        "Give each pupil an id of their own.",
        id=key[1],
        first=first,
    )


def _fail(line: int, message: str, remedy: str, cause: Exception | None = None, **values: object) -> NoReturn:
    raise BadFileError("Line {line} of the roster: " + message, remedy=remedy, line=line, **values) from cause
