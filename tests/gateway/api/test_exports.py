"""Exports hold what the reports say, nobody's name unless it was asked for, nothing that runs, and little memory."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gateway.access.audit import lines
from gateway.access.person import anybody_here
from gateway.exports.files import csv_file, oneroster_zip, parquet_file, xapi_lines
from gateway.exports.rows import RESULT_COLUMNS, result_rows
from gateway.exports.sheets import ClassSheets, Taker, Wish, class_sheets
from gateway.store.rosters import bring_in
from homework.oneroster_results import HEADERS
from homework.roster import Pupil, Roster
from homework.statistics import PupilFigures
from tests.gateway.api.conftest import ASSIGNMENT, CLASS, OTHER, OWN, Office

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all
EXPORTS = f"/api/1/schools/{OWN}/exports"
FILES = ("results.csv", "results.parquet", "answers.csv", "answers.parquet", "oneroster.zip", "xapi.jsonl")


async def taken(office: Office, file: str, *, key: str | None = None, **params: str) -> bytes:
    response = await office.ask(key or office.taker, f"{EXPORTS}/{file}", params=params)
    assert response.status == 200, await response.text()
    assert "attachment" in response.headers["Content-Disposition"]
    return await response.read()


def table(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))


async def figures(office: Office) -> dict[str, PupilFigures]:
    """The class's pupils as the report has them, by pseudonym."""
    report = await office.schools[OWN].report(CLASS)
    members = (await office.json(office.reader, f"/api/1/schools/{OWN}/classes/{CLASS}"))["pupils"]
    alias = {member["pupil_id"]: member["pupil"] for member in members}
    return {alias[pupil.pupil]: pupil for pupil in report.figures.pupils}


async def test_the_results_are_those_of_the_report(office: Office) -> None:
    rows = table(await taken(office, "results.csv"))
    pupils = await figures(office)
    assert {row["pupil"] for row in rows} == set(pupils)
    for row in rows:
        pupil = pupils[row["pupil"]]
        assert (row["class"], row["assignment"], row["attempt"]) == (CLASS, ASSIGNMENT.id, "1")
        assert int(row["seat"]) == pupil.seat
        assert int(row["pending"]) == pupil.pending
        assert pupil.score_hundredths is not None
        assert float(row["score"]) == pupil.score_hundredths / 100


async def test_the_answers_are_those_of_the_report(office: Office) -> None:
    rows = table(await taken(office, "answers.csv"))
    assert len(rows) == 12 * sum(item.blanks for item in ASSIGNMENT.items)
    for alias, pupil in (await figures(office)).items():
        wrong = {row["item"] for row in rows if row["pupil"] == alias and row["verdict"] == "wrong"}
        assert set(pupil.wrong_items) <= wrong


async def test_parquet_holds_the_same_rows_with_their_kinds(office: Office) -> None:
    for name in ("results", "answers"):
        found = pq.read_table(io.BytesIO(await taken(office, f"{name}.parquet"))).to_pylist()
        rows = table(await taken(office, f"{name}.csv"))
        assert len(found) == len(rows) > 0
        for one, row in zip(found, rows, strict=True):
            assert {column: "" if value is None else value for column, value in one.items()} == {
                column: type(one[column])(text.removeprefix("'")) if one[column] is not None else ""
                for column, text in row.items()
            }


async def test_a_gradebook_holds_together_and_keeps_to_the_columns_of_the_standard(office: Office) -> None:
    with zipfile.ZipFile(io.BytesIO(await taken(office, "oneroster.zip", key=office.both))) as whole:
        assert whole.testzip() is None
        files = {name: list(csv.reader(io.StringIO(whole.read(name).decode()))) for name in whole.namelist()}
    assert set(files) == set(HEADERS)
    for name, rows in files.items():
        assert tuple(rows[0]) == HEADERS[name]
        assert all(len(row) == len(rows[0]) for row in rows)
    told = {name: [dict(zip(rows[0], row, strict=True)) for row in rows[1:]] for name, rows in files.items()}
    manifest = {row["propertyName"]: row["value"] for row in told["manifest.csv"]}
    assert (manifest["oneroster.version"], manifest["file.results"], manifest["file.users"]) == (
        "1.1",
        "bulk",
        "absent",
    )
    items = {row["sourcedId"]: row for row in told["lineItems.csv"]}
    assert {row["categorySourcedId"] for row in items.values()} <= {row["sourcedId"] for row in told["categories.csv"]}
    sessions = {row["sourcedId"] for row in told["academicSessions.csv"]}
    assert {row["gradingPeriodSourcedId"] for row in items.values()} == sessions
    results = told["results.csv"]
    assert {row["lineItemSourcedId"] for row in results} == set(items)
    assert len({row["sourcedId"] for row in results}) == len(results) == 12
    pupils = {pupil.pupil: pupil for pupil in (await figures(office)).values()}
    for row in results:
        pupil = pupils[row["studentSourcedId"]]
        assert row["status"] == row["dateLastModified"] == ""
        assert row["scoreStatus"] == ("partially graded" if pupil.pending else "fully graded")
        assert row["score"] == ("" if pupil.pending else f"{(pupil.score_hundredths or 0) / 100:g}")


async def test_statements_name_nobody_and_are_the_same_each_time(office: Office) -> None:
    first, again = [(await taken(office, "xapi.jsonl")) for _ in range(2)]
    assert first == again
    statements = [json.loads(line) for line in first.splitlines()]
    assert len(statements) == 12 * (1 + len(ASSIGNMENT.items))
    assert len({statement["id"] for statement in statements}) == len(statements)
    aliases = set(await figures(office))
    for statement in statements:
        assert set(statement["actor"]) == {"objectType", "account"}
        assert statement["actor"]["account"]["name"] in aliases
        assert statement["version"] == "1.0.3"
        assert None not in statement.values()
    scaled = [s["result"]["score"]["scaled"] for s in statements if "score" in s["result"]]
    assert scaled
    assert all(0 <= share <= 1 for share in scaled)
    assert "学生" not in first.decode()


@pytest.mark.parametrize("file", FILES)
async def test_no_name_is_in_a_file_unless_it_was_asked_for(office: Office, file: str) -> None:
    assert "学生" not in (await taken(office, file, key=office.both)).decode("utf-8", "replace")


async def test_names_are_only_for_a_key_that_may_read_them(office: Office) -> None:
    for file in ("results.csv?names=yes", "answers.parquet?names=yes", "oneroster.zip"):
        refused = await office.ask(office.taker, f"{EXPORTS}/{file}")
        assert (refused.status, "see-class" in (await refused.json())["remedy"]) == (403, True), file
    rows = table(await taken(office, "results.csv", key=office.both, names="yes"))
    assert {row["name"] for row in rows} == {f"学生{seat:02d}" for seat in range(1, 13)}
    assert rows[0]["pupil_id"].startswith(CLASS)


async def test_nobody_takes_out_what_is_not_theirs(office: Office) -> None:
    assert (await office.ask(office.reader, f"{EXPORTS}/results.csv")).status == 403
    assert (await office.ask(office.taker, f"/api/1/schools/{OTHER}/exports/results.csv")).status == 403
    mine = table(await (await office.visit("teacher", f"{EXPORTS}/results.csv")).read())
    assert len(mine) == 12
    assert table(await (await office.visit("chinese", f"{EXPORTS}/results.csv")).read()) == []


async def test_an_export_is_of_the_class_and_the_days_that_were_asked_for(office: Office) -> None:
    assert len(table(await taken(office, "results.csv", **{"class": CLASS}))) == 12
    assert table(await taken(office, "results.csv", **{"class": "9-9"})) == []
    assert table(await taken(office, "results.csv", last="2020-01-01")) == []
    assert len(table(await taken(office, "results.csv", first="2020-01-01", last="9998-12-31"))) == 12
    for wrong in ({"first": "yesterday"}, {"last": "2026-02-30"}, {"names": "perhaps"}, {"clas": CLASS}):
        assert (await office.ask(office.taker, f"{EXPORTS}/results.csv", params=wrong)).status == 400, wrong
    for far in ({"last": "9999-12-31"}, {"first": "0001-01-01"}):
        assert len(table(await taken(office, "results.csv", **far))) == 12, far


async def test_what_a_spreadsheet_would_run_is_text(office: Office) -> None:
    school = office.schools[OWN]
    roster = school.pupils.roster
    named = Roster((Pupil(CLASS, 1, '=HYPERLINK("http://evil")', roster.pupils[0].pupil_id), *roster.pupils[1:]))
    async with office.store.writing() as connection:
        await bring_in(connection, office.store.vault, OWN, named)
    rows = table(await taken(office, "results.csv", key=office.both, names="yes"))
    assert [row["name"] for row in rows if row["name"].startswith("'=")] == ['\'=HYPERLINK("http://evil")']
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@", "\t"))]
    async with office.store.writing() as connection:
        await bring_in(connection, office.store.vault, OWN, roster)


async def test_what_was_taken_out_is_in_the_audit_before_its_first_byte(office: Office) -> None:
    before = office.access.now_ms()
    await taken(office, "oneroster.zip", key=office.both)
    async with office.store.reading() as connection:
        told = [line for line in await lines(connection, OWN) if line.at_ms >= before]
    assert ("export", "oneroster.zip") in [(line.deed, line.detail) for line in told]


async def test_half_a_file_is_never_taken_for_a_whole_one(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*asked: Any) -> AsyncIterator[ClassSheets]:
        async for sheets in class_sheets(*asked):
            for _ in range(50):
                yield sheets
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr("gateway.api.exports.class_sheets", broken)
    response = await office.ask(office.taker, f"{EXPORTS}/xapi.jsonl")
    assert response.status == 200
    with pytest.raises(aiohttp.ClientError):
        await response.read()
    assert (await office.ask(office.taker, "/api/1/me")).status == 200


# --- memory --------------------------------------------------------------------------------------------------


async def a_school(office: Office, classes: int) -> Any:
    """A made-up school: one real class, told as often as there are classes."""
    taker = Taker(anybody_here(), office.access.now_ms())
    (one,) = [found async for found in class_sheets(office.store, taker, OWN, Wish(class_name=CLASS))]

    async def sheets() -> AsyncIterator[ClassSheets]:
        for number in range(classes):
            yield one._replace(class_name=f"class-{number}")

    return sheets


async def peak_and_rows(pieces: AsyncIterator[bytes]) -> tuple[int, int]:
    tracemalloc.start()
    try:
        size = 0
        async for piece in pieces:
            size += len(piece)
        return tracemalloc.get_traced_memory()[1], size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["csv", "xapi", "oneroster"])
async def test_ten_times_the_school_needs_no_more_memory(office: Office, kind: str) -> None:
    def file(sheets: Any) -> AsyncIterator[bytes]:
        if kind == "csv":
            return csv_file(sheets, RESULT_COLUMNS, partial(result_rows, names=False))
        if kind == "xapi":
            return xapi_lines(sheets, "https://example.cn/schools/no-1")
        return oneroster_zip(sheets, system="Classbox", code=OWN)

    few, many = (1, 8) if kind == "xapi" else (20, 160)
    small = await peak_and_rows(file(await a_school(office, few)))
    large = await peak_and_rows(file(await a_school(office, many)))
    assert large[1] > 5 * small[1]
    assert large[0] < 1.5 * small[0] + 200_000


async def test_a_hundred_thousand_rows_of_parquet_are_written_in_row_groups(office: Office) -> None:
    sheets = await a_school(office, 100_000 // 12 + 1)
    pool = pa.default_memory_pool()
    begun, whole = pool.bytes_allocated(), bytearray()
    most = 0
    async for piece in parquet_file(sheets, RESULT_COLUMNS, partial(result_rows, names=False)):
        most = max(most, pool.bytes_allocated() - begun)
        whole += piece
    found = pq.ParquetFile(io.BytesIO(bytes(whole)))
    assert found.metadata.num_rows >= 100_000
    assert found.metadata.num_row_groups == 5
    assert most < 32 * 1024**2
